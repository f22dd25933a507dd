//! OPEN (RFC 4271 §4.2, §6.2): who a speaker is and what it can do.
//!
//! Reading judges what is wrong whatever we are configured for: version, AS 0 (RFC 7607), hold
//! time, identifier 0 (RFC 6286), optional parameters. Whether the speaker is the one we expect is
//! `session::negotiate`'s. Optional parameters may have extended lengths (RFC 9072); we use those
//! only where the short ones do not suffice.

use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};
use nom::multi::length_data;
use nom::number::complete::{be_u16, be_u32, u8};
use nom::{IResult, Parser};

use super::Notification;
use super::capability::Capability;
use super::header::{self, Kind};
use crate::types::Asn;

/// The only optional parameter that is still in use (RFC 5492 §4).
const CAPABILITIES: u8 = 2;

/// Says that the optional parameters have extended lengths (RFC 9072 §2).
const EXTENDED: u8 = 255;

/// An OPEN message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// The speaker's AS, of the four-octet capability where there is one.
    pub asn: Asn,
    /// The hold time that it offers, in seconds; never 1 or 2.
    pub hold: u16,
    /// Its BGP identifier; never zero.
    pub router_id: Ipv4Addr,
    /// Its capabilities, in its order, of all optional parameters.
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// Reads the body of an OPEN. Errors: 2/1 with the version we have, 2/2, 2/3, 2/4, 2/6, and
    /// 2/0 for optional parameters whose lengths do not add up.
    pub fn read(body: &[u8]) -> Result<Open, Notification> {
        let parsed: IResult<&[u8], (u8, u16, u16, u32)> =
            (u8, be_u16, be_u16, be_u32).parse_complete(body);
        // The header's length check leaves nothing to be missing here.
        let (rest, (version, as_field, hold, router_id)) =
            parsed.map_err(|_| Notification::OPEN_UNSPECIFIC)?;
        if version != 4 {
            return Err(Notification::with(2, 1, vec![0, 4]));
        }
        let mut capabilities = Vec::new();
        for (kind, value) in parameters(rest)? {
            if kind != CAPABILITIES {
                return Err(Notification::UNSUPPORTED_PARAMETER);
            }
            capabilities.append(&mut Capability::read_all(value)?);
        }
        let four_octets = capabilities.iter().find_map(|capability| match capability {
            Capability::FourOctetAs(asn) => Some(*asn),
            _ => None,
        });
        let asn = four_octets.unwrap_or(Asn(u32::from(as_field)));
        if as_field == 0 || asn == Asn(0) {
            return Err(Notification::BAD_PEER_AS);
        }
        if router_id == 0 {
            return Err(Notification::BAD_BGP_IDENTIFIER);
        }
        if matches!(hold, 1 | 2) {
            return Err(Notification::UNACCEPTABLE_HOLD_TIME);
        }
        Ok(Open { asn, hold, router_id: Ipv4Addr::from(router_id), capabilities })
    }

    /// Appends the whole message, all capabilities in one optional parameter.
    pub fn put(&self, out: &mut BytesMut) {
        let mut list = BytesMut::new();
        for capability in &self.capabilities {
            capability.put(&mut list);
        }
        header::put(out, Kind::Open, |out| {
            out.put_u8(4);
            out.put_u16(self.asn.two_octets());
            out.put_u16(self.hold);
            out.put_slice(&self.router_id.octets());
            match (u8::try_from(list.len()), u8::try_from(list.len() + 2)) {
                _ if list.is_empty() => out.put_u8(0),
                (Ok(one), Ok(all)) => out.put_slice(&[all, CAPABILITIES, one]),
                _ => {
                    let len = u16::try_from(list.len()).unwrap_or(u16::MAX - 3);
                    out.put_slice(&[EXTENDED, EXTENDED]);
                    out.put_u16(len + 3);
                    out.put_u8(CAPABILITIES);
                    out.put_u16(len);
                }
            }
            out.put_slice(&list);
        });
    }
}

/// The optional parameters as (type, value). The first octet of the first parameter tells the
/// extended form (RFC 9072 §2); the short length is then ignored.
fn parameters(input: &[u8]) -> Result<Vec<(u8, &[u8])>, Notification> {
    let (mut rest, extended) = match input {
        [] => return Err(Notification::OPEN_UNSPECIFIC),
        [1..=255, EXTENDED, high, low, rest @ ..] => {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            (whole(rest, len)?, true)
        }
        [len, rest @ ..] => (whole(rest, usize::from(*len))?, false),
    };
    let mut list = Vec::new();
    while !rest.is_empty() {
        let parsed: IResult<&[u8], (u8, &[u8])> = match extended {
            true => (u8, length_data(be_u16)).parse_complete(rest),
            false => (u8, length_data(u8)).parse_complete(rest),
        };
        let (after, parameter) = parsed.map_err(|_| Notification::OPEN_UNSPECIFIC)?;
        list.push(parameter);
        rest = after;
    }
    Ok(list)
}

/// `input`, if it is exactly as long as it was said to be.
fn whole(input: &[u8], len: usize) -> Result<&[u8], Notification> {
    if input.len() == len { Ok(input) } else { Err(Notification::OPEN_UNSPECIFIC) }
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
