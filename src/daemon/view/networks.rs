//! What this node originates, and the operator's part of it.
//!
//! The operator's networks are in the Rib alone: they outlive a reload, not the daemon.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;
use starling_bgp::msg::{Carried, RibIn, Wished};
use starling_bgp::rib::Rib;

use super::{Refusal, View, stopping};
use crate::api::{ApiError, Network, NetworkAttributes, NetworkChange, NetworkLine, Wish};
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
        let had = self.rib.ask(|rib| rib.added().to_vec()).await.ok_or_else(stopping)?;
        let mut nets: BTreeMap<IpNet, Option<Arc<Carried>>> =
            had.into_iter().map(|wish| (wish.prefix, wish.carried)).collect();
        let (verb, prefixes) = match change {
            NetworkChange::Add(lines) => {
                let added = wished(lines).map_err(Refusal::bad_request)?;
                let prefixes = added.iter().map(|wish| wish.prefix).collect();
                nets.extend(added.into_iter().map(|wish| (wish.prefix, wish.carried)));
                ("added", prefixes)
            }
            NetworkChange::Delete(prefixes) => {
                if let Some(unknown) = prefixes.iter().find(|prefix| !nets.contains_key(prefix)) {
                    return Err(Refusal::not_found(
                        ApiError::new(format!("{unknown} was not added by an operator"))
                            .hint("`bgpctl network show` lists what is originated, on whose wish"),
                    ));
                }
                prefixes.iter().for_each(|prefix| _ = nets.remove(prefix));
                ("deleted", prefixes)
            }
            NetworkChange::Flush => ("deleted", std::mem::take(&mut nets).into_keys().collect()),
        };
        told(verb, &prefixes);
        let wish = |(prefix, carried)| Wished { prefix, carried };
        let originate = RibIn::Originate(nets.into_iter().map(wish).collect());
        self.rib.control.send(Control::In(originate)).await.map_err(|_| stopping())?;
        self.all_networks().await
    }
}

/// Networks with what they carry; those that carry the same share it.
fn wished(lines: Vec<NetworkLine>) -> Result<Vec<Wished>, ApiError> {
    let mut shared: BTreeMap<Carried, Arc<Carried>> = BTreeMap::new();
    let mut wished = Vec::with_capacity(lines.len());
    for NetworkLine { prefix, attributes } in lines {
        let carried = attributes.carried()?.map(|carried| {
            let known = shared.entry(carried);
            Arc::clone(known.or_insert_with_key(|carried| Arc::new(carried.clone())))
        });
        wished.push(Wished { prefix, carried });
    }
    Ok(wished)
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
        attributes: NetworkAttributes::default(),
    });
    let wished = |prefix, wish| Network {
        prefix,
        wish,
        announced: true,
        blackhole: false,
        attributes: NetworkAttributes::default(),
    };
    let added = rib.added().iter().map(|wish| Network {
        attributes: wish.carried.as_deref().map(NetworkAttributes::from).unwrap_or_default(),
        ..wished(wish.prefix, Wish::Operator)
    });
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
