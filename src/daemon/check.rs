//! `starlingd check FILE`: what the daemon would do with a configuration on this host.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use starling_config::{Config, Report};

use super::identity::{self, Host};

/// Validates `file` and prints the report, or everything that is wrong. Exit code 0 or 1.
pub fn main(file: &Path, node: Option<String>, json: bool) -> ExitCode {
    match report(file, node) {
        Ok(report) => print(&report, json),
        Err(error) => fail(&error),
    }
}

fn report(file: &Path, node: Option<String>) -> Result<Report, String> {
    let config = Config::load(file).map_err(|errors| errors.to_string())?;
    if let Some(netns) = &config.kernel.netns {
        super::netns::enter(netns)?;
    }
    let host = host()?;
    let (found, because) =
        config.identify(&host.identity(node)).map_err(|error| error.to_string())?;
    Ok(Report::new(&config, found, because, &host.addresses))
}

fn host() -> Result<Host, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(identity::host()).map_err(|error| error.to_string())
}

fn print(report: &Report, json: bool) -> ExitCode {
    let mut out = anstream::stdout().lock();
    let written = if json {
        serde_json::to_writer_pretty(&mut out, report)
            .map_err(std::io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        writeln!(out, "{report}")
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read this has read enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

/// Says what is wrong, on standard error.
pub fn fail(error: &str) -> ExitCode {
    // With standard error gone there is nowhere left to say it.
    let _ = writeln!(anstream::stderr().lock(), "starlingd: {error}");
    ExitCode::FAILURE
}
