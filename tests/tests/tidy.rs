//! Rules about the tree itself: who imports whom, where libraries live, how long files are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Gives the files below a folder that end so, with their text; never those of builds and caches.
fn files(folder: &Path, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("the entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                let text = std::fs::read_to_string(&path).expect("the file is text");
                let path = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no file ends with {ending}: this test looks at nothing");
    found
}

/// What each crate may depend on, of the workspace's own; development dependencies may add `local`.
const MAY_IMPORT: [(&str, &[&str]); 12] = [
    ("domain", &[]),
    ("proto", &["domain"]),
    ("log", &["domain", "proto"]),
    ("runtime", &["domain", "proto", "log"]),
    ("local", &[]),
    ("outage", &["domain", "proto", "log", "runtime"]),
    ("eligibility", &["domain", "proto", "log", "runtime"]),
    ("payout", &["domain", "proto", "log", "runtime"]),
    ("notifier", &["domain", "proto", "log", "runtime"]),
    (
        "ristoro",
        &[
            "domain",
            "proto",
            "log",
            "runtime",
            "local",
            "outage",
            "eligibility",
            "payout",
            "notifier",
        ],
    ),
    ("xtask", &["local"]),
    ("tests", &["domain", "proto", "log", "runtime", "local", "eligibility", "payout", "notifier"]),
];

#[test]
fn imports_go_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.into_iter().collect();
    let mut seen = 0;
    for (path, text) in files(&root(), "Cargo.toml") {
        let Some(name) = path.trim_start_matches("crates/").strip_suffix("/Cargo.toml") else {
            continue;
        };
        seen += 1;
        let may = allowed.get(name).unwrap_or_else(|| panic!("{name} has no line in this test"));
        let mut development = false;
        for line in text.lines() {
            if line.starts_with('[') {
                development = line.starts_with("[dev-dependencies");
            }
            let Some(rest) = line.strip_prefix("ristoro-") else { continue };
            let import = rest.split(['.', ' ', '=']).next().unwrap_or_default();
            let fine = may.contains(&import) || (development && import == "local");
            assert!(fine, "{name} must not depend on {import}");
        }
    }
    assert_eq!(seen, MAY_IMPORT.len());
}

#[test]
fn versions_of_libraries_stand_in_one_place() {
    for (path, text) in files(&root(), "Cargo.toml") {
        if path == "Cargo.toml" {
            continue;
        }
        let own = text.lines().find(|line| line.contains("version = \""));
        assert_eq!(own, None, "{path}: write `workspace = true`");
    }
}

/// A library, and the places that may name it.
const HOMES: [(&str, &[&str]); 2] = [
    ("rdkafka::", &["crates/log/src/kafka/", "tests/tests/log_conformance_damage.rs"]),
    (
        "sqlx::",
        &[
            "crates/log/src/postgres/",
            "crates/log/tests/",
            "crates/runtime/",
            "/projections/",
            "/tests/",
            "tests/",
            // Errors of the database are named where they are turned into others, and migrations where they lie.
            "crates/outage/src/lib.rs",
            "crates/outage/src/derive.rs",
            "crates/eligibility/src/lib.rs",
            "crates/eligibility/src/assess/",
            "crates/eligibility/src/grpc/",
            "crates/eligibility/src/roster/",
            "crates/eligibility/src/scan/",
            "crates/outage/src/grpc/",
            "crates/payout/",
            "crates/notifier/",
            // What a service remembers of the log is looked at without starting it.
            "crates/ristoro/src/verbs/doctor/",
        ],
    ),
];

#[test]
fn libraries_stay_at_home() {
    for (path, text) in files(&root(), ".rs") {
        for (library, homes) in HOMES {
            let names = text.contains(library) && !path.ends_with("tests/tidy.rs");
            let home = homes.iter().any(|home| path.contains(home));
            assert!(!names || home, "{path} names {library}, which lives in {homes:?}");
        }
    }
}

#[test]
fn sql_is_written_in_projections_alone() {
    for (path, text) in files(&root().join("crates"), ".rs") {
        let service = ["outage", "eligibility"]
            .iter()
            .any(|name| path.contains(&format!("crates/{name}/src/")));
        if service && !path.contains("/projections/") && !path.ends_with("/derive.rs") {
            assert!(!text.contains("sqlx::query"), "{path}: move the query into projections/");
        }
    }
}

#[test]
fn no_file_is_longer_than_400_lines() {
    for ending in [".rs", ".py"] {
        for (path, text) in files(&root(), ending) {
            let lines = text.lines().count();
            assert!(lines <= 400, "{path} has {lines} lines: split it by purpose");
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in files(&root(), ".rs") {
        assert!(text.starts_with("//!"), "{path} does not begin with its purpose");
    }
}

#[test]
fn the_project_names_no_machine() {
    // Written in pieces, so that this file does not name one either.
    let words = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    for ending in [".rs", ".md", ".toml", ".proto", ".sql", ".py", ".yml", ".yaml"] {
        for (path, text) in files(&root(), ending) {
            for word in words {
                assert!(!text.contains(word), "{path} holds a path of a machine: {word}");
            }
        }
    }
}

/// Where a bare status may be made: the one place that gives each its reason, and what dresses the library's own.
const STATUSES: [&str; 2] = ["crates/runtime/src/status.rs", "crates/runtime/src/grpc/library.rs"];
/// The statuses that a service could make without a reason.
const BARE: [&str; 8] = [
    "internal",
    "invalid_argument",
    "not_found",
    "unimplemented",
    "unavailable",
    "unknown",
    "failed_precondition",
    "permission_denied",
];

#[test]
fn every_refusal_has_a_reason() {
    for (path, text) in files(&root().join("crates"), ".rs") {
        let server = !path.contains("crates/ristoro/") && path.contains("/src/");
        if server && !STATUSES.contains(&path.as_str()) {
            let bare = BARE.iter().find(|kind| text.contains(&format!("Status::{kind}(")));
            assert_eq!(bare, None, "{path}: refuse by runtime::status, which gives a reason");
        }
    }
}

/// Reads `// CODE: why` above each reason, as `(reason, code)`.
fn reasons() -> Vec<(String, String)> {
    let path = root().join("proto/ristoro/ops/v1/errors.proto");
    let text = std::fs::read_to_string(path).expect("the reasons are there");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let named = lines.windows(2).filter_map(|pair| {
        let reason = pair[1].strip_prefix("ERROR_REASON_")?.split(' ').next()?;
        let code = pair[0].strip_prefix("// ")?.split(':').next()?;
        Some((reason.to_owned(), code.to_owned()))
    });
    named.filter(|(reason, _)| reason != "UNSPECIFIED").collect()
}

#[test]
fn the_list_of_errors_says_of_each_reason_what_the_proto_says() {
    let text = std::fs::read_to_string(root().join("docs/errors.md")).expect("the list is there");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let reason = cells.next()?.trim_end_matches('`').to_owned();
        Some((reason, cells.next()?.to_owned()))
    });
    let documented: BTreeMap<String, String> = rows.collect();
    let reasons: BTreeMap<String, String> = reasons().into_iter().collect();
    assert!(reasons.len() > 40, "{reasons:?}");
    assert_eq!(documented, reasons);
}
