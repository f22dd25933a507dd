//! The keys on the listening sockets: what a caller must sign with, before anybody knows that it
//! calls (RFC 2385, RFC 5925).
//!
//! A connection inherits its key from here. One that was made before the key was there has it set
//! when it is accepted, so that nobody gets in by being early.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ipnet::IpNet;
use starling_config::NodePlan;
use starling_config::transport::Key;
use tokio::net::TcpListener;

use super::sockopt::{self, KeyScope};

/// The listening sockets and the keys that are on them.
#[derive(Debug)]
pub struct Keyring {
    sockets: Vec<Arc<TcpListener>>,
    installed: BTreeMap<IpNet, Key>,
    /// What the kernel refused, which is said once.
    refused: BTreeMap<IpNet, Key>,
}

impl Keyring {
    /// A keyring without keys.
    pub fn new(sockets: Vec<Arc<TcpListener>>) -> Keyring {
        Keyring { sockets, installed: BTreeMap::new(), refused: BTreeMap::new() }
    }

    /// Puts on what `plan` wants and takes off what it does not. What the kernel refuses is said
    /// in the log; such a neighbour's connections are refused when they are accepted.
    pub fn apply(&mut self, plan: &NodePlan) {
        let wanted = keys(plan);
        let stale: Vec<IpNet> = self
            .installed
            .iter()
            .filter(|(net, key)| wanted.get(net) != Some(key))
            .map(|(net, _)| *net)
            .collect();
        for net in stale {
            let Some(key) = self.installed.remove(&net) else { continue };
            // Only a key of TCP-AO cannot be replaced in place; between the two no SYN of that
            // neighbour is heard, signed or not, and it sends another.
            let replaced = matches!((&key, wanted.get(&net)), (Key::Md5(_), Some(Key::Md5(_))));
            let removed = |socket: &_, whom: &_| sockopt::remove_key(socket, whom, &key);
            if !replaced && let Err(error) = self.each(net, removed) {
                tracing::error!(%net, "cannot take a key off the listening sockets: {error}");
            }
        }
        for (net, key) in wanted {
            if self.installed.get(&net) == Some(&key) {
                continue;
            }
            match self.each(net, |socket, whom| sockopt::add_key(socket, whom, &key)) {
                Ok(()) => {
                    self.refused.remove(&net);
                    self.installed.insert(net, key);
                }
                Err(error) if self.refused.insert(net, key.clone()) != Some(key) => {
                    tracing::error!(%net, "callers from here are refused: {error}");
                }
                Err(_) => {}
            }
        }
    }

    /// Does it on every socket that could meet `net`.
    fn each(
        &self,
        net: IpNet,
        work: impl Fn(&Arc<TcpListener>, &KeyScope) -> io::Result<()>,
    ) -> io::Result<()> {
        self.sockets.iter().try_for_each(|socket| {
            let ipv6 = socket.local_addr()?.is_ipv6();
            KeyScope::on(net, ipv6).map_or(Ok(()), |whom| work(socket, &whom))
        })
    }
}

/// By address, which is all that the kernel asks: of two links with the same link-local address
/// and different keys, the first one's counts.
fn keys(plan: &NodePlan) -> BTreeMap<IpNet, Key> {
    let mut keys = BTreeMap::new();
    let peers = plan.peers.iter().map(|peer| (IpNet::from(peer.address), &peer.transport.key));
    let ranges = plan.ranges.iter().filter_map(|range| {
        range.template().map(|template| (range.range.net, &template.transport.key))
    });
    for (net, key) in peers.chain(ranges) {
        if let Some(key) = key {
            keys.entry(net).or_insert_with(|| key.clone());
        }
    }
    keys
}
