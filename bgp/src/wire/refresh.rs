//! ROUTE-REFRESH (RFC 2918 §3): "send me your routes of this family again", and the two marks
//! around what is sent again (RFC 7313 §3), by which the receiver knows what has gone meanwhile.

use bytes::{BufMut, Bytes, BytesMut};

use super::Notification;
use super::header::{self, Kind};
use crate::types::Family;

/// What a ROUTE-REFRESH says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refresh {
    /// Routes of this family are wanted again.
    Request(Family),
    /// Everything of it is going to be sent again (BoRR).
    Begin(Family),
    /// Everything of it has been sent again (EoRR).
    End(Family),
}

impl Refresh {
    /// The family and, in the octet that RFC 2918 reserved, the message's subtype.
    fn parts(self) -> (Family, u8) {
        match self {
            Refresh::Request(family) => (family, 0),
            Refresh::Begin(family) => (family, 1),
            Refresh::End(family) => (family, 2),
        }
    }

    /// Appends the whole message.
    pub fn put(self, out: &mut BytesMut) {
        let (family, subtype) = self.parts();
        header::put(out, Kind::RouteRefresh, |out| {
            out.put_u16(family.afi());
            out.put_u8(subtype);
            out.put_u8(1);
        });
    }
}

/// Reads the body of a ROUTE-REFRESH. `enhanced`: both ends offered RFC 7313; without it, marks
/// mean nothing. `None`: a family that we do not speak, or a subtype that nobody knows (§5).
///
/// # Errors
/// 7/1 with the message, for a mark of another length than four octets (§5).
pub fn read(body: &[u8], enhanced: bool) -> Result<Option<Refresh>, Notification> {
    let [high, low, subtype, safi, rest @ ..] = body else { return Ok(None) };
    if *subtype != 0 && !enhanced {
        return Ok(None);
    }
    // After a request there may be filters (RFC 5291), which we never offer to read.
    if *subtype != 0 && !rest.is_empty() {
        return Err(Notification::with(7, 1, whole(body)));
    }
    let family = Family::from_wire(u16::from_be_bytes([*high, *low]), *safi);
    Ok(family.and_then(|family| match subtype {
        0 => Some(Refresh::Request(family)),
        1 => Some(Refresh::Begin(family)),
        2 => Some(Refresh::End(family)),
        _ => None,
    }))
}

/// The message that `body` is of.
fn whole(body: &[u8]) -> Bytes {
    let mut message = BytesMut::new();
    header::put(&mut message, Kind::RouteRefresh, |out| out.put_slice(body));
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_puts() {
        for family in Family::ALL {
            for refresh in [Refresh::Request(family), Refresh::Begin(family), Refresh::End(family)]
            {
                let mut out = BytesMut::new();
                refresh.put(&mut out);
                let frame = header::next(&out).unwrap().unwrap();
                assert_eq!(frame.kind, Kind::RouteRefresh);
                assert_eq!(read(frame.body, true), Ok(Some(refresh)));
                let plain = matches!(refresh, Refresh::Request(_)).then_some(refresh);
                assert_eq!(read(frame.body, false), Ok(plain), "marks were not agreed");
            }
        }
    }

    #[test]
    fn asks_for_nothing_we_do_not_have() {
        for enhanced in [false, true] {
            assert_eq!(read(&[0, 1, 0, 128], enhanced), Ok(None), "a SAFI that is not unicast");
            assert_eq!(read(&[0, 25, 0, 1], enhanced), Ok(None), "an AFI that is not IP");
            assert_eq!(read(&[0, 1, 0], enhanced), Ok(None));
            let filters = [0, 2, 0, 1, 9, 9];
            assert_eq!(read(&filters, enhanced), Ok(Some(Refresh::Request(Family::Ipv6))));
        }
    }

    #[test]
    fn rfc7313_section_5_errors() {
        assert_eq!(read(&[0, 1, 3, 1], true), Ok(None), "an unknown subtype is ignored");
        for subtype in [1, 2, 255] {
            let why = read(&[0, 1, subtype, 1, 0], true).unwrap_err();
            assert_eq!((why.code, why.subcode), (7, 1));
            assert_eq!(why.data.get(16..), Some(&[0, 24, 5, 0, 1, subtype, 1, 0][..]));
        }
    }
}
