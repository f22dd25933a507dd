//! The values that a key may have, each with its own words for what is right and what is not.
//!
//! What can be judged by looking at one value alone is judged here (host bits, reserved AS
//! numbers, ranges); what needs another value is judged in `check`.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use starling_bgp::types::{Asn, Family};
use starling_fib::types::{Hold, Mode};
use toml::de::DeValue;

use crate::reader::{Scalar, Wrong, nearest};
use crate::source::shown;

mod address;
mod pods;
mod policy;
mod routing;
mod session;
mod transport;

pub(crate) use address::{HostAddress, LocalAddress};
pub(crate) use pods::PodProtocol;
pub(crate) use policy::{CommunityWord, NextHopWord, PrefixWord, Then, Times, family_of_pattern};
pub(crate) use routing::{MaxPaths, MaxPrefixes, Network};
pub(crate) use session::{AddPathLimit, AddPaths, AllowOwnAs, GracefulRestart};
pub(crate) use transport::{
    Asns, External, KeyFile, KeyId, Limit, Multihop, PeerAddress, TtlSecurity, link_local,
};

impl Scalar for String {
    const EXPECTED: &'static str = "text in quotes";
    fn read(value: &DeValue<'_>) -> Result<String, Wrong> {
        text(value).map(str::to_owned)
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "true or false";
    fn read(value: &DeValue<'_>) -> Result<bool, Wrong> {
        value.as_bool().ok_or_else(|| match value.as_str() {
            Some("true" | "false") => Wrong::kind(value).hint("write it without quotes"),
            _ => Wrong::kind(value),
        })
    }
}

/// A name of a node or peer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Name(pub(crate) String);

impl Scalar for Name {
    const EXPECTED: &'static str = "a name without blanks, such as \"server1\"";
    fn read(value: &DeValue<'_>) -> Result<Name, Wrong> {
        let name = text(value)?;
        if name.is_empty() {
            return Err(Wrong::new("the name is empty"));
        }
        if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Wrong::new(format!("`{}` has a blank in it", shown(name))));
        }
        if name.len() > 253 {
            return Err(Wrong::new("a name has at most 253 characters"));
        }
        Ok(Name(name.to_owned()))
    }
}

impl Scalar for Asn {
    const EXPECTED: &'static str = "an AS number, 1 to 4294967294";
    fn read(value: &DeValue<'_>) -> Result<Asn, Wrong> {
        let number = unsigned(value, u64::from(u32::MAX))?;
        let reserved = match number {
            0 => "AS 0 means \"no AS\" and must not be used (RFC 7607)",
            23456 => "AS 23456 stands for numbers that need four octets (RFC 6793)",
            65535 | 4_294_967_295 => "the last AS numbers are reserved (RFC 7300)",
            _ => return Ok(Asn(u32::try_from(number).unwrap_or(u32::MAX))),
        };
        Err(Wrong::new(reserved).hint("private ones are 64512 to 65534 and from 4200000000"))
    }
}

/// A BGP identifier: any four octets but zero (RFC 6286).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RouterId(pub(crate) Ipv4Addr);

impl Scalar for RouterId {
    const EXPECTED: &'static str = "a BGP identifier in the form of an IPv4 address, not 0.0.0.0";
    fn read(value: &DeValue<'_>) -> Result<RouterId, Wrong> {
        let text = text(value)?;
        let id: Ipv4Addr =
            text.parse().map_err(|_| Wrong::new(format!("`{}` has not that form", shown(text))))?;
        if id.is_unspecified() {
            return Err(Wrong::new("0.0.0.0 is no BGP identifier (RFC 6286)")
                .hint("leave it out: it is then made from the node's address or name"));
        }
        Ok(RouterId(id))
    }
}

/// How the BGP identifier of a node without `router-id` is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RouterIds {
    /// It is the IPv4 address; from the name where there is none.
    Address,
    /// From the name.
    Name,
}

impl Scalar for RouterIds {
    const EXPECTED: &'static str = "\"address\" or \"name\": what identifiers are made from";
    fn read(value: &DeValue<'_>) -> Result<RouterIds, Wrong> {
        if value.as_str().is_some_and(|text| text.parse::<Ipv4Addr>().is_ok()) {
            return Err(Wrong::new("one BGP identifier for all nodes")
                .hint("each needs its own (RFC 6286): put router-id into the [[node]]"));
        }
        one_of(value, &[("address", RouterIds::Address), ("name", RouterIds::Name)])
    }
}

impl Scalar for Mode {
    const EXPECTED: &'static str = "\"always\", \"cross-subnet\" or \"never\"";
    fn read(value: &DeValue<'_>) -> Result<Mode, Wrong> {
        one_of(
            value,
            &[
                ("always", Mode::Always),
                ("cross-subnet", Mode::CrossSubnet),
                ("never", Mode::Never),
            ],
        )
    }
}

impl Scalar for Hold {
    const EXPECTED: &'static str = "\"destinations\", \"pools\" or \"nothing\"";
    fn read(value: &DeValue<'_>) -> Result<Hold, Wrong> {
        one_of(
            value,
            &[
                ("destinations", Hold::Destinations),
                ("pools", Hold::Pools),
                ("nothing", Hold::Nothing),
            ],
        )
    }
}

impl Scalar for Family {
    const EXPECTED: &'static str = "\"ipv4\" or \"ipv6\"";
    fn read(value: &DeValue<'_>) -> Result<Family, Wrong> {
        one_of(value, &[("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)])
    }
}

impl Scalar for starling_bgp::msg::Export {
    const EXPECTED: &'static str = "\"own\" or \"all\"";
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        one_of(value, &[("own", Self::Own), ("all", Self::All)])
    }
}

impl Scalar for starling_bgp::msg::NextHopMode {
    const EXPECTED: &'static str = "\"auto\", \"self\" or \"keep\"";
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        one_of(value, &[("auto", Self::Auto), ("self", Self::Own), ("keep", Self::Keep)])
    }
}

/// A TCP port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Port(pub(crate) u16);

impl Scalar for Port {
    const EXPECTED: &'static str = "a TCP port, 1 to 65535";
    fn read(value: &DeValue<'_>) -> Result<Port, Wrong> {
        match u16::try_from(unsigned(value, 65535)?) {
            Ok(port) if port > 0 => Ok(Port(port)),
            _ => Err(Wrong::new("0 is no port")),
        }
    }
}

impl Scalar for PathBuf {
    const EXPECTED: &'static str = "an absolute path such as \"/run/starling/control.sock\"";
    fn read(value: &DeValue<'_>) -> Result<PathBuf, Wrong> {
        let text = text(value)?;
        if !text.starts_with('/') || text.contains('\0') {
            return Err(Wrong::new(format!("`{}` is no absolute path", shown(text))));
        }
        // sun_path holds 108 bytes, the last of them NUL.
        if text.len() > 107 {
            return Err(Wrong::new("a socket's path has at most 107 bytes"));
        }
        Ok(PathBuf::from(text))
    }
}

impl Scalar for Duration {
    const EXPECTED: &'static str = "a time such as \"90s\", \"1m30s\" or 90 (seconds)";
    fn read(value: &DeValue<'_>) -> Result<Duration, Wrong> {
        let text = match value {
            DeValue::String(text) => text,
            DeValue::Integer(_) => return Ok(Duration::from_secs(unsigned(value, 86_400)?)),
            DeValue::Float(_) => {
                return Err(Wrong::kind(value).hint("parts of a second are \"1500ms\""));
            }
            _ => return Err(Wrong::kind(value)),
        };
        let wrong = || Wrong::new(format!("`{}` is no time", shown(text)));
        let mut rest: &str = text;
        let mut total = Duration::ZERO;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(|| {
                wrong().hint(format!("the unit is missing: \"{}s\"", shown(text)))
            })?;
            let (number, tail) = rest.split_at(digits);
            let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let number: u64 = number.parse().map_err(|_| wrong())?;
            let millis = match unit {
                "ms" => 1,
                "s" => 1000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                _ => return Err(wrong().hint("units are ms, s, m and h")),
            };
            total = total.saturating_add(Duration::from_millis(number.saturating_mul(millis)));
            rest = tail;
        }
        if total > Duration::from_secs(86_400) {
            return Err(Wrong::new(format!("`{}` is more than a day", shown(text))));
        }
        Ok(total)
    }
}

/// rtm_protocol of our routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Protocol(pub(crate) u8);

impl Scalar for Protocol {
    const EXPECTED: &'static str = "\"bird\" (12), \"bgp\" (186) or a number from 5 to 255";
    fn read(value: &DeValue<'_>) -> Result<Protocol, Wrong> {
        // Every route of the protocol is taken for our own and removed when nobody announces it.
        let others = "Starling removes routes of its protocol that nobody announces";
        let number = match value.as_str() {
            Some("bird") => 12,
            Some("bgp") => 186,
            Some("kernel") => 2,
            Some("boot") => 3,
            Some("static") => 4,
            Some("ra") => 9,
            Some("dhcp") => 16,
            Some(other) => return Err(Wrong::new(format!("`{}` is not known here", shown(other)))),
            None => unsigned(value, 255)?,
        };
        match u8::try_from(number) {
            Ok(number) if number >= 5 && number != 9 && number != 16 => Ok(Protocol(number)),
            _ => Err(Wrong::new(format!(
                "routes of protocol {number} are written by the kernel, by hand or by another \
                 program; {others}"
            ))),
        }
    }
}

/// A routing table of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Table(pub(crate) u32);

impl Scalar for Table {
    const EXPECTED: &'static str = "\"main\" (254) or a table's number";
    fn read(value: &DeValue<'_>) -> Result<Table, Wrong> {
        let number = match value.as_str() {
            Some("main") => 254,
            Some(other) => {
                return Err(Wrong::new(format!("`{}` is not known here", shown(other)))
                    .hint("other tables by number, see /etc/iproute2/rt_tables"));
            }
            None => unsigned(value, u64::from(u32::MAX))?,
        };
        match u32::try_from(number) {
            Ok(0) => Err(Wrong::new("table 0 means \"no table\"")),
            Ok(255) => Err(Wrong::new("table 255 (local) belongs to the kernel")),
            Ok(number) => Ok(Table(number)),
            Err(_) => Err(Wrong::new("the number is too large")),
        }
    }
}

impl Scalar for u32 {
    const EXPECTED: &'static str = "a number, 0 to 4294967295";
    fn read(value: &DeValue<'_>) -> Result<u32, Wrong> {
        let number = unsigned(value, u64::from(u32::MAX))?;
        u32::try_from(number).map_err(|_| Wrong::new("the number is too large"))
    }
}

/// An MTU of the tunnel device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mtu(pub(crate) u32);

impl Scalar for Mtu {
    // 576: what every IPv4 host must take (RFC 791); 65515: the largest packet less a header.
    const EXPECTED: &'static str = "an MTU, 576 to 65515";
    fn read(value: &DeValue<'_>) -> Result<Mtu, Wrong> {
        let number = unsigned(value, 65_515)?;
        match u32::try_from(number) {
            Ok(mtu) if mtu >= 576 => Ok(Mtu(mtu)),
            _ => Err(Wrong::new(format!("{number} is too small"))
                .hint("leave it out: it is then the underlay's less 20, mostly 1480")),
        }
    }
}

/// So many intervals of silence make BFD call a neighbour lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Multiplier(pub(crate) u8);

impl Scalar for Multiplier {
    const EXPECTED: &'static str = "a number of intervals, 1 to 255";
    fn read(value: &DeValue<'_>) -> Result<Multiplier, Wrong> {
        octet(value).map(Multiplier)
    }
}

/// A TTL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ttl(pub(crate) u8);

impl Scalar for Ttl {
    const EXPECTED: &'static str = "a TTL, 1 to 255";
    fn read(value: &DeValue<'_>) -> Result<Ttl, Wrong> {
        octet(value).map(Ttl)
    }
}

/// 1 to 255.
fn octet(value: &DeValue<'_>) -> Result<u8, Wrong> {
    match u8::try_from(unsigned(value, 255)?) {
        Ok(0) | Err(_) => Err(Wrong::new("0 is too small")),
        Ok(number) => Ok(number),
    }
}

/// The name of a network interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Device(pub(crate) String);

impl Scalar for Device {
    const EXPECTED: &'static str =
        "an interface's name of at most 15 characters, such as \"tunl0\"";
    fn read(value: &DeValue<'_>) -> Result<Device, Wrong> {
        let name = text(value)?;
        let bad = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
        if name.is_empty() || name.len() > 15 || name.contains(bad) || matches!(name, "." | "..") {
            return Err(Wrong::new(format!("`{}` cannot name an interface", shown(name))));
        }
        Ok(Device(name.to_owned()))
    }
}

/// A network namespace: by the name that `ip netns` gives it, or by its file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Netns(pub(crate) PathBuf);

impl Scalar for Netns {
    const EXPECTED: &'static str = "a network namespace by name (`ip netns list`) or absolute path";
    fn read(value: &DeValue<'_>) -> Result<Netns, Wrong> {
        let name = text(value)?;
        let path = match name.starts_with('/') {
            true => PathBuf::from(name),
            false => PathBuf::from("/run/netns").join(name),
        };
        if name.is_empty()
            || matches!(name, "." | "..")
            || !name.starts_with('/') && name.contains('/')
        {
            return Err(Wrong::new(format!("`{}` cannot name a network namespace", shown(name))));
        }
        Ok(Netns(path))
    }
}

/// Names of network interfaces: `*` stands for any characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DevicePattern(pub(crate) String);

impl Scalar for DevicePattern {
    const EXPECTED: &'static str = "interfaces by name, such as \"cali*\" (* is any characters)";
    fn read(value: &DeValue<'_>) -> Result<DevicePattern, Wrong> {
        let pattern = text(value)?;
        let bad = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
        let letters = pattern.chars().filter(|c| *c != '*').count();
        if pattern.is_empty() || letters > 15 || pattern.contains(bad) {
            return Err(Wrong::new(format!("`{}` cannot name an interface", shown(pattern))));
        }
        Ok(DevicePattern(pattern.to_owned()))
    }
}

fn text<'a>(value: &'a DeValue<'_>) -> Result<&'a str, Wrong> {
    value.as_str().ok_or_else(|| Wrong::kind(value))
}

fn unsigned(value: &DeValue<'_>, most: u64) -> Result<u64, Wrong> {
    let DeValue::Integer(integer) = value else {
        let wrong = Wrong::kind(value);
        return Err(match value.as_str() {
            Some(text) if text.parse::<u64>().is_ok() => {
                wrong.hint(format!("write it without quotes: {text}"))
            }
            _ => wrong,
        });
    };
    match i128::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) if number < 0 => Err(Wrong::new(format!("{number} is below zero"))),
        Ok(number) => match u64::try_from(number) {
            Ok(number) if number <= most => Ok(number),
            _ => Err(Wrong::new(format!("{number} is more than {most}"))),
        },
        Err(_) => Err(Wrong::new("the number is too large")),
    }
}

pub(crate) fn one_of<T: Copy>(
    value: &DeValue<'_>,
    words: &[(&'static str, T)],
) -> Result<T, Wrong> {
    let text = text(value)?;
    if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*meant);
    }
    let wrong = Wrong::new(format!("`{}` is not known here", shown(text)));
    let squeezed: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let same = |word: &str| {
        word.chars().filter(|c| *c != '-').collect::<String>().eq_ignore_ascii_case(&squeezed)
    };
    let near = words.iter().map(|(word, _)| *word).find(|word| same(word));
    match near.or_else(|| nearest(text, words.iter().map(|(word, _)| *word))) {
        Some(near) => Err(wrong.hint(format!("did you mean \"{near}\"?"))),
        None => Err(wrong),
    }
}
