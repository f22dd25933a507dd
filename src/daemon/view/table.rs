//! The kernel's table, streamed: what should be there against what is, piece by piece as the Fib has
//! them, and how many there are of each kind.

use std::collections::BTreeMap;

use starling_fib::table::{Entry, EntryState};
use starling_fib::types::How;
use starling_fib::view;

use super::routes::used;
use super::{Refusal, View, stopping};
use crate::api::{FibEntry, FibQuery, KernelState, Lookup};
use crate::daemon::control::rows::{self, CHUNK};
use crate::daemon::control::{Rows, RowsSender};

impl View {
    pub(super) fn fib_rows(&self, query: FibQuery) -> Rows<FibEntry> {
        let (sender, rows) = rows::rows();
        tokio::spawn(self.clone().stream_fib(query, sender));
        rows
    }

    async fn stream_fib(self, query: FibQuery, rows: RowsSender<FibEntry>) {
        let mut after = None;
        // Of those that an address is in the last one is the longest: that is their order.
        let is_of_one = matches!(query.lookup, Some(Lookup::Address(_)));
        let mut longest = None;
        loop {
            let answer = self.fib.ask(move |fib| fib.entries(after, CHUNK)).await;
            let Some(entries) = answer else {
                // The reader may have gone as well.
                let _ = rows.send(Err(stopping().body)).await;
                return;
            };
            let Some(last) = entries.last() else { break };
            after = Some(last.prefix);
            let covered = entries.into_iter().filter(|entry| query.covers(&entry.prefix));
            let mut asked = covered.map(entry).filter(|entry| query.takes(entry));
            if is_of_one {
                longest = asked.next_back().or(longest);
                continue;
            }
            let chunk: Vec<FibEntry> = asked.collect();
            if !chunk.is_empty() && rows.send(Ok(chunk)).await.is_err() {
                return;
            }
        }
        if let Some(longest) = longest {
            // The reader may have gone.
            let _ = rows.send(Ok(vec![longest])).await;
        }
    }

    /// How many destinations there are in each state.
    pub(super) async fn fib_states(&self) -> Result<BTreeMap<KernelState, u64>, Refusal> {
        let mut states = BTreeMap::new();
        let mut after = None;
        loop {
            let answer = self.fib.ask(move |fib| fib.states(after, 16 * CHUNK)).await;
            let entries = answer.ok_or_else(stopping)?;
            let Some((last, _)) = entries.last() else { return Ok(states) };
            after = Some(*last);
            for (_, state) in &entries {
                *states.entry(entry_state(state).0).or_default() += 1;
            }
        }
    }
}

fn entry(entry: Entry) -> FibEntry {
    let (state, why) = entry_state(&entry.state);
    // What is installed needs no reason, but those of its next hops that are not.
    let whys: Vec<&str> = entry
        .resolutions
        .iter()
        .filter(|(_, hop)| state != KernelState::Installed || hop.how == How::Unreachable)
        .map(|(_, hop)| hop.why.as_str())
        .collect();
    let why = why.or_else(|| (!whys.is_empty()).then(|| whys.join("; ")));
    let (want, want_hops) = entry.want.map(|want| (want.line, want.hops)).unzip();
    let object = entry.have.iter().find_map(|have| have.object);
    let (have, have_hops): (Vec<_>, Vec<_>) =
        entry.have.into_iter().map(|have| (have.line, have.hops)).unzip();
    FibEntry {
        prefix: entry.prefix,
        want,
        want_hops: want_hops.unwrap_or_default(),
        have: (!have.is_empty()).then(|| have.join(", ")),
        have_hops: have_hops.concat(),
        object,
        next_hops: entry.resolutions.iter().map(|hop| used(hop, &[])).collect(),
        state,
        why,
    }
}

fn entry_state(entry: &EntryState) -> (KernelState, Option<String>) {
    match entry {
        EntryState::Wanted(wanted) => state(wanted),
        EntryState::Leftover => (
            KernelState::Stale,
            Some("a predecessor's; kept until the neighbours have spoken".to_owned()),
        ),
    }
}

/// The API's form of how a wanted route stands.
pub(super) fn state(state: &view::KernelState) -> (KernelState, Option<String>) {
    match state {
        view::KernelState::Installed => (KernelState::Installed, None),
        view::KernelState::Pending => (KernelState::Pending, None),
        view::KernelState::Contested => (
            KernelState::Pending,
            Some("somebody keeps changing it: it is put back after a wait".to_owned()),
        ),
        view::KernelState::Refused(words) => (KernelState::Refused, Some(words.clone())),
        view::KernelState::Occupied(protocol) => (
            KernelState::Occupied,
            Some(format!("a route of protocol {protocol} sits there; it is left alone")),
        ),
        view::KernelState::Pod(device) => (
            KernelState::Out,
            Some(format!("a local pod has this address, on {device}: its own route stays")),
        ),
        view::KernelState::Unreachable => (KernelState::Unresolved, None),
    }
}
