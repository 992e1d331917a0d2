//! Where installed parts are kept, and how a part gets there whole or not at all.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use tokio::fs;

use crate::error::{Result, at};

/// The directory of installed parts: `$RISTORO_CACHE`, or `.cache` beside the nearest
/// `Cargo.lock` at or above the current directory, or else `.cache` in the current directory.
pub fn cache_directory() -> PathBuf {
    if let Some(directory) = env::var_os("RISTORO_CACHE").filter(|value| !value.is_empty()) {
        return PathBuf::from(directory);
    }
    let here = env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let root = here.ancestors().find(|directory| directory.join("Cargo.lock").is_file());
    root.unwrap_or(&here).join(".cache")
}

/// A place beside `target` to build a part in. [`publish`] moves it there.
pub(crate) async fn staging(target: &Path) -> Result<PathBuf> {
    let parent = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).await.map_err(at(parent))?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    Ok(parent.join(format!("{name}.{}.partial", uuid::Uuid::new_v4().simple())))
}

/// Moves a finished part to its place. If another process was faster, its part stays and ours is
/// thrown away: both are the same.
pub(crate) async fn publish(staged: &Path, target: &Path) -> Result<()> {
    match fs::rename(staged, target).await {
        Ok(()) => Ok(()),
        Err(error) if is_taken(&error) => discard(staged).await,
        Err(error) => Err(at(target)(error)),
    }
}

/// Removes what an unfinished installation left.
pub(crate) async fn discard(staged: &Path) -> Result<()> {
    match fs::remove_dir_all(staged).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(staged)(error)),
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_slower_of_two_installations_gives_way() {
        let base = env::temp_dir().join(format!("ristoro-cache-{}", uuid::Uuid::new_v4().simple()));
        let target = base.join("part");
        for content in ["first", "second"] {
            let staged = staging(&target).await.unwrap();
            fs::create_dir_all(&staged).await.unwrap();
            fs::write(staged.join("file"), content).await.unwrap();
            publish(&staged, &target).await.unwrap();
        }
        assert_eq!(fs::read_to_string(target.join("file")).await.unwrap(), "first");
        let mut entries = fs::read_dir(&base).await.unwrap();
        let mut names = Vec::new();
        while let Some(entry) = entries.next_entry().await.unwrap() {
            names.push(entry.file_name());
        }
        assert_eq!(names, ["part"]);
        fs::remove_dir_all(&base).await.unwrap();
    }
}
