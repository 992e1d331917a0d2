//! What a bank would look at first: the official schema, the number of transfers and the control sum.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use ristoro_domain::money::Money;
use ristoro_local::cache_directory;
use ristoro_proto::payout::v1 as api;

use super::file::{contents, total};

/// Where the package `sepaxml` keeps the schema, which is not ours to ship.
const SCHEMA: &str = "schemas/pain.001.001.09.xsd";
/// Where the project's tests install that package and a validator, in the cache.
const PACKAGES: (&str, &str) = ("python/sepaxml-2.7.0/sepaxml", "python/lxml-6.1.3");
/// Validates where there is no `xmllint`; the first argument is where lxml may be.
const SCRIPT: &str = "
import sys
sys.path.insert(0, sys.argv[1])
from lxml import etree
schema = etree.XMLSchema(etree.parse(sys.argv[2]))
if not schema.validate(etree.parse(sys.argv[3])):
    sys.exit(str(schema.error_log))
";

/// Compares a file's bytes with what was approved, and validates them where a schema is to be had.
pub fn check(xml: &[u8], file: &api::PaymentFile) -> Result<()> {
    let text = std::str::from_utf8(xml).context("the file is UTF-8")?;
    let total = total(file)?;
    let count: u64 = first(text, "NbOfTxs")?.parse()?;
    let sum = Money::parse(first(text, "CtrlSum")?, total.currency)?;
    let says = contents(count, sum);
    if count != file.transfers || sum != total {
        bail!("the file says {says}; approved were {}", contents(file.transfers, total));
    }
    println!("  {} bytes of pain.001.001.09 say the same: {says}", xml.len());
    match validate(xml)? {
        Some(validator) => println!("  the official schema accepts it ({validator})"),
        None => println!(
            "  not validated: `pip install sepaxml lxml` brings the official schema and a validator"
        ),
    }
    Ok(())
}

/// Gives the text of the first element of a name: that of the whole file.
fn first<'a>(text: &'a str, element: &str) -> Result<&'a str> {
    let (_, rest) = text.split_once(&format!("<{element}>")).context("the element is there")?;
    Ok(rest.split('<').next().unwrap_or(rest))
}

/// Validates; none where the schema or whatever validates is not there.
fn validate(xml: &[u8]) -> Result<Option<&'static str>> {
    let Some(schema) = schema() else { return Ok(None) };
    let path = std::env::temp_dir().join(format!("ristoro-{}.xml", uuid::Uuid::new_v4()));
    std::fs::write(&path, xml)?;
    let validated = validate_file(&schema, &path);
    std::fs::remove_file(&path)?;
    validated
}

fn validate_file(schema: &Path, xml: &Path) -> Result<Option<&'static str>> {
    let mut xmllint = Command::new("xmllint");
    xmllint.args(["--noout", "--nonet", "--schema"]).args([schema, xml]);
    if let Ok(output) = xmllint.output() {
        if !output.status.success() {
            bail!("xmllint refuses it: {}", String::from_utf8_lossy(&output.stderr));
        }
        return Ok(Some("xmllint"));
    }
    let lxml = cache_directory().join(PACKAGES.1);
    let can = Command::new("python3")
        .args(["-c", "import sys; sys.path.insert(0, sys.argv[1]); import lxml"])
        .arg(&lxml)
        .output();
    if !can.is_ok_and(|output| output.status.success()) {
        return Ok(None);
    }
    let output = Command::new("python3")
        .args(["-c", SCRIPT])
        .args([lxml.as_path(), schema, xml])
        .output()?;
    if !output.status.success() {
        bail!("lxml refuses it: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(Some("lxml"))
}

/// Finds the schema: where the tests put it, or in a package of the system.
fn schema() -> Option<PathBuf> {
    let ours = cache_directory().join(PACKAGES.0).join(SCHEMA);
    if ours.is_file() {
        return Some(ours);
    }
    let find =
        "import importlib.util as u; print(u.find_spec('sepaxml').submodule_search_locations[0])";
    let output = Command::new("python3").args(["-c", find]).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    let theirs = Path::new(folder.trim()).join(SCHEMA);
    (output.status.success() && theirs.is_file()).then_some(theirs)
}
