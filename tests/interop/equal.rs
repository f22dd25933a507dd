//! Equal paths: one route in the kernel whose next hops are all five speakers, and one with as many
//! as there may be.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, ensure};
use starling_lab::matrix::{self, Feature};
use starling_lab::speaker::{Network, Software};
use starling_lab::{Cluster, End, Family, Result, Traffic, routes, wait_for};

use crate::beside::{ASN, Beside, toml};
use crate::speaker::{Attribute, OPTIONAL, Speaker, TRANSITIVE, as_sequence, attribute, mandatory};
use crate::support::{SOON, cluster};

const PREFIX: &str = "203.0.113.0/24";
const IMPORT: &str = "import = [\"203.0.113.0/24\"]\n";

#[test]
fn one_route_has_all_five_as_next_hops() -> Result {
    let mut beside = Beside::start(&Software::ALL, "", |software, router| {
        router.networks.push(Network::new(PREFIX)?);
        let toml = toml(software, "");
        let lines = toml.lines().filter(|line| !line.starts_with("import"));
        Ok(lines.map(|line| format!("{line}\n")).collect::<String>() + IMPORT)
    })?;
    let file = std::fs::read_to_string(beside.cluster.config())?;
    beside
        .cluster
        .configure(&file.replace("asn = 64512\n", &format!("asn = {ASN}\nmax-paths = 8\n")))?;
    beside.cluster.node(1)?.daemon()?.bgpctl(&["reload"])?;
    beside.sessions()?;
    let wanted: BTreeSet<String> =
        beside.peers.iter().map(|peer| peer.router.address.to_string()).collect();
    let netns = beside.cluster.nodes()[0].netns();
    wait_for("all next hops", SOON, || {
        let held = routes(netns, Family::V4, PREFIX)?;
        let hops = held.iter().flat_map(|route| &route.nexthops);
        let hops: BTreeSet<String> = hops.filter_map(|hop| hop.gateway.clone()).collect();
        ensure!(hops == wanted, "{held:#?}");
        Ok(())
    })?;
    for software in Software::ALL {
        matrix::pass(Feature::Multipath, software)?;
    }
    Ok(())
}

/// As many as a route may have.
const MOST: u8 = 64;
const PREFIX6: &str = "2001:db8:9::/48";
/// Flows of each family.
const FLOWS: u8 = 32;

/// The `n`th of the speaker's addresses, and that of IPv6.
fn gateway(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 50, 0, 100 + n)
}

fn gateway6(n: u8) -> String {
    format!("fd50::{}", 100 + u16::from(n))
}

/// Says the path with number `n` to both prefixes, by its own next hop.
fn announce(speaker: &mut Speaker, n: u8) -> Result {
    let nlri = [0, 0, 0, n, 24, 203, 0, 113];
    speaker.announce_encoded(&mandatory(&[65_010], gateway(n)), nlri)?;
    let next_hop: std::net::Ipv6Addr = gateway6(n).parse()?;
    let reach: Vec<u8> = [
        &[0, 2, 1, 16][..],
        &next_hop.octets(),
        &[0, 0, 0, 0, n, 48, 0x20, 0x01, 0x0d, 0xb8, 0, 9],
    ]
    .concat();
    let attributes = [
        attribute(TRANSITIVE, 1, [0]),
        attribute(TRANSITIVE, 2, as_sequence(&[65_010])),
        attribute(OPTIONAL, 14, reach),
    ];
    speaker.announce_encoded(&attributes, [])
}

fn withdraw(speaker: &mut Speaker, n: u8) -> Result {
    speaker.send(crate::speaker::UPDATE, &[0, 8, 0, 0, 0, n, 24, 203, 0, 113, 0, 0])?;
    let unreach: [Attribute; 1] =
        [attribute(OPTIONAL, 15, [0, 2, 1, 0, 0, 0, n, 48, 0x20, 0x01, 0x0d, 0xb8, 0, 9])];
    speaker.announce_encoded(&unreach, [])
}

/// Waits until the kernel has these as the next hops to both prefixes, and no others.
fn has(cluster: &Cluster, numbers: &BTreeSet<u8>) -> Result {
    let v4: BTreeSet<String> = numbers.iter().map(|n| gateway(*n).to_string()).collect();
    let v6: BTreeSet<String> = numbers.iter().map(|n| gateway6(*n)).collect();
    for (family, prefix, wanted) in [(Family::V4, PREFIX, v4), (Family::V6, PREFIX6, v6)] {
        wait_for("the next hops", SOON, || {
            let held = routes(cluster.nodes()[0].netns(), family, prefix)?;
            let [route] = &held[..] else { anyhow::bail!("{} routes", held.len()) };
            let hops: BTreeSet<String> =
                route.nexthops.iter().filter_map(|hop| hop.gateway.clone()).collect();
            ensure!(hops == wanted && route.nexthops.len() == wanted.len(), "{route}");
            Ok(())
        })?;
    }
    Ok(())
}

/// One next hop's coming and going changes that one, and costs no packet of any flow.
#[test]
fn sixty_four_next_hops_come_and_go_one_by_one() -> Result {
    let mut cluster = cluster(&[0])?;
    let mut lines = Vec::new();
    for n in 0..MOST {
        lines.push(format!("address add {}/24 dev net0", gateway(n)));
        lines.push(format!("address add {}/64 dev net0 nodad", gateway6(n)));
    }
    for n in 1..=FLOWS {
        lines.push(format!("address add 203.0.113.{n}/32 dev lo"));
        lines.push(format!("address add 2001:db8:9::{n}/128 dev lo nodad"));
    }
    let far = cluster.host("r1", 0, 99, &lines)?;
    let file = cluster.toml("never", "[[peer]]\naddress = \"10.50.0.99\"\nasn = 65010\n")
        + "families = [\"ipv4\", \"ipv6\"]\nadd-paths = \"receive\"\npassive = true\n"
        + &format!("import = [\"{PREFIX}\", \"{PREFIX6}\"]\n");
    let max_paths = format!("asn = 64512\nmax-paths = {MOST}\n");
    cluster.configure(&file.replacen("asn = 64512\n", &max_paths, 1))?;
    cluster.start(1)?;
    let (local, remote) = (Ipv4Addr::new(10, 50, 0, 99), Ipv4Addr::new(10, 50, 0, 1));
    let mut speaker = Speaker::dial(&far, local, remote)?;
    // ADD-PATH (RFC 7911): it sends several paths, of both families.
    speaker.open_with(65_010, local, &[69, 8, 0, 1, 1, 2, 0, 2, 1, 2])?;
    speaker.expect(crate::speaker::OPEN)?;
    speaker.send(crate::speaker::KEEPALIVE, &[])?;
    (0..MOST).try_for_each(|n| announce(&mut speaker, n))?;
    let all: BTreeSet<u8> = (0..MOST).collect();
    has(&cluster, &all)?;

    let near = cluster.nodes()[0].netns();
    let end = |netns, address: String| -> Result<End<'_>> {
        let address: IpAddr = address.parse().context(address)?;
        Ok(End { name: if address.is_ipv4() { "IPv4" } else { "IPv6" }, netns, address })
    };
    let mut ends = vec![end(near, "10.50.0.1".to_owned())?, end(near, "fd50::1".to_owned())?];
    let mut pairs = Vec::new();
    for n in 1..=FLOWS {
        for (from, address) in [(0, format!("203.0.113.{n}")), (1, format!("2001:db8:9::{n}"))] {
            pairs.push((from, ends.len()));
            ends.push(end(&far, address)?);
        }
    }
    let traffic = Traffic::start(&ends, &pairs, Duration::from_millis(10))?;
    // Every neighbour has been looked for once.
    std::thread::sleep(Duration::from_secs(1));
    let begin = traffic.beat();
    let mut left = all.clone();
    for n in (0..MOST).step_by(5) {
        let without = traffic.beat();
        withdraw(&mut speaker, n)?;
        left.remove(&n);
        has(&cluster, &left)?;
        traffic.beats(without, 3)?;
    }
    let with = traffic.beat();
    for n in (0..MOST).step_by(5) {
        announce(&mut speaker, n)?;
    }
    has(&cluster, &all)?;
    traffic.beats(with, 3)?;
    let until = traffic.calm(begin);
    for family in ["IPv4", "IPv6"] {
        let lost = traffic.lost(begin, until, |name, _| name == family);
        println!("64 next hops, 13 of them away for a while, {family}: {lost:?}");
        let losers = traffic.losers(begin, until, |name, _| name == family);
        ensure!(lost.lost == 0 && lost.sent >= 14 * 3 * usize::from(FLOWS), "{lost:?} {losers:#?}");
    }
    Ok(())
}
