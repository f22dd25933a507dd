//! Where the log goes: standard error, for people or as JSON lines. The supervisor of the
//! process (systemd, a container runtime) keeps it and adds the time where it wants one.
//!
//! What is logged can be changed while the daemon runs ([`Log::set`]), until its restart.

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;

use tracing_subscriber::{EnvFilter, reload};

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The running log's filter.
#[derive(Clone)]
pub struct Log(Arc<dyn Filtered>);

/// The types of subscribers say how lines look; here it does not matter.
trait Filtered: Send + Sync {
    fn filter(&self) -> Option<String>;
    fn refilter(&self, filter: EnvFilter) -> Result<(), reload::Error>;
}

impl<S: 'static> Filtered for reload::Handle<EnvFilter, S> {
    fn filter(&self) -> Option<String> {
        self.with_current(ToString::to_string).ok()
    }

    fn refilter(&self, filter: EnvFilter) -> Result<(), reload::Error> {
        self.reload(filter)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.filter()).finish()
    }
}

impl Log {
    /// What is logged.
    pub fn filter(&self) -> String {
        self.0.filter().unwrap_or_default()
    }

    /// From now on this is logged.
    ///
    /// # Errors
    /// A filter that cannot be understood, with the words of the parser; then nothing changes.
    pub fn set(&self, filter: &str) -> Result<(), String> {
        let filter = parse(filter)?;
        self.0.refilter(filter).map_err(|error| error.to_string())
    }
}

/// Starts logging.
///
/// # Errors
/// A filter that cannot be understood, with the words of the parser.
pub fn start(format: Format, filter: &str) -> Result<Log, String> {
    let filter = parse(filter).map_err(|error| format!("--log: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let (log, started): (Arc<dyn Filtered>, _) = match format {
        Format::Text => {
            let log = log.with_ansi(std::io::stderr().is_terminal()).with_target(false);
            let log = log.with_filter_reloading();
            (Arc::new(log.reload_handle()), log.try_init())
        }
        Format::Json => {
            let log = log.json().flatten_event(true).with_filter_reloading();
            (Arc::new(log.reload_handle()), log.try_init())
        }
    };
    started.map(|()| Log(log)).map_err(|error| error.to_string())
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter).map_err(|error| {
        format!("{filter:?}: {error}; expected for example \"info,starling_fib=debug\"")
    })
}
