//! BFD: whether intervals make sense, and what is filled in.

use std::time::Duration;

use crate::model::Bfd;
use crate::raw::{PeerBfd, Raw};
use crate::reader::Field;
use crate::source::{Problems, Sp};
use crate::transport::Hops;
use crate::value::Multiplier;

/// Between nodes; `None`: off.
pub(super) fn mesh(raw: &Raw, problems: &mut Problems) -> Option<Bfd> {
    let mut bfd = Bfd::MESH;
    let Some(table) = &raw.bfd else { return Some(bfd) };
    (bfd.interval, bfd.multiplier) = timing(&table.interval, &table.multiplier, problems);
    table.enabled.value().copied().unwrap_or(true).then_some(bfd)
}

/// With a router; `None`: off. `hops` are those of its session: one that may be far away is by
/// BFD too, unless the file says otherwise.
pub(super) fn peer(said: &PeerBfd, hops: Hops, problems: &mut Problems) -> Option<Bfd> {
    let PeerBfd::On(said) = said else { return None };
    let (interval, multiplier) = timing(&said.interval, &said.multiplier, problems);
    let far = matches!(hops, Hops::Multihop(hops) | Hops::Security(hops) if hops > 1);
    let multihop = said.multihop.value().copied().unwrap_or(far);
    if let (false, Some(min_ttl)) = (multihop, said.min_ttl.get()) {
        problems
            .error(min_ttl.at, "`min-ttl` without `multihop = true`")
            .expected("nothing: over a single hop the TTL is always 255 (RFC 5881 §5)");
    }
    let min_ttl = match (multihop, said.min_ttl.value()) {
        (false, _) => 255,
        (true, Some(ttl)) => ttl.0,
        // Some routers send multihop packets with their system's ordinary TTL.
        (true, None) => 1,
    };
    Some(Bfd { interval, multiplier, multihop, min_ttl })
}

fn timing(
    interval: &Field<Duration>,
    multiplier: &Field<Multiplier>,
    problems: &mut Problems,
) -> (Duration, u8) {
    let Bfd { interval: mut every, multiplier: mut times, .. } = Bfd::MESH;
    if let Some(multiplier) = multiplier.value() {
        times = multiplier.0;
    }
    if let Some(Sp { value, at }) = interval.get() {
        every = *value;
        if !(Duration::from_millis(10)..=Duration::from_secs(60)).contains(value) {
            problems
                .error(*at, "the interval of BFD is out of range")
                .expected("\"10ms\" to \"1m\"; 300ms is usual");
        } else if every.saturating_mul(times.into()) < Duration::from_millis(300) {
            problems
                .warn(*at, format!("after {:?} of silence sessions end", every * times.into()))
                .hint("a busy host is silent for longer now and then; 3 times 300ms is usual");
        }
    }
    (every, times)
}
