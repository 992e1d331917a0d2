//! Golden files: the bytes of every event as they were first written. They are made once and never edited, since
//! those bytes stand on people's logs.
//!
//! A new event's file is made by running its test with `RISTORO_GOLDEN=create`.

use std::fmt::Debug;
use std::path::PathBuf;

use ristoro_proto::wire::Wire;

/// Checks that the golden bytes of `name` decode to the event and that the event encodes to the golden bytes.
#[track_caller]
pub fn check_as<E: Wire + PartialEq + Debug>(name: &str, event: &E) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.hex"));
    let create = std::env::var("RISTORO_GOLDEN").is_ok_and(|word| word == "create");
    if create && !path.exists() {
        std::fs::write(&path, to_hex(&event.encode())).expect("the folder is there");
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; make it once with RISTORO_GOLDEN=create", path.display())
    });
    let golden = bytes::Bytes::from(from_hex(&text));
    let decoded = E::decode(event.kind(), &golden).expect("golden bytes can always be read");
    assert_eq!(&decoded, event, "{name}: the golden bytes decode to another event");
    assert_eq!(decoded.encode(), golden, "{name}: the event no longer encodes to the golden bytes");
}

/// Checks an event whose golden file has the event's name.
#[track_caller]
pub fn check<E: Wire + PartialEq + Debug>(event: &E) {
    check_as(event.kind(), event);
}

/// Writes 32 bytes a line, so that a difference can be found by eye.
fn to_hex(bytes: &[u8]) -> String {
    let line = |chunk: &[u8]| {
        let digits: String = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        digits + "\n"
    };
    bytes.chunks(32).map(line).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "hexadecimal digits come in pairs");
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("a golden file is ASCII");
        u8::from_str_radix(pair, 16).expect("a golden file holds hexadecimal digits")
    };
    digits.chunks(2).map(byte).collect()
}
