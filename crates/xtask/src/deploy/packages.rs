//! What the engine needs from Debian, unpacked into the cache: nothing is installed on the machine.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{bounded, output, root};

/// The engine, what it needs beside what is installed already, and the maker of root filesystems.
const PACKAGES: [&str; 3] = ["docker.io", "iptables", "debootstrap"];
const BOUND: Duration = Duration::from_secs(600);

/// Programs of Debian's in a folder of their own.
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Takes them from the cache, or gets them through apt.
    pub fn find_or_install(home: &Path) -> Result<Self> {
        ensure!(
            std::fs::metadata("/proc/self")?.uid() == 0,
            "no container engine answers, and only root can start one: start docker, or run this as root"
        );
        let tools = Self { folder: home.join("tools-1") };
        if !tools.folder.exists() {
            println!("getting {} from Debian, once", PACKAGES.join(", "));
            tools.install(home)?;
        }
        Ok(tools)
    }

    fn install(&self, home: &Path) -> Result<()> {
        let (archives, staged) = (home.join("archives"), home.join("tools.partial"));
        clear(&archives)?;
        clear(&staged)?;
        std::fs::create_dir_all(archives.join("partial"))?;
        let place = format!("Dir::Cache::archives={}", archives.display());
        let mut arguments = vec!["--yes", "--quiet=2", "--no-install-recommends", "-o", &place];
        arguments.extend(["--download-only", "--reinstall", "install"]);
        arguments.extend(PACKAGES);
        let download = || output(&mut bounded(BOUND, "apt-get", &arguments), "apt-get");
        if download().is_err() {
            output(&mut bounded(BOUND, "apt-get", &["--quiet=2", "update"]), "apt-get update")?;
            download().context(
                "the engine's packages cannot be had: see to the network, or start an engine",
            )?;
        }
        unpack_all(&archives, &staged)?;
        // Debian chooses between two programs of that name when the package is installed; here we do.
        for name in ["iptables", "ip6tables"] {
            symlink("xtables-nft-multi", staged.join("usr/sbin").join(name))?;
        }
        std::fs::rename(&staged, &self.folder)?;
        clear(&archives)
    }

    /// Makes the root filesystem of the stand-ins.
    pub fn make_root(&self, root_folder: &Path) -> Result<()> {
        println!("making a Debian with Postgres and Java for the stand-ins, once");
        clear(root_folder)?;
        let arguments = ["--mount", "--pid", "--fork", "--kill-child", "--"];
        let mut command = bounded(BOUND, "unshare", &arguments);
        command.arg(root().join("deploy/stand-ins/root")).arg(root_folder).envs(self.environment());
        output(&mut command, "debootstrap").map(|_| ())
    }

    /// Adds a package's file.
    pub fn add(&self, package: &Path) -> Result<()> {
        unpack(package, &self.folder)
    }

    /// What the programs need to find each other and their libraries.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut path = OsString::new();
        for folder in ["usr/sbin", "usr/bin"] {
            path.push(self.folder.join(folder));
            path.push(":");
        }
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let place = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
        let libraries = self.folder.join("usr").join(&place);
        let extensions = libraries.join("xtables").into();
        let mut libraries = libraries.into_os_string();
        libraries.push(":");
        libraries.push(self.folder.join(place));
        vec![
            ("PATH", path),
            ("XTABLES_LIBDIR", extensions),
            ("LD_LIBRARY_PATH", libraries),
            ("DEBOOTSTRAP_DIR", self.folder.join("usr/share/debootstrap").into()),
        ]
    }

    /// Gives the engine's client.
    pub fn client(&self) -> PathBuf {
        let own = self.folder.join("usr/bin/docker");
        if own.exists() { own } else { "docker".into() }
    }

    /// Gives compose's plug-in, where it is there already.
    pub fn compose(&self) -> PathBuf {
        self.folder.join("usr/libexec/docker/cli-plugins/docker-compose")
    }
}

/// Removes a folder, whether it is there or not.
pub fn clear(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => {
            Err(problem).with_context(|| folder.display().to_string())
        }
        _ => Ok(()),
    }
}

fn unpack_all(archives: &Path, target: &Path) -> Result<()> {
    let mut count = 0;
    for entry in std::fs::read_dir(archives)? {
        let package = entry?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            unpack(&package, target)?;
            count += 1;
        }
    }
    if count == 0 {
        bail!("apt-get got no package: is this a Debian, and does it reach its packages?");
    }
    Ok(())
}

fn unpack(package: &Path, target: &Path) -> Result<()> {
    let (package, target) = (package.display().to_string(), target.display().to_string());
    std::fs::create_dir_all(&target)?;
    output(&mut bounded(BOUND, "dpkg-deb", &["--extract", &package, &target]), "dpkg-deb")
        .map(|_| ())
}
