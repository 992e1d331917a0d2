//! The running service, its mail server and a client.

use std::time::{Duration, Instant};

use ristoro_local::{
    MailCatcher, MailOptions, Message, Postgres, PostgresOptions, cache_directory,
};
use ristoro_log::EventLog;
use ristoro_notifier::{Settings, routes, spec};
use ristoro_proto::notifier::v1::notice_service_client::NoticeServiceClient;
use ristoro_proto::notifier::v1::{GetNoticeRequest, ListNoticesRequest, Notice, NoticeState};
use ristoro_runtime::config::LeaseMode;
use ristoro_runtime::grpc::{GrpcRoutes, Principals, ServeError, ServeOptions, bind, serve};
use ristoro_runtime::rebuild;
use ristoro_runtime::schema::{Comparison, SchemaState, equal};
use ristoro_runtime::service::{Service, Settings as Loops};
use ristoro_runtime::telemetry::Telemetry;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

use super::world::{ASSESSMENT, World};

/// `anna` runs the system with the token `secret`; `bo` observes with the token `hello`.
const PRINCIPALS: &str = r#"
[[principal]]
name = "anna"
roles = ["operator"]
token_sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

[[principal]]
name = "bo"
roles = ["observer"]
token_sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
"#;
/// Short enough to wait for, and long enough for a block and each answer on a slow machine.
const TAKEOVER_AFTER: Duration = Duration::from_secs(4);
const SOON: Duration = Duration::from_secs(20);

/// Everything that a test needs.
pub struct Running {
    pub world: World,
    pub mail: MailCatcher,
    pub service: Service,
    pub pool: PgPool,
    channel: Channel,
    postgres: Postgres,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), ServeError>>,
}

pub async fn start() -> Running {
    start_with(TAKEOVER_AFTER).await
}

/// Starts everything; a wave may stand still for so long before it is taken over.
pub async fn start_with(takeover_after: Duration) -> Running {
    let mail = MailCatcher::start(MailOptions::default()).await.unwrap();
    let settings = Settings { takeover_after, ..settings(&mail) };
    start_on(mail, settings).await
}

/// Starts everything but the mail server.
pub async fn start_on(mail: MailCatcher, settings: Settings) -> Running {
    let postgres = Postgres::start(PostgresOptions::throw_away(cache_directory())).await.unwrap();
    let url = postgres.create_database("ristoro").await.unwrap();
    let pool =
        sqlx::postgres::PgPoolOptions::new().max_connections(40).connect(&url).await.unwrap();
    let world = World::new();
    let service = service(&pool, &world, &settings).await;
    let shutdown = CancellationToken::new();
    let listener = bind("127.0.0.1:0".parse().unwrap(), "listen").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let options = ServeOptions {
        principals: Principals::parse("principals.toml", PRINCIPALS).unwrap(),
        call_deadline: Duration::from_secs(30),
        calls_at_once: 64,
        shutdown_bound: Duration::from_secs(5),
        telemetry: Telemetry::default(),
    };
    let routes = routes(GrpcRoutes::new(), &service, &settings);
    let server = tokio::spawn(serve(listener, routes, options, shutdown.clone()));
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    Running { world, mail, service, pool, channel, postgres, shutdown, server }
}

pub fn settings(mail: &MailCatcher) -> Settings {
    let settings = Settings::new(&mail.url(), "Italiaonline <no-reply@italiaonline.it>").unwrap();
    Settings {
        answer_time: Duration::from_secs(5),
        pause: Duration::from_millis(10),
        rest: Duration::from_millis(20),
        takeover_after: TAKEOVER_AFTER,
        ..settings
    }
}

/// Starts one process's share of the service; each works on every partition.
pub async fn service(pool: &PgPool, world: &World, settings: &Settings) -> Service {
    let loops = Loops { lease: LeaseMode::All, ..Loops::default() };
    let on = (pool.clone(), EventLog::Memory(world.log.clone()));
    let (telemetry, shutdown) = (Telemetry::default(), CancellationToken::new());
    Service::start_on(spec(settings), loops, on, telemetry, shutdown).await.unwrap()
}

impl Running {
    pub fn client(&self) -> NoticeServiceClient<Channel> {
        NoticeServiceClient::new(self.channel.clone())
    }

    pub async fn mails(&self, count: usize) -> Vec<Message> {
        self.mail.wait_for(count, SOON).await.unwrap()
    }

    pub async fn notice(&self, name: &str) -> Notice {
        let (name, min_position) = (name.to_owned(), String::new());
        let request = as_anna(GetNoticeRequest { name, min_position });
        let answer = self.client().get_notice(request).await.unwrap();
        answer.into_inner().notice.unwrap()
    }

    /// Waits until a notice is in a state.
    pub async fn until(&self, name: &str, state: NoticeState) -> Notice {
        let begun = Instant::now();
        loop {
            let (name, min_position) = (name.to_owned(), String::new());
            let request = as_anna(GetNoticeRequest { name: name.clone(), min_position });
            let answer = self.client().get_notice(request).await;
            let notice = answer.ok().and_then(|answer| answer.into_inner().notice);
            match notice {
                Some(notice) if notice.state() == state => return notice,
                other if begun.elapsed() > SOON => panic!("{name} is {other:?}, not {state:?}"),
                Some(_) | None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Lists all notices in a state, page by page.
    pub async fn list(&self, state: NoticeState, page_size: i32) -> Vec<Notice> {
        let (mut notices, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListNoticesRequest {
                parent: format!("assessments/{ASSESSMENT}"),
                state: state.into(),
                page_size,
                page_token,
                min_position: String::new(),
            };
            let page = self.client().list_notices(as_anna(request)).await.unwrap().into_inner();
            notices.extend(page.notices);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return notices;
            }
        }
    }

    /// Ends the server, the loops and the database, in that order.
    pub async fn end(self) {
        self.shutdown.cancel();
        self.server.await.unwrap().unwrap();
        self.service.stop().await.unwrap();
        self.pool.close().await;
        self.postgres.stop().await.unwrap();
    }
}

/// Builds the tables again and compares them with the live ones.
pub async fn rebuilt_is_equal(running: &Running) {
    let schemas = running.service.schemas();
    let next = rebuild::start(schemas, Uuid::new_v4()).await.unwrap();
    while rebuild::progress(schemas, next).await.unwrap().state != SchemaState::Standby {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let comparison = equal(schemas, 1, next, Duration::from_secs(30)).await.unwrap();
    assert_eq!(comparison, Comparison::Equal);
}

/// A call of the operator's.
pub fn as_anna<T>(message: T) -> Request<T> {
    with_token(message, "secret")
}

pub fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

/// Gives who got how many mails.
pub fn readers(mails: &[Message]) -> std::collections::BTreeMap<String, usize> {
    let mut readers = std::collections::BTreeMap::new();
    for mail in mails {
        *readers.entry(mail.recipients.join(",")).or_default() += 1;
    }
    readers
}

/// Undoes quoted-printable.
pub fn text(mail: &Message) -> String {
    let body = mail.body().replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), body.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        if *first == b'=' {
            let digits = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}
