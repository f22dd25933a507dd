//! The Rib against a model written the slow, obvious way, in random interleavings: what the Fib
//! is told, next hops to watch, counts, views, alarms, and what every neighbour has been told,
//! fast readers and slow ones.
//!
//! * `acts`: what may happen, and to whom;
//! * `state`: everything as maps: sessions, routes with their marks, waits (RFC 4724, RFC 9494,
//!   RFC 7313), limits;
//! * `choice`: what is used of it: import, the decision, equal paths;
//! * `export`: what each neighbour must have heard;
//! * `play`: one act done to both, and the comparison.
//!
//! One thing is not foretold but read off and judged: which paths a prefix limit keeps out. It
//! may be any, as long as there are as few as can be, and who is in stays in.

mod acts;
mod choice;
mod export;
mod play;
mod state;

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use self::acts::{Act, act};
use super::fixture::{ip, net};
use crate::types::PeerId;

/// Neighbours 1 to 6.
const PEERS: std::ops::Range<u32> = 1..7;

/// A path: prefix, neighbour, path identifier (0 where its session has none).
type Key = (IpNet, PeerId, u32);

fn nets() -> Vec<IpNet> {
    let v4 = ["10.1.0.0/16", "10.1.1.0/24", "10.2.0.0/16", "10.3.0.0/26", "192.168.0.0/24"];
    let v6 = ["2001:db8:1::/48", "2001:db8:2::/64"];
    v4.iter().chain(&v6).map(|n| net(n)).collect()
}

/// Two of IPv4, two of IPv6, and our own.
fn hops() -> [IpAddr; 5] {
    ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "10.0.0.100"].map(ip)
}

/// A few seconds' worth; more with PROPTEST_CASES, as everywhere.
fn settings() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let settings = ProptestConfig::default();
    if asked { settings } else { ProptestConfig { cases: 160, ..settings } }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn agrees_with_the_model(acts in prop::collection::vec(act(), 1..80)) {
        let mut acts = acts;
        // Begin with most sessions up: interesting at once.
        acts.splice(0..0, [1, 2, 3, 4, 5].map(Act::up));
        let mut world = play::checked(&acts);
        prop_assert_eq!(&play::unchecked(&acts).trace, &world.trace, "the same input, the same output");
        play::end(&mut world);
    }
}
