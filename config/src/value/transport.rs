//! What `[[peer]]` says of the connection: whom to talk to, over what, and with which key.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use starling_bgp::types::Asn;
use toml::de::DeValue;

use super::{Device, one_of, text, unsigned};
use crate::reader::{Scalar, Wrong};
use crate::source::shown;
use crate::transport::AoAlgorithm;

/// The address of a router, or the range in which routers may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PeerAddress {
    /// One; with the interface that `%` names.
    One(IpAddr, Option<Device>),
    /// A range.
    Range(IpNet),
}

impl Scalar for PeerAddress {
    const EXPECTED: &'static str = "an address such as \"10.1.5.1\" or \"fe80::1%eth0\", or a \
                                    range of them such as \"10.1.5.0/24\"";
    fn read(value: &DeValue<'_>) -> Result<PeerAddress, Wrong> {
        let text = text(value)?;
        if let Some((address, device)) = text.split_once('%') {
            let device = Device::read(&DeValue::String(device.into()))?;
            let address: IpAddr = address
                .parse()
                .map_err(|_| Wrong::new(format!("`{}` is not an IP address", shown(address))))?;
            if !link_local(address) {
                return Err(Wrong::new(format!("{address} is not link-local"))
                    .hint("an interface for another address: interface = \"eth0\""));
            }
            return Ok(PeerAddress::One(address, Some(device)));
        }
        if text.contains('/') {
            return range(text);
        }
        match text.parse::<IpAddr>() {
            Ok(address) if link_local(address) => Ok(PeerAddress::One(address, None)),
            _ => IpAddr::read(value).map(|address| PeerAddress::One(address, None)),
        }
    }
}

fn range(text: &str) -> Result<PeerAddress, Wrong> {
    let net: IpNet =
        text.parse().map_err(|_| Wrong::new(format!("`{}` is not an IP address", shown(text))))?;
    if net.addr() != net.network() {
        return Err(Wrong::new(format!("{net} has bits set beyond its length")).hint(format!(
            "one router is \"{}\", a range of them \"{}\"",
            net.addr(),
            net.trunc()
        )));
    }
    if net.prefix_len() == net.max_prefix_len() {
        return Err(Wrong::new(format!("{net} is one address, not a range"))
            .hint(format!("without the length: \"{}\"", net.addr())));
    }
    if net.addr().is_multicast() {
        return Err(Wrong::new(format!("{net} are multicast addresses")));
    }
    Ok(PeerAddress::Range(net))
}

/// Whether an address means something on one link only.
pub(crate) fn link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// `asn` of a range, where it is not one number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct External;

impl Scalar for External {
    const EXPECTED: &'static str = "an AS number; for a range also several, or \"external\"";
    fn read(value: &DeValue<'_>) -> Result<External, Wrong> {
        one_of(value, &[("external", ())]).map(|()| External)
    }
}

/// The file of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeyFile(pub(crate) PathBuf);

impl Scalar for KeyFile {
    const EXPECTED: &'static str = "the path of a file that holds the key";
    fn read(value: &DeValue<'_>) -> Result<KeyFile, Wrong> {
        let text = text(value)?;
        if text.is_empty() || text.contains('\0') {
            return Err(Wrong::new(format!("`{}` is no path", shown(text))));
        }
        Ok(KeyFile(PathBuf::from(text)))
    }
}

impl Scalar for AoAlgorithm {
    const EXPECTED: &'static str = "\"hmac-sha-1-96\" or \"aes-128-cmac-96\"";
    fn read(value: &DeValue<'_>) -> Result<AoAlgorithm, Wrong> {
        one_of(
            value,
            &[("hmac-sha-1-96", AoAlgorithm::HmacSha1), ("aes-128-cmac-96", AoAlgorithm::AesCmac)],
        )
    }
}

/// A KeyID of TCP-AO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KeyId(pub(crate) u8);

impl Scalar for KeyId {
    const EXPECTED: &'static str = "a KeyID, 0 to 255";
    fn read(value: &DeValue<'_>) -> Result<KeyId, Wrong> {
        u8::try_from(unsigned(value, 255)?).map(KeyId).map_err(|_| Wrong::new("it is too large"))
    }
}

/// `multihop`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Multihop(pub(crate) u8);

impl Scalar for Multihop {
    const EXPECTED: &'static str = "how many hops our packets shall get: 1 to 255";
    fn read(value: &DeValue<'_>) -> Result<Multihop, Wrong> {
        match u8::try_from(unsigned(value, 255)?) {
            Ok(hops) if hops > 0 => Ok(Multihop(hops)),
            _ => Err(Wrong::new("with 0 hops no packet leaves the host")),
        }
    }
}

/// `ttl-security`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TtlSecurity(pub(crate) u8);

impl Scalar for TtlSecurity {
    const EXPECTED: &'static str = "how many hops away the neighbour is: 1 (the same link) to 254";
    fn read(value: &DeValue<'_>) -> Result<TtlSecurity, Wrong> {
        match u8::try_from(unsigned(value, 254)?) {
            Ok(hops) if hops > 0 => Ok(TtlSecurity(hops)),
            _ => Err(Wrong::new("0 hops away is this host")
                .hint("a neighbour on the same link is 1 hop away")),
        }
    }
}

/// `limit` of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limit(pub(crate) usize);

impl Scalar for Limit {
    const EXPECTED: &'static str = "how many neighbours of the range: 1 to 10000";
    fn read(value: &DeValue<'_>) -> Result<Limit, Wrong> {
        match usize::try_from(unsigned(value, 10_000)?) {
            Ok(limit) if limit > 0 => Ok(Limit(limit)),
            _ => Err(Wrong::new("a range without neighbours")),
        }
    }
}

/// The AS numbers of an array.
pub(crate) type Asns = Vec<crate::source::Sp<Asn>>;
