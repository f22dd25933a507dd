//! What changes about what sessions are to be.

use super::Compare;
use crate::session::{Session, add_paths, graceful_restart};

/// What OPEN carries: the session begins anew.
pub(super) fn session(out: &mut Compare, old: &Session, new: &Session) {
    let (a, b) = (&old.offer, &new.offer);
    let words = [graceful_restart(&a.restart), graceful_restart(&b.restart)];
    out.put("graceful-restart", (&words[0], &words[1]), false, |v| (*v).to_owned());
    if words[0] == words[1] {
        let times = (&a.restart.time, &b.restart.time);
        out.put("restart-time", times, false, |v| format!("{v:?}"));
    }
    let stale = (&a.restart.long_lived, &b.restart.long_lived);
    out.put("long-lived", stale, false, |v| format!("{v:?}"));
    let paths = (&add_paths(a), &add_paths(b));
    out.put("add-paths", paths, false, |v| (*v).to_owned());
    let mut yes_no = |what, from: bool, to: bool| {
        out.put(what, (&from, &to), false, bool::to_string);
    };
    yes_no("extended-messages", a.extended_messages, b.extended_messages);
    yes_no("extended-next-hop", a.extended_next_hop, b.extended_next_hop);
    yes_no("strict-role", a.strict_role, b.strict_role);
    out.put("role", (&a.role, &b.role), false, |v| {
        v.map_or("none".to_owned(), |role| role.to_string())
    });
}

/// What decides whether a received path counts: routes are asked for again.
pub(super) fn policy(out: &mut Compare, old: &Session, new: &Session) {
    out.put("first-as", (&old.first_as, &new.first_as), false, bool::to_string);
    out.put("allow-own-as", (&old.allow_own_as, &new.allow_own_as), false, u8::to_string);
}

/// What applies to the session as it is.
pub(super) fn live(out: &mut Compare, old: &Session, new: &Session) {
    let holds = (&old.idle_hold.first, &new.idle_hold.first);
    out.put("idle-hold", holds, false, |v| format!("{v:?}"));
    let most = (&old.idle_hold.most, &new.idle_hold.most);
    out.put("idle-hold-max", most, false, |v| {
        v.map_or("connect-retry".to_owned(), |v| format!("{v:?}"))
    });
    out.put("send-hold", (&old.send_hold, &new.send_hold), false, |v| {
        v.map_or("default".to_owned(), |v| format!("{v:?}"))
    });
}
