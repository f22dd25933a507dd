//! Two nodes of which one encapsulates towards the other and the other does not: strict reverse
//! path filters and firewalls drop one direction, and nobody says so.
//!
//! Each node asks "same subnet" of its own interface. Of the others' this node knows what the file
//! says, and what they answer when asked over their read-only listeners; where neither says
//! anything, only they know, and the tunnel's counters are all the evidence.

use std::net::IpAddr;

use ipnet::IpNet;
use starling_fib::types::Mode;

use crate::api::{How, Level, Reach};
use crate::doctor::facts::{Configured, Daemon, Facts, Host};
use crate::doctor::notes::{Notes, count};

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(configured) = &facts.configured else { return };
    if let Ok(daemon) = &facts.daemon {
        counters(configured, daemon, &facts.host, notes);
        answers(daemon, notes);
    }
    let answered =
        |name: &str| facts.daemon.as_ref().is_ok_and(|daemon| daemon.others.contains_key(name));
    let Some(pool) = configured.pool(Mode::CrossSubnet) else {
        if notes.is_well() {
            notes.ok("nodes", "no pool asks for the subnet: both ends of each pair do alike");
        }
        return;
    };
    let own = configured.plan.addresses.iter().find(|own| own.address.is_ipv4());
    let Some((own, subnet)) = own.and_then(|own| {
        let found = facts.host.carrier(own.address).map(|(_, net)| net.trunc());
        Some((own.address, own.subnet.or(found)?))
    }) else {
        return;
    };
    let mut silent = 0;
    let mut agree = 0;
    for node in configured.others() {
        if answered(&node.name) {
            agree += 1;
            continue;
        }
        let Some(theirs) = node.addresses.iter().find(|address| address.address.is_ipv4()) else {
            continue;
        };
        let Some(their_subnet) = theirs.subnet else {
            silent += 1;
            continue;
        };
        let here = contains(subnet, theirs.address);
        let there = contains(their_subnet, own);
        if here == there {
            agree += 1;
            continue;
        }
        let does = |same: bool| if same { "sends in clear" } else { "encapsulates" };
        notes.sick(
            Level::Problem,
            &node.name,
            format!(
                "this node ({own} in {subnet}) {} to it, and it ({} in {their_subnet}) {} back: \
                 pool {pool} is cross-subnet",
                does(here),
                theirs.address,
                does(there)
            ),
            format!(
                "say one subnet for both in the file: address = \"{own}/{0}\" and \"{1}/{0}\"",
                subnet.prefix_len(),
                theirs.address
            ),
        );
    }
    if silent > 0 {
        notes.unchecked(format!(
            "the subnets of {} are those of their own interfaces: `bgpctl doctor` there, or [http] \
             listen = \"0.0.0.0:9179\" for nodes to tell each other",
            count(silent, "other node")
        ));
    }
    if notes.is_well() && agree > 0 {
        let text = format!("both ends of {} do alike, as far as known", count(agree, "pair"));
        notes.ok("nodes", text);
    }
}

fn contains(net: IpNet, address: IpAddr) -> bool {
    net.contains(&address)
}

/// What other nodes say of their way to this one, against this one's way to them.
fn answers(daemon: &Daemon, notes: &mut Notes) {
    let tunnels = |how| match how {
        How::Tunnel => Some(true),
        How::Direct | How::Gateway => Some(false),
        How::Blackhole | How::Local | How::Unreachable => None,
    };
    for (name, (here, there)) in &daemon.others {
        let (Some(ours), Some(theirs)) = (tunnels(*here), tunnels(*there)) else { continue };
        if ours == theirs {
            continue;
        }
        let does = |tunnels: bool| if tunnels { "encapsulates" } else { "sends in clear" };
        notes.sick(
            Level::Problem,
            name,
            format!("this node {} to it, and it says that it {} back", does(ours), does(theirs)),
            format!("bgpctl show nodes, here and on {name}: the subnets of the two differ"),
        );
    }
}

/// What goes into the tunnel against what comes out of it.
fn counters(configured: &Configured, daemon: &Daemon, host: &Host, notes: &mut Notes) {
    let Some((received, sent)) = host.tunnel else { return };
    let device = configured.plan.fib.tunnel.device.as_str();
    let tunnels =
        daemon.nodes.iter().any(|node| matches!(node.reach, Reach::Tunnel | Reach::Mixed));
    if !tunnels && received > 0 {
        notes.sick(
            Level::Warning,
            device,
            format!(
                "{} came out of it, and this node tunnels to nobody: some node encapsulates what \
                 is answered in clear (or did, before a change)",
                count(received as usize, "packet")
            ),
            "tcpdump -n -i any ip proto 4; then bgpctl show nodes on the sender",
        );
    }
    if tunnels && sent > 0 && received == 0 {
        notes.sick(
            Level::Hint,
            device,
            format!(
                "{} went into it and none came out: the answers come in clear, or not at all",
                count(sent as usize, "packet")
            ),
            "tcpdump -n -i any ip proto 4; then bgpctl show nodes on the other end",
        );
    }
}
