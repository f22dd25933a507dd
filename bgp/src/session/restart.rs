//! What survives the end of a session (RFC 4724 §4, RFC 8538 §4): which of the neighbour's routes
//! stay here, and how we go so that ours stay there.

use std::time::Duration;

use super::negotiate::becomes_another;
use super::{DownReason, Graceful, Negotiated, PeerConfig, Retain};
use crate::wire::Notification;

/// How a session is ended by us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Farewell {
    /// The neighbour is to forget our routes, and we forget its.
    ForGood,
    /// We shall be back: what can be kept is.
    ForNow,
}

/// What of the neighbour's routes stays after `reason` ended the session.
///
/// Not after a hard reset, nor when either side struck the other from its configuration; after
/// any other NOTIFICATION only where both sides understand that as a restart (RFC 8538 §4.1).
pub(crate) fn retain(
    config: &PeerConfig,
    graceful: Option<&Graceful>,
    reason: &DownReason,
) -> Option<Retain> {
    let Graceful { families, time, long_lived, notification, .. } = *graceful?;
    let keeps = match reason {
        DownReason::Lost(_) | DownReason::Left(_) | DownReason::Link(_) => true,
        DownReason::ConnectFailed(_) | DownReason::Bfd(_) | DownReason::Unanswered(_) => false,
        DownReason::Sent(why) | DownReason::Received(why) => {
            notification && !why.is_hard_reset() && (why.code, why.subcode) != (6, 3)
        }
    };
    let anything = !families.is_empty() && !(time + long_lived[0] + long_lived[1]).is_zero();
    (keeps && anything && config.offer.restart.helper).then_some(Retain {
        families,
        time,
        long_lived,
    })
}

/// How an Established session ends: with the NOTIFICATION of `Sent`, or without any.
pub(crate) fn goodbye(
    config: &PeerConfig,
    graceful: Option<&Graceful>,
    why: Notification,
    farewell: Farewell,
) -> DownReason {
    match (graceful, farewell) {
        (None, _) => DownReason::Sent(why),
        // RFC 8538 §3: to a neighbour that would take it for a restart, it is wrapped.
        (Some(graceful), Farewell::ForGood) if graceful.notification => {
            DownReason::Sent(why.hard())
        }
        (Some(_), Farewell::ForGood) => DownReason::Sent(why),
        (Some(graceful), Farewell::ForNow) if graceful.notification => DownReason::Sent(why),
        // RFC 4724 §4.2: any NOTIFICATION would end the restart before it begins.
        (Some(_), Farewell::ForNow) if !config.offer.restart.time.is_zero() => {
            DownReason::Left(why)
        }
        (Some(_), Farewell::ForNow) => DownReason::Sent(why),
    }
}

/// How we go where another configuration makes a session anew.
pub(crate) fn farewell(old: &PeerConfig, new: &PeerConfig) -> Farewell {
    if becomes_another(old, new) { Farewell::ForGood } else { Farewell::ForNow }
}

/// What of an Established session's routes outlives its being made anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outlives {
    /// The neighbour's, here; `None`: they go with the session.
    pub here: Option<Retain>,
    /// Ours, with the neighbour, for so long if it does as it says; `None`: they go.
    pub there: Option<Duration>,
}

/// What becomes of the routes of a session that runs by `old` when `new` makes it anew.
pub fn outlives(old: &PeerConfig, new: &PeerConfig, negotiated: &Negotiated) -> Outlives {
    let graceful = negotiated.graceful.as_ref();
    let farewell = farewell(old, new);
    if farewell == Farewell::ForGood {
        return Outlives { here: None, there: None };
    }
    let reason = goodbye(old, graceful, Notification::CEASE_CONFIG_CHANGE, farewell);
    // A NOTIFICATION leaves ours there only where both say so; no word leaves them.
    let understood = match reason {
        DownReason::Left(_) => true,
        _ => graceful.is_some_and(|graceful| graceful.notification),
    };
    let time = old.offer.restart.time;
    Outlives {
        here: retain(old, graceful, &reason),
        there: (understood && !time.is_zero()).then_some(time),
    }
}
