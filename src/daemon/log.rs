//! Where the log goes: standard error, for people or as JSON lines. The supervisor of the
//! process (systemd, a container runtime) keeps it and adds the time where it wants one.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging.
///
/// # Errors
/// A filter that cannot be understood, with the words of the parser.
pub fn start(format: Format, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        format!("--log {filter:?}: {error}; expected for example \"info,starling_fib=debug\"")
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        Format::Text => {
            log.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
        }
        Format::Json => log.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| error.to_string())
}
