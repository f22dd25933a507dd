//! The daemon: actors, the pumps that move their messages, and the world they meet.
//!
//! ```text
//!   listen ──connection──► peer (a task a neighbour) ──routes──► rib (a task)
//!   watch, SIGHUP ─┐            ▲   ▲                    │  ▲        │
//!   control ───────┴► Supervisor┘   └──────frames────────┘  └─next   ▼ best routes
//!     │ asks peers, rib, fib, bfd (a thread)                  hops── fib (a task) ──► kernel
//!     ▼
//!   bgpctl, probes, scrapes
//! ```
//!
//! This crate is the only one with tasks, signals, files and BGP's sockets.

mod bfd;
pub mod bird;
pub mod bridge;
pub mod broadcast;
mod callers;
mod cause;
pub mod check;
pub mod cli;
pub mod clock;
mod conn;
pub mod control;
mod crowd;
mod delays;
mod doors;
mod dynamic;
mod endpoint;
pub mod events;
mod fib;
mod generations;
pub mod identity;
mod keyring;
mod listen;
pub mod log;
mod memory;
mod metrics;
mod moved;
mod neighbours;
mod netns;
mod peer;
mod privilege;
mod pulls;
mod questions;
mod rehearsal;
mod rib;
mod roster;
mod sockopt;
mod supervisor;
mod syscalls;
mod view;
mod watch;
mod watchdog;

use std::path::PathBuf;
use std::process::ExitCode;

use starling_config::Config;

/// How the daemon was called.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cluster's configuration.
    pub config: PathBuf,
    /// Which node this is, if said.
    pub node: Option<String>,
    /// The control socket, if said.
    pub control: Option<PathBuf>,
    /// Where configurations are kept that were in force, if anywhere.
    pub state: Option<PathBuf>,
    /// The log that runs.
    pub log: log::Log,
    /// Close no system calls.
    pub all_system_calls: bool,
    /// Accept a device of any kind as the tunnel.
    pub tunnel_stand_in: bool,
}

/// Threads for tasks: two at least, so that none of them keeps all the others waiting, and no more
/// than the sessions of one Rib can use.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8))
}

/// Runs until a signal ends it.
pub fn main(options: Options) -> ExitCode {
    privilege::confine();
    // A file that is wrong is told of with all its errors by whoever needs it.
    let netns = Config::load(&options.config).ok().and_then(|config| config.kernel.netns);
    if let Some(Err(error)) = netns.as_deref().map(netns::enter) {
        return check::fail(&error);
    }
    if !options.all_system_calls {
        privilege::close();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .on_thread_start(privilege::shed)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return check::fail(&format!("cannot start: {error}")),
    };
    let ended = runtime.block_on(supervisor::run(options));
    // The Rib, or the kernel's side, may be in the middle of much, with timers of the runtime: it
    // ends with the process, not with a runtime that is taken away from under it.
    std::mem::forget(runtime);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => check::fail(&error),
    }
}
