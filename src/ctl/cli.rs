//! The command line of `bgpctl`: its tree of commands, abbreviations and what to say when one is
//! ambiguous.
//!
//! Any prefix that names one command is that command, as people know it from other BGP daemons'
//! tools: `bgpctl sh ro` is `bgpctl show routes`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::api::Lookup;

/// Where the daemon listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/starling/control.sock";

/// Inspect and steer the Starling BGP daemon of this node.
#[derive(Parser, Clone, PartialEq, Eq, Debug)]
#[command(
    name = "bgpctl",
    version,
    infer_subcommands = true,
    arg_required_else_help = true,
    after_help = "Commands may be shortened as long as they stay unambiguous: `bgpctl sh ro`.\n\
                  Exit codes: 0 done, 1 the daemon answered with an error, 2 usage, 3 no daemon."
)]
pub struct Cli {
    /// The daemon's control socket.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "STARLING_SOCKET",
        default_value = DEFAULT_SOCKET
    )]
    pub socket: PathBuf,
    /// The daemon's JSON instead of a table (routes and fib: one object a line).
    #[arg(long, short = 'j', global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Show what the daemon knows.
    #[command(subcommand, infer_subcommands = true, arg_required_else_help = true)]
    Show(Show),
    /// Read the configuration again; a bad file leaves the running one in force.
    Reload,
    /// The versions of bgpctl and of the daemon.
    Version,
}

/// What to show.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Show {
    /// The sessions at a glance; for one that is not up, why.
    Summary,
    /// Everything about the neighbours, or about one.
    #[command(alias = "neighbours")]
    Neighbors {
        /// Its name or address.
        name: Option<String>,
    },
    /// Routes: where they lead, how that is reached, why they are best, what the kernel says.
    #[command(alias = "rib")]
    Routes {
        /// Exactly this prefix, or the route that a packet to this address takes.
        #[arg(value_name = "PREFIX|ADDR", value_parser = lookup)]
        lookup: Option<Lookup>,
        /// Only paths from this neighbour (name or address).
        #[arg(long, value_name = "PEER")]
        from: Option<String>,
        /// All paths and attributes, also of paths that are not best or filtered, and why.
        #[arg(long)]
        detail: bool,
    },
    /// The nodes of the cluster: rack mate or tunnelled, and why.
    Nodes,
    /// What the kernel should hold against what it holds.
    Fib,
}

fn lookup(text: &str) -> Result<Lookup, String> {
    text.parse().map_err(|e: crate::api::ApiError| match e.hint {
        Some(hint) => format!("{}; {hint}", e.error),
        None => e.error,
    })
}

/// Reads `arguments` (the program's name first).
///
/// # Errors
/// clap's error: also `--help` and `--version` are one, whose exit code is 0.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(arguments).map_err(|e| {
        if e.kind() != ErrorKind::InvalidSubcommand {
            return e;
        }
        match ambiguity(arguments) {
            Some(text) => Cli::command().error(ErrorKind::InvalidSubcommand, text),
            None => e,
        }
    })
}

/// Which commands an abbreviation could mean, where it could mean several: clap only says that
/// it knows no such command.
fn ambiguity(arguments: &[OsString]) -> Option<String> {
    let mut command = Cli::command();
    let mut path = command.get_name().to_owned();
    let mut words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        if word == "--socket" {
            words.next();
            continue;
        }
        if word.starts_with('-') {
            continue;
        }
        let meant: Vec<clap::Command> =
            command.get_subcommands().filter(|c| c.get_name().starts_with(word)).cloned().collect();
        if meant.len() > 1 {
            let names: Vec<_> =
                meant.iter().map(|c| format!("`{path} {}`", c.get_name())).collect();
            return Some(format!("`{path} {word}` is ambiguous: {}", names.join(" or ")));
        }
        command = meant.into_iter().next()?;
        path = format!("{path} {}", command.get_name());
    }
    None
}

#[cfg(test)]
mod tests;
