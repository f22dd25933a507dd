//! The API's question about routes as the Rib's filter: names become numbers.

use starling_bgp::attrs;
use starling_bgp::rib::show::{Outward, RouteFilter};
use starling_bgp::types::{Asn, Families, PeerId};

use super::{Refusal, View, no_such_neighbor, stopping};
use crate::api::{ApiError, Lookup, Origin, RouteQuery};
use crate::daemon::roster::Roster;

impl View {
    /// What the Rib is asked.
    pub(super) async fn filter(&self, query: &RouteQuery) -> Result<RouteFilter, Refusal> {
        let roster = self.roster();
        let from = query.from.as_deref().map(|name| match name {
            "local" => Ok(PeerId::LOCAL),
            name => named(name, &roster),
        });
        let to = query.to.as_deref().map(|name| named(name, &roster)).transpose()?;
        if let (Some(peer), Some(name)) = (to, &query.to)
            && !self.rib.ask(move |rib| rib.tells(peer)).await.ok_or_else(stopping)?
        {
            let hint = format!("`bgpctl show neighbors {name}` says why");
            return Err(Refusal::conflict(
                ApiError::new(format!("the session with {name} is not up: it is told nothing"))
                    .hint(hint),
            ));
        }
        let outward = match (query.withheld, query.is_of_one()) {
            (true, _) => Outward::Withheld,
            (false, true) => Outward::Any,
            (false, false) => Outward::Told,
        };
        let (prefix, covering) = match query.lookup {
            Some(Lookup::Prefix(prefix)) => (Some(prefix), None),
            Some(Lookup::Address(address)) => (None, Some(address)),
            None => (None, None),
        };
        Ok(RouteFilter {
            prefix,
            covering,
            shorter: query.shorter,
            longer: query.longer,
            families: query.family.map_or(Families::ALL, |family| [family].into_iter().collect()),
            from: from.transpose()?,
            to: to.map(|peer| (peer, outward)),
            states: query.states.clone(),
            communities: query.communities.clone(),
            through: query.through.iter().map(|asn| Asn(*asn)).collect(),
            as_path: query.as_path.clone(),
            origin: query.origin.map(origin),
        })
    }
}

fn named(name: &str, roster: &Roster) -> Result<PeerId, Refusal> {
    let mut peers = roster.peers.iter();
    let found = peers.find(|(plan, _)| plan.name == name || plan.address.to_string() == name);
    found.map(|(_, handle)| handle.id).ok_or_else(|| no_such_neighbor(name, roster))
}

fn origin(origin: Origin) -> attrs::Origin {
    match origin {
        Origin::Igp => attrs::Origin::Igp,
        Origin::Egp => attrs::Origin::Egp,
        Origin::Incomplete => attrs::Origin::Incomplete,
    }
}
