//! Capabilities (RFC 5492): what a speaker says in its OPEN that it can do.
//!
//! Those we use have their own shape: multiprotocol (RFC 4760), ROUTE-REFRESH (RFC 2918),
//! four-octet AS numbers (RFC 6793), graceful restart (RFC 4724, read only for what it says about
//! End-of-RIB). Every other one is kept as it came, to be shown.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use nom::combinator::all_consuming;
use nom::multi::{length_data, many0};
use nom::number::complete::{be_u16, u8};
use nom::sequence::pair;
use nom::{IResult, Parser};

use super::Notification;
use crate::types::{Asn, Family};

/// One capability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Capability {
    /// Code 1: routes of this AFI and SAFI, ours or not.
    Multiprotocol {
        /// Address family identifier.
        afi: u16,
        /// Subsequent address family identifier.
        safi: u8,
    },
    /// Code 2: ROUTE-REFRESH is understood.
    RouteRefresh,
    /// Code 64: at least that End-of-RIB is sent (RFC 4724 §3).
    GracefulRestart {
        /// Flags (4 bits) and restart time in seconds (12 bits).
        flags_time: u16,
        /// AFI, SAFI and flags of the families whose forwarding state survives a restart.
        families: Vec<(u16, u8, u8)>,
    },
    /// Code 65: AS numbers have four octets; the speaker's own.
    FourOctetAs(Asn),
    /// Any other one, or one of the above whose value we cannot read.
    Unknown {
        /// Capability code.
        code: u8,
        /// Capability value, at most 255 octets.
        value: Bytes,
    },
}

impl Capability {
    /// The multiprotocol capability of a family of ours.
    pub fn family(family: Family) -> Capability {
        Capability::Multiprotocol { afi: family.afi(), safi: 1 }
    }

    /// Reads all capabilities of one optional parameter. A list whose lengths do not add up is
    /// an error (2/0), and so is a multiprotocol or four-octet-AS capability of a wrong length:
    /// without it, both sides would read each other's UPDATEs differently.
    pub fn read_all(value: &[u8]) -> Result<Vec<Capability>, Notification> {
        let mut list = all_consuming(many0(pair(u8, length_data(u8))));
        let parsed: IResult<&[u8], Vec<(u8, &[u8])>> = list.parse_complete(value);
        let (_, list) = parsed.map_err(|_| Notification::OPEN_UNSPECIFIC)?;
        list.into_iter().map(|(code, value)| Capability::read(code, value)).collect()
    }

    fn read(code: u8, value: &[u8]) -> Result<Capability, Notification> {
        match (code, value) {
            (1, &[a, b, _, safi]) => {
                Ok(Capability::Multiprotocol { afi: u16::from_be_bytes([a, b]), safi })
            }
            (65, &[a, b, c, d]) => {
                Ok(Capability::FourOctetAs(Asn(u32::from_be_bytes([a, b, c, d]))))
            }
            (1 | 65, _) => Err(Notification::OPEN_UNSPECIFIC),
            (2, []) => Ok(Capability::RouteRefresh),
            (64, _) => Ok(graceful_restart(value).unwrap_or_else(|| unknown(code, value))),
            _ => Ok(unknown(code, value)),
        }
    }

    /// The code.
    pub fn code(&self) -> u8 {
        match self {
            Capability::Multiprotocol { .. } => 1,
            Capability::RouteRefresh => 2,
            Capability::GracefulRestart { .. } => 64,
            Capability::FourOctetAs(_) => 65,
            Capability::Unknown { code, .. } => *code,
        }
    }

    /// Appends code, length and value.
    pub fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.code());
        let start = out.len();
        out.put_u8(0);
        match self {
            Capability::Multiprotocol { afi, safi } => {
                out.put_u16(*afi);
                out.put_u8(0);
                out.put_u8(*safi);
            }
            Capability::RouteRefresh => {}
            Capability::GracefulRestart { flags_time, families } => {
                out.put_u16(*flags_time);
                for (afi, safi, flags) in families.iter().take(63) {
                    out.put_u16(*afi);
                    out.put_u8(*safi);
                    out.put_u8(*flags);
                }
            }
            Capability::FourOctetAs(asn) => out.put_u32(asn.0),
            Capability::Unknown { value, .. } => {
                out.put_slice(value.get(..255).unwrap_or(value));
            }
        }
        let len = u8::try_from(out.len() - start - 1).unwrap_or(u8::MAX);
        if let Some(field) = out.get_mut(start) {
            *field = len;
        }
    }
}

fn unknown(code: u8, value: &[u8]) -> Capability {
    Capability::Unknown { code, value: Bytes::copy_from_slice(value) }
}

fn graceful_restart(value: &[u8]) -> Option<Capability> {
    let families = many0((be_u16, u8, u8));
    let parsed: IResult<&[u8], Capability> = all_consuming((be_u16, families))
        .map(|(flags_time, families)| Capability::GracefulRestart { flags_time, families })
        .parse_complete(value);
    Some(parsed.ok()?.1)
}

/// Names of the codes that are only shown (the registry of RFC 5492 §5).
fn name(code: u8) -> Option<&'static str> {
    Some(match code {
        3 => "outbound-route-filtering",
        5 => "extended-next-hop",
        6 => "extended-message",
        7 => "bgpsec",
        8 => "multiple-labels",
        9 => "role",
        64 => "graceful-restart (unreadable)",
        67 => "dynamic",
        68 => "multisession",
        69 => "add-path",
        70 => "enhanced-route-refresh",
        71 => "long-lived-graceful-restart",
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
            Capability::GracefulRestart { flags_time, families } if families.is_empty() => {
                write!(f, "graceful-restart {} s, no family", flags_time & 0x0fff)
            }
            Capability::GracefulRestart { flags_time, families } => {
                write!(f, "graceful-restart {} s", flags_time & 0x0fff)?;
                families.iter().try_for_each(|(afi, safi, _)| {
                    write!(f, " {}", Capability::Multiprotocol { afi: *afi, safi: *safi })
                })
            }
            Capability::FourOctetAs(asn) => write!(f, "four-octet-as {asn}"),
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

/// The host name in an FQDN capability, if it is one that can be printed.
fn fqdn(value: &[u8]) -> Option<&str> {
    let parsed: IResult<&[u8], &[u8]> = length_data(u8).parse_complete(value);
    let name = std::str::from_utf8(parsed.ok()?.1).ok()?;
    (!name.is_empty() && name.chars().all(|c| c.is_ascii_graphic())).then_some(name)
}

#[cfg(test)]
#[path = "capability_tests.rs"]
mod tests;
