//! The verdict where BGP has no route in use: what was announced and came to nothing, and, where
//! nothing was announced, who should have.

use ipnet::IpNet;

use super::super::facts::{Facts, is_up};
use super::super::words::{down, elsewhere, list};
use super::{Verdict, lost, next_hop, nothing};
use crate::api::{Cause, KernelResult, Neighbor, Outcome, Route, age};

/// Something was announced, and nothing of it is used.
pub(super) fn unused(facts: &Facts) -> Option<Verdict> {
    let is_best = |route: &&Route| route.paths.first().is_some_and(|path| path.best);
    let route = facts.routes.iter().find(|route| !is_best(route) && !route.paths.is_empty())?;
    // A shorter one than what is in use explains nothing.
    if facts.fallback().is_some_and(|other| other.prefix.prefix_len() > route.prefix.prefix_len()) {
        return None;
    }
    let usable = route.paths.iter().find(|path| path.filtered.is_none());
    if let Some(path) = usable {
        return Some(next_hop(facts, route, path));
    }
    let path = route.paths.first()?;
    let (prefix, from) = (route.prefix, &path.from);
    let why = path.filtered.as_deref().unwrap_or_default();
    let sentence =
        format!("{}: {from} announced {prefix}, and it was rejected: {why}", nothing(facts));
    Some(Verdict::bad(lost(facts), Cause::Rejected, sentence).advise(format!(
        "`bgpctl policy test {prefix} --in --peer {from}` shows the rules one by one"
    )))
}

/// It was announced, in a way that counts as a withdrawal.
pub(super) fn refused(facts: &Facts) -> Option<Verdict> {
    let (neighbor, refused) = facts.refused()?;
    // A shorter one than what is in use, or than the owner's block, explains nothing.
    let block = facts.owner.as_ref().map(|owner| owner.block.prefix_len());
    let other = facts.fallback().map(|route| route.prefix.prefix_len());
    if block.max(other).is_some_and(|length| length > refused.prefix.prefix_len()) {
        return None;
    }
    let (name, prefix, why) = (&neighbor.summary.name, refused.prefix, &refused.why);
    let sentence = format!(
        "{}: {name} announced {prefix} {} ago, and that counts as withdrawn: {why}",
        nothing(facts),
        age(refused.ago_s)
    );
    let advice = match why.contains("our own AS") {
        true => "where our AS in a path is meant, `allow-own-as` lets it in",
        false => "who sends it there? `bgpctl show neighbors` has the sessions",
    };
    Some(Verdict::bad(lost(facts), Cause::Loop, sentence).advise(advice))
}

/// Nobody announced it: who should have?
pub(super) fn unannounced(facts: &Facts) -> Verdict {
    let target = facts.target;
    let answer = &facts.kernel.answer;
    if !facts.inside.is_empty() {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in &facts.inside {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let sentence =
            format!("no one way leads to all of {target}: blocks of {} lie in it", list(&names));
        return Verdict::bad(lost(facts), Cause::NoOwner, sentence)
            .advise("ask for one of them: `bgpctl show nodes` lists them");
    }
    if let Some(owner) = &facts.owner {
        return missing(facts, &owner.name, owner.block);
    }
    if let Some(pool) = &facts.pool {
        return Verdict::bad(
            lost(facts),
            Cause::NoOwner,
            format!(
                "{}: it is in the pool {}, and no node has a block there",
                nothing(facts),
                pool.cidr
            ),
        )
        .advise("is the node with this block in the file, on every node?");
    }
    match answer.result {
        KernelResult::Sent => Verdict::bad(
            Outcome::Astray,
            Cause::NoPool,
            format!(
                "{target} is in no pool and nobody announced it: the kernel sends it {}",
                elsewhere(answer)
            ),
        ),
        _ => Verdict::bad(
            Outcome::Unreached,
            Cause::NoPool,
            format!(
                "nothing leads to {target}: it is in no pool, nobody announced it, and the kernel says: {}",
                answer.words
            ),
        ),
    }
}

/// The node `owner` should have announced `block`.
fn missing(facts: &Facts, owner: &str, block: IpNet) -> Verdict {
    let nothing = format!("{}: node {owner} owns the block", nothing(facts));
    let bringers = facts.bringers();
    let is_itself = bringers.iter().any(|neighbor| neighbor.summary.name == owner);
    let up: Vec<&&Neighbor> = bringers.iter().filter(|neighbor| is_up(neighbor)).collect();
    match (bringers.as_slice(), up.as_slice()) {
        ([], _) => Verdict::bad(
            lost(facts),
            Cause::NoNeighbor,
            format!("{nothing}, and no session is configured with it, nor with a reflector"),
        )
        .advise("[cluster] mesh, [reflector] and [[peer]] say who speaks with whom"),
        ([one], []) if is_itself => Verdict::bad(
            lost(facts),
            Cause::NoSession,
            format!("{nothing}, its session {}", down(one)),
        )
        .advise(look_there(one)),
        ([one, ..], []) => {
            let names: Vec<&str> = bringers.iter().map(|n| n.summary.name.as_str()).collect();
            let sentence = format!(
                "{nothing}, and no session is up with who would pass it on ({}): that of {} {}",
                list(&names),
                one.summary.name,
                down(one)
            );
            Verdict::bad(lost(facts), Cause::NoSession, sentence).advise(look_there(one))
        }
        (_, [one, ..]) => {
            let through = if is_itself {
                format!("its session is up since {}", age(one.summary.since_s))
            } else {
                let names: Vec<&str> = up.iter().map(|n| n.summary.name.as_str()).collect();
                format!("the session with {} is up", list(&names))
            };
            let sentence = format!("{nothing}, {through}, but {block} has not been announced");
            Verdict::bad(lost(facts), Cause::NotAnnounced, sentence).advise(format!(
                "on {owner}: `bgpctl policy test {block} --out --peer {}`; a route with our AS or identifier in it counts as withdrawn (a loop)",
                facts.node
            ))
        }
    }
}

fn look_there(neighbor: &Neighbor) -> String {
    let name = &neighbor.summary.name;
    match neighbor.held {
        true => format!("`bgpctl neighbor {name} up` lets it up again"),
        false => format!(
            "does starlingd run there, and is {} reached? `bgpctl show neighbors {name}`",
            neighbor.summary.address
        ),
    }
}
