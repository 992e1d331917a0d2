//! Validates payment files against the official schema of pain.001.001.09.
//!
//! The schema is not ours to copy into the project. It comes from the Python package `sepaxml`,
//! which is installed into the workspace's `.cache` at the first run and found there at later ones,
//! without a network. `xmllint` validates where it is installed, else `lxml` from the same cache.

mod sepa_sample;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sepa_sample::{Sample, transfer};
use sha2::{Digest, Sha256};

const SCHEMA_PACKAGE: (&str, &str) = ("sepaxml", "2.7.0");
const SCHEMA_PATH: &str = "sepaxml/schemas/pain.001.001.09.xsd";
/// ISO 20022's schema as generated on 14 February 2019: another file under its name is not it.
const SCHEMA_SHA256: &str = "de038b373e47b0077b1832ddd81f4b2f1eb25d35721f62da1e38b7f5a09fda24";
const VALIDATOR_PACKAGE: (&str, &str) = ("lxml", "6.1.3");
const VALIDATOR_SCRIPT: &str = "
import sys
sys.path.insert(0, sys.argv[1])
from lxml import etree
schema = etree.XMLSchema(etree.parse(sys.argv[2]))
if not schema.validate(etree.parse(sys.argv[3])):
    sys.exit(str(schema.error_log))
";

/// The schema and what validates against it.
struct Validator {
    schema: PathBuf,
    /// Where lxml is, unless xmllint is used.
    lxml: Option<PathBuf>,
}

impl Validator {
    /// Finds or installs both, once for all tests of this file.
    fn get() -> &'static Self {
        static VALIDATOR: OnceLock<Validator> = OnceLock::new();
        VALIDATOR.get_or_init(|| {
            let schema = installed(SCHEMA_PACKAGE).join(SCHEMA_PATH);
            let bytes = fs::read(&schema).expect("the package holds the schema");
            assert_eq!(hexadecimal(&Sha256::digest(bytes)), SCHEMA_SHA256, "{}", schema.display());
            let has_xmllint = Command::new("xmllint").arg("--version").output().is_ok();
            let lxml = (!has_xmllint).then(|| installed(VALIDATOR_PACKAGE));
            Self { schema, lxml }
        })
    }

    /// Validates a document; an error is what the validator said.
    fn validate(&self, name: &str, document: &[u8]) -> Result<(), String> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.xml"));
        fs::write(&path, document).expect("the target directory can be written");
        let mut command = match &self.lxml {
            Some(lxml) => {
                let mut python = Command::new("python3");
                python.args(["-c", VALIDATOR_SCRIPT]).args([lxml, &self.schema, &path]);
                python
            }
            None => {
                let mut xmllint = Command::new("xmllint");
                xmllint.args(["--noout", "--nonet", "--schema"]).args([&self.schema, &path]);
                xmllint
            }
        };
        let output = command.output().expect("the validator starts, since it did before");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    }
}

/// The directory of an installed Python package of exactly this version.
fn installed((name, version): (&str, &str)) -> PathBuf {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/python");
    let directory = cache.join(format!("{name}-{version}"));
    if directory.is_dir() {
        return directory;
    }
    fs::create_dir_all(&cache).expect("the workspace can be written");
    // Installed beside and then renamed, so that a broken installation is never taken for a whole one.
    let fresh = cache.join(format!("{name}-{version}.{}", std::process::id()));
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(&fresh)
        .arg(format!("{name}=={version}"))
        .output()
        .expect("python3 is needed to get the schema: install it, with pip");
    assert!(
        output.status.success(),
        "pip could not install {name} {version} into {}: connect to PyPI for the first run, or put \
         the package there\n{}",
        directory.display(),
        String::from_utf8_lossy(&output.stderr),
    );
    if fs::rename(&fresh, &directory).is_err() {
        // Another run of this test was faster; its installation is as good.
        fs::remove_dir_all(&fresh).expect("our own directory can be removed");
    }
    assert!(directory.is_dir(), "{} could not be made", directory.display());
    directory
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

/// Replaces what stands in a valid file once and validates the result.
fn validate_with(name: &str, from: &str, to: &str) -> Result<(), String> {
    let valid = String::from_utf8(Sample::of(1).write().expect("a valid file")).expect("UTF-8");
    assert!(valid.contains(from), "{from} is not in {valid}");
    Validator::get().validate(name, valid.replace(from, to).as_bytes())
}

#[test]
fn files_with_and_without_optional_parts_are_valid() {
    let mut sample = Sample::of(7);
    assert_eq!(Validator::get().validate("full", &sample.write().expect("valid")), Ok(()));
    sample.transfers.truncate(3);
    sample.debtor.bic = None;
    sample.debtor.address = None;
    sample.transfers[0].remittance.clear();
    assert_eq!(Validator::get().validate("least", &sample.write().expect("valid")), Ok(()));
}

#[test]
fn names_and_remittances_of_every_kind_are_valid() {
    let long = "Ærøskøbing-Übergröße ".repeat(40);
    let texts = [
        "Jürgen Groß-Öztürk",
        "5 € für Ærø",
        "Anna 😀 Bianchi 🦀",
        "//Case///7//",
        "A",
        &long,
        "<b>&amp;\"Rossi\"</b> & Figli",
        "Łukasz Żółć",
        "Ελένη Παπαδοπούλου",
        "Иван Петров",
        "李小龍",
        "محمد علي",
        "D’Amico\tSofia\r\nRosa",
        "a\u{0}b\u{7f}c\u{feff}d",
        "]]>x",
        "&#0;1",
        "ﬁrst ①②",
        "x\u{200d}y\u{301}",
    ];
    let mut sample = Sample::of(0);
    for (number, text) in (1..).zip(texts) {
        let mut payout = transfer(number);
        payout.creditor_name = text.to_owned();
        payout.remittance = text.to_owned();
        sample.transfers.push(payout);
    }
    sample.debtor.name = long.clone();
    sample.header.initiating_party = long;
    assert_eq!(Validator::get().validate("texts", &sample.write().expect("valid")), Ok(()));
}

#[test]
fn amounts_and_sums_at_the_limits_are_valid() {
    let mut sample = Sample::of(1_000);
    for payout in &mut sample.transfers {
        payout.amount_minor = 99_999_999_999;
    }
    sample.transfers[0].amount_minor = 1;
    assert_eq!(Validator::get().validate("limits", &sample.write().expect("valid")), Ok(()));
}

#[test]
fn the_schema_refuses_what_it_can_see() {
    let refused = [
        ("element", "<BtchBookg>true</BtchBookg>", "<Batch>true</Batch>"),
        ("namespace", "pain.001.001.09", "pain.001.001.03"),
        ("length", "Anna Bianchi", &"Anna Bianchi".repeat(12)),
        ("currency", "Ccy=\"EUR\"", "Ccy=\"Euro\""),
        ("bic", "BLOPIT22XXX", "BLOPIT22XX"),
        ("date", "2023-03-02", "2023-02-30"),
        ("missing", "<ChrgBr>SLEV</ChrgBr>", "<ChrgBr>ANY</ChrgBr>"),
    ];
    for (name, from, to) in refused {
        let said = validate_with(name, from, to).expect_err(name);
        assert!(!said.is_empty(), "{name} was refused without a word");
    }
}

/// Why there are rules besides the schema: all of this would reach the bank.
#[test]
fn the_schema_takes_wrong_sums_decimals_and_accounts() {
    let taken = [
        ("sum", "<CtrlSum>30.00</CtrlSum>", "<CtrlSum>31.00</CtrlSum>"),
        ("count", "<NbOfTxs>1</NbOfTxs>", "<NbOfTxs>9</NbOfTxs>"),
        ("decimals", ">30.00</InstdAmt>", ">30.001</InstdAmt>"),
        ("iban", "IT60X0542811101000000123456", "IT61X0542811101000000123456"),
        ("charset", "Anna Bianchi", "Anna Биàнки"),
    ];
    for (name, from, to) in taken {
        assert_eq!(validate_with(name, from, to), Ok(()), "{name}");
    }
}
