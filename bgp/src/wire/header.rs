//! Framing (RFC 4271 §4.1, §6.1): where one message ends in a stream of bytes.
//!
//! [`next`] looks at the front of a buffer and lends the body of the first whole message: nothing
//! is copied and no reference is counted per message; the caller advances its buffer once by the
//! sum of [`Frame::len`]. Everything that §6.1 lets one see in a header alone is judged here, so a
//! buffer never holds as much of an unfinished message as the longest one that is allowed.

use bytes::{BufMut, Bytes, BytesMut};

use super::Notification;

/// Octets of a header: marker, length, type.
pub const HEADER_LEN: usize = 19;

/// Octets of the longest message (RFC 4271 §4.1), and of every OPEN and KEEPALIVE (RFC 8654 §3).
pub const MAX_LEN: usize = 4096;

/// Octets of the longest message where both ends offer extended messages (RFC 8654).
pub const MAX_EXTENDED_LEN: usize = 65535;

const MARKER: [u8; 16] = [0xff; 16];

/// A whole KEEPALIVE message.
pub const KEEPALIVE: Bytes = Bytes::from_static(&[
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0, 19, 4,
]);

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// RFC 4271 §4.2.
    Open = 1,
    /// RFC 4271 §4.3.
    Update = 2,
    /// RFC 4271 §4.5.
    Notification = 3,
    /// RFC 4271 §4.4.
    Keepalive = 4,
    /// RFC 2918 §3.
    RouteRefresh = 5,
}

impl Kind {
    fn from_wire(code: u8) -> Option<Kind> {
        match code {
            1 => Some(Kind::Open),
            2 => Some(Kind::Update),
            3 => Some(Kind::Notification),
            4 => Some(Kind::Keepalive),
            5 => Some(Kind::RouteRefresh),
            _ => None,
        }
    }

    /// Whether a message of this kind can have `len` octets, header included. A ROUTE-REFRESH may
    /// be longer than its four octets (RFC 5291 appends filters; we never offer to read them).
    fn fits(self, len: usize) -> bool {
        match self {
            Kind::Open => (29..=MAX_LEN).contains(&len),
            Kind::Update | Kind::RouteRefresh => len >= 23,
            Kind::Notification => len >= 21,
            Kind::Keepalive => len == HEADER_LEN,
        }
    }
}

/// One whole message, lent from the buffer it came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// What follows the header.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Octets of the message, header included.
    #[allow(clippy::len_without_is_empty)] // A message is never empty.
    pub fn len(&self) -> usize {
        HEADER_LEN + self.body.len()
    }
}

/// The first message in `bytes`, or `None` if it is not whole yet; a session without extended
/// messages. See [`next_of`].
pub fn next(bytes: &[u8]) -> Result<Option<Frame<'_>>, Notification> {
    next_of(bytes, MAX_LEN)
}

/// The first message in `bytes`, or `None` if it is not whole yet. `most`: octets of the longest
/// message but OPEN and KEEPALIVE, which always have [`MAX_LEN`]. An error is fatal for the
/// connection: 1/1, 1/2 with the length field, or 1/3 with the type (RFC 4271 §6.1).
pub fn next_of(bytes: &[u8], most: usize) -> Result<Option<Frame<'_>>, Notification> {
    let Some((header, _)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        // Somebody who speaks another protocol is told so at his first octets.
        let seen = bytes.get(..16).unwrap_or(bytes);
        return match seen.iter().all(|octet| *octet == 0xff) {
            true => Ok(None),
            false => Err(Notification::NOT_SYNCHRONIZED),
        };
    };
    let [marker @ .., high, low, code] = header;
    if *marker != MARKER {
        return Err(Notification::NOT_SYNCHRONIZED);
    }
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    let bad_length = || Notification::with(1, 2, vec![*high, *low]);
    if !(HEADER_LEN..=most).contains(&len) {
        return Err(bad_length());
    }
    let Some(kind) = Kind::from_wire(*code) else {
        return Err(Notification::with(1, 3, vec![*code]));
    };
    if !kind.fits(len) {
        return Err(bad_length());
    }
    Ok(bytes.get(HEADER_LEN..len).map(|body| Frame { kind, body }))
}

/// Appends a message: the header, then what `body` writes. The caller keeps it within the limit
/// of its session.
pub fn put(out: &mut BytesMut, kind: Kind, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_slice(&MARKER);
    out.put_u16(0);
    out.put_u8(kind as u8);
    body(out);
    let len = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(start + 16..start + 18) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
