//! Capabilities as operators read them. What a neighbour wrote as free text is printable, or it is
//! shown as a length only.

use std::fmt;

use nom::multi::length_data;
use nom::number::complete::u8;
use nom::{IResult, Parser};

use super::{
    ADD_PATH_RECEIVE, ADD_PATH_SEND, Capability, MOST_RESTART, NOTIFICATION, PRESERVED, RESTARTING,
};
use crate::types::{Family, Role};

/// Names of the codes that are only shown (the registry of RFC 5492 §5).
fn name(code: u8) -> Option<&'static str> {
    Some(match code {
        3 => "outbound-route-filtering",
        5 => "extended-next-hop (unreadable)",
        6 => "extended-message (unreadable)",
        7 => "bgpsec",
        8 => "multiple-labels",
        9 => "role (unreadable)",
        64 => "graceful-restart (unreadable)",
        67 => "dynamic",
        68 => "multisession",
        69 => "add-path (unreadable)",
        70 => "enhanced-route-refresh (unreadable)",
        71 => "long-lived-graceful-restart (unreadable)",
        73 => "fqdn",
        75 => "software-version",
        76 => "paths-limit",
        128 => "route-refresh (pre-standard)",
        _ => return None,
    })
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Capability::Multiprotocol { afi, safi } => match Family::from_wire(*afi, *safi) {
                Some(family) => write!(f, "{family}"),
                None => write!(f, "multiprotocol {afi}/{safi}"),
            },
            Capability::RouteRefresh => f.write_str("route-refresh"),
            Capability::ExtendedNextHop(list) => {
                f.write_str("extended-next-hop")?;
                list.iter().try_for_each(|(afi, safi, next_hop)| {
                    let safi = u8::try_from(*safi).unwrap_or(0);
                    write!(f, " {} via {}", name_of(*afi, safi), name_of(*next_hop, 1))
                })
            }
            Capability::ExtendedMessage => f.write_str("extended-message"),
            Capability::Role(code) => match Role::from_wire(*code) {
                Some(role) => write!(f, "role {role}"),
                None => write!(f, "role {code}"),
            },
            Capability::GracefulRestart { flags_time, families } => {
                write!(f, "graceful-restart {} s", flags_time & MOST_RESTART)?;
                if flags_time & RESTARTING != 0 {
                    f.write_str(", restarting")?;
                }
                if flags_time & NOTIFICATION != 0 {
                    f.write_str(", notification")?;
                }
                if families.is_empty() {
                    return f.write_str(", no family");
                }
                families.iter().enumerate().try_for_each(|(n, (afi, safi, flags))| {
                    let gap = if n == 0 { "," } else { "" };
                    let kept = if flags & PRESERVED == 0 { "" } else { " (preserved)" };
                    write!(f, "{gap} {}{kept}", name_of(*afi, *safi))
                })
            }
            Capability::FourOctetAs(asn) => write!(f, "four-octet-as {asn}"),
            Capability::AddPath(list) => {
                f.write_str("add-path")?;
                list.iter().try_for_each(|(afi, safi, what)| {
                    let what = match *what {
                        ADD_PATH_RECEIVE => "receive",
                        ADD_PATH_SEND => "send",
                        _ => "both",
                    };
                    write!(f, " {} {what}", name_of(*afi, *safi))
                })
            }
            Capability::EnhancedRefresh => f.write_str("enhanced-route-refresh"),
            Capability::LongLived(list) => {
                f.write_str("long-lived-graceful-restart")?;
                list.iter().try_for_each(|(afi, safi, _, time)| {
                    write!(f, " {} {time} s", name_of(*afi, *safi))
                })
            }
            // Free text of the neighbour: printable, or it is shown as a length only.
            Capability::Unknown { code: 73, value } => match fqdn(value) {
                Some(name) => write!(f, "fqdn {name}"),
                None => write!(f, "fqdn ({} octets)", value.len()),
            },
            Capability::Unknown { code, value } => match name(*code) {
                Some(name) => f.write_str(name),
                None => write!(f, "code {code} ({} octets)", value.len()),
            },
        }
    }
}

/// A family as people know it.
fn name_of(afi: u16, safi: u8) -> Capability {
    Capability::Multiprotocol { afi, safi }
}

/// The host name in an FQDN capability, if it is one that can be printed.
fn fqdn(value: &[u8]) -> Option<&str> {
    let parsed: IResult<&[u8], &[u8]> = length_data(u8).parse_complete(value);
    let name = std::str::from_utf8(parsed.ok()?.1).ok()?;
    (!name.is_empty() && name.chars().all(|c| c.is_ascii_graphic())).then_some(name)
}
