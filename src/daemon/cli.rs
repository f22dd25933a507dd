//! The command line of `starlingd`; its manual page and completions are made of it as well.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};

use super::{Options, check, log, memory};

/// BGP route distributor for cluster nodes.
#[derive(Parser, Debug)]
#[command(name = "starlingd", version, infer_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the daemon in the foreground.
    Run(Run),
    /// Validate a configuration and print what the daemon would do with it here.
    Check(Check),
}

#[derive(Args, Debug)]
struct Run {
    /// The cluster's configuration.
    #[arg(long, env = "STARLING_CONFIG", default_value = "/etc/starling/cluster.toml")]
    config: PathBuf,
    /// Which [[node]] this is; else $NODE_NAME, the hostname, or an address found on this host.
    #[arg(long)]
    node: Option<String>,
    /// The control socket; overrides [control] socket.
    #[arg(long)]
    control: Option<PathBuf>,
    /// Where the configurations that were in force are kept, so that `bgpctl rollback` works after
    /// a restart; without it in memory alone. Systemd says it for a unit with StateDirectory=.
    #[arg(long, value_name = "FOLDER", env = "STATE_DIRECTORY")]
    state: Option<PathBuf>,
    /// How the log is written; without it text, or to the journal where systemd has standard error
    /// lead there.
    #[arg(long, value_enum)]
    log_format: Option<log::Format>,
    /// What is logged: error, warn, info, debug, trace, or per module as in
    /// "info,starling_fib=debug".
    #[arg(long, env = "STARLING_LOG", default_value = "info")]
    log: String,
    /// Close no system calls: for a kernel, or a tool of the packet filter, that has to make one of
    /// those that a route daemon never makes (seccomp).
    #[arg(long, env = "STARLING_ALL_SYSTEM_CALLS", value_parser = FalseyValueParser::new())]
    all_system_calls: bool,
    /// Accept a device of any kind as the tunnel (for tests of route programming on kernels
    /// without ipip; nothing is encapsulated).
    #[arg(long, hide = true)]
    tunnel_stand_in: bool,
}

#[derive(Args, Debug)]
struct Check {
    /// The file to check.
    file: PathBuf,
    /// Check it as this node.
    #[arg(long)]
    node: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The whole program: from the process's arguments to its exit code.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(run) => {
            memory::keep_one_small_heap();
            let log = match log::start(run.log_format, &run.log) {
                Ok(log) => log,
                Err(error) => return check::fail(&error),
            };
            super::main(Options {
                config: run.config,
                node: run.node,
                control: run.control,
                state: run.state,
                log,
                all_system_calls: run.all_system_calls,
                tunnel_stand_in: run.tunnel_stand_in,
            })
        }
        Command::Check(check) => check::main(&check.file, check.node, check.json),
    }
}
