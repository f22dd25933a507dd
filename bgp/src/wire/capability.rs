//! Capabilities (RFC 5492): what a speaker says in its OPEN that it can do.
//!
//! Those that a session can use have their own shape; every other one, and one whose value cannot
//! be read, is kept as it came, to be shown. What both sides make of them is
//! `session::negotiate`'s.

mod words;

use bytes::{BufMut, Bytes, BytesMut};
use nom::combinator::all_consuming;
use nom::multi::{length_data, many0};
use nom::number::complete::{be_u16, be_u24, u8};
use nom::sequence::pair;
use nom::{IResult, Parser};

use super::Notification;
use crate::types::{Asn, Families, Family};

/// One capability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Capability {
    /// Code 1 (RFC 4760): routes of this AFI and SAFI, ours or not.
    Multiprotocol {
        /// Address family identifier.
        afi: u16,
        /// Subsequent address family identifier.
        safi: u8,
    },
    /// Code 2 (RFC 2918): ROUTE-REFRESH is understood.
    RouteRefresh,
    /// Code 5 (RFC 8950): AFI, SAFI and the AFI that its next hops may have too.
    ExtendedNextHop(Vec<(u16, u16, u16)>),
    /// Code 6 (RFC 8654): messages of up to 65535 octets are read.
    ExtendedMessage,
    /// Code 9 (RFC 9234): the speaker's role, known or not.
    Role(u8),
    /// Code 64 (RFC 4724): at least that End-of-RIB is sent (§3).
    GracefulRestart {
        /// Flags (4 bits) and restart time in seconds (12 bits).
        flags_time: u16,
        /// AFI, SAFI and flags of the families whose forwarding state survives a restart.
        families: Vec<(u16, u8, u8)>,
    },
    /// Code 65 (RFC 6793): AS numbers have four octets; the speaker's own.
    FourOctetAs(Asn),
    /// Code 69 (RFC 7911): AFI, SAFI and what is done with path identifiers: [`ADD_PATH_RECEIVE`],
    /// [`ADD_PATH_SEND`] or both.
    AddPath(Vec<(u16, u8, u8)>),
    /// Code 70 (RFC 7313): the ends of a refresh are marked.
    EnhancedRefresh,
    /// Code 71 (RFC 9494): AFI, SAFI, flags and for how many seconds stale routes are kept.
    LongLived(Vec<(u16, u8, u8, u32)>),
    /// Any other one, or one of the above whose value cannot be read.
    Unknown {
        /// Capability code.
        code: u8,
        /// Capability value, at most 255 octets.
        value: Bytes,
    },
}

/// The R bit of the graceful restart capability (RFC 4724 §3): the speaker has just restarted.
pub const RESTARTING: u16 = 0x8000;
/// Its N bit (RFC 8538 §2): a NOTIFICATION is a restart too, unless it is a hard reset.
pub const NOTIFICATION: u16 = 0x4000;
/// The largest restart time, in seconds; it shares its octets with the flags.
pub const MOST_RESTART: u16 = 0x0fff;
/// The F bit of a family: its forwarding state has been preserved.
pub const PRESERVED: u8 = 0x80;
/// The largest long-lived stale time, in seconds (RFC 9494 §3.1).
pub const MOST_LONG_LIVED: u32 = 0x00ff_ffff;
/// Several paths for a prefix are taken (RFC 7911 §4).
pub const ADD_PATH_RECEIVE: u8 = 1;
/// Several paths for a prefix are sent.
pub const ADD_PATH_SEND: u8 = 2;

impl Capability {
    /// The multiprotocol capability of a family of ours.
    pub fn family(family: Family) -> Capability {
        Capability::Multiprotocol { afi: family.afi(), safi: 1 }
    }

    /// IPv4 routes with IPv6 next hops, the one use that we have for RFC 8950.
    pub fn ipv4_over_ipv6() -> Capability {
        Capability::ExtendedNextHop(vec![(1, 1, 2)])
    }

    /// Path identifiers in these families, in both directions of `what`.
    pub fn add_path(families: Families, what: u8) -> Capability {
        Capability::AddPath(families.iter().map(|family| (family.afi(), 1, what)).collect())
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
        let known = match (code, value) {
            (1, &[a, b, _, safi]) => {
                Some(Capability::Multiprotocol { afi: u16::from_be_bytes([a, b]), safi })
            }
            (65, &[a, b, c, d]) => {
                Some(Capability::FourOctetAs(Asn(u32::from_be_bytes([a, b, c, d]))))
            }
            (1 | 65, _) => return Err(Notification::OPEN_UNSPECIFIC),
            (2, []) => Some(Capability::RouteRefresh),
            (5, _) => all(value, (be_u16, be_u16, be_u16)).map(Capability::ExtendedNextHop),
            (6, []) => Some(Capability::ExtendedMessage),
            (9, [role]) => Some(Capability::Role(*role)),
            (64, &[a, b, ref rest @ ..]) => {
                let flags_time = u16::from_be_bytes([a, b]);
                all(rest, (be_u16, u8, u8))
                    .map(|families| Capability::GracefulRestart { flags_time, families })
            }
            // With a value of another meaning the whole is not understood (RFC 7911 §4).
            (69, _) => all(value, (be_u16, u8, u8))
                .filter(|list| list.iter().all(|(.., what)| (1..=3).contains(what)))
                .map(Capability::AddPath),
            (70, []) => Some(Capability::EnhancedRefresh),
            (71, _) => all(value, (be_u16, u8, u8, be_u24)).map(Capability::LongLived),
            _ => None,
        };
        Ok(known
            .unwrap_or_else(|| Capability::Unknown { code, value: Bytes::copy_from_slice(value) }))
    }

    /// The code.
    pub fn code(&self) -> u8 {
        match self {
            Capability::Multiprotocol { .. } => 1,
            Capability::RouteRefresh => 2,
            Capability::ExtendedNextHop(_) => 5,
            Capability::ExtendedMessage => 6,
            Capability::Role(_) => 9,
            Capability::GracefulRestart { .. } => 64,
            Capability::FourOctetAs(_) => 65,
            Capability::AddPath(_) => 69,
            Capability::EnhancedRefresh => 70,
            Capability::LongLived(_) => 71,
            Capability::Unknown { code, .. } => *code,
        }
    }

    /// Appends code, length and value, of a list as much as fits into 255 octets.
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
            Capability::RouteRefresh
            | Capability::ExtendedMessage
            | Capability::EnhancedRefresh => {}
            Capability::ExtendedNextHop(list) => {
                for (afi, safi, next_hop) in list.iter().take(42) {
                    out.put_u16(*afi);
                    out.put_u16(*safi);
                    out.put_u16(*next_hop);
                }
            }
            Capability::Role(role) => out.put_u8(*role),
            Capability::GracefulRestart { flags_time, families } => {
                out.put_u16(*flags_time);
                families.iter().take(63).for_each(|family| put_family(*family, out));
            }
            Capability::FourOctetAs(asn) => out.put_u32(asn.0),
            Capability::AddPath(list) => {
                list.iter().take(63).for_each(|family| put_family(*family, out));
            }
            Capability::LongLived(list) => {
                for (afi, safi, flags, time) in list.iter().take(36) {
                    put_family((*afi, *safi, *flags), out);
                    out.put_uint(u64::from((*time).min(MOST_LONG_LIVED)), 3);
                }
            }
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

fn put_family((afi, safi, octet): (u16, u8, u8), out: &mut BytesMut) {
    out.put_u16(afi);
    out.put_u8(safi);
    out.put_u8(octet);
}

/// The whole of `value` as a list of one thing.
fn all<'a, T>(
    value: &'a [u8],
    one: impl Parser<&'a [u8], Output = T, Error = nom::error::Error<&'a [u8]>>,
) -> Option<Vec<T>> {
    all_consuming(many0(one)).parse_complete(value).ok().map(|(_, list)| list)
}

#[cfg(test)]
#[path = "capability_tests.rs"]
mod tests;
