//! buf, from PyPI into the cache: the linter of `proto/`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{command, missing, root};

/// The version that is installed.
const BUF: &str = "buf-bin==1.75.0";

/// Gives the program, and installs it where it is not there yet.
pub fn program() -> Result<PathBuf> {
    let folder = ristoro_local::cache_directory().join("buf-1.75.0");
    let program = folder.join("bin/buf");
    if !program.exists() {
        eprintln!("installing buf from PyPI");
        let target = folder.display().to_string();
        let arguments = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", &target, BUF];
        let output = command("python3", &arguments).output().with_context(|| missing("python3"))?;
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            let line = problem.lines().last().unwrap_or_default();
            bail!("buf is not there and pip could not install {BUF} ({line}): install buf 1.75");
        }
    }
    Ok(program)
}

/// Gives the commit that `proto/` must not break: where this work left `origin/main`, else the last release's tag, else
/// the commit before this one; the first of them that is there and has files of buf's.
pub fn base() -> Option<String> {
    base_in(&root())
}

fn base_in(folder: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = command("git", arguments).current_dir(folder).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        output.status.success().then_some(text)
    };
    let head = git(&["rev-parse", "--verify", "HEAD"])?;
    let tag = git(&["describe", "--tags", "--abbrev=0"]);
    let commits = [
        git(&["merge-base", "HEAD", "origin/main"]),
        tag.and_then(|tag| git(&["rev-parse", "--verify", &format!("{tag}^{{commit}}")])),
        git(&["rev-parse", "--verify", "HEAD~1"]),
    ];
    // On the main branch itself, or on a release, the comparison would be with this very commit.
    let earlier = commits.into_iter().flatten().filter(|commit| *commit != head);
    earlier
        .into_iter()
        .find(|commit| git(&["cat-file", "-e", &format!("{commit}:proto/buf.yaml")]).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository of its own in a folder of its own.
    struct Repository(PathBuf);

    impl Repository {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("ristoro-buf-{}", std::process::id()));
            std::fs::create_dir_all(folder.join("proto")).unwrap();
            let repository = Self(folder);
            repository.git(&["init", "--quiet"]);
            repository
        }

        fn git(&self, arguments: &[&str]) -> String {
            let who = ["-c", "user.name=test", "-c", "user.email=test@test.example"];
            let mut git = command("git", &[&who[..], arguments].concat());
            let output = git.current_dir(&self.0).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        }

        fn commit(&self) -> String {
            self.git(&["add", "."]);
            self.git(&["commit", "--quiet", "--allow-empty", "--message", "m"]);
            self.git(&["rev-parse", "HEAD"])
        }
    }

    impl Drop for Repository {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn protos_are_compared_with_the_main_branch_then_a_release_then_the_commit_before() {
        let repository = Repository::new();
        let base = || base_in(&repository.0);
        let without = repository.commit();
        assert_eq!(base(), None);
        std::fs::write(repository.0.join("proto/buf.yaml"), "version: v2").unwrap();
        let first = repository.commit();
        assert_eq!(base(), None, "the commit before has no protos");
        repository.git(&["tag", "v0.1.0"]);
        let second = repository.commit();
        let third = repository.commit();
        assert_eq!(base(), Some(first.clone()), "the release");
        repository.git(&["update-ref", "refs/remotes/origin/main", &second]);
        assert_eq!(base(), Some(second.clone()), "the main branch");
        repository.git(&["update-ref", "refs/remotes/origin/main", &third]);
        assert_eq!(base(), Some(first), "never this commit itself");
        repository.git(&["tag", "--delete", "v0.1.0"]);
        assert_eq!(base(), Some(second), "the commit before");
        repository.git(&["update-ref", "refs/remotes/origin/main", &without]);
        assert_ne!(base(), Some(without), "nothing can be compared with what has no protos");
    }
}
