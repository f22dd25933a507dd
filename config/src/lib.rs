//! Starling's configuration: one TOML file for all nodes, checked as a whole, and what one node
//! makes of it.
//!
//! ```text
//!  files ──load──► raw ──check──► Config ──identify──► Node ──plan──► NodePlan ──► bgp, fib
//!          toml    (as said,       (values that                       │   (typed values of
//!          include  with places)    fit each other)                   │    both crates)
//!                    └── Problems ──► Errors, warnings     diff(old, new) ──► Changes
//!                                                          Report: all of it for people
//! ```
//!
//! [`Config::load`] gives a configuration or *all* that is wrong with it: each error with file,
//! line, column, what was expected and a hint. Nothing here opens a socket or touches the system
//! beyond reading the named files.
//!
//! * `source`, `error`: places and problems · `reader`, `value`, `raw`: what the files say
//! * `check`: whether it fits together · [`model`]: the result · [`identity`]: which node am I
//! * [`policy`]: what may pass, so changed · [`session`]: what OPEN offers
//! * [`transport`], [`secret`]: how connections are made
//! * [`texts`]: what the files said, word for word
//! * [`plan`]: for one node · [`diff`]: for a reload · [`explain`]: for `starlingd check`
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

mod check;
pub mod diff;
pub mod error;
pub mod explain;
pub mod identity;
mod load;
pub mod metrics;
pub mod model;
pub mod outward;
pub mod plan;
pub mod policy;
pub mod range;
mod raw;
mod reader;
pub mod reference;
pub mod routing;
pub mod secret;
pub mod session;
mod source;
pub mod texts;
pub mod transport;
mod value;

pub use diff::{Changes, diff};
pub use error::{Errors, Problem, Severity};
pub use explain::Report;
pub use identity::{Chosen, Identity, IdentityError};
pub use model::{Config, Node};
pub use plan::{NodePlan, PeerKey, PeerPlan, readers_socket};
pub use range::RangePlan;
pub use texts::{Digest, Over, Texts};

/// The name that a text without a file has in errors.
const UNNAMED: &str = "cluster.toml";

/// Reads a configuration from one text, which may include nothing.
///
/// # Errors
/// All that is wrong with it.
pub fn parse(text: &str) -> Result<Config, Errors> {
    Config::parse(&[(UNNAMED, text)])
}

impl Config {
    /// Reads the file at `path` and what it includes.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(path: impl AsRef<Path>) -> Result<Config, Errors> {
        finish(load::load(path.as_ref(), &load::Disk))
    }

    /// Reads a configuration from texts in memory: names and contents, the first file first.
    /// Includes find the others by name.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(files: &[(&str, &str)]) -> Result<Config, Errors> {
        let root = files.first().map_or(UNNAMED, |(name, _)| *name);
        let memory = files.iter().map(|(name, text)| (Path::new(*name), *text)).collect();
        finish(load::load(Path::new(root), &load::Memory(memory)))
    }
}

fn finish(loaded: load::Loaded) -> Result<Config, Errors> {
    let load::Loaded { raw, mut problems, files, texts, mut folders, root, incomplete } = loaded;
    folders.extend(files.iter().map(|file| file.parent().unwrap_or(Path::new("")).to_owned()));
    let config = match incomplete {
        // What is missing may stand in what could not be read.
        true => None,
        false => Some(check::check(&raw, root, &mut problems)),
    };
    let (errors, warnings) = problems.finish();
    match config.filter(|_| errors.is_empty()) {
        Some(config) => {
            let folders: Vec<PathBuf> = folders.into_iter().collect();
            let texts = texts.into_iter().collect();
            Ok(Config { warnings, texts, files, folders, ..config })
        }
        None => Err(Errors { errors, warnings, files }),
    }
}
