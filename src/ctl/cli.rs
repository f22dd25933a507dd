//! The command line of `bgpctl`: its tree of commands, abbreviations and what to say when one is
//! ambiguous.
//!
//! Any prefix that names one command is that command, as people know it from other BGP daemons'
//! tools: `bgpctl sh ro` is `bgpctl show routes`.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::ArgValueCompleter;
use ipnet::IpNet;

use super::change::Change;
use super::complete;
use super::doctor::Doctor;
use super::fib::Fib;
use super::monitor::Monitor;
use super::mrt::Mrt;
use super::network::Network;
use super::show::Show;
use super::watch;
use super::why::WhyArgs;
use crate::api::{ApiError, Lookup, Place, PolicyQuery};

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
                  Exit codes: 0 done, 1 the daemon answered with an error, 2 usage, 3 no daemon; of \
                  `why` also 4 not reached, 5 it goes another way than it should, 6 the other \
                  end could not be asked; of `doctor` 4 a warning, 5 a problem; of `plan` 4 \
                  something would change."
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
    /// The daemon's JSON instead of a table (routes, fib, pods and events: one object a line).
    #[arg(long, short = 'j', global = true)]
    pub json: bool,
    /// Show it again and again, until Ctrl-C: in its place on a terminal, one below the other in
    /// a pipe, with --json a line each time.
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2s",
        value_parser = watch::interval
    )]
    pub watch: Option<Duration>,
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
    /// Why an address is reached, or why it is not: from the packet to the cause.
    Why(WhyArgs),
    /// Tell what happens, a line an event: sessions, best paths, the kernel's routes.
    Monitor(Monitor),
    /// A live view of neighbours and rates that fills the terminal; its keys are in its last line.
    Top,
    /// End the session with a neighbour, let it begin again, take traffic off it, or ask it for
    /// its routes again.
    #[command(alias = "neighbour", arg_required_else_help = true)]
    Neighbor {
        /// Its name or address.
        #[arg(add = ArgValueCompleter::new(complete::neighbours))]
        name: String,
        /// What is done to it.
        #[command(subcommand)]
        to: Steering,
    },
    /// What this node originates; add to it while the daemon runs.
    #[command(subcommand, infer_subcommands = true, arg_required_else_help = true)]
    Network(Network),
    /// The table for the tools of analysts.
    #[command(subcommand, infer_subcommands = true, arg_required_else_help = true)]
    Mrt(Mrt),
    /// Look for what breaks such networks on this node, and say what cures it. Exit codes: 0
    /// nothing, or hints, 4 a warning, 5 a problem. Works without a daemon too.
    Doctor(Doctor),
    /// The kernel's routes as a whole: whether they follow what is wanted.
    #[command(subcommand, infer_subcommands = true, arg_required_else_help = true)]
    Fib(Fib),
    /// Policies: which rule decides.
    #[command(subcommand, infer_subcommands = true, arg_required_else_help = true)]
    Policy(Policy),
    /// What the daemon logs; or have it log this until its restart.
    Log {
        /// A level (error, warn, info, debug, trace), or levels of modules: info,starling_fib=debug.
        filter: Option<String>,
    },
    /// Changes of the configuration.
    #[command(flatten)]
    Change(Change),
    /// Read the configuration again; a bad file leaves the running one in force.
    Reload {
        /// Why: words for the log and for `show generations`.
        reason: Vec<String>,
    },
    /// The versions of bgpctl and of the daemon.
    Version,
}

/// What is done to a neighbour's session.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
#[command(infer_subcommands = true)]
pub enum Steering {
    /// It ends and stays down, until `up` or the daemon's restart. Of its routes nothing is kept,
    /// also where it was away already and graceful restart kept them.
    Down {
        /// Words for the neighbour's operator (RFC 9003), at most 255 octets.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// It may begin again.
    Up,
    /// Traffic is taken off it while the session stays (RFC 8326), until the daemon's restart.
    Drain {
        /// Not any more.
        #[arg(long)]
        off: bool,
    },
    /// It is asked for its routes again while the session stays (ROUTE-REFRESH, RFC 2918).
    Refresh {
        /// It is sent ours again instead.
        #[arg(long)]
        out: bool,
    },
    /// It ends and begins again, with graceful restart where both ends have it.
    Clear {
        /// Words for the neighbour's operator (RFC 9003), at most 255 octets; they go where the
        /// session ends with a NOTIFICATION.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
}

/// What to ask of policies.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Policy {
    /// Which rule decides about a route, why the ones before it do not match, what is changed.
    /// With --from or attributes the route is made up; else it is what the daemon has.
    Test(Test),
}

/// A route, and where it is judged.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Test {
    /// The destination; of an address, that of its route.
    #[arg(
            value_name = "PREFIX|ADDR",
            value_parser = lookup,
            add = ArgValueCompleter::new(complete::prefixes)
        )]
    pub lookup: Lookup,
    /// The policies of this neighbour (name or address); needed for --out.
    #[arg(long, add = ArgValueCompleter::new(complete::neighbours))]
    pub peer: Option<String>,
    /// Only import.
    #[arg(long = "in", group = "place")]
    pub inward: bool,
    /// Only export.
    #[arg(long = "out", group = "place", requires = "peer")]
    pub outward: bool,
    /// Only what enters the kernel.
    #[arg(long, group = "place")]
    pub kernel: bool,
    /// The route is from this neighbour, or "local" for this node.
    #[arg(long, value_name = "PEER", add = ArgValueCompleter::new(complete::neighbours))]
    pub from: Option<String>,
    /// It carries this one, such as 65000:100, 65000:1:2 or no-export; may be repeated.
    #[arg(long, value_name = "COMMUNITY")]
    pub community: Vec<String>,
    /// It came through these ASes, the nearest first: "65001 65002".
    #[arg(long, value_name = "ASNS", value_parser = path)]
    pub as_path: Option<Asns>,
    /// Its NEXT_HOP.
    #[arg(long, value_name = "ADDR")]
    pub next_hop: Option<IpAddr>,
    /// Its LOCAL_PREF.
    #[arg(long, value_name = "N")]
    pub local_pref: Option<u32>,
    /// Its MULTI_EXIT_DISC.
    #[arg(long, value_name = "N")]
    pub med: Option<u32>,
    /// The interface on which its next hop is.
    #[arg(long, value_name = "NAME")]
    pub interface: Option<String>,
}

/// A path: one value of the command line, so no list of clap's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asns(pub Vec<u32>);

impl Test {
    /// The question to the daemon.
    pub fn query(&self) -> PolicyQuery {
        let place = match (self.inward, self.outward, self.kernel) {
            (true, ..) => Some(Place::Import),
            (_, true, _) => Some(Place::Export),
            (.., true) => Some(Place::Kernel),
            _ => None,
        };
        PolicyQuery {
            place,
            neighbor: self.peer.clone(),
            from: self.from.clone(),
            communities: self.community.clone(),
            as_path: self.as_path.clone().map(|path| path.0),
            next_hop: self.next_hop,
            local_pref: self.local_pref,
            med: self.med,
            interface: self.interface.clone(),
            ..PolicyQuery::new(self.lookup)
        }
    }
}

fn path(text: &str) -> Result<Asns, String> {
    crate::api::policy::as_path(text).map(Asns).map_err(words)
}

/// An error of the daemon's words in clap's.
pub(super) fn words(e: ApiError) -> String {
    match e.hint {
        Some(hint) => format!("{}; {hint}", e.error),
        None => e.error,
    }
}

pub(super) fn prefix(text: &str) -> Result<IpNet, String> {
    crate::api::network::prefix(text).map_err(words)
}

/// An address or a prefix.
pub(super) fn lookup(text: &str) -> Result<Lookup, String> {
    text.parse().map_err(words)
}

/// Reads `arguments` (the program's name first).
///
/// # Errors
/// clap's error: also `--help` and `--version` are one, whose exit code is 0.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let cli = Cli::try_parse_from(arguments).map_err(|e| {
        if e.kind() != ErrorKind::InvalidSubcommand {
            return e;
        }
        match ambiguity(arguments) {
            Some(text) => Cli::command().error(ErrorKind::InvalidSubcommand, text),
            None => e,
        }
    })?;
    if let Command::Show(Show::Neighbors(which)) = &cli.command
        && let Err(why) = which.meant()
    {
        return Err(Cli::command().error(ErrorKind::ValueValidation, why));
    }
    if cli.watch.is_some() && !cli.command.is_watched() {
        let text = "`--watch` is for commands that show and change nothing: `show …`, `why`, \
                    `doctor`, `policy test`, `network show`";
        return Err(Cli::command().error(ErrorKind::ArgumentConflict, text));
    }
    Ok(cli)
}

impl Command {
    /// Whether it may be done again and again: it shows, and ends.
    fn is_watched(&self) -> bool {
        match self {
            Command::Show(_) | Command::Why(_) | Command::Doctor(_) | Command::Policy(_) => true,
            Command::Network(what) => *what == Network::Show,
            _ => false,
        }
    }
}

/// Which commands an abbreviation could mean, where it could mean several: clap only says that
/// it knows no such command.
fn ambiguity(arguments: &[OsString]) -> Option<String> {
    let mut command = Cli::command();
    let mut path = command.get_name().to_owned();
    let mut words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        // The only one whose value is a word of its own.
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
