//! The mail catcher, spoken to byte by byte.

use std::time::Duration;

use ristoro_local::{AfterData, MailCatcher, MailOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(5);

async fn catcher() -> MailCatcher {
    MailCatcher::start(MailOptions::default()).await.expect("a free port")
}

/// Sends all lines at once, as pipelining does, and gives everything that comes back.
async fn talk(catcher: &MailCatcher, lines: &str) -> String {
    let mut stream = TcpStream::connect(catcher.address()).await.expect("it listens");
    stream.write_all(lines.replace('\n', "\r\n").as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer
}

/// The first three figures of each reply's last line.
fn codes(answer: &str) -> Vec<&str> {
    answer.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| &line[..3]).collect()
}

const ONE_MAIL: &str = "EHLO me\nMAIL FROM:<a@b> SIZE=10\nRCPT TO:<Anna@example.org>\nDATA\n\
                        Subject: hello\n\n..dots\n.\nQUIT\n";

#[tokio::test]
async fn a_pipelined_mail_is_taken_without_the_doubled_dots() {
    let catcher = catcher().await;
    let answer = talk(&catcher, ONE_MAIL).await;
    assert_eq!(codes(&answer), ["220", "250", "250", "250", "354", "250", "221"]);
    for extension in ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10485760"] {
        assert!(answer.contains(extension), "{answer}");
    }
    let messages = catcher.wait_for(1, SOON).await.unwrap();
    assert_eq!(messages[0].from, "a@b");
    assert_eq!(messages[0].recipients, ["Anna@example.org"]);
    assert_eq!(messages[0].header("Subject").as_deref(), Some("hello"));
    assert_eq!(messages[0].body(), ".dots\r\n");
}

#[tokio::test]
async fn a_refused_recipient_gets_no_mail_and_the_other_does() {
    let catcher = catcher().await;
    catcher.refuse("anna@example.org", 550);
    let lines = "HELO me\nMAIL FROM:<>\nRCPT TO:<ANNA@example.org>\nDATA\nRCPT TO:<ben@x>\nDATA\n\
                 .\nQUIT\n";
    let answer = talk(&catcher, lines).await;
    assert_eq!(codes(&answer), ["220", "250", "250", "550", "503", "250", "354", "250", "221"]);
    assert_eq!(catcher.messages()[0].recipients, ["ben@x"]);
    catcher.accept("anna@example.org");
    assert!(!talk(&catcher, ONE_MAIL).await.contains("550"));
}

#[tokio::test]
async fn a_hang_up_leaves_the_outcome_unknown_either_way() {
    let catcher = catcher().await;
    catcher.hang_up(AfterData::LoseAndHangUp);
    catcher.hang_up(AfterData::KeepAndHangUp);
    for taken in [0, 1] {
        let answer = talk(&catcher, ONE_MAIL).await;
        assert_eq!(codes(&answer), ["220", "250", "250", "250", "354"]);
        assert_eq!(catcher.count(), taken);
    }
    assert_eq!(codes(&talk(&catcher, ONE_MAIL).await).len(), 7);
    assert_eq!(catcher.count(), 2);
}

#[tokio::test]
async fn commands_out_of_order_and_without_sense_are_refused_in_order() {
    let catcher = catcher().await;
    let lines = "RCPT TO:<a@b>\nMAIL a@b\nMAIL FROM:<a@b>\nMAIL FROM:<c@d>\nDATA\nRSET\nDATA\nNOOP\n\
                 STARTTLS\nQUIT\n";
    let expected = ["220", "503", "501", "250", "503", "503", "250", "503", "250", "502", "221"];
    assert_eq!(codes(&talk(&catcher, lines).await), expected);
}

#[tokio::test]
async fn what_is_too_big_is_refused_and_the_connection_goes_on() {
    let catcher = catcher().await;
    let long_line = "x".repeat(5_000);
    assert_eq!(
        codes(&talk(&catcher, &format!("{long_line}\nQUIT\n")).await),
        ["220", "500", "221"]
    );
    let big = format!("{}\n", "x".repeat(998)).repeat(10_600);
    let lines = format!("HELO me\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n{big}.\nQUIT\n");
    let expected = ["220", "250", "250", "250", "354", "552", "221"];
    assert_eq!(codes(&talk(&catcher, &lines).await), expected);
    let recipients = "RCPT TO:<c@d>\n".repeat(101);
    let answer = talk(&catcher, &format!("HELO me\nMAIL FROM:<a@b>\n{recipients}QUIT\n")).await;
    assert_eq!(codes(&answer)[102..], ["250", "452", "221"]);
    assert_eq!(catcher.count(), 0);
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_data_leaves_no_mail() {
    let catcher = catcher().await;
    let mut stream = TcpStream::connect(catcher.address()).await.unwrap();
    let lines = b"HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhalf a mail";
    stream.write_all(lines).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(codes(&answer), ["220", "250", "250", "250", "354"]);
    assert_eq!(catcher.count(), 0);
    let error = catcher.wait_for(1, Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(error.to_string(), "the arrival of 1 mails did not happen within 0.02 s: 0 came");
}

#[tokio::test]
async fn the_journal_has_a_line_a_mail() {
    let name = format!("ristoro-mail-{}.jsonl", uuid::Uuid::new_v4().simple());
    let journal = std::env::temp_dir().join(name);
    let options = MailOptions { port: None, journal: Some(journal.clone()) };
    let catcher = MailCatcher::start(options).await.unwrap();
    talk(&catcher, ONE_MAIL).await;
    talk(&catcher, ONE_MAIL).await;
    let text = std::fs::read_to_string(&journal).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["recipients"][0], "Anna@example.org");
    assert_eq!(lines[1]["raw"], "Subject: hello\r\n\r\n.dots\r\n");
    std::fs::remove_file(&journal).unwrap();
}
