//! What this node originates, and the operator's part of it.
//!
//! The operator's networks are in the Rib alone: they outlive a reload, not the daemon.

use std::collections::HashSet;

use ipnet::IpNet;
use starling_bgp::msg::RibIn;
use starling_bgp::rib::Rib;

use super::{Refusal, View, stopping};
use crate::api::{ApiError, Network, NetworkChange, Wish};
use crate::daemon::rib::Control;

/// Changed at once, so many are named in the log.
const NAMED: usize = 100;

impl View {
    pub(super) async fn all_networks(&self) -> Result<Vec<Network>, Refusal> {
        self.rib.ask(networks).await.ok_or_else(stopping)
    }

    pub(super) async fn changed_networks(
        &self,
        change: NetworkChange,
    ) -> Result<Vec<Network>, Refusal> {
        // One change at a time: each is made of what there was.
        let _turn = self.networks.lock().await;
        let had = self.rib.ask(|rib| rib.added().to_vec());
        let mut nets = had.await.ok_or_else(stopping)?;
        let (verb, prefixes) = match change {
            NetworkChange::Add(prefixes) => {
                nets.extend(&prefixes);
                nets.sort_unstable();
                nets.dedup();
                ("added", prefixes)
            }
            NetworkChange::Delete(prefixes) => {
                let had: HashSet<IpNet> = nets.iter().copied().collect();
                if let Some(unknown) = prefixes.iter().find(|prefix| !had.contains(prefix)) {
                    return Err(Refusal::not_found(
                        ApiError::new(format!("{unknown} was not added by an operator"))
                            .hint("`bgpctl network show` lists what is originated, on whose wish"),
                    ));
                }
                let gone: HashSet<&IpNet> = prefixes.iter().collect();
                nets.retain(|net| !gone.contains(net));
                ("deleted", prefixes)
            }
            NetworkChange::Flush => ("deleted", std::mem::take(&mut nets)),
        };
        told(verb, &prefixes);
        let originate = RibIn::Originate(nets);
        self.rib.control.send(Control::In(originate)).await.map_err(|_| stopping())?;
        self.all_networks().await
    }
}

/// Of very many the log has the count.
fn told(verb: &str, prefixes: &[IpNet]) {
    for prefix in prefixes.iter().take(NAMED) {
        tracing::info!(%prefix, "network {verb} by the operator");
    }
    if let Some(more @ 1..) = prefixes.len().checked_sub(NAMED) {
        tracing::info!("{more} more networks {verb} by the operator");
    }
}

fn networks(rib: &Rib) -> Vec<Network> {
    let configured = rib.originated().iter().map(|own| Network {
        prefix: own.prefix,
        wish: Wish::Configured,
        announced: own.announce,
        blackhole: own.blackhole,
    });
    let wished = |prefix, wish| Network { prefix, wish, announced: true, blackhole: false };
    let added = rib.added().iter().map(|prefix| wished(*prefix, Wish::Operator));
    let within = |pod: &IpNet| {
        rib.originated().iter().any(|own| own.announce && own.blackhole && own.prefix.contains(pod))
    };
    let pods = rib
        .pods()
        .map(|prefix| wished(prefix, if within(&prefix) { Wish::Pod } else { Wish::Borrowed }));
    let mut all: Vec<Network> = configured.chain(added).chain(pods).collect();
    all.sort_by_key(|network| (network.prefix, network.wish));
    all
}
