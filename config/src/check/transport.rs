//! Connections: where a `[[peer]]` is, what signs its segments, how far away it may be.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::{Node, Peer};
use crate::range::{Asns, Range};
use crate::raw::{self, PeerAsn, Raw};
use crate::reader::Field;
use crate::source::{At, Problems, Sp};
use crate::transport::{AoAlgorithm, AoKey, Hops, Key, Transport};
use crate::value::{KeyFile, PeerAddress, link_local};

/// So many neighbours of a range where the file gives no `limit`.
const LIMIT: usize = 100;

/// Where a peer is.
pub(super) struct Place {
    /// Of the value of `address`.
    pub(super) at: At,
    /// The address; of a range, its first.
    pub(super) address: IpAddr,
    pub(super) range: Option<IpNet>,
    pub(super) interface: Option<String>,
    /// What people know it by who are given no name.
    pub(super) label: String,
}

/// Where `said` is; `None`: that could not be read.
pub(super) fn place(said: &raw::Peer, problems: &mut Problems) -> Option<Place> {
    let Sp { value, at } = said.address.get()?;
    let (address, range, link) = match value {
        PeerAddress::One(address, link) => (*address, None, link.as_ref()),
        PeerAddress::Range(net) => (net.addr(), Some(*net), None),
    };
    let device = said.transport.interface.get();
    if let (Some(link), Some(device)) = (link, device)
        && link.0 != device.value.0
    {
        problems
            .error(device.at, format!("`address` says %{}, `interface` {}", link.0, device.value.0))
            .expected("one interface");
    }
    let interface = link.or(device.map(|device| &device.value)).map(|device| device.0.clone());
    if link_local(address) && interface.is_none() && !matches!(said.transport.interface, Field::Bad)
    {
        let note = problems.error(*at, format!("{address} is link-local: on which link?"));
        match range {
            None => note.expected(format!("\"{address}%eth0\", with the interface's name")),
            Some(_) => note.expected("interface = \"eth0\" beside it"),
        };
    }
    let label = named(address, range, interface.as_deref());
    Some(Place { at: *at, address, range, interface, label })
}

/// What tells a peer from the others of a node.
pub(super) fn label(peer: &Peer) -> String {
    let range = peer.range.as_ref().map(|range| range.net);
    named(peer.address, range, peer.transport.interface.as_deref())
}

fn named(address: IpAddr, range: Option<IpNet>, interface: Option<&str>) -> String {
    let name = range.map_or_else(|| address.to_string(), |net| net.to_string());
    match interface {
        Some(interface) if link_local(address) => format!("{name}%{interface}"),
        _ => name,
    }
}

/// The range that `said` stands for, if it is one; what only a range may have, or may not.
pub(super) fn range(said: &raw::Peer, place: &Place, problems: &mut Problems) -> Option<Range> {
    let Some(net) = place.range else {
        let several = match &said.asn {
            PeerAsn::Several(list) => Some(list.at),
            PeerAsn::External(at) => Some(*at),
            PeerAsn::One(_) | PeerAsn::Bad => None,
        };
        if let Some(at) = several {
            problems
                .error(at, format!("{} can have one AS only", place.label))
                .expected("an AS number")
                .hint("a range of addresses may have several");
        }
        if let Some(limit) = said.transport.limit.get() {
            problems
                .error(
                    limit.at,
                    format!("{} is one neighbour: there is nothing to limit", place.label),
                )
                .expected("`limit` beside a range: address = \"10.0.0.0/16\"");
        }
        return None;
    };
    if let Some(Sp { value: false, at }) = said.passive.get() {
        problems
            .error(*at, "a range cannot be dialled: it is waited for")
            .expected("no `passive`, or passive = true");
    }
    if let Some(port) = said.port.get() {
        problems
            .error(port.at, "a range cannot be dialled: it has no port")
            .expected("no `port`; where this host listens is [bgp] port");
    }
    let asns = match &said.asn {
        PeerAsn::One(asn) => Asns::These(vec![asn.value]),
        PeerAsn::Several(list) => {
            if list.value.is_empty() {
                problems.error(list.at, "nobody may call").expected("one AS number at least");
            }
            Asns::These(list.value.iter().map(|asn| asn.value).collect())
        }
        PeerAsn::External(_) => Asns::External,
        PeerAsn::Bad => Asns::These(Vec::new()),
    };
    let limit = said.transport.limit.value().map_or(LIMIT, |limit| limit.0);
    Some(Range { net, limit, asns, named: !said.name.is_absent() })
}

/// The connection under the session with `said`.
pub(super) fn transport(
    said: &raw::Peer,
    place: &Place,
    raw: &Raw,
    problems: &mut Problems,
) -> Transport {
    let raw::Transport { ttl_security, multihop, .. } = &said.transport;
    let hops = match (ttl_security.get(), multihop.get()) {
        (Some(security), Some(multihop)) => {
            problems
                .error(multihop.at, "`multihop` beside `ttl-security`")
                .expected("one of them: with ttl-security packets are sent with TTL 255")
                .see(security.at, "ttl-security");
            Hops::Any
        }
        (Some(security), None) => Hops::Security(security.value.0),
        (None, Some(multihop)) => Hops::Multihop(multihop.value.0),
        (None, None) => Hops::Any,
    };
    let interface = place.interface.clone();
    Transport { key: key(said, raw, problems), hops, interface }
}

fn key(said: &raw::Peer, raw: &Raw, problems: &mut Problems) -> Option<Key> {
    let md5 = said.transport.password_file.get();
    let Some(ao) = &said.transport.tcp_ao else { return password(md5, raw) };
    if let Some(md5) = md5 {
        problems
            .error(md5.at, "`password-file` beside `tcp-ao`")
            .expected("one of them: a connection has one kind of signature (RFC 5925 §1)")
            .see(ao.at, "tcp-ao");
    }
    Some(Key::Ao(AoKey {
        secret: raw.keys.get(&ao.key_file.get()?.at)?.clone(),
        algorithm: ao.algorithm.value().copied().unwrap_or(AoAlgorithm::HmacSha1),
        send_id: ao.send_id.value()?.0,
        receive_id: ao.receive_id.value()?.0,
    }))
}

/// The key in a file that was read; that it was not is an error already.
fn password(file: Option<&Sp<KeyFile>>, raw: &Raw) -> Option<Key> {
    raw.keys.get(&file?.at).cloned().map(Key::Md5)
}

/// What the nodes sign the segments between them with.
pub(super) fn mesh_key(raw: &Raw) -> Option<Key> {
    let cluster = raw.cluster.as_ref()?;
    password(cluster.password_file.get(), raw)
}

/// A range with a key covers, for the kernel, every address in it: a neighbour there that has no
/// key of its own would be asked for the range's.
pub(super) fn keys_overlap(raw: &Raw, nodes: &[Node], peers: &[Peer], problems: &mut Problems) {
    let ranges = raw.peers.iter().filter_map(|said| {
        let PeerAddress::Range(net) = &said.address.get()?.value else { return None };
        let peer = peers.iter().find(|p| p.range.as_ref().is_some_and(|r| r.net == *net))?;
        peer.transport.key.as_ref()?;
        Some((said, peer, *net))
    });
    let mesh_key = mesh_key(raw).is_some();
    for (said, range, net) in ranges {
        let bare = peers.iter().filter(|p| p.transport.key.is_none() && p.name != range.name);
        let bare = bare.filter(|p| p.nodes.iter().any(|node| range.nodes.contains(node)));
        let bare = bare.filter(|p| match &p.range {
            Some(inner) => net.contains(&inner.net),
            None => net.contains(&p.address),
        });
        let nodes = nodes.iter().filter(|node| {
            !mesh_key && node.addresses.iter().any(|own| net.contains(&own.address))
        });
        let mut names = bare.map(|p| &p.name).chain(nodes.map(|node| &node.name));
        let Some(name) = names.next() else { continue };
        problems
            .error(
                said.address.get().map_or(said.at, |a| a.at),
                format!("{name} lies in {net}, which has a key, and has none itself"),
            )
            .expected("a key for both, or for none: the kernel takes the range's for all in it");
    }
}

/// The kernel knows a key by the address alone: where two links have the same one, the keys of
/// both must be the same too.
pub(super) fn keys_of_links(raw: &Raw, peers: &[Peer], problems: &mut Problems) {
    let same = |one: &Peer, other: &Peer| {
        one.address == other.address
            && link_local(one.address)
            && one.range.is_none() == other.range.is_none()
            && one.nodes.iter().any(|node| other.nodes.contains(node))
    };
    for (index, peer) in peers.iter().enumerate() {
        let before = peers.iter().take(index).find(|other| same(peer, other));
        let Some(other) = before.filter(|other| other.transport.key != peer.transport.key) else {
            continue;
        };
        let said = raw.peers.iter().find(|said| {
            let interface = said.transport.interface.value().map(|device| &device.0);
            match said.address.value() {
                Some(PeerAddress::One(address, link)) => {
                    let link = link.as_ref().map(|device| &device.0).or(interface);
                    *address == peer.address && link == peer.transport.interface.as_ref()
                }
                _ => false,
            }
        });
        let Some(at) = said.and_then(|said| said.address.get()).map(|a| a.at) else { continue };
        problems
            .error(at, format!("{} and {} have another key", label(other), label(peer)))
            .expected("one key for both: the kernel does not ask for the link");
    }
}
