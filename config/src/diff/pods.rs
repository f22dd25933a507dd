//! What changes in which routes are local pods', and what is told of them.

use starling_fib::types::{Announce, PodConfig};

use super::{Compare, list};

pub(super) fn pods(all: &mut Compare, from: &PodConfig, to: &PodConfig) {
    all.put("[pods] interfaces", (&from.interfaces, &to.interfaces), false, |v| list(v));
    all.put("[pods] protocols", (&from.protocols, &to.protocols), false, |v| {
        v.as_ref().map_or("any".to_owned(), list)
    });
    all.put("[pods] announce", (&from.announce, &to.announce), false, |v| {
        match v {
            Announce::Borrowed => "borrowed",
            Announce::All => "all",
            Announce::Nothing => "none",
        }
        .to_owned()
    });
}
