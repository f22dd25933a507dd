//! What the protocol asks of an attribute set again and again: whether it has LOCAL_PREF, OTC or
//! AIGP, and which of the registered communities (RFC 1997, 7999, 8326, 9494).
//!
//! Each of these questions is asked at least once on every route's way through. The set's bytes lie
//! apart from it, in memory that another core has written; so they are read out once, where the set
//! is made and its bytes are still at hand.

use crate::wire::attr::{Attrs, code};
use crate::wire::community::{Communities, Community};

/// See the module: one bit an answer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Marks(u16);

/// The bit of an attribute, if it has one.
#[inline]
fn of_code(code: u8) -> Option<u16> {
    match code {
        code::LOCAL_PREF => Some(1),
        code::OTC => Some(1 << 1),
        code::AIGP => Some(1 << 2),
        _ => None,
    }
}

/// The bit of a community, if it has one.
#[inline]
fn of_community(community: Community) -> Option<u16> {
    match community {
        Community::GRACEFUL_SHUTDOWN => Some(1 << 3),
        Community::LLGR_STALE => Some(1 << 4),
        Community::NO_LLGR => Some(1 << 5),
        Community::BLACKHOLE => Some(1 << 6),
        Community::NO_EXPORT => Some(1 << 7),
        Community::NO_ADVERTISE => Some(1 << 8),
        Community::NO_EXPORT_SUBCONFED => Some(1 << 9),
        _ => None,
    }
}

impl Marks {
    /// Those of canonical bytes.
    pub(super) fn of(bytes: &[u8]) -> Marks {
        let mut marks = 0;
        for attr in Attrs::new(bytes) {
            marks |= of_code(attr.code).unwrap_or(0);
            if attr.code == code::COMMUNITIES {
                let registered = Communities::new(attr.value).iter().filter_map(of_community);
                marks |= registered.fold(0, |all, bit| all | bit);
            }
        }
        Marks(marks)
    }

    /// Whether there is an attribute of that code; `None`: that is not known here.
    #[inline]
    pub(super) fn attribute(self, code: u8) -> Option<bool> {
        of_code(code).map(|bit| self.0 & bit != 0)
    }

    /// Whether there is that community; `None`: that is not known here.
    #[inline]
    pub(super) fn community(self, community: Community) -> Option<bool> {
        of_community(community).map(|bit| self.0 & bit != 0)
    }
}
