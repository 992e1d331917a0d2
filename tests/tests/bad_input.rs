//! Bad input of every class: each is refused with what, where and what to do, and changes nothing. The table is printed
//! with `--nocapture`.
#![expect(clippy::print_stdout, reason = "the table is there to be read")]

use ristoro_tests::bad_input::{World, table};
use ristoro_tests::stack::{Error, Stack, StackOptions};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_with_what_where_and_what_to_do_and_changes_nothing()
-> Result<(), Error> {
    let world = World::new(Stack::start(StackOptions::default()).await?).await?;
    let mut faults = Vec::new();
    let mut class = "";
    for case in table() {
        if case.class != class {
            println!("\n{}", case.class);
            class = case.class;
        }
        let before = world.stack.ends().await?;
        let refused = (case.run)(&world).await;
        let refused = refused.map_err(|error| format!("{class}, {}: {error}", case.sent))?;
        println!("  {}: {} {}", case.sent, refused.code, refused.reason);
        refused.message.lines().for_each(|line| println!("      {line}"));
        for fault in case.faults(&refused) {
            faults.push(format!("{class}, {}: {fault}, got {refused:?}", case.sent));
        }
        if world.stack.ends().await? != before {
            faults.push(format!("{class}, {}: something was written to the log", case.sent));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    world.stack.stop().await
}
