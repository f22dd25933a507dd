//! FRR by the common description. [`crate::Frr`] runs it; here are its configuration and its
//! answers, which are JSON.

use super::{
    Capability, Heard, Neighbor, Network, NotOffered, Router, Session, Software, Speaker, words,
};
use crate::{Family, Frr, Netns, Proc, Result};
use anyhow::Context;
use ipnet::IpNet;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

#[derive(Debug)]
pub(super) struct Running {
    frr: Frr,
    router: Router,
}

impl Running {
    pub(super) fn start(netns: &Netns, dir: &Path, router: Router) -> Result<Self> {
        let mut lines = Vec::new();
        for network in &router.networks {
            lines.extend(attributes(network)?);
        }
        lines.extend(outbound(&router));
        lines.push(format!("router bgp {}", router.asn));
        lines.extend(globals(&router));
        for neighbor in &router.neighbors {
            lines.extend(session(&router, neighbor)?);
        }
        for family in [Family::V4, Family::V6] {
            lines.push(format!("address-family {} unicast", words::family(family)));
            let networks = router.networks.iter().filter(|network| network.family() == family);
            lines.extend(networks.map(statement));
            for neighbor in &router.neighbors {
                lines.extend(activation(neighbor, family));
            }
            lines.push("exit-address-family".to_owned());
        }
        lines.push("exit\n".to_owned());
        Ok(Self { frr: Frr::start(netns, dir, &lines.join("\n"))?, router })
    }

    fn json(&self, command: &str) -> Result<Value> {
        let text = self.frr.vtysh(command)?;
        serde_json::from_str(&text).with_context(|| format!("{command}: {text:?}"))
    }

    /// Commands inside one address family of the BGP instance.
    fn configure(&self, before: Vec<String>, family: Family, commands: &[String]) -> Result {
        let mut all = before;
        all.push(format!("router bgp {}", self.router.asn));
        all.push(format!("address-family {} unicast", words::family(family)));
        all.extend_from_slice(commands);
        self.frr.configure(&all)
    }
}

impl Speaker for Running {
    fn software(&self) -> Software {
        Software::Frr
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session> {
        let all = self.json(&format!("show bgp neighbors {neighbor} json"))?;
        let told = all.get(neighbor.to_string()).with_context(|| format!("{all}"))?;
        let state = told["bgpState"].as_str().unwrap_or_default().to_owned();
        let offered = offered(&told["neighborCapabilities"]);
        Ok(Session { established: state == "Established", state, offered })
    }

    fn heard(&self, neighbor: IpAddr) -> Result<Vec<Heard>> {
        let mut all = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let table = self.json(&format!("show bgp {family} unicast json"))?;
            let prefixes = table["routes"].as_object().into_iter().flatten();
            for (prefix, _) in prefixes {
                let told = self.json(&format!("show bgp {family} unicast {prefix} json"))?;
                for path in told["paths"].as_array().into_iter().flatten() {
                    if path["peer"]["peerId"].as_str() == Some(&neighbor.to_string()) {
                        all.push(read_path(prefix.parse()?, path));
                    }
                }
            }
        }
        Ok(all)
    }

    fn announce(&mut self, network: &Network) -> Result {
        self.configure(attributes(network)?, network.family(), &[statement(network)])?;
        self.router.networks.retain(|other| other.prefix != network.prefix);
        self.router.networks.push(network.clone());
        Ok(())
    }

    fn withdraw(&mut self, prefix: IpNet) -> Result {
        let network = Network::new(&prefix.to_string())?;
        self.configure(Vec::new(), network.family(), &[format!("no network {prefix}")])?;
        self.router.networks.retain(|other| other.prefix != prefix);
        Ok(())
    }

    fn refresh(&mut self, neighbor: IpAddr, family: Family) -> Result {
        let family = words::family(family);
        self.frr.vtysh(&format!("clear bgp {family} unicast {neighbor} soft in")).map(drop)
    }

    fn refreshed(&self, neighbor: IpAddr) -> Result<bool> {
        let all = self.json(&format!("show bgp neighbors {neighbor} json"))?;
        // It never hears a plain request here: what it has heard is a beginning and an end.
        let heard = &all[neighbor.to_string()]["messageStats"]["routeRefreshRecv"];
        Ok(heard.as_u64().is_some_and(|count| count >= 2))
    }

    fn reset(&mut self, neighbor: IpAddr, words: &str) -> Result {
        // `clear` has no words; a shutdown has.
        let router = format!("router bgp {}", self.router.asn);
        let down = format!("neighbor {neighbor} shutdown message {words}");
        self.frr.configure(&[router.clone(), down])?;
        self.frr.configure(&[router, format!("no neighbor {neighbor} shutdown")])
    }

    fn farewell(&self, neighbor: IpAddr) -> Result<String> {
        let all = self.json(&format!("show bgp neighbors {neighbor} json"))?;
        Ok(all.to_string())
    }

    fn log(&self) -> String {
        self.frr.log()
    }

    fn proc(&mut self) -> &mut Proc {
        self.frr.bgpd()
    }

    fn into_proc(self: Box<Self>) -> Proc {
        self.frr.into_bgpd()
    }
}

fn globals(router: &Router) -> Vec<String> {
    let mut lines: Vec<String> = [
        format!("bgp router-id {}", router.address),
        "bgp log-neighbor-changes".to_owned(),
        "no bgp ebgp-requires-policy".to_owned(),
        "no bgp network import-check".to_owned(),
        "no bgp default ipv4-unicast".to_owned(),
    ]
    .into();
    let restarts = router.neighbors.iter().filter_map(|neighbor| neighbor.graceful_restart);
    // One setting for all neighbours.
    if let Some(restart) = restarts.into_iter().next() {
        lines.push("bgp graceful-restart".to_owned());
        lines.push(format!("bgp graceful-restart restart-time {}", restart.restart));
        lines.push("bgp graceful-restart preserve-fw-state".to_owned());
        if restart.notification {
            lines.push("bgp graceful-restart notification".to_owned());
        }
        if let Some(stale) = restart.long_lived {
            lines.push(format!("bgp long-lived-graceful-restart stale-time {stale}"));
        }
    }
    lines
}

fn session(router: &Router, neighbor: &Neighbor) -> Result<Vec<String>> {
    let lack = |what| Err(NotOffered { software: Software::Frr, what }.into());
    let Router { hold, .. } = router;
    let mut words = vec![
        format!("remote-as {}", neighbor.asn),
        match &neighbor.interface {
            Some(interface) => format!("interface {interface}"),
            None => format!("update-source {}", router.address_towards(neighbor.address)),
        },
        format!("timers {} {hold}", hold / 3),
        "timers connect 1".to_owned(),
        "advertisement-interval 0".to_owned(),
    ];
    if neighbor.passive {
        words.push("passive".to_owned());
    }
    if let Some(password) = &neighbor.password {
        words.push(format!("password {password}"));
    }
    if let Some(hops) = neighbor.ttl_security {
        words.push(format!("ttl-security hops {hops}"));
    } else if let Some(hops) = neighbor.multihop {
        words.push(format!("ebgp-multihop {hops}"));
    }
    if neighbor.bfd {
        words.push("bfd 3 300 300".to_owned());
    }
    if let Some(role) = neighbor.role {
        words.push(format!("local-role {}", super::words::role(role, "rs-server", "rs-client")));
    }
    if neighbor.extended_next_hop {
        words.push("capability extended-nexthop".to_owned());
    }
    if !neighbor.four_octet_as {
        if neighbor.families != [Family::V4] {
            return lack("two-octet session with IPv6");
        }
        words.push("dont-capability-negotiate".to_owned());
    }
    Ok(words.iter().map(|words| format!("neighbor {} {words}", neighbor.address)).collect())
}

fn activation(neighbor: &Neighbor, family: Family) -> Vec<String> {
    if !neighbor.families.contains(&family) {
        return Vec::new();
    }
    let mut words = vec!["activate".to_owned()];
    if neighbor.reflector_client {
        words.push("route-reflector-client".to_owned());
    }
    if neighbor.next_hop_self {
        words.push("next-hop-self".to_owned());
    }
    if let Some(limit) = neighbor.max_prefix {
        words.push(format!("maximum-prefix {limit}"));
    }
    match (neighbor.add_path.receive, neighbor.add_path.send) {
        (_, true) => words.push("addpath-tx-all-paths".to_owned()),
        (true, false) => {}
        (false, false) => words.push("disable-addpath-rx".to_owned()),
    }
    if !neighbor.communities.is_empty() {
        words.push(format!("route-map {} out", map_of(&neighbor.address.to_string())));
    }
    words.iter().map(|words| format!("neighbor {} {words}", neighbor.address)).collect()
}

/// The name of the route map for a prefix or a neighbour.
fn map_of(what: &str) -> String {
    what.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

fn statement(network: &Network) -> String {
    let prefix = network.prefix;
    match network.is_plain() {
        true => format!("network {prefix}"),
        false => format!("network {prefix} route-map {}", map_of(&prefix.to_string())),
    }
}

/// The route map that gives a network its attributes.
fn attributes(network: &Network) -> Result<Vec<String>> {
    let lack = |what| Err(NotOffered { software: Software::Frr, what }.into());
    if !network.attributes.is_empty() {
        return lack("way to write an attribute octet by octet");
    }
    if network.aigp.is_some() {
        return lack("AIGP");
    }
    let mut lines = Vec::new();
    if network.is_plain() {
        return Ok(lines);
    }
    lines.push(format!("route-map {} permit 10", map_of(&network.prefix.to_string())));
    if !network.as_path.is_empty() {
        let path: Vec<String> = network.as_path.iter().map(u32::to_string).collect();
        lines.push(format!("set as-path prepend {}", path.join(" ")));
    }
    if let Some(med) = network.med {
        lines.push(format!("set metric {med}"));
    }
    if let Some(local_pref) = network.local_pref {
        lines.push(format!("set local-preference {local_pref}"));
    }
    match network.next_hop {
        Some(IpAddr::V4(next_hop)) => lines.push(format!("set ip next-hop {next_hop}")),
        Some(IpAddr::V6(next_hop)) => lines.push(format!("set ipv6 next-hop global {next_hop}")),
        None => {}
    }
    if !network.communities.is_empty() {
        lines.push(format!("set community {}", network.communities.join(" ")));
    }
    if !network.large_communities.is_empty() {
        lines.push(format!("set large-community {}", network.large_communities.join(" ")));
    }
    if !network.route_targets.is_empty() {
        lines.push(format!("set extcommunity rt {}", network.route_targets.join(" ")));
    }
    lines.push("exit".to_owned());
    Ok(lines)
}

/// The route maps that add communities to all that goes to a neighbour.
fn outbound(router: &Router) -> Vec<String> {
    let with = router.neighbors.iter().filter(|neighbor| !neighbor.communities.is_empty());
    let map = |neighbor: &Neighbor| {
        let name = map_of(&neighbor.address.to_string());
        let communities = neighbor.communities.join(" ");
        [
            format!("route-map {name} permit 10"),
            format!("set community {communities} additive"),
            "exit".to_owned(),
        ]
    };
    with.flat_map(map).collect()
}

/// What the neighbour offered: FRR marks each with "received".
fn offered(told: &Value) -> BTreeSet<Capability> {
    let received = |value: &Value| value.to_string().to_ascii_lowercase().contains("received");
    let simple = [
        ("4byteAs", Capability::FourOctetAs),
        ("extendedMessage", Capability::ExtendedMessages),
        ("addPath", Capability::AddPath),
        ("role", Capability::Role),
        ("longLivedGracefulRestart", Capability::LongLivedGracefulRestart),
        ("routeRefresh", Capability::RouteRefresh),
        ("enhancedRouteRefresh", Capability::EnhancedRefresh),
        ("gracefulRestart", Capability::GracefulRestart),
        ("extendedNexthop", Capability::ExtendedNextHop),
    ];
    let families = &told["multiprotocolExtensions"];
    let families = [("ipv4Unicast", Capability::Ipv4), ("ipv6Unicast", Capability::Ipv6)]
        .map(|(key, family)| (&families[key], family));
    let simple = simple.map(|(key, capability)| (&told[key], capability));
    let all = simple.into_iter().chain(families);
    all.filter(|(value, _)| received(value)).map(|(_, capability)| capability).collect()
}

fn read_path(prefix: IpNet, path: &Value) -> Heard {
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let list = |value: &Value| -> Vec<String> {
        let all = value["list"].as_array().into_iter().flatten();
        all.filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let mut heard = Heard::new(prefix);
    heard.path_id = number(&path["addpathRxId"]);
    heard.next_hop = path["nexthops"][0]["ip"].as_str().and_then(|text| text.parse().ok());
    heard.as_path = path["aspath"]["string"].as_str().unwrap_or_default().to_owned();
    if heard.as_path == "Local" {
        heard.as_path.clear();
    }
    heard.med = number(&path["metric"]);
    heard.local_pref = number(&path["locPrf"]);
    heard.communities =
        list(&path["community"]).iter().map(|text| words::community(text)).collect();
    heard.large_communities = list(&path["largeCommunity"]).into_iter().collect();
    let extended = path["extendedCommunity"]["string"].as_str().unwrap_or_default();
    heard.extended_communities = extended.split_whitespace().map(words::extended).collect();
    heard.rest = path.to_string();
    heard
}
