//! BIRD 2: as a node of the same mesh in Calico's words, as an eBGP router, as a caller that
//! does not know the custom of one end dialling.

use std::net::Ipv4Addr;

use anyhow::ensure;
use starling::api::{Neighbor, SessionState};
use starling_lab::{
    Bird, CalicoNode, Cluster, Family, Netns, Result, holds, ping_as, routes, wait_for, wait_until,
};

use crate::support::{SOON, cluster, established, neighbour};

/// Two Starling nodes, n1 and n2, and two of BIRD, b3 and b4, all on one wire.
struct Mixed {
    birds: Vec<(Bird, Netns)>,
    cluster: Cluster,
}

const NODES: [u8; 4] = [1, 2, 3, 4];

fn address(i: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 50, 0, i)
}

fn pod(i: u8) -> std::net::IpAddr {
    Ipv4Addr::new(10, 244, i, 1).into()
}

fn calico(i: u8) -> CalicoNode {
    CalicoNode {
        asn: 64512,
        address: address(i),
        mesh: NODES.into_iter().filter(|other| *other != i).map(address).collect(),
        blocks: vec![format!("10.244.{i}.0/26")],
        pools: vec!["10.244.0.0/16".to_owned()],
    }
}

fn start_bird(cluster: &Cluster, i: u8, netns: &Netns) -> Result<Bird> {
    Bird::start(netns, &cluster.lab().subdir(&format!("b{i}"))?, &calico(i).config())
}

fn mixed() -> Result<Mixed> {
    let mut cluster = cluster(&[0, 0])?;
    let mut birds = Vec::new();
    let mut extra = String::new();
    for i in [3, 4] {
        extra += &format!(
            "[[node]]\nname = \"b{i}\"\naddress = \"{}\"\nblocks = [\"10.244.{i}.0/26\"]\n\n",
            address(i)
        );
        let own = [format!("address add {}/32 dev lo", pod(i))];
        let netns = cluster.host(&format!("b{i}"), 0, i, &own)?;
        let bird = start_bird(&cluster, i, &netns)?;
        birds.push((bird, netns));
    }
    cluster.configure(&cluster.toml("never", &extra))?;
    cluster.start_all()?;
    Ok(Mixed { birds, cluster })
}

impl Mixed {
    fn host(&self, i: u8) -> &Netns {
        match i {
            3 => &self.birds[0].1,
            4 => &self.birds[1].1,
            _ => self.cluster.nodes()[usize::from(i) - 1].netns(),
        }
    }

    /// The kernel of every node, whoever wrote its routes, says the same.
    fn converged(&self) -> Result {
        for i in NODES {
            let wanted: Vec<String> = NODES
                .into_iter()
                .map(|other| match other == i {
                    true => format!("blackhole 10.244.{i}.0/26"),
                    false => format!("10.244.{other}.0/26 via {} dev net0", address(other)),
                })
                .collect();
            // BIRD 2 writes a metric of 32, and copies of the kernel's own routes to what is on
            // the link: its own affair.
            wait_for("the kernel's routes", SOON, || {
                let held = routes(self.host(i), Family::V4, "proto bird")?;
                let mut held: Vec<String> = held
                    .into_iter()
                    .filter(|route| route.scope.as_deref() != Some("link"))
                    .map(|mut route| {
                        route.metric = None;
                        route.to_string().replace(" proto bird", "")
                    })
                    .collect();
                held.sort();
                let mut wanted = wanted.clone();
                wanted.sort();
                ensure!(held == wanted, "node {i} holds {held:#?}, not {wanted:#?}");
                Ok(())
            })?;
        }
        Ok(())
    }

    fn pings(&self) -> Result {
        for from in NODES {
            for to in NODES.into_iter().filter(|to| *to != from) {
                ping_as(self.host(from), pod(from), pod(to), 1)?
                    .complete()
                    .map_err(|error| error.context(format!("from node {from} to {to}")))?;
            }
        }
        Ok(())
    }
}

#[test]
fn a_mesh_of_both_carries_traffic_both_ways() -> Result {
    let mut mixed = mixed()?;
    mixed.converged()?;
    mixed.pings()?;
    for (bird, _) in &mixed.birds {
        for mesh in ["Mesh_10_50_0_1", "Mesh_10_50_0_2"] {
            let said = bird.birdc(&format!("show protocols all {mesh}"))?;
            ensure!(said.contains("Established"), "{said}");
        }
    }
    let node = mixed.cluster.node(1)?;
    for name in ["b3", "b4"] {
        let peer = established(node, name)?;
        assert_eq!((peer.received, peer.accepted), (1, 1), "{peer:?}");
        let peer: Neighbor = node.daemon()?.read(&["show", "neighbors", name])?;
        let agreed = peer.agreed.expect("an Established session has agreed on something");
        ensure!(agreed.four_octet_as && agreed.route_refresh, "{agreed:?}");
    }
    Ok(())
}

#[test]
fn a_bird_that_crashes_and_comes_back_is_routed_to_again() -> Result {
    let mut mixed = mixed()?;
    mixed.converged()?;
    let (bird, netns) = mixed.birds.remove(0);
    bird.crash();
    let node = mixed.cluster.node(1)?;
    wait_for("the end of the session", SOON, || {
        let peer = neighbour(node, "b3")?;
        ensure!(peer.state != SessionState::Established, "{peer:?}");
        Ok(())
    })?;
    // As a Calico node it restarts gracefully: what it announced holds meanwhile.
    let kept = [
        "blackhole 10.244.1.0/26 proto bird",
        "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird",
        "10.244.3.0/26 via 10.50.0.3 dev net0 proto bird",
        "10.244.4.0/26 via 10.50.0.4 dev net0 proto bird",
    ];
    node.holds(Family::V4, &kept, SOON)?;
    let bird = start_bird(&mixed.cluster, 3, &netns)?;
    mixed.birds.insert(0, (bird, netns));
    mixed.converged()?;
    mixed.pings()
}

#[test]
fn a_starling_that_crashes_and_comes_back_is_routed_to_again() -> Result {
    let mut mixed = mixed()?;
    mixed.converged()?;
    mixed.cluster.node(1)?.take_daemon()?.into_proc().crash();
    mixed.cluster.start(1)?;
    mixed.converged()?;
    mixed.pings()
}

/// An eBGP router with a route of each family, that dials and is dialled.
fn router(extra: &str) -> String {
    format!(
        "router id 10.50.0.250;
log stderr all;
protocol device {{ scan time 2; }}
protocol static s4 {{ ipv4; route 203.0.113.0/24 blackhole; }}
protocol static s6 {{ ipv6; route 2001:db8:99::/48 blackhole; }}
protocol kernel k4 {{ scan time 2; ipv4 {{ import none; export all; }}; }}
protocol kernel k6 {{ scan time 2; ipv6 {{ import none; export all; }}; }}
protocol bgp n1 {{
  local 10.50.0.250 as 65010;
  neighbor 10.50.0.1 as 64512;
  connect delay time 1; connect retry time 1; error wait time 1, 2; {extra}
  ipv4 {{ import all; export where source = RTS_STATIC; }};
  ipv6 {{ import all; export where source = RTS_STATIC; next hop address fd50:0::250; }};
}}
"
    )
}

const PEER: &str = "[[peer]]\nname = \"tor\"\naddress = \"10.50.0.250\"\nasn = 65010\n\
    nodes = [\"n1\"]\nfamilies = [\"ipv4\", \"ipv6\"]\n\
    import = [\"203.0.113.0/24\", \"2001:db8::/32\"]\n";

#[test]
fn an_ebgp_router_exchanges_both_families_on_one_session() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    let tor = cluster.host("tor", 0, 250, &[])?;
    cluster.configure(&cluster.toml("never", PEER))?;
    cluster.start_all()?;
    let _bird = Bird::start(&tor, &cluster.lab().subdir("tor")?, &router(""))?;
    let v4 = [
        "blackhole 10.244.1.0/26 proto bird",
        "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird",
        "203.0.113.0/24 via 10.50.0.250 dev net0 proto bird",
    ];
    let v6 = [
        "blackhole fd00:244:1::/64 dev lo proto bird metric 1024",
        "fd00:244:2::/64 via fd50::2 dev net0 proto bird metric 1024",
        "2001:db8:99::/48 via fd50::250 dev net0 proto bird metric 1024",
    ];
    let node = cluster.node(1)?;
    node.holds(Family::V4, &v4, SOON)?;
    node.holds(Family::V6, &v6, SOON)?;
    // Of ours it has what n1 owns, and not what n1 learned from the mesh.
    let b4 = [
        "blackhole 203.0.113.0/24 proto bird metric 32",
        "10.244.1.0/26 via 10.50.0.1 dev net0 proto bird metric 32",
    ];
    holds(&tor, Family::V4, "proto bird", &b4, SOON)?;
    let b6 = [
        "blackhole 2001:db8:99::/48 dev lo proto bird metric 32",
        "fd00:244:1::/64 via fd50::1 dev net0 proto bird metric 32",
    ];
    holds(&tor, Family::V6, "proto bird", &b6, SOON)
}

#[test]
fn both_ends_dialling_ends_in_one_session() -> Result {
    let mut cluster = cluster(&[0])?;
    let tor = cluster.host("tor", 0, 250, &[])?;
    cluster.configure(&cluster.toml("never", PEER))?;
    cluster.start(1)?;
    let bird = Bird::start(&tor, &cluster.lab().subdir("tor")?, &router(""))?;
    for round in 0..5 {
        let node = cluster.node(1)?;
        let stands = established(node, "tor");
        stands.map_err(|error| error.context(format!("round {round}")))?;
        wait_for("one connection", SOON, || {
            let sockets = tor.command("ss").args(["-Htn", "state", "established"]).output()?;
            let sockets = String::from_utf8(sockets.stdout)?;
            ensure!(sockets.lines().count() == 1, "{sockets}");
            Ok(())
        })?;
        // Both ends lose it at the same moment, and so dial at about the same one.
        let flaps = |cluster: &mut Cluster| -> Result<u64> {
            let tor: Neighbor = cluster.node(1)?.daemon()?.read(&["show", "neighbors", "tor"])?;
            Ok(tor.flaps)
        };
        let before = flaps(&mut cluster)?;
        bird.birdc("restart n1")?;
        wait_until("the end of the session", SOON, || {
            flaps(&mut cluster).is_ok_and(|now| now > before)
        })?;
    }
    established(cluster.node(1)?, "tor").map(drop)
}
