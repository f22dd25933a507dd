//! Addresses and prefixes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use toml::de::DeValue;

use super::text;
use crate::reader::{Scalar, Wrong};
use crate::source::shown;

impl Scalar for IpAddr {
    const EXPECTED: &'static str = "an address such as \"10.1.5.10\" or \"fd00::10\"";
    fn read(value: &DeValue<'_>) -> Result<IpAddr, Wrong> {
        let text = text(value)?;
        let address = text.parse().map_err(|_| {
            let wrong = Wrong::new(format!("`{}` is not an IP address", shown(text)));
            match text.split_once('/') {
                Some((address, _)) if address.parse::<IpAddr>().is_ok() => {
                    wrong.hint(format!("without the length: \"{address}\""))
                }
                _ => wrong,
            }
        })?;
        unicast(address)?;
        Ok(address)
    }
}

impl Scalar for Ipv4Addr {
    const EXPECTED: &'static str = "an IPv4 address such as \"10.1.5.10\"";
    fn read(value: &DeValue<'_>) -> Result<Ipv4Addr, Wrong> {
        let text = text(value)?;
        let address: Ipv4Addr = text
            .parse()
            .map_err(|_| Wrong::new(format!("`{}` is not an IPv4 address", shown(text))))?;
        unicast(IpAddr::V4(address))?;
        Ok(address)
    }
}

/// A node's address; with `/len` also its subnet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HostAddress {
    pub(crate) address: IpAddr,
    pub(crate) subnet: Option<IpNet>,
}

impl Scalar for HostAddress {
    const EXPECTED: &'static str =
        "an address such as \"10.1.5.10\", or \"10.1.5.10/24\" to say its subnet";
    fn read(value: &DeValue<'_>) -> Result<HostAddress, Wrong> {
        let text = text(value)?;
        if let Ok(address) = text.parse() {
            unicast(address)?;
            return Ok(HostAddress { address, subnet: None });
        }
        let net: IpNet = text
            .parse()
            .map_err(|_| Wrong::new(format!("`{}` is not an IP address", shown(text))))?;
        let address = net.addr();
        unicast(address)?;
        let roomy = net.max_prefix_len() - net.prefix_len() >= 2;
        if roomy && (address == net.network() || (address.is_ipv4() && address == net.broadcast()))
        {
            return Err(Wrong::new(format!("{address} is no host address in {}", net.trunc())));
        }
        Ok(HostAddress { address, subnet: Some(net.trunc()) })
    }
}

impl Scalar for IpNet {
    const EXPECTED: &'static str = "a prefix such as \"10.244.0.0/16\"";
    fn read(value: &DeValue<'_>) -> Result<IpNet, Wrong> {
        let text = text(value)?;
        let net: IpNet = text.parse().map_err(|_| {
            let wrong = Wrong::new(format!("`{}` is not a prefix", shown(text)));
            match text.parse::<IpAddr>() {
                Ok(address) if address.is_unspecified() => {
                    wrong.hint(format!("the length is missing; every address is \"{address}/0\""))
                }
                Ok(address) => {
                    let net = IpNet::from(address);
                    wrong.hint(format!("the length is missing; one address alone is \"{net}\""))
                }
                Err(_) => wrong,
            }
        })?;
        if net.addr() != net.network() {
            return Err(Wrong::new(format!("{net} has bits set beyond its length"))
                .hint(format!("the prefix is \"{}\"", net.trunc())));
        }
        Ok(net)
    }
}

/// The local end of a session with a router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LocalAddress {
    /// The kernel chooses.
    Any,
    /// This one.
    Is(IpAddr),
}

impl Scalar for LocalAddress {
    const EXPECTED: &'static str =
        "an address of the node, or \"any\" to leave the choice to the kernel";
    fn read(value: &DeValue<'_>) -> Result<LocalAddress, Wrong> {
        match value.as_str() {
            Some("any") => Ok(LocalAddress::Any),
            _ => IpAddr::read(value).map(LocalAddress::Is),
        }
    }
}

impl Scalar for SocketAddr {
    const EXPECTED: &'static str = "an address and port such as \"127.0.0.1:9179\"";
    fn read(value: &DeValue<'_>) -> Result<SocketAddr, Wrong> {
        let text = text(value)?;
        text.parse().map_err(|_| {
            let wrong = Wrong::new(format!("`{}` is no address with a port", shown(text)));
            match text.parse::<IpAddr>() {
                Ok(address) => wrong.hint(format!("\"{}\"", SocketAddr::new(address, 9179))),
                Err(_) => wrong,
            }
        })
    }
}

/// Refuses what can be no host's address.
fn unicast(address: IpAddr) -> Result<(), Wrong> {
    let what = match address {
        _ if address.is_unspecified() => "means \"no address\"",
        _ if address.is_multicast() => "is a multicast address",
        IpAddr::V4(v4) if v4.is_broadcast() => "is the broadcast address",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            return Err(Wrong::new(format!("{address} is link-local"))
                .hint("it means something on one link only; give a global or unique local one"));
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => {
                return Err(Wrong::new(format!("{address} is an IPv4 address in disguise"))
                    .hint(format!("\"{v4}\"")));
            }
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    Err(Wrong::new(format!("{address} {what}")))
}
