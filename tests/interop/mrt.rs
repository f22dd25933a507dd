//! The table as `bgpctl mrt dump` writes it beside five real speakers, read by bgpdump, whose reader is
//! not ours: line by line it is what `bgpctl show routes` says.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use starling::api::{Origin, Route, Summary};
use starling_lab::speaker::{AddPath, Network, Software};
use starling_lab::{Cluster, Result, wait_for};

use crate::beside::{Beside, networks, toml};
use crate::sessions::used;
use crate::support::SOON;

/// Two paths of this come with identifiers.
const TWICE: &str = "203.0.113.0/24";

/// A path as both say it, in bgpdump's words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Line {
    prefix: String,
    peer: String,
    asn: u32,
    path_id: Option<u32>,
    as_path: String,
    origin: &'static str,
    next_hop: String,
    local_pref: u32,
    med: u32,
    communities: String,
}

/// Every path that is no filtered one, by `show routes --detail`.
fn shown(cluster: &mut Cluster) -> Result<Vec<Line>> {
    let daemon = cluster.node(1)?.daemon()?;
    let summary: Summary = daemon.read(&["show", "summary"])?;
    let mut peers: BTreeMap<&str, (IpAddr, u32)> =
        summary.peers.iter().map(|peer| (peer.name.as_str(), (peer.address, peer.asn))).collect();
    peers.insert("local", ("0.0.0.0".parse()?, summary.asn));
    let routes: Vec<Route> = daemon.rows(&["show", "routes", "--detail"])?;
    let mut lines = Vec::new();
    for route in &routes {
        for path in route.paths.iter().filter(|path| path.filtered.is_none()) {
            let (peer, asn) = peers.get(path.from.as_str()).context("an unknown neighbour")?;
            let none = if route.prefix.addr().is_ipv4() { "0.0.0.0" } else { "::" };
            let origin = match path.origin.context("no origin")? {
                Origin::Igp => "IGP",
                Origin::Egp => "EGP",
                Origin::Incomplete => "INCOMPLETE",
            };
            lines.push(Line {
                prefix: route.prefix.to_string(),
                peer: peer.to_string(),
                asn: *asn,
                path_id: path.path_id,
                as_path: path.as_path.clone().context("no AS path")?,
                origin,
                next_hop: path.next_hop.map_or_else(|| none.to_owned(), |hop| hop.to_string()),
                local_pref: path.local_pref.unwrap_or_default(),
                med: path.med.unwrap_or_default(),
                communities: path.communities.join(" "),
            });
        }
    }
    lines.sort();
    Ok(lines)
}

/// What bgpdump reads in a file.
fn read(file: &Path) -> Result<Vec<Line>> {
    let output = Command::new("bgpdump").arg("-m").arg(file).output().context("no bgpdump")?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut lines = Vec::new();
    for line in said.lines() {
        let mut fields: Vec<&str> = line.split('|').collect();
        // RFC 8050: the identifier stands behind the prefix.
        let path_id = match fields.first() {
            Some(&"TABLE_DUMP2") => None,
            Some(&"TABLE_DUMP2_AP") => Some(fields.remove(6).parse()?),
            _ => anyhow::bail!("no path: {line}"),
        };
        let [_, _, "B", peer, asn, prefix, as_path, origin, next_hop, pref, med, communities, ..] =
            fields[..]
        else {
            anyhow::bail!("no path: {line}");
        };
        let origin = ["IGP", "EGP", "INCOMPLETE"].into_iter().find(|known| *known == origin);
        lines.push(Line {
            prefix: prefix.to_owned(),
            peer: peer.to_owned(),
            asn: asn.parse()?,
            path_id,
            as_path: as_path.to_owned(),
            origin: origin.context("an origin")?,
            next_hop: next_hop.to_owned(),
            local_pref: pref.parse()?,
            med: med.parse()?,
            communities: communities.to_owned(),
        });
    }
    lines.sort();
    Ok(lines)
}

#[test]
fn another_reader_finds_in_a_dump_what_is_shown() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        let [v4, v6] = networks(software);
        let mut network = Network::new(&v4)?;
        (network.med, network.communities) = (Some(50), vec!["65000:1".to_owned()]);
        router.networks = vec![network, Network::new(&v6)?];
        let mut toml = toml(software, "");
        // It speaks for itself, and has the most to say.
        if software == Software::ExaBgp {
            router.neighbors[0].add_path = AddPath { receive: false, send: true };
            for (id, asn) in [(1, 65001), (2, 65002)] {
                let mut network = Network::new(TWICE)?;
                (network.path_id, network.as_path) = (Some(id), vec![asn]);
                router.networks.push(network);
            }
            toml = toml.replace("import = [", &format!("import = [\"{TWICE}\", "));
            toml += "add-paths = \"receive\"\n";
        }
        Ok(toml)
    })?;
    for peer in &beside.peers {
        for prefix in networks(peer.software) {
            wait_for("its route", SOON, || used(&mut beside.cluster, &prefix))?;
        }
    }
    let said = ["network", "add", "10.244.200.0/24", "--med", "7", "--community", "64512:7"];
    beside.cluster.node(1)?.daemon()?.bgpctl(&said)?;
    let wanted = wait_for("both paths with identifiers", SOON, || {
        let wanted = shown(&mut beside.cluster)?;
        let twice = wanted.iter().filter(|line| line.prefix == TWICE).count();
        ensure!(twice == 2, "{wanted:#?}");
        Ok(wanted)
    })?;
    // Ten of theirs, two with identifiers, both of our blocks, and what was added.
    ensure!(wanted.len() >= 15, "{wanted:#?}");

    let file = beside.cluster.lab().subdir("mrt")?.join("table.mrt");
    let name = file.display().to_string();
    let told = beside.cluster.node(1)?.daemon()?.bgpctl(&["mrt", "dump", &name])?;
    let octets = std::fs::metadata(&file)?.len();
    ensure!(told.contains(&format!(" {octets} octets")), "{told}");
    assert_eq!(read(&file)?, wanted, "{told}");
    Ok(())
}
