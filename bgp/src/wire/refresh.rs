//! ROUTE-REFRESH (RFC 2918 §3): "send me your routes of this family again".

use bytes::{BufMut, BytesMut};

use super::header::{self, Kind};
use crate::types::Family;

/// The family that the body of a ROUTE-REFRESH asks for. `None`: one we do not speak, or not a
/// request (the marks of RFC 7313, which we never offer to understand, use the reserved octet).
pub fn read(body: &[u8]) -> Option<Family> {
    match *body {
        [high, low, 0, safi, ..] => Family::from_wire(u16::from_be_bytes([high, low]), safi),
        _ => None,
    }
}

/// Appends the whole message.
pub fn put(family: Family, out: &mut BytesMut) {
    header::put(out, Kind::RouteRefresh, |out| {
        out.put_u16(family.afi());
        out.put_u8(0);
        out.put_u8(1);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_puts() {
        for family in Family::ALL {
            let mut out = BytesMut::new();
            put(family, &mut out);
            let frame = header::next(&out).unwrap().unwrap();
            assert_eq!((frame.kind, read(frame.body)), (Kind::RouteRefresh, Some(family)));
        }
    }

    #[test]
    fn asks_for_nothing_we_do_not_have() {
        assert_eq!(read(&[0, 1, 0, 128]), None, "a SAFI that is not unicast");
        assert_eq!(read(&[0, 25, 0, 1]), None, "an AFI that is not IP");
        assert_eq!(read(&[0, 1, 1, 1]), None, "the beginning of a marked refresh");
        assert_eq!(read(&[0, 1, 0]), None);
        assert_eq!(read(&[0, 2, 0, 1, 9, 9]), Some(Family::Ipv6), "filters after it are not read");
    }
}
