//! The verdict: from [`Facts`] to what becomes of a packet, why, and what to do about it.
//!
//! A pure function. It asks in the order in which a packet would be disappointed: is it for this
//! host, is it of an own block, did BGP choose a route and does the kernel follow it, was a route
//! announced and not used, and if nobody announced anything: who should have.

mod absent;

use ipnet::IpNet;
use starling_fib::packet::NeighbourState;

use super::facts::{Facts, Stand, used};
use super::words::{elsewhere, protocol, senders, way};
use crate::api::{Cause, How, KernelResult, KernelState, Lookup, Outcome, Path, Route, Waits, age};

/// What is concluded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What becomes of a packet.
    pub outcome: Outcome,
    /// Why, unless it is simply reached.
    pub cause: Option<Cause>,
    /// Both in one sentence.
    pub sentence: String,
    /// What to do.
    pub advice: Option<String>,
}

impl Verdict {
    fn good(outcome: Outcome, sentence: impl Into<String>) -> Verdict {
        Verdict { outcome, cause: None, sentence: sentence.into(), advice: None }
    }

    fn bad(outcome: Outcome, cause: Cause, sentence: impl Into<String>) -> Verdict {
        Verdict { outcome, cause: Some(cause), sentence: sentence.into(), advice: None }
    }

    fn advise(self, advice: impl Into<String>) -> Verdict {
        Verdict { advice: Some(advice.into()), ..self }
    }
}

/// See the module.
pub fn conclude(facts: &Facts) -> Verdict {
    if facts.kernel.answer.result == KernelResult::Failed {
        let said = &facts.kernel.answer.words;
        let sentence = format!("{}: the kernel could not be asked: {said}", facts.target);
        return Verdict::bad(Outcome::Unreached, Cause::Unknown, sentence);
    }
    here(facts)
        .or_else(|| own_block(facts))
        .or_else(|| chosen(facts))
        .or_else(|| absent::unused(facts))
        .or_else(|| absent::refused(facts))
        .or_else(|| underlay(facts))
        .unwrap_or_else(|| absent::unannounced(facts))
}

/// Addresses of this host and of its pods.
fn here(facts: &Facts) -> Option<Verdict> {
    let Facts { target, kernel, .. } = facts;
    // Of a prefix one address was asked about: that says nothing of the others.
    if !kernel.answer.prefix.is_some_and(|prefix| prefix.contains(&net(*target))) {
        return None;
    }
    if kernel.answer.result == KernelResult::Local {
        let sentence = match kernel.carriers.as_slice() {
            [] => format!("{target} stays on this node"),
            names => format!("{target} is this node's own address, on {}", names.join(" and ")),
        };
        return Some(Verdict::good(Outcome::Local, sentence));
    }
    if !kernel.pod {
        return None;
    }
    let device = kernel.answer.device.as_deref().unwrap_or_default();
    let sentence = format!("{target} is a pod of this node, on {device}");
    Some(silent(facts).unwrap_or_else(|| Verdict::good(Outcome::Local, sentence)))
}

/// What this node has by the configuration.
fn own_block(facts: &Facts) -> Option<Verdict> {
    let Facts { target, kernel, .. } = facts;
    let owner = facts.owner.as_ref().filter(|owner| owner.this_node)?;
    let block = owner.block;
    if block.prefix_len() == block.max_prefix_len() {
        let sentence = format!(
            "{target} is this node's own address by the configuration, and no interface carries it"
        );
        let advice = "`ip address` shows what they carry; mend the interface or the file";
        return Some(Verdict::bad(Outcome::Unreached, Cause::Unknown, sentence).advise(advice));
    }
    let matched = kernel.answer.prefix.map(|prefix| prefix.prefix_len());
    let inside = matched.is_some_and(|length| length >= block.prefix_len());
    Some(match (kernel.answer.result, target) {
        (KernelResult::Sent | KernelResult::NoRoute, _) if !inside => {
            let (cause, what) = match kernel.answer.result {
                KernelResult::Sent => {
                    (Cause::ForeignRoute, format!("sends it {}", elsewhere(&kernel.answer)))
                }
                _ => (Cause::Pending, "has no route for it".to_owned()),
            };
            let sentence =
                format!("{target} is in this node's own block {block}, but the kernel {what}");
            Verdict::bad(lost(facts), cause, sentence)
                .advise("`bgpctl show fib` says why the block's blackhole is not there")
        }
        (_, Lookup::Prefix(_)) => {
            let sentence = format!(
                "{target} is of this node: the pods' own routes lead on, the rest of {block} is \
                 discarded"
            );
            Verdict::good(Outcome::Local, sentence)
        }
        (KernelResult::Sent, _) => {
            let way = elsewhere(&kernel.answer);
            let sentence =
                format!("{target} is in this node's own block {block}, the kernel sends it {way}");
            Verdict::good(Outcome::Local, sentence)
        }
        _ => {
            let sentence = format!(
                "{target} is in this node's own block {block}, and no pod here has it: the \
                 block's route discards it"
            );
            Verdict::bad(Outcome::Unreached, Cause::NoSuchPod, sentence).advise(format!(
                "no route to {target} leads to a pod: does the pod run, and did its network \
                 plugin set it up?"
            ))
        }
    })
}

/// BGP has chosen a route.
fn chosen(facts: &Facts) -> Option<Verdict> {
    let (route, stand) = facts.chosen()?;
    let best = route.paths.first()?;
    let target = facts.target;
    let (prefix, from) = (route.prefix, senders(route));
    Some(match route.kernel.state {
        _ if best.reached.how == How::Local => announced_from_here(facts, best),
        KernelState::Installed | KernelState::Stale if facts.takes(route) => followed(facts, route, best),
        KernelState::Installed | KernelState::Stale => overruled(facts, route, stand),
        KernelState::Occupied => {
            let why = route.kernel.why.as_deref().unwrap_or("a route that is not ours sits there");
            let outcome = if facts.kernel.answer.result == KernelResult::Sent { Outcome::Astray } else { Outcome::Unreached };
            Verdict::bad(outcome, Cause::ForeignRoute, format!("{target} does not go by the route {prefix} from {from}: {why}"))
                .advise(format!("find out who writes it, and remove it: `ip route show {prefix}`"))
        }
        KernelState::Refused => {
            let why = route.kernel.why.as_deref().unwrap_or("without a word");
            Verdict::bad(lost(facts), Cause::Refused, format!("{}: the kernel refused the route {prefix} from {from}: {why}", nothing(facts)))
                .advise("it is tried again; `bgpctl show fib` shows what should be there")
        }
        KernelState::Pending => Verdict::bad(
            lost(facts),
            Cause::Pending,
            format!("{target} is about to be reached: the route {prefix} from {from} is on its way into the kernel"),
        )
        .advise("ask again in a moment"),
        KernelState::Out => {
            let why = route.kernel.why.as_deref().unwrap_or("by a rule");
            Verdict::bad(lost(facts), Cause::KeptOut, format!("{}: the route {prefix} from {from} is {why}", nothing(facts)))
                .advise(format!("`bgpctl policy test {prefix} --kernel` shows the rules one by one"))
        }
        KernelState::Unresolved => next_hop(facts, route, best),
    })
}

/// This node announces it and has routes of its own, or none.
fn announced_from_here(facts: &Facts, best: &Path) -> Verdict {
    let target = facts.target;
    let what = &best.reached.why;
    match facts.kernel.answer.result {
        KernelResult::Sent => Verdict::good(
            Outcome::Local,
            format!(
                "{target} is announced from here ({what}), the kernel sends it {}",
                elsewhere(&facts.kernel.answer)
            ),
        ),
        _ => Verdict::bad(
            Outcome::Unreached,
            Cause::NoSuchPod,
            format!("{target} is announced from here ({what}), and no route of this node leads on"),
        ),
    }
}

/// The kernel does what BGP says.
fn followed(facts: &Facts, route: &Route, best: &Path) -> Verdict {
    let target = facts.target;
    let (prefix, from) = (route.prefix, senders(route));
    if facts.is_dropped() {
        return match best.reached.how {
            _ if best.communities.iter().any(|community| community == "blackhole") => Verdict::bad(
                Outcome::Unreached,
                Cause::Discarded,
                format!(
                    "{target} is discarded on purpose: {from} announced {prefix} with BLACKHOLE (RFC 7999)"
                ),
            ),
            _ => next_hop(facts, route, best),
        };
    }
    let leaning = used(route).find_map(|path| Some((path, path.reached.warning.as_ref()?)));
    if let Some((path, _)) = leaning {
        let gateway = path.reached.gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
        let device = path.reached.device.as_deref().unwrap_or_default();
        return Verdict::bad(
            Outcome::Astray,
            Cause::Gateway,
            format!("{target} is sent to {gateway} on {device}, which is no BGP peer and need not know the way"),
        )
        .advise(match target_is_v4(facts) {
            true => "set the pool's ipip to \"cross-subnet\", or make the gateway a BGP peer ([[peer]])",
            false => "make the gateway a BGP peer ([[peer]]); IPv6 is never encapsulated",
        });
    }
    if let Some(silent) = silent(facts) {
        return silent;
    }
    let device = facts.tunnel.as_ref().map(|tunnel| tunnel.device.as_str());
    let mut sentence = format!("{target} is reached {}", way(&facts.kernel.answer, device));
    if facts.kernel.hops > 1 {
        sentence.push_str(&format!(", one of {} next hops", facts.kernel.hops));
    }
    if let Some(stale) =
        used(route).find_map(|path| path.stale.as_ref().filter(|s| s.waits == Waits::Session))
    {
        let left = age(stale.left_s);
        sentence.push_str(&format!(
            "; its session has ended, the route is kept for {left} more at most"
        ));
    }
    Verdict::good(Outcome::Reached, sentence)
}

/// Ours is there, and the kernel takes another.
fn overruled(facts: &Facts, route: &Route, stand: &Stand) -> Verdict {
    let target = facts.target;
    let (prefix, from) = (route.prefix, senders(route));
    let answer = &facts.kernel.answer;
    let Some(other) = answer.prefix else {
        return Verdict::bad(
            Outcome::Unreached,
            Cause::NotConsulted,
            format!("nothing leads to {target}: the kernel holds {prefix} from {from}, and does not look where it is"),
        )
        .advise("`ip rule` says which tables the kernel looks in; [kernel] table names ours");
    };
    if answer.ours {
        // It changed between two questions, or an older one is longer.
        let sentence =
            format!("{target} goes by our own route {other}, not by {prefix} from {from}");
        return Verdict::bad(Outcome::Astray, Cause::Pending, sentence)
            .advise("ask again in a moment");
    }
    let whose = answer.protocol.map(protocol).unwrap_or_default();
    let because = match other.prefix_len().cmp(&prefix.prefix_len()) {
        std::cmp::Ordering::Greater => format!("it is longer than {prefix}"),
        std::cmp::Ordering::Equal => format!("it goes before {prefix} by its metric or table"),
        std::cmp::Ordering::Less => "the kernel does not look where ours is".to_owned(),
    };
    let cause = if other.prefix_len() < prefix.prefix_len() {
        Cause::NotConsulted
    } else {
        Cause::ForeignRoute
    };
    let (outcome, verb) = match answer.result {
        KernelResult::Sent => (Outcome::Astray, format!("sends it {}", elsewhere(answer))),
        _ => (Outcome::Unreached, format!("drops it by {other} ({whose})")),
    };
    let wanted = stand.want.as_deref().unwrap_or("as BGP says");
    let verdict = Verdict::bad(
        outcome,
        cause,
        format!(
            "{target} does not go by the route {prefix} from {from}: the kernel {verb}; {because}"
        ),
    );
    match cause {
        Cause::ForeignRoute => verdict.advise(format!(
            "find out who writes {other}, and remove it if it is not meant; wanted is {wanted}"
        )),
        _ => verdict
            .advise("`ip rule` says which tables the kernel looks in; [kernel] table names ours"),
    }
}

/// The next hop of what was chosen cannot be reached.
fn next_hop(facts: &Facts, route: &Route, path: &Path) -> Verdict {
    let hop = path.next_hop.map(|hop| hop.to_string()).unwrap_or_default();
    let why = match path.reached.how {
        How::Unreachable => path.reached.why.as_str(),
        _ => route.kernel.why.as_deref().unwrap_or("the kernel has not answered yet"),
    };
    Verdict::bad(
        lost(facts),
        Cause::NextHop,
        format!(
            "{}: the next hop {hop} of {} from {} cannot be reached: {why}",
            nothing(facts),
            route.prefix,
            path.from
        ),
    )
    .advise(format!("`ip route get {hop}` asks the kernel for the way to it"))
}

/// What needs no BGP: nodes, and what is on a subnet of this host.
fn underlay(facts: &Facts) -> Option<Verdict> {
    let Facts { target, kernel, .. } = facts;
    let answer = &kernel.answer;
    let node = facts.owner.as_ref().filter(|owner| {
        facts.owner_addresses.contains(&owner.block.addr())
            && owner.block.prefix_len() == owner.block.max_prefix_len()
    });
    let connected = answer.result == KernelResult::Sent
        && answer.gateway.is_none()
        && answer.protocol == Some(2);
    if node.is_none() && (!connected || facts.pool.is_some()) {
        return None;
    }
    let what = match node {
        Some(owner) => format!("{target} is the node {}", owner.name),
        None => format!("{target} is on a subnet of this node"),
    };
    if answer.result != KernelResult::Sent {
        let sentence = format!("{what}, and nothing leads there: {}", answer.words);
        return Some(Verdict::bad(Outcome::Unreached, Cause::NextHop, sentence));
    }
    if let Some(silent) = silent(facts) {
        return Some(silent);
    }
    let way = way(answer, None);
    Some(Verdict::good(Outcome::Reached, format!("{what}, reached {way}")))
}

/// The next machine does not answer.
fn silent(facts: &Facts) -> Option<Verdict> {
    let next = facts.kernel.next.as_ref()?;
    next.entry.as_ref().filter(|entry| entry.state == NeighbourState::Failed)?;
    let protocol = if next.address.is_ipv4() { "ARP" } else { "neighbour discovery" };
    Some(
        Verdict::bad(
            Outcome::Unreached,
            Cause::Neighbour,
            format!(
                "{} is sent towards {} on {}, which does not answer {protocol} there",
                facts.target, next.address, next.device
            ),
        )
        .advise(format!(
            "is that machine up, and on this link? `ip neigh show {}`, `ping {}`",
            next.address, next.address
        )),
    )
}

/// Without its route a packet may still leave by another of ours, or by one that somebody wrote
/// for the pool or a part of it; by what leads everywhere it is lost.
fn lost(facts: &Facts) -> Outcome {
    let answer = &facts.kernel.answer;
    let within = |prefix: IpNet| match &facts.pool {
        Some(pool) => pool.cidr.contains(&prefix),
        None => prefix.prefix_len() > 0,
    };
    match (answer.result, answer.prefix) {
        (KernelResult::Sent, Some(prefix)) if answer.ours || within(prefix) => Outcome::Astray,
        _ => Outcome::Unreached,
    }
}

/// How a sentence of something missing begins.
fn nothing(facts: &Facts) -> String {
    let target = facts.target;
    match lost(facts) {
        Outcome::Astray => {
            format!("{target} goes {} for want of its route", elsewhere(&facts.kernel.answer))
        }
        _ => format!("nothing leads to {target}"),
    }
}

fn target_is_v4(facts: &Facts) -> bool {
    facts.address.is_ipv4()
}

/// A target as a prefix.
pub fn net(target: Lookup) -> IpNet {
    match target {
        Lookup::Prefix(net) => net,
        Lookup::Address(address) => IpNet::from(address),
    }
}
