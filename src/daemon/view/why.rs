//! Why an address is reached, or why it is not: from the packet to the cause.
//!
//! ```text
//!   kernel (RTM_GETROUTE, neighbour) ─┐
//!   Rib: covering routes, all paths ──┤
//!   Fib: wanted, present, tunnel ─────┼─► Facts ──verdict──► one sentence, what to do
//!   neighbours: sessions, BFD ────────┤         └─lines────► the facts below it
//!   configuration: pools, blocks ─────┘
//!                                          both ends: the other node's daemon is asked the same
//! ```
//!
//! Only this file asks; what is concluded are pure functions of what was asked.

pub(super) mod back;
mod facts;
mod lines;
mod verdict;
mod words;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use starling_bgp::rib::show::RouteFilter;
use starling_bgp::types::{PeerKind, family_of};
use starling_config::{Config, Node, NodePlan};
use starling_fib::Fib;
use starling_fib::netlink::{Asker, NetlinkError};
use starling_fib::packet::{Answer, Covering, Discard, Neighbour};
use starling_fib::tunnel::TunnelState;
use starling_fib::types::{Hop, KernelRoute, Kind, Pool};

use super::{Refusal, View, stopping};
use crate::api::{
    Back, KernelAnswer, KernelResult, Lookup, Neighbor, Outcome, Owner, Route, Why, WhyQuery,
};
use crate::daemon::roster::Roster;
use facts::{Facts, Kernel, Next, Stand, Tunnel, longest, used};

impl View {
    /// The answer, with the way back where that is asked for.
    pub(super) async fn why_of(&self, query: WhyQuery) -> Result<Why, Refusal> {
        let roster = self.roster();
        let facts = self.facts(query.target, &roster).await?;
        let verdict = verdict::conclude(&facts);
        let back = match query.both {
            true => Some(way_back(&facts, verdict.outcome, query.from, &roster).await),
            false => None,
        };
        let lines = lines::lines(&facts);
        Ok(Why {
            target: facts.target.to_string(),
            address: facts.address,
            node: facts.node,
            outcome: verdict.outcome,
            cause: verdict.cause,
            verdict: verdict.sentence,
            advice: verdict.advice,
            facts: lines,
            kernel: facts.kernel.answer,
            routes: facts.routes,
            owner: facts.owner,
            pool: facts.pool.map(|pool| pool.cidr),
            back,
        })
    }

    async fn facts(&self, target: Lookup, roster: &Roster) -> Result<Facts, Refusal> {
        let net = verdict::net(target);
        let address = representative(net);
        let Roster { config, plan, .. } = roster;
        let routes = self.covering_routes(net).await?;
        let neighbors = self.all_neighbors(roster).await?;
        let device = plan.fib.tunnel.device.clone();
        let mut nodes = config.nodes.iter().flat_map(|node| &node.addresses);
        let of_node = nodes.any(|own| own.address == address);
        let devices = self.fib.ask(move |fib| Devices {
            tunnel: fib.device_named(&device).map(|link| link.index),
            vrf: if of_node { fib.underlay_vrf(address) } else { fib.vrf() },
        });
        let devices = devices.await.ok_or_else(stopping)?;
        // A kernel that cannot be asked is an answer too.
        let asked = Asked::of(address, devices).await.unwrap_or_else(|error| Asked {
            answer: Answer::Failed(0, error.to_string()),
            outer: None,
            next: None,
        });
        let prefixes: Vec<IpNet> = routes.iter().map(|route| route.prefix).collect();
        let wanted = plan.fib.clone();
        let mirror = self.fib.ask(move |fib| Mirror {
            kernel: kernel(fib, address, &asked, (wanted.protocol, wanted.table)),
            stands: prefixes.into_iter().map(|prefix| stand(fib, prefix)).collect(),
            tunnel: tunnel(fib, &wanted.tunnel.device),
        });
        let Mirror { kernel, stands, tunnel } = mirror.await.ok_or_else(stopping)?;
        let (owner, owner_addresses) = owner(config, plan, net, &neighbors);
        Ok(Facts {
            target,
            address,
            node: plan.name.clone(),
            pool: pool(&plan.pools, net),
            owner,
            inside: inside(config, net),
            owner_addresses,
            kernel,
            routes,
            stands,
            neighbors,
            between: between(config, plan),
            tunnel,
        })
    }

    /// The routes that hold all of `net`, the longest first, in detail.
    async fn covering_routes(&self, net: IpNet) -> Result<Vec<Route>, Refusal> {
        let covering = Some(net.addr());
        let filter = RouteFilter { covering, shorter: true, ..RouteFilter::default() };
        let views = self.rib.ask(move |rib| rib.routes(&filter, None, usize::MAX).0).await;
        let mut views = views.ok_or_else(stopping)?;
        views.retain(|view| view.prefix.contains(&net));
        let fates = self.fates(&views).await.ok_or_else(stopping)?;
        Ok(views
            .iter()
            .zip(fates)
            .map(|(view, fate)| self.route(view, fate, (usize::MAX, true)))
            .collect())
    }
}

/// What the Fib says, in one look.
struct Mirror {
    kernel: Kernel,
    stands: Vec<Stand>,
    tunnel: Option<Tunnel>,
}

/// What the kernel's answer hangs on, by index.
struct Devices {
    tunnel: Option<u32>,
    /// The VRF that the packet is in.
    vrf: Option<u32>,
}

/// What the kernel said.
struct Asked {
    answer: Answer,
    /// Of a tunnelled packet: the route of the outer one.
    outer: Option<(IpAddr, KernelRoute)>,
    /// The next machine on the wire, its interface, its entry.
    next: Option<(IpAddr, u32, Option<Neighbour>)>,
}

impl Asked {
    async fn of(address: IpAddr, devices: Devices) -> Result<Asked, NetlinkError> {
        let Devices { tunnel, vrf } = devices;
        let mut asker = Asker::open()?;
        let answer = asker.packet(address, vrf).await?;
        let mut asked = Asked { answer, outer: None, next: None };
        let Answer::Sent { hop: Some(mut hop), .. } = asked.answer else { return Ok(asked) };
        let mut to = address;
        if let Some(far) = hop.gateway.filter(|_| Some(hop.device) == tunnel) {
            let outer = asker.packet(far, None).await?;
            let Answer::Sent { route, hop: Some(outer), .. } = outer else { return Ok(asked) };
            asked.outer = Some((far, route));
            (hop, to) = (outer, far);
        }
        let next = hop.gateway.unwrap_or(to);
        let entry = asker.neighbour(hop.device, next).await?;
        asked.next = Some((next, hop.device, entry));
        Ok(asked)
    }
}

/// The kernel's side in the API's words. `ours`: our protocol and table.
fn kernel(fib: &Fib, address: IpAddr, asked: &Asked, ours: (u8, u32)) -> Kernel {
    let covering = fib.covering(address);
    let name = |index: u32| match fib.device(index) {
        Some(link) => link.name.clone(),
        None => format!("if{index}"),
    };
    let carriers = fib.carriers(address);
    let none = |result, words: &str| KernelAnswer {
        result,
        prefix: None,
        gateway: None,
        device: None,
        source: None,
        table: None,
        protocol: None,
        metric: None,
        ours: false,
        words: words.to_owned(),
    };
    let of_route = |result, route: &KernelRoute, words: String| KernelAnswer {
        prefix: Some(route.key.prefix),
        table: Some(route.key.table),
        protocol: Some(route.protocol),
        metric: Some(route.key.metric),
        ours: (route.protocol, route.key.table) == ours,
        ..none(result, &words)
    };
    // Of what drops packets the kernel tells no more than that: the mirror knows the first route
    // that would.
    let dropping = |result, words: &str| {
        let drops = |c: &&Covering| c.route.kind != Kind::Unicast;
        match covering.iter().find(drops) {
            Some(found) => of_route(result, &found.route, found.words.to_string()),
            None => none(result, words),
        }
    };
    let answer = match &asked.answer {
        Answer::Sent { route, hop, source } => KernelAnswer {
            gateway: hop.and_then(|hop| hop.gateway),
            device: hop.map(|Hop { device, .. }| name(device)),
            source: *source,
            ..of_route(KernelResult::Sent, route, fib.words(route).to_string())
        },
        Answer::Local(route) => {
            let words = match carriers.as_slice() {
                [] => "it stays on this host".to_owned(),
                names => format!("an address of this host, on {}", names.join(" and ")),
            };
            of_route(KernelResult::Local, route, words)
        }
        Answer::Dropped(Discard::Blackhole) => dropping(KernelResult::Blackhole, "a blackhole"),
        Answer::Dropped(Discard::Unreachable) => {
            dropping(KernelResult::Unreachable, "a route that says unreachable")
        }
        Answer::Dropped(Discard::Prohibit) => {
            dropping(KernelResult::Prohibit, "a route that prohibits it")
        }
        Answer::NoRoute => none(KernelResult::NoRoute, "no route leads there"),
        Answer::Failed(_, words) => none(KernelResult::Failed, words),
    };
    let pod = |first: &Covering| first.pod && answer.prefix == Some(first.route.key.prefix);
    Kernel {
        hops: match &asked.answer {
            Answer::Sent { route, .. } => route.hops.len(),
            _ => 0,
        },
        pod: answer.result == KernelResult::Sent && covering.first().is_some_and(pod),
        carriers,
        next: asked.next.as_ref().map(|(address, device, entry)| Next {
            address: *address,
            device: name(*device),
            entry: entry.clone(),
        }),
        outer: asked.outer.as_ref().map(|(far, route)| {
            format!("packets to {far} take {} {}", route.key.prefix, fib.words(route))
        }),
        answer,
    }
}

fn stand(fib: &Fib, prefix: IpNet) -> Stand {
    let have = fib.covering(prefix.addr()).into_iter();
    let have = have.filter(|c| c.ours && c.route.key.prefix == prefix);
    Stand {
        want: fib.wanted(prefix).map(|route| fib.words(&route).to_string()),
        have: have.map(|c| c.words.to_string()).collect(),
    }
}

fn tunnel(fib: &Fib, device: &str) -> Option<Tunnel> {
    let (words, ready) = match fib.tunnel_state() {
        TunnelState::Unneeded => return None,
        TunnelState::Pending(why) => (why, false),
        TunnelState::Failed(error) => (error.to_string(), false),
        TunnelState::Ready(_) => match fib.device_named(device) {
            Some(link) => {
                let kind = link.kind.as_deref().unwrap_or("of unknown kind");
                let up = if link.up { "up" } else { "down" };
                (format!("{kind}, {up}, mtu {}", link.mtu), link.up)
            }
            None => ("it is not there".to_owned(), false),
        },
    };
    Some(Tunnel { device: device.to_owned(), words, ready })
}

/// The node that has all of `net` by the configuration, and its addresses.
fn owner(
    config: &Config,
    plan: &NodePlan,
    net: IpNet,
    neighbors: &[Neighbor],
) -> (Option<Owner>, Vec<IpAddr>) {
    let of_node = |node: &Node| {
        let addresses = node.addresses.iter().map(|own| IpNet::from(own.address));
        let networks = node.networks.iter().map(|network| network.prefix);
        longest(node.blocks.iter().copied().chain(networks).chain(addresses), net)
    };
    let nodes = config.nodes.iter().filter_map(|node| Some((node, of_node(node)?)));
    let Some((node, block)) = nodes.max_by_key(|(_, block)| block.prefix_len()) else {
        return (None, Vec::new());
    };
    let session = neighbors.iter().find(|neighbor| neighbor.summary.name == node.name);
    let owner = Owner {
        name: node.name.clone(),
        block,
        this_node: node.name == plan.name,
        session: session.map(|neighbor| neighbor.summary.state),
    };
    (Some(owner), node.addresses.iter().map(|own| own.address).collect())
}

/// Blocks that lie in `net` without being all of it.
fn inside(config: &Config, net: IpNet) -> Vec<(String, IpNet)> {
    let lies = |block: &&IpNet| net != **block && net.contains(*block);
    let of_node = |node: &Node| {
        let name = node.name.clone();
        let blocks: Vec<IpNet> = node.blocks.iter().filter(lies).copied().collect();
        blocks.into_iter().map(move |block| (name.clone(), block))
    };
    config.nodes.iter().flat_map(of_node).collect()
}

fn pool(pools: &[Pool], net: IpNet) -> Option<Pool> {
    let cidr = longest(pools.iter().map(|pool| pool.cidr), net)?;
    pools.iter().find(|pool| pool.cidr == cidr).copied()
}

/// Who may pass on what nodes announce that are no neighbours.
fn between(config: &Config, plan: &NodePlan) -> Vec<String> {
    let reflectors = config.reflectors.as_ref().map_or(&[][..], |reflectors| &reflectors.nodes);
    let passes = |peer: &&starling_config::PeerPlan| {
        reflectors.contains(&peer.name) || !peer.node && peer.kind == PeerKind::Internal
    };
    plan.peers.iter().filter(passes).map(|peer| peer.name.clone()).collect()
}

/// An address to ask the kernel about: the first of a prefix that a host could have.
fn representative(net: IpNet) -> IpAddr {
    if net.max_prefix_len() - net.prefix_len() < 2 {
        return net.addr();
    }
    match net.network() {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4).saturating_add(1)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6).saturating_add(1)).into(),
    }
}

/// Asks the node at the other end for the way to an address here: to `from`, else to this node's
/// first block of the family, else to its address.
async fn way_back(facts: &Facts, outcome: Outcome, from: Option<Lookup>, roster: &Roster) -> Back {
    let Roster { config, plan, .. } = roster;
    let family = family_of(facts.address);
    let of_family = |net: &&IpNet| family_of(net.addr()) == family;
    let block = || plan.blocks.iter().find(of_family).map(|block| Lookup::Prefix(*block));
    let own = || plan.addresses.iter().map(|own| own.address).find(|own| family_of(*own) == family);
    let target = from.or_else(block).or_else(|| own().map(Lookup::Address));
    let Some(target) = target else {
        let unasked = format!("this node has no {family} address that a way could lead back to");
        let target = facts.node.clone();
        return Back { node: None, target, at: None, why: None, unasked: Some(unasked) };
    };
    let mut back =
        Back { node: None, target: target.to_string(), at: None, why: None, unasked: None };
    let other = match far_end(facts, outcome, config) {
        Ok(node) => node,
        Err(words) => return Back { unasked: Some(words), ..back },
    };
    back.node = Some(other.name.clone());
    match back::place(other, &config.http) {
        Ok(place) => {
            back.at = Some(place);
            match back::ask(place, &WhyQuery::new(target)).await {
                Ok(why) => back.why = Some(Box::new(why)),
                Err(words) => {
                    back.unasked = Some(format!("{} could not be asked: {words}", other.name));
                }
            }
        }
        Err(words) => back.unasked = Some(words),
    }
    back
}

/// The node at the other end: the one that has the target by the configuration, else the one
/// whose address is the next hop; or why there is none, in words.
fn far_end<'c>(facts: &Facts, outcome: Outcome, config: &'c Config) -> Result<&'c Node, String> {
    let named = |name: &str| config.nodes.iter().find(|node| node.name == name);
    if outcome == Outcome::Local || facts.owner.as_ref().is_some_and(|owner| owner.this_node) {
        return Err("it stays on this node: there is no way back".to_owned());
    }
    if let Some(node) = facts.owner.as_ref().and_then(|owner| named(&owner.name)) {
        return Ok(node);
    }
    let hops = facts.chosen().map(|(route, _)| used(route).filter_map(|path| path.next_hop));
    let has = |node: &&Node, hop: IpAddr| node.addresses.iter().any(|own| own.address == hop);
    let found =
        hops.into_iter().flatten().find_map(|hop| config.nodes.iter().find(|node| has(node, hop)));
    found.ok_or_else(|| {
        "no node of the configuration is at the other end: nobody can be asked".to_owned()
    })
}

#[cfg(test)]
mod tests;
