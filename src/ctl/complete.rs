//! What a shell offers where only the daemon knows: names of neighbours, prefixes of its table,
//! configurations that can be gone back to; and words that options take.
//!
//! `source <(COMPLETE=bash bgpctl)` makes bash ask this program at each press of the key; zsh and
//! fish likewise. Where no daemon answers soon, nothing is offered.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap_complete::CompletionCandidate;
use serde::de::DeserializeOwned;
use starling_bgp::types::Family;

use super::cli::DEFAULT_SOCKET;
use super::client::{self, Client};
use super::neighbors::VIEWS;
use crate::api::query;
use crate::api::{Generation, Interface, KernelState, Neighbor, Network, Route, Summary, Wish};

/// Somebody waits at the prompt.
const PATIENCE: Duration = Duration::from_millis(500);

/// More than anybody reads.
const MOST: usize = 200;

/// Neighbours whose name or address begins so; a name with what is known of it.
pub(super) fn neighbours(begun: &OsStr) -> Vec<CompletionCandidate> {
    let Some(begun) = begun.to_str() else { return Vec::new() };
    let summary = document::<Summary>("/v1/summary");
    let peers = summary.map(|summary| summary.peers).unwrap_or_default();
    let offered = peers.iter().filter_map(|peer| {
        let address = peer.place();
        let text = [&peer.name, &address].into_iter().find(|text| text.starts_with(begun))?;
        let help = format!("{address}, {} {}, {}", peer.kind, peer.asn, peer.state);
        Some(CompletionCandidate::new(text).help(Some(help.into())))
    });
    offered.collect()
}

/// The same, and what can stand before and behind a neighbour in `show neighbors`.
pub(super) fn neighbours_and_views(begun: &OsStr) -> Vec<CompletionCandidate> {
    let mut offered = neighbours(begun);
    let words = VIEWS.iter().map(|(word, _)| *word).chain(["group"]);
    offered.extend(begin(begun, words.map(|word| (word.to_owned(), None))));
    // Behind `group`; nobody waits for these where none can be meant.
    if begun.to_str().is_some_and(|begun| !begun.is_empty()) {
        let all = document::<Vec<Neighbor>>("/v1/neighbors").unwrap_or_default();
        let groups: BTreeSet<String> = all.into_iter().flat_map(|one| one.groups).collect();
        offered.extend(begin(begun, groups.into_iter().map(|group| (group, None))));
    }
    offered
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

/// Prefixes that an operator has added.
pub(super) fn added(begun: &OsStr) -> Vec<CompletionCandidate> {
    let networks = document::<Vec<Network>>("/v1/networks").unwrap_or_default();
    let added = networks.iter().filter(|network| network.wish == Wish::Operator);
    begin(begun, added.map(|network| (network.prefix.to_string(), None)))
}

/// Interfaces whose names begin so.
pub(super) fn interfaces(begun: &OsStr) -> Vec<CompletionCandidate> {
    let all = document::<Vec<Interface>>("/v1/interfaces").unwrap_or_default();
    begin(begun, all.into_iter().map(|one| (one.name, Some(one.state.to_string()))))
}

/// Configurations that were in force.
pub(super) fn generations(begun: &OsStr) -> Vec<CompletionCandidate> {
    let all = document::<Vec<Generation>>("/v1/generations").unwrap_or_default();
    let former = all.into_iter().filter(|generation| !generation.current);
    begin(begun, former.map(|former| (former.generation.to_string(), Some(former.source))))
}

/// How routes of the kernel may stand.
pub(super) fn kernel_states(begun: &OsStr) -> Vec<CompletionCandidate> {
    begin(begun, KernelState::ALL.map(|state| (state.as_str().to_owned(), None)))
}

/// How paths may stand.
pub(super) fn path_states(begun: &OsStr) -> Vec<CompletionCandidate> {
    begin(begun, query::states().map(|word| (word.to_owned(), None)))
}

/// The two families.
pub(super) fn families(begun: &OsStr) -> Vec<CompletionCandidate> {
    begin(begun, Family::ALL.map(|family| (family.to_string(), None)))
}

/// The three origins.
pub(super) fn origins(begun: &OsStr) -> Vec<CompletionCandidate> {
    begin(begun, ["igp", "egp", "incomplete"].map(|word| (word.to_owned(), None)))
}

/// Those of `words` that begin so, with what is known of them.
fn begin(
    begun: &OsStr,
    words: impl IntoIterator<Item = (String, Option<String>)>,
) -> Vec<CompletionCandidate> {
    let Some(begun) = begun.to_str() else { return Vec::new() };
    let fitting = words.into_iter().filter(|(word, _)| word.starts_with(begun));
    fitting.map(|(word, help)| CompletionCandidate::new(word).help(help.map(Into::into))).collect()
}

fn document<T: DeserializeOwned>(path: &str) -> Option<T> {
    soon(async |daemon| client::read(&daemon.document(path).await.ok()?).ok())
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
