//! Who may call a local stack: people with tokens of their own, kept as long as the folder.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ristoro_runtime::edge;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::demo::ROLES;

/// The files of who may call.
pub struct Passes {
    /// For the services: names, roles and hashes.
    pub principals: PathBuf,
    /// For callers: names and tokens.
    pub tokens: PathBuf,
}

/// Makes both files; tokens that are there already stay, so that what somebody noted down goes on working.
pub fn passes(folder: &Path) -> Result<Passes> {
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    let (principals_file, tokens_file) =
        (folder.join("principals.toml"), folder.join("tokens.toml"));
    let mut known: BTreeMap<String, String> = match std::fs::read_to_string(&tokens_file) {
        Ok(text) => toml::from_str(&text).with_context(|| format!("{}", tokens_file.display()))?,
        Err(_) => BTreeMap::new(),
    };
    let (mut principals, mut tokens) = (String::new(), String::new());
    for (name, roles) in ROLES {
        let token = known.remove(name).unwrap_or_else(|| Uuid::new_v4().simple().to_string());
        let hash = edge::hex(&Sha256::digest(token.as_bytes()));
        writeln!(
            principals,
            "[[principal]]\nname = \"{name}\"\nroles = {roles:?}\ntoken_sha256 = \"{hash}\"\n"
        )?;
        writeln!(tokens, "{name} = \"{token}\"")?;
    }
    write_private(&principals_file, &principals)?;
    write_private(&tokens_file, &tokens)?;
    Ok(Passes { principals: principals_file, tokens: tokens_file })
}

/// Writes a file that its owner alone may read.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).with_context(|| format!("{}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
