//! The package: what is in it, and its life on a machine with systemd, from the installation to the
//! purge, with packets of pods on their way meanwhile.
//!
//! ```text
//!   the built programs ──dist/deb──► starling_….deb ──dpkg──► a machine beside this one: its files
//!                                                             under a layer, its own systemd, and
//!                                                             the network of node n1 of a cluster
//! ```
//!
//! Needs root, and of Debian systemd, lintian, skopeo, openbgpd, prometheus and kubernetes-client beside what the other
//! tests need.

// clippy.toml lets tests panic, but knows only the functions marked as tests, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod container;
mod contents;
mod life;
mod machine;
mod monitoring;
mod rights;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use starling_lab::{Binaries, Result};

/// Long enough on a busy machine.
const SOON: Duration = Duration::from_secs(120);

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The programs that cargo built for these tests.
fn binaries() -> Binaries {
    Binaries {
        starlingd: env!("CARGO_BIN_EXE_starlingd").into(),
        bgpctl: env!("CARGO_BIN_EXE_bgpctl").into(),
    }
}

/// Programs for tests are large, and packed by one thread.
const PACKING: Duration = Duration::from_secs(600);

/// Makes the package of them in `folder`.
fn package(folder: &Path, compressor: &str) -> Result<PathBuf> {
    let programs = binaries().starlingd;
    let mut command = Command::new(file("dist/deb"));
    command.arg(programs.parent().context("no folder")?).arg(folder);
    let output = starling_lab::run(command.env("DPKG_DEB_COMPRESSOR_TYPE", compressor), PACKING)?;
    ensure!(output.status.success(), "{output:?}");
    Ok(output.stdout.trim().into())
}
