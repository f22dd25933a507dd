//! `bgpctl mrt`: the table for the tools of analysts.
//!
//! What comes is written as it comes, into a file beside its place that takes it when all of it is
//! there: a dump that broke off half-way replaces nothing. Its records are counted on their way,
//! and so is seen whether the last one is whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueHint};
use serde::Serialize;
use starling_bgp::mrt::Records;

use super::cli::Cli;
use super::client::{Client, Failure};
use super::render;
use crate::api::ApiError;

/// What is done.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Mrt {
    /// Write the table in MRT's form TABLE_DUMP_V2 (RFC 6396, with path identifiers RFC 8050):
    /// every path that import lets pass, the best of each destination first.
    Dump {
        /// Where to; it is replaced when all has come. `-` is the standard output.
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Written {
    /// Records, that of the neighbours among them.
    pub records: u64,
    /// Octets.
    pub octets: u64,
}

/// Does it.
///
/// # Errors
/// As [`super::run`]; and where the file cannot be written.
pub(super) async fn run(
    cli: &Cli,
    client: &Client,
    what: &Mrt,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let Mrt::Dump { file } = what;
    if file == Path::new("-") {
        if io::stdout().is_terminal() {
            let error = ApiError::new("MRT is no text for a terminal");
            return Err(Failure::Refused(error.hint("name a file, or lead it into a program")));
        }
        // Not through `out`, which takes what looks like a terminal's colours out of a pipe.
        let octets = io::stdout().as_fd().try_clone_to_owned().map_err(Failure::Output)?;
        copy(client, &mut BufWriter::new(File::from(octets))).await?;
        return Ok(0);
    }
    let written = stored(client, file).await?;
    let told = match cli.json {
        true => serde_json::to_writer(&mut *out, &written)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
        false => render::dumped(file, &written, out),
    };
    told.map_err(Failure::Output)?;
    Ok(0)
}

async fn stored(client: &Client, file: &Path) -> Result<Written, Failure> {
    let unwritable = |what: &Path, error: io::Error| {
        Failure::Refused(ApiError::new(format!("cannot write {}: {error}", what.display())))
    };
    // What is no file, such as a pipe, cannot be replaced.
    if fs::metadata(file).is_ok_and(|there| !there.is_file()) {
        let there = File::options().write(true).open(file).map_err(|e| unwritable(file, e))?;
        return copy_to(client, file, there).await;
    }
    let beside = beside(file);
    let made = File::options().write(true).create_new(true).open(&beside);
    let written = match made {
        Ok(made) => copy_to(client, &beside, made).await,
        Err(error) => return Err(unwritable(&beside, error)),
    };
    let placed = written.and_then(|written| {
        fs::rename(&beside, file).map_err(|error| unwritable(file, error)).map(|()| written)
    });
    if placed.is_err() {
        // What is left of it is nobody's.
        let _ = fs::remove_file(&beside);
    }
    placed
}

/// Beside its place, so that it can take it in one step.
fn beside(file: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    file.with_file_name(name)
}

async fn copy_to(client: &Client, place: &Path, file: File) -> Result<Written, Failure> {
    let mut out = BufWriter::new(file);
    copy(client, &mut out).await.map_err(|failure| match failure {
        Failure::Output(error) => {
            Failure::Refused(ApiError::new(format!("cannot write {}: {error}", place.display())))
        }
        other => other,
    })
}

/// All of it as it comes.
async fn copy(client: &Client, out: &mut impl Write) -> Result<Written, Failure> {
    let mut pieces = client.pieces("/v1/mrt").await?;
    let mut records = Records::default();
    while let Some(piece) = pieces.next().await? {
        records.see(&piece);
        out.write_all(&piece).map_err(Failure::Output)?;
    }
    out.flush().map_err(Failure::Output)?;
    match records.is_whole() {
        true => Ok(Written { records: records.count(), octets: records.octets() }),
        false => Err(Failure::Refused(ApiError::new("the last record is cut off"))),
    }
}
