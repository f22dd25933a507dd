//! Where the log goes: standard error, for people or as JSON lines, or systemd's journal with
//! fields and priorities. The supervisor of the process (systemd, a container runtime) keeps it and
//! adds the time where it wants one. What is said again and again is counted ([`repeats`]).
//!
//! What is logged can be changed while the daemon runs ([`Log::set`]), until its restart.

mod repeats;

use std::io::IsTerminal;
use std::sync::Arc;

use repeats::Repeats;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, reload};

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
    /// To systemd's journal, by its own protocol: fields stay fields (PEER=, ADDRESS=), levels are
    /// priorities.
    Journal,
}

impl Format {
    /// What fits standard error: the journal where that is what it leads to.
    pub fn fitting() -> Format {
        // systemd says so: the device and inode of what it gave us.
        let journal = std::env::var("JOURNAL_STREAM").ok();
        let journal = journal.as_deref().and_then(|stream| stream.split_once(':'));
        let error = rustix::fs::fstat(std::io::stderr()).ok();
        let leads_there = journal.zip(error).is_some_and(|((device, inode), error)| {
            (device.parse(), inode.parse()) == (Ok(error.st_dev), Ok(error.st_ino))
        });
        if leads_there { Format::Journal } else { Format::Text }
    }
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

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

/// Starts logging; without a format, in the one that fits.
///
/// # Errors
/// A filter that cannot be understood, with the words of the parser; no journal where there is to be
/// one.
pub fn start(format: Option<Format>, filter: &str) -> Result<Log, String> {
    let filter = parse(filter).map_err(|error| format!("--log: {error}"))?;
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter).with(Repeats::default());
    let lines = fmt::layer().with_writer(std::io::stderr);
    let text = || {
        let colour = std::io::stderr().is_terminal();
        fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(false)
    };
    let started = match format.unwrap_or_else(Format::fitting) {
        Format::Text => registry.with(text()).try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true)).try_init(),
        Format::Journal => match tracing_journald::layer() {
            Ok(journal) => {
                let journal = journal.with_field_prefix(None);
                registry.with(journal.with_syslog_identifier("starlingd".to_owned())).try_init()
            }
            Err(error) if format.is_some() => return Err(format!("no journal: {error}")),
            // What it leads to takes lines as well.
            Err(_) => registry.with(text()).try_init(),
        },
    };
    started.map(|()| Log(Arc::new(handle))).map_err(|error| error.to_string())
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter).map_err(|error| {
        format!("{filter:?}: {error}; expected for example \"info,starling_fib=debug\"")
    })
}
