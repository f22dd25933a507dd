//! `bgpctl monitor`: what happens, a line an event, until somebody has seen enough.
//!
//! It ends, with exit code 0, at Ctrl-C, when whoever reads its output goes away (at once, not at
//! the next event), and when the daemon stops; a daemon that is gone without a word is exit code 3.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use clap_complete::ArgValueCompleter;
use ipnet::IpNet;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::oneshot;

use super::cli::{self, Cli};
use super::client::{self, Client, Failure};
use super::complete;
use super::render;
use crate::api::{Event, EventKind, EventQuery};

/// What to tell.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Monitor {
    /// Only these; all of them otherwise.
    #[arg(value_name = "WHAT")]
    pub kinds: Vec<Stream>,
    /// Only about this neighbour (name or address): its session, and best paths that come from it
    /// or went to another; may be repeated.
    #[arg(long, value_name = "PEER", add = ArgValueCompleter::new(complete::neighbours))]
    pub peer: Vec<String>,
    /// Only about this destination and those inside it; may be repeated.
    #[arg(
        long,
        value_name = "PREFIX",
        value_parser = cli::prefix,
        add = ArgValueCompleter::new(complete::prefixes)
    )]
    pub prefix: Vec<IpNet>,
}

/// What can be told.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    /// Sessions that change, and why.
    Sessions,
    /// Best paths that change: old and new.
    Routes,
    /// The kernel's routes: what is written, and what somebody else did to them.
    Fib,
}

impl Monitor {
    /// The question to the daemon.
    pub fn query(&self) -> EventQuery {
        let kind = |stream: &Stream| match stream {
            Stream::Sessions => EventKind::Session,
            Stream::Routes => EventKind::Route,
            Stream::Fib => EventKind::Fib,
        };
        EventQuery {
            kinds: self.kinds.iter().map(kind).collect(),
            peers: self.peer.clone(),
            prefixes: self.prefix.clone(),
        }
    }
}

/// Carries it out.
///
/// # Errors
/// As [`super::run`].
pub(super) async fn run(
    cli: &Cli,
    client: &Client,
    what: &Monitor,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let path = client::with_query("/v1/events", &what.query().to_pairs());
    let mut rows = client.events(&path).await?;
    let zone = jiff::tz::TimeZone::system();
    let mut reader = std::pin::pin!(reader_gone());
    loop {
        let lines = tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(0),
            () = &mut reader => return Ok(0),
            lines = rows.next() => lines?,
        };
        let Some(lines) = lines else { return Ok(0) };
        for line in lines {
            if cli.json {
                out.write_all(&line)
                    .and_then(|()| out.write_all(b"\n"))
                    .map_err(Failure::Output)?;
                continue;
            }
            let event: Event = client::read(&line)?;
            render::event(&event, &zone, out).map_err(Failure::Output)?;
        }
        out.flush().map_err(Failure::Output)?;
    }
}

/// Resolves when nobody reads our standard output any more. A thread waits for that, which ends with
/// the program at the latest.
pub(super) async fn reader_gone() {
    let (tell, gone) = oneshot::channel();
    std::thread::spawn(move || {
        let stdout = io::stdout();
        // Nothing is asked for: errors, as that of a pipe without a reader, are always told.
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        if poll(&mut watched, None).is_ok() {
            // Whoever waited may have ended.
            let _ = tell.send(());
        }
    });
    if gone.await.is_err() {
        std::future::pending().await
    }
}
