//! Which of two connections between the same two speakers stays (RFC 4271 §6.8, RFC 6286 §2.3).

use std::net::Ipv4Addr;

use crate::msg::Slot;
use crate::types::Asn;

/// What a speaker is compared by: its BGP identifier, then its AS.
pub(crate) type Speaker = (Ipv4Addr, Asn);

/// The connection that stays: the one that the speaker with the higher identifier dialled, or,
/// where identifiers are equal, the one with the higher AS. Both ends come to the same answer.
pub(crate) fn survivor(local: Speaker, remote: Speaker) -> Slot {
    if local > remote { Slot::Dialled } else { Slot::Accepted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(id: u32, asn: u32) -> Speaker {
        (Ipv4Addr::from(id), Asn(asn))
    }

    #[test]
    fn the_higher_identifier_dials_then_the_higher_as() {
        // Identifiers are compared as unsigned numbers in host order: 10.0.0.9 < 10.0.0.10.
        let (nine, ten) = (speaker(0x0a00_0009, 9), speaker(0x0a00_000a, 1));
        assert_eq!(survivor(ten, nine), Slot::Dialled);
        assert_eq!(survivor(nine, ten), Slot::Accepted);
        assert_eq!(survivor(speaker(1, 65001), speaker(1, 65000)), Slot::Dialled);
        assert_eq!(survivor(speaker(1, 65000), speaker(1, 65001)), Slot::Accepted);
        assert_eq!(survivor(speaker(0x8000_0000, 1), speaker(1, 1)), Slot::Dialled);
    }

    #[test]
    fn both_ends_keep_the_same_connection() {
        let speakers = [speaker(1, 1), speaker(1, 2), speaker(2, 1), speaker(u32::MAX, 7)];
        for a in speakers {
            for b in speakers {
                if a != b {
                    assert_ne!(
                        survivor(a, b),
                        survivor(b, a),
                        "what one dialled the other accepted"
                    );
                }
            }
        }
    }
}
