//! UPDATE (RFC 4271 §4.3): finds the three parts of the body, nothing more.
//!
//! Bytes in, a borrowed [`Update`] out. The only errors here are those that leave no way to tell
//! where the NLRI begins (RFC 7606 §3 b): they end the session. Everything else is
//! [`super::judge`]'s.

use nom::multi::length_data;
use nom::number::complete::be_u16;
use nom::sequence::pair;
use nom::{IResult, Parser};

use super::Notification;

/// The three parts of an UPDATE, not yet looked into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Update<'a> {
    /// IPv4 prefixes no longer reachable, in wire form.
    pub withdrawn: &'a [u8],
    /// Path attributes.
    pub attributes: &'a [u8],
    /// IPv4 prefixes that the attributes describe, in wire form.
    pub nlri: &'a [u8],
}

/// A length field points behind the end of the message.
struct TooLong;

impl nom::error::ParseError<&[u8]> for TooLong {
    fn from_error_kind(_: &[u8], _: nom::error::ErrorKind) -> TooLong {
        TooLong
    }

    fn append(_: &[u8], _: nom::error::ErrorKind, _: TooLong) -> TooLong {
        TooLong
    }
}

impl<'a> Update<'a> {
    /// Reads the body of an UPDATE (what follows the header).
    ///
    /// # Errors
    /// 3/1, Malformed Attribute List, if the two length fields do not fit into the body.
    pub fn read(body: &'a [u8]) -> Result<Update<'a>, Notification> {
        let parsed: IResult<_, _, TooLong> =
            pair(length_data(be_u16), length_data(be_u16)).parse_complete(body);
        match parsed {
            Ok((nlri, (withdrawn, attributes))) => Ok(Update { withdrawn, attributes, nlri }),
            Err(_) => Err(Notification::MALFORMED_ATTRIBUTE_LIST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_three_parts() {
        let body = [0, 2, 8, 10, 0, 3, 0x40, 6, 0, 16, 192, 168];
        let update = Update::read(&body).unwrap();
        assert_eq!(update.withdrawn, [8, 10]);
        assert_eq!(update.attributes, [0x40, 6, 0]);
        assert_eq!(update.nlri, [16, 192, 168]);
    }

    #[test]
    fn a_length_behind_the_end_is_a_malformed_attribute_list() {
        let bodies: [&[u8]; 6] =
            [&[], &[0], &[0, 0, 0], &[0, 1, 0, 0], &[0, 0, 0, 4, 0x40, 6, 0], &[0xff, 0xff, 0, 0]];
        for body in bodies {
            assert_eq!(Update::read(body), Err(Notification::MALFORMED_ATTRIBUTE_LIST), "{body:?}");
        }
    }
}
