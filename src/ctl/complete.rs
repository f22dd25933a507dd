//! What a shell offers where only the daemon knows: names of neighbours, prefixes of its table.
//!
//! `source <(COMPLETE=bash bgpctl)` makes bash ask this program at each press of the key; zsh and
//! fish likewise. Where no daemon answers soon, nothing is offered.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap_complete::CompletionCandidate;

use super::cli::DEFAULT_SOCKET;
use super::client::{self, Client};
use crate::api::{Route, Summary};

/// Somebody waits at the prompt.
const PATIENCE: Duration = Duration::from_millis(500);

/// More than anybody reads.
const MOST: usize = 200;

/// Neighbours whose name or address begins so; a name with what is known of it.
pub(super) fn neighbours(begun: &OsStr) -> Vec<CompletionCandidate> {
    let Some(begun) = begun.to_str() else { return Vec::new() };
    let summary = soon(async |daemon| {
        let body = daemon.document("/v1/summary").await.ok()?;
        client::read::<Summary>(&body).ok()
    });
    let peers = summary.map(|summary| summary.peers).unwrap_or_default();
    let offered = peers.iter().filter_map(|peer| {
        let address = peer.place();
        let text = [&peer.name, &address].into_iter().find(|text| text.starts_with(begun))?;
        let help = format!("{address}, {} {}, {}", peer.kind, peer.asn, peer.state);
        Some(CompletionCandidate::new(text).help(Some(help.into())))
    });
    offered.collect()
}

/// Prefixes that begin so, as far as they come soon.
pub(super) fn prefixes(begun: &OsStr) -> Vec<CompletionCandidate> {
    let Some(begun) = begun.to_str() else { return Vec::new() };
    let mut offered = Vec::new();
    // What has come when time is up is offered.
    let _ = soon(async |daemon| {
        let mut rows = daemon.rows("/v1/routes").await.ok()?;
        while let Some(lines) = rows.next().await.ok()? {
            let routes = lines.iter().filter_map(|line| client::read::<Route>(line).ok());
            let texts = routes.map(|route| route.prefix.to_string());
            offered.extend(texts.filter(|text| text.starts_with(begun)));
            if offered.len() >= MOST {
                break;
            }
        }
        Some(())
    });
    offered.truncate(MOST);
    offered.into_iter().map(CompletionCandidate::new).collect()
}

/// What the daemon answers in time.
fn soon<T>(ask: impl AsyncFnOnce(Client) -> Option<T>) -> Option<T> {
    // The words of the command line are not known here.
    let socket = std::env::var_os("STARLING_SOCKET").map_or(DEFAULT_SOCKET.into(), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, ask(Client::new(&socket))).await.ok().flatten()
    })
}
