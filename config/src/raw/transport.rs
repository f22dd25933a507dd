//! What `[[peer]]` and `[cluster]` say of connections and keys.

use std::time::Duration;

use starling_bgp::types::Asn;
use toml::de::DeValue;

use super::Raw;
use crate::reader::{Field, Section};
use crate::source::{At, Sp};
use crate::transport::AoAlgorithm;
use crate::value::{Asns, Device, External, KeyFile, KeyId, Limit, Multihop, TtlSecurity};

/// The keys of `tcp-ao = { … }`.
const TCP_AO: &[&str] = &["key-file", "algorithm", "send-id", "receive-id"];

/// The connection under a peer's session.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) password_file: Field<KeyFile>,
    pub(crate) tcp_ao: Option<TcpAo>,
    pub(crate) ttl_security: Field<TtlSecurity>,
    pub(crate) multihop: Field<Multihop>,
    pub(crate) interface: Field<Device>,
    pub(crate) hold: Field<Duration>,
    pub(crate) connect_retry: Field<Duration>,
    pub(crate) limit: Field<Limit>,
}

/// A key of TCP-AO.
#[derive(Debug)]
pub(crate) struct TcpAo {
    pub(crate) at: At,
    pub(crate) key_file: Field<KeyFile>,
    pub(crate) algorithm: Field<AoAlgorithm>,
    pub(crate) send_id: Field<KeyId>,
    pub(crate) receive_id: Field<KeyId>,
}

/// The AS numbers that a neighbour may have.
#[derive(Debug)]
pub(crate) enum PeerAsn {
    /// Unreadable or missing (and noted).
    Bad,
    One(Sp<Asn>),
    /// Any of these, for a range.
    Several(Sp<Asns>),
    /// Any but the node's own, for a range.
    External(At),
}

impl PeerAsn {
    /// The one number, where it is one.
    pub(crate) fn value(&self) -> Option<&Asn> {
        match self {
            PeerAsn::One(asn) => Some(&asn.value),
            PeerAsn::Bad | PeerAsn::Several(_) | PeerAsn::External(_) => None,
        }
    }
}

pub(super) fn transport(s: &mut Section<'_, '_>) -> Transport {
    Transport {
        password_file: s.one("password-file"),
        tcp_ao: tcp_ao(s),
        ttl_security: s.one("ttl-security"),
        multihop: s.one("multihop"),
        interface: s.one("interface"),
        hold: s.one("hold"),
        connect_retry: s.one("connect-retry"),
        limit: s.one("limit"),
    }
}

fn tcp_ao(s: &mut Section<'_, '_>) -> Option<TcpAo> {
    let (value, at) = s.any("tcp-ao")?;
    let DeValue::Table(table) = value else {
        let what = crate::reader::kind(value);
        s.problems().error(at, format!("`tcp-ao` is {what}")).expected(
            "tcp-ao = { key-file = \"gw0.key\", algorithm = \"hmac-sha-1-96\", send-id = 1, \
             receive-id = 1 }",
        );
        return None;
    };
    let mut s = Section::new("tcp-ao", table, at, TCP_AO, &[], s.problems());
    Some(TcpAo {
        at,
        key_file: s.needed("key-file"),
        algorithm: s.one("algorithm"),
        send_id: s.needed("send-id"),
        receive_id: s.needed("receive-id"),
    })
}

pub(super) fn asn(s: &mut Section<'_, '_>) -> PeerAsn {
    match s.any("asn") {
        None => {
            let at = s.at;
            s.problems()
                .error(at, "[[peer]] has no `asn`")
                .expected("asn = the AS number of the router")
                .hint("the same as in [cluster] makes it iBGP, any other eBGP");
            PeerAsn::Bad
        }
        Some((DeValue::Array(_), _)) => match s.list("asn") {
            Field::Is(list) => PeerAsn::Several(list),
            _ => PeerAsn::Bad,
        },
        Some((DeValue::String(text), at)) if text.parse::<u64>().is_err() => {
            match s.one::<External>("asn") {
                Field::Is(_) => PeerAsn::External(at),
                _ => PeerAsn::Bad,
            }
        }
        Some(_) => match s.one("asn") {
            Field::Is(asn) => PeerAsn::One(asn),
            _ => PeerAsn::Bad,
        },
    }
}

impl Raw {
    /// Every file that holds a key.
    pub(crate) fn key_files(&self) -> impl Iterator<Item = &Sp<KeyFile>> {
        let mesh = self.cluster.iter().filter_map(|cluster| cluster.password_file.get());
        let peers = self.peers.iter().flat_map(|peer| {
            let ao = peer.transport.tcp_ao.as_ref().and_then(|ao| ao.key_file.get());
            peer.transport.password_file.get().into_iter().chain(ao)
        });
        mesh.chain(peers)
    }
}
