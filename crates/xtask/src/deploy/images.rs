//! The images: ours as its Dockerfile says, and in an engine of ours stand-ins under the official names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::engine::Engine;
use super::packages::clear;
use crate::process::{self, bounded, cargo, output, root, succeeds};

/// Ours, under a name that no user's image has.
pub const IMAGE: &str = "ristoro:deploy-test";
const BUILD_BOUND: Duration = Duration::from_secs(300);
/// The programs that are built from their sources, and what they are.
const GO_BOUND: Duration = Duration::from_secs(900);
const MAILPIT: (&str, &str) = ("github.com/axllent/mailpit", "v1.27.11");
const GRPCURL: (&str, &str) = ("github.com/fullstorydev/grpcurl/cmd/grpcurl", "v1.9.4");

/// What was made.
pub struct Images {
    /// The static program that is in our image.
    pub binary: PathBuf,
}

impl Images {
    /// Builds what the compose file names.
    pub fn make(engine: &Engine, cache: &Path, folder: &Path) -> Result<Self> {
        let binary = static_binary()?;
        let context = folder.join("image");
        std::fs::create_dir_all(&context)?;
        std::fs::copy(&binary, context.join("ristoro"))?;
        build(engine, &root().join("deploy/image/Dockerfile"), IMAGE, &context)?;
        clear(&context)?;
        if engine.is_own() {
            stand_in(engine, cache, folder)?;
        }
        Ok(Self { binary })
    }
}

/// Removes our image, so that the engine does not keep one of each run.
pub fn remove(engine: &Engine) -> Result<()> {
    output(&mut engine.docker(BUILD_BOUND, &["image", "rm", "--force", IMAGE]), "docker image rm")
        .map(|_| ())
}

/// Builds the program as deploy/image/Dockerfile says, but without optimization, which takes a third of the time.
fn static_binary() -> Result<PathBuf> {
    let version = output(&mut bounded(BUILD_BOUND, "rustc", &["-vV"]), "rustc")?;
    let target = version.lines().find_map(|line| line.strip_prefix("host: "));
    let target = target.context("rustc does not say what it builds for")?.to_owned();
    println!("building a static ristoro");
    let mut build = cargo(&["build", "--quiet", "--package", "ristoro", "--target", &target]);
    let built = succeeds(build.env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    ensure!(built, "the static program could not be built");
    Ok(process::target().join(target).join("debug/ristoro"))
}

fn stand_in(engine: &Engine, cache: &Path, folder: &Path) -> Result<()> {
    let compose = std::fs::read_to_string(root().join("docker-compose.yml"))?;
    let sources = root().join("deploy/stand-ins");
    for (name, official) in
        [("kafka", "apache/kafka:"), ("postgres", "postgres:"), ("mailpit", "axllent/mailpit:")]
    {
        let context = folder.join(name);
        let (from, to) = (sources.join(name).display().to_string(), context.display().to_string());
        output(&mut bounded(BUILD_BOUND, "cp", &["-r", &from, &to]), "cp")?;
        match name {
            "kafka" => add_kafka(cache, &context)?,
            "mailpit" => {
                let program = go_program(cache, MAILPIT)?;
                std::fs::copy(program, context.join("mailpit"))?;
            }
            _ => {}
        }
        build(engine, &context.join("Dockerfile"), tag(&compose, official)?, &context)?;
        clear(&context)?;
    }
    Ok(())
}

/// Finds the image's whole name in the compose file.
fn tag<'a>(compose: &'a str, official: &str) -> Result<&'a str> {
    let mut images = compose.lines().filter_map(|line| line.trim().strip_prefix("image: "));
    images
        .find(|image| image.starts_with(official))
        .with_context(|| format!("docker-compose.yml names no image {official}"))
}

fn add_kafka(cache: &Path, context: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let jars = runtime.block_on(ristoro_local::kafka_jars(cache))?;
    let (from, to) = (jars.display().to_string(), context.join("libs").display().to_string());
    output(&mut bounded(BUILD_BOUND, "cp", &["-r", &from, &to]), "cp")?;
    let log = root().join("crates/local/src/kafka/log4j2.properties");
    std::fs::copy(log, context.join("log4j2.properties"))?;
    Ok(())
}

/// Gives grpcurl: a client of another make, which knows of our API what reflection tells.
pub fn grpcurl(cache: &Path) -> Result<PathBuf> {
    go_program(cache, GRPCURL)
}

/// Builds a program from the Go module proxy into the cache.
fn go_program(cache: &Path, (module, version): (&str, &str)) -> Result<PathBuf> {
    let folder = std::path::absolute(cache)?.join("deploy/go");
    let name = module.rsplit('/').next().unwrap_or(module);
    let program = folder.join(format!("{name}-{version}"));
    if !program.exists() {
        println!("building {name} {version} with Go, once");
        let bin = folder.join("bin");
        std::fs::create_dir_all(&bin)?;
        let mut install = bounded(GO_BOUND, "go", &["install", &format!("{module}@{version}")]);
        install.env("GOBIN", &bin).env("CGO_ENABLED", "0");
        output(&mut install, "go install").context("install Go, and see to the network")?;
        std::fs::rename(bin.join(name), &program)?;
    }
    Ok(program)
}

fn build(engine: &Engine, file: &Path, tag: &str, context: &Path) -> Result<()> {
    let (file, context) = (file.display().to_string(), context.display().to_string());
    let arguments = ["build", "--network", "none", "--file", &file, "--tag", tag, &context];
    output(&mut engine.docker(BUILD_BOUND, &arguments), &format!("docker build of {tag}"))
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::{root, tag};

    #[test]
    fn each_stand_in_has_the_name_that_the_compose_file_gives() {
        let compose = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
        for official in ["apache/kafka:", "postgres:", "axllent/mailpit:"] {
            assert!(tag(&compose, official).unwrap().len() > official.len());
        }
        tag(&compose, "redis:").unwrap_err();
    }
}
