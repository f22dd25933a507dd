//! `/metrics`: the daemon's state as text for Prometheus.
//!
//! ```text
//!   actors ──asked──► [Scrape] ──┬─ node     program, configuration, memory, queues, policies
//!                                ├─ peers    neighbours, one by one or added up by kind
//!                                └─ kernel   RIB, routes and writes, pods
//!                                      └──► OpenMetrics, or the older text form
//! ```
//!
//! Every scrape builds its metrics anew from what the actors say of themselves, the same that
//! `bgpctl` shows: the two never disagree, a neighbour that was removed leaves no stale series, and
//! nothing on the route path counts with locks for the sake of a scrape. What only grows is plain
//! integers of the actors; how long things take is told by [`Delays`].

mod form;
mod kernel;
pub mod ledger;
mod node;
mod peers;

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use starling_fib::tally;

pub use form::Form;
use ledger::Counts;

use super::delays::Delays;
use crate::api::{
    BfdSession, DownCause, FamilyRoutes, KernelState, Limit, Memory, PeerKind, Policy, Summary,
    Version,
};

/// What one scrape shows.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// The program.
    pub version: Version,
    /// The node and its sessions.
    pub summary: Summary,
    /// The configuration on disk is not the one in force.
    pub rejected: bool,
    /// More of each neighbour.
    pub peers: Vec<Peer>,
    /// What neighbours that are gone have counted.
    pub gone: BTreeMap<PeerKind, Counts>,
    /// They are told one by one.
    pub per_peer: bool,
    /// BFD with the neighbours for which it is on.
    pub bfd: Vec<BfdSession>,
    /// Policies that are asked, with how often their rules have decided.
    pub policies: Vec<Policy>,
    /// The table.
    pub rib: Rib,
    /// Destinations by their state in the kernel; a state that is missing counts as 0.
    pub fib: BTreeMap<KernelState, u64>,
    /// What was done to the kernel.
    pub written: tally::Tally,
    /// Destinations that wait to be written.
    pub pending: usize,
    /// Pods of this node.
    pub pods: Pods,
    /// What memory is used for.
    pub memory: Memory,
    /// Messages that wait, by the name of the queue.
    pub queues: Vec<(&'static str, usize)>,
    /// How long things took.
    pub delays: Delays,
}

/// A neighbour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: String,
    /// The AS it must have.
    pub asn: u32,
    /// What it is to us.
    pub kind: PeerKind,
    /// Why it has no session; `None`: it has.
    pub cause: Option<DownCause>,
    /// Why it was lost last, if it was.
    pub lost: Option<DownCause>,
    /// For how long it has been in its state.
    pub since_s: u64,
    /// Its routes.
    pub routes: Vec<FamilyRoutes>,
    /// What it may send.
    pub limits: Vec<Limit>,
    /// Octets that wait to be sent to it.
    pub queued: usize,
    /// What only grows.
    pub counts: Counts,
}

/// Sizes of the table.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rib {
    /// Destinations (IPv4, IPv6).
    pub destinations: [u64; 2],
    /// Paths to them.
    pub paths: [u64; 2],
    /// Different sets of attributes.
    pub attribute_sets: u64,
    /// Groups of neighbours that are told the same.
    pub groups: u64,
}

/// Pods of this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pods {
    /// With a route out of an interface that leads to pods.
    pub known: usize,
    /// Of those, the ones that neighbours are told of, beside their block.
    pub announced: usize,
}

impl Scrape {
    /// The text.
    ///
    /// # Errors
    /// Where a label cannot be encoded, which no value of these types causes.
    pub fn text(&self, form: Form) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("starling");
        node::describe(self, &mut registry);
        peers::describe(self, &mut registry);
        kernel::describe(self, &mut registry);
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(match form {
            Form::OpenMetrics => text,
            Form::Prometheus => form::prometheus(&text),
        })
    }
}

/// Names and values. One family may have several sets of names.
type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge>;
type Counters = Family<Labels, Counter>;

fn labels<const N: usize>(labels: [(&'static str, &dyn ToString); N]) -> Labels {
    labels.into_iter().map(|(name, value)| (name, value.to_string())).collect()
}

fn gauge(value: u64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(signed(value));
    gauge
}

fn counter(value: u64) -> Counter {
    let counter = Counter::default();
    counter.inc_by(value);
    counter
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
