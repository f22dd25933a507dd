//! What a session lacks of what was configured or would serve it, in words for operators.

use super::{Negotiated, PeerConfig, own_role};
use crate::types::{Families, Family};

/// A line for each thing.
pub(crate) fn shortfalls(config: &PeerConfig, negotiated: &Negotiated) -> Vec<String> {
    let mut words: Vec<String> = config
        .families
        .iter()
        .filter(|family| !negotiated.families.contains(*family))
        .map(|family| format!("no {family}: the neighbour does not offer it"))
        .collect();
    let mut lacks = |lacking: bool, text: &str| {
        if lacking {
            words.push(text.to_owned());
        }
    };
    let offer = &config.offer;
    lacks(!negotiated.as4, "no four-octet AS numbers: the neighbour does not offer them");
    lacks(!negotiated.refresh, "no ROUTE-REFRESH: its routes cannot be asked for again");
    lacks(!negotiated.end_of_rib, "no End-of-RIB: its first routes are complete only by timeout");
    lacks(
        negotiated.hold.is_zero() && !config.hold.is_zero(),
        "no keepalives: the neighbour offers hold time 0, so its silent death goes unseen",
    );
    lacks(
        offer.extended_next_hop
            && negotiated.families.contains(Family::Ipv4)
            && !negotiated.extended_next_hop,
        "no IPv4 over IPv6 next hops: the neighbour does not offer them (RFC 8950)",
    );
    lacks(
        lacking(offer.add_path_receive, negotiated.families, negotiated.add_path_receive),
        "no add-path receive: the neighbour does not offer to send several paths",
    );
    lacks(
        lacking(offer.add_path_send, negotiated.families, negotiated.add_path_send),
        "no add-path send: the neighbour does not offer to take several paths",
    );
    lacks(
        own_role(config).is_some() && negotiated.role.is_none(),
        "no role: the neighbour does not say what it is (RFC 9234)",
    );
    words
}

/// Whether something wanted is missing in a family of the session.
fn lacking(wanted: bool, families: Families, got: Families) -> bool {
    wanted && families.intersect(got) != families
}
