//! Sessions: what `[cluster]` says for all, and what a `[[peer]]` says instead.

use std::time::Duration;

use starling_bgp::session::Restart;
use starling_bgp::types::Asn;

use crate::raw::{self, OwnRole, Raw};
use crate::reader::Field;
use crate::session::Session;
use crate::source::{Problems, Sp};
use crate::value::GracefulRestart;

/// The largest restart time that OPEN can carry (RFC 4724 §3).
const MOST_RESTART: Duration = Duration::from_secs(4095);
/// The largest long-lived stale time (RFC 9494 §3.1).
const MOST_LONG_LIVED: Duration = Duration::from_secs(0x00ff_ffff);

/// What the mesh has, and a `[[peer]]` that says nothing.
pub(super) fn mesh(raw: &Raw, problems: &mut Problems) -> Session {
    let session = Session::default();
    match &raw.cluster {
        Some(cluster) => with(session, &cluster.session, problems),
        None => session,
    }
}

/// What a `[[peer]]` has. `link`: the session is between link-local addresses, where IPv4 has no
/// other next hop than an IPv6 one.
pub(super) fn of_peer(said: &raw::Peer, link: bool, raw: &Raw, problems: &mut Problems) -> Session {
    // What is wrong in [cluster] has been noted there.
    let mut session = mesh(raw, &mut Problems::default());
    session.offer.extended_next_hop |= link;
    let mut session = with(session, &said.session, problems);
    if let Some(limit) = said.session.add_path_limit.get()
        && !session.offer.add_path_send
    {
        problems
            .warn(limit.at, "the limit has no effect: one path for a prefix is sent")
            .hint("add-paths = \"send\" or \"both\"");
    }
    role(said, raw, &mut session, problems);
    session
}

fn with(mut session: Session, said: &raw::Session, problems: &mut Problems) -> Session {
    let offer = &mut session.offer;
    let default = Restart::default();
    match said.graceful_restart.value() {
        None => {}
        Some(GracefulRestart::Off) => {
            offer.restart = Restart { time: Duration::ZERO, helper: false, ..default };
        }
        Some(GracefulRestart::Helper) => {
            offer.restart = Restart { time: Duration::ZERO, helper: true, ..offer.restart };
        }
        Some(GracefulRestart::On) => {
            let time = Some(offer.restart.time).filter(|time| !time.is_zero());
            let time = time.unwrap_or(default.time);
            offer.restart = Restart { time, helper: true, ..offer.restart };
        }
    }
    restart_times(&mut offer.restart, said, problems);
    set(&mut offer.extended_messages, &said.extended_messages);
    set(&mut offer.extended_next_hop, &said.extended_next_hop);
    if let Some(add_paths) = said.add_paths.value() {
        offer.add_path_receive = add_paths.receive;
        offer.add_path_send = add_paths.send;
    }
    if let Some(limit) = said.add_path_limit.get() {
        session.add_path_limit = limit.value.0;
    }
    if let Some(times) = said.allow_own_as.value() {
        session.allow_own_as = times.0;
    }
    set(&mut session.first_as, &said.first_as);
    idle_hold(&mut session, said, problems);
    if let Some(hold) = said.send_hold.get() {
        session.send_hold = Some(hold.value);
        if hold.value < Duration::from_secs(3) {
            problems
                .error(hold.at, "a neighbour that reads slowly would be given up at once")
                .expected("\"3s\" or more; by default 8 minutes or twice the hold time (RFC 9687)");
        }
    }
    session
}

fn idle_hold(session: &mut Session, said: &raw::Session, problems: &mut Problems) {
    if let Some(first) = said.idle_hold.value() {
        session.idle_hold.first = *first;
    }
    if let Some(most) = said.idle_hold_max.get() {
        session.idle_hold.most = Some(most.value);
        let first = session.idle_hold.first;
        if most.value < first {
            problems
                .error(most.at, "less than the time after the first error")
                .expected(format!("{first:?} or more (idle-hold)"));
        }
    }
}

fn set(to: &mut bool, said: &Field<bool>) {
    if let Some(value) = said.value() {
        *to = *value;
    }
}

fn restart_times(restart: &mut Restart, said: &raw::Session, problems: &mut Problems) {
    if let Some(time) = said.restart_time.get() {
        if restart.time.is_zero() {
            problems
                .warn(time.at, "nobody keeps this node's routes: the time has no effect")
                .hint("graceful-restart = true");
        } else {
            restart.time = time.value;
        }
        whole(time, Duration::from_secs(1), MOST_RESTART, problems);
    }
    if let Some(time) = said.long_lived.get() {
        restart.long_lived = time.value;
        if !restart.helper && !time.value.is_zero() {
            problems
                .warn(time.at, "without graceful restart the time has no effect (RFC 9494)")
                .hint("graceful-restart = true or \"helper\"");
        }
        whole(time, Duration::ZERO, MOST_LONG_LIVED, problems);
    }
}

fn whole(time: &Sp<Duration>, least: Duration, most: Duration, problems: &mut Problems) {
    let fits = (least..=most).contains(&time.value) && time.value.subsec_nanos() == 0;
    if !fits {
        problems.error(time.at, "OPEN cannot carry this time").expected(format!(
            "whole seconds, {} to {}",
            least.as_secs(),
            most.as_secs()
        ));
    }
}

/// RFC 9234 §4: between two ASes only.
fn role(said: &raw::Peer, raw: &Raw, session: &mut Session, problems: &mut Problems) {
    let OwnRole { role, strict } = &said.own_role;
    session.offer.role = role.value().copied();
    session.offer.strict_role = strict.value().copied().unwrap_or(false);
    let nodes: Option<&Asn> = raw.cluster.as_ref().and_then(|cluster| cluster.asn.value());
    if let Some(role) = role.get()
        && said.asn.value().is_some()
        && said.asn.value() == nodes
        && raw.nodes.iter().all(|node| node.asn.is_absent())
    {
        problems
            .error(role.at, "a router in the node's own AS has no role")
            .expected("`role` only where `asn` is another one (RFC 9234)");
    }
    if let Some(strict) = strict.get()
        && strict.value
        && role.is_absent()
    {
        problems
            .error(strict.at, "`strict-role` without a role")
            .expected("role = \"customer\", or what this node is to the router");
    }
}
