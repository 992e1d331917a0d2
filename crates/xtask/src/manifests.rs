//! The Kubernetes manifests against the API's schemas, by PyPI's `kubernetes-validate`.

use anyhow::{Context, Result, bail};

use crate::process::{command, missing, root, succeeds};

/// The version that is installed; it carries the schemas of that Kubernetes.
const VALIDATOR: &str = "kubernetes-validate==1.37.0";

/// Checks every manifest of the base; true where all are valid.
pub fn validate() -> Result<bool> {
    let folder = ristoro_local::cache_directory().join("kubernetes-validate-1.37.0");
    let target = folder.display().to_string();
    if !folder.join("kubernetes_validate").exists() {
        eprintln!("installing kubernetes-validate from PyPI");
        let arguments = ["-m", "pip", "install", "--quiet", "--target", &target, VALIDATOR];
        let output = command("python3", &arguments).output().with_context(|| missing("python3"))?;
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            let line = problem.lines().last().unwrap_or_default();
            bail!("pip could not install {VALIDATOR} ({line}): install it, or see to the network");
        }
    }
    let mut manifests = Vec::new();
    for entry in std::fs::read_dir(root().join("deploy/kubernetes"))? {
        let path = entry?.path().display().to_string();
        if path.ends_with(".yaml") && !path.ends_with("kustomization.yaml") {
            manifests.push(path);
        }
    }
    manifests.sort();
    if manifests.is_empty() {
        bail!("deploy/kubernetes holds no manifest");
    }
    let mut arguments = vec!["-m", "kubernetes_validate", "--strict"];
    arguments.extend(manifests.iter().map(String::as_str));
    succeeds(command("python3", &arguments).env("PYTHONPATH", &target))
}
