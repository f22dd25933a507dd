//! BIRD 2 by the common description. [`crate::Bird`] runs it; here are its configuration
//! (written anew and `configure`d at each change) and its answers.

use super::{
    Capability, GracefulRestart, Heard, Neighbor, Network, NotOffered, Router, Session, Software,
    Speaker, words,
};
use crate::{Bird, Family, Netns, Proc, Result};
use anyhow::{Context, bail};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Running {
    bird: Bird,
    file: PathBuf,
    router: Router,
}

impl Running {
    pub(super) fn start(netns: &Netns, dir: &Path, router: Router) -> Result<Self> {
        let recovery: &[&str] = if router.restarting { &["-R"] } else { &[] };
        let bird = Bird::start_with(netns, dir, &config(&router)?, recovery)?;
        Ok(Self { bird, file: dir.join("bird.conf"), router })
    }

    fn configure(&self) -> Result {
        let config = config(&self.router)?;
        std::fs::write(&self.file, config)
            .with_context(|| format!("cannot write {}", self.file.display()))?;
        let said = self.bird.birdc("configure")?;
        if said.contains("Reconfigured") || said.contains("Reconfiguration in progress") {
            return Ok(());
        }
        bail!("BIRD did not reconfigure: {said}")
    }
}

impl Speaker for Running {
    fn software(&self) -> Software {
        Software::Bird
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session> {
        Ok(read_session(&self.bird.birdc(&format!("show protocols all {}", name(neighbor)))?))
    }

    fn heard(&self, neighbor: IpAddr) -> Result<Vec<Heard>> {
        read_routes(&self.bird.birdc(&format!("show route all protocol {}", name(neighbor)))?)
    }

    fn announce(&mut self, network: &Network) -> Result {
        self.router.networks.retain(|other| other.prefix != network.prefix);
        self.router.networks.push(network.clone());
        self.configure()
    }

    fn withdraw(&mut self, prefix: IpNet) -> Result {
        self.router.networks.retain(|other| other.prefix != prefix);
        self.configure()
    }

    fn refresh(&mut self, neighbor: IpAddr, _family: Family) -> Result {
        self.bird.birdc(&format!("reload in {}", name(neighbor))).map(drop)
    }

    fn refreshed(&self, neighbor: IpAddr) -> Result<bool> {
        Ok(self.bird.log().contains(&format!("{}: Got END-OF-RR", name(neighbor))))
    }

    fn reset(&mut self, neighbor: IpAddr, words: &str) -> Result {
        self.bird.birdc_text(&format!("restart {} \"{words}\"", name(neighbor))).map(drop)
    }

    fn farewell(&self, neighbor: IpAddr) -> Result<String> {
        self.bird.birdc(&format!("show protocols all {}", name(neighbor)))
    }

    fn log(&self) -> String {
        self.bird.log()
    }

    fn proc(&mut self) -> &mut Proc {
        self.bird.proc()
    }

    fn into_proc(self: Box<Self>) -> Proc {
        self.bird.into_proc()
    }
}

/// The protocol that speaks with a neighbour.
fn name(neighbor: IpAddr) -> String {
    let text = neighbor.to_string();
    format!("n_{}", text.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

fn config(router: &Router) -> Result<String> {
    let mut out = format!("router id {};\nlog stderr all;\n", router.address);
    writeln!(out, "protocol device {{ scan time 2; }}")?;
    writeln!(out, "protocol direct {{ ipv4; ipv6; }}")?;
    if router.neighbors.iter().any(|neighbor| neighbor.bfd) {
        writeln!(out, "protocol bfd {{")?;
        writeln!(out, "  interface \"*\" {{ interval 300 ms; multiplier 3; }};")?;
        writeln!(out, "  multihop {{ interval 300 ms; multiplier 3; }};\n}}")?;
    }
    for (protocol, family) in [("s4", Family::V4), ("s6", Family::V6)] {
        writeln!(out, "protocol static {protocol} {{\n  {};", words::family(family))?;
        for network in router.networks.iter().filter(|network| network.family() == family) {
            write_network(&mut out, network)?;
        }
        writeln!(out, "}}")?;
    }
    for neighbor in &router.neighbors {
        write_neighbor(&mut out, router, neighbor)?;
    }
    Ok(out)
}

fn write_network(out: &mut String, network: &Network) -> Result {
    if !network.attributes.is_empty() {
        let what = "way to write an attribute octet by octet";
        return Err(NotOffered { software: Software::Bird, what }.into());
    }
    writeln!(out, "  route {} blackhole {{", network.prefix)?;
    for asn in network.as_path.iter().rev() {
        writeln!(out, "    bgp_path.prepend({asn});")?;
    }
    if let Some(local_pref) = network.local_pref {
        writeln!(out, "    bgp_local_pref = {local_pref};")?;
    }
    if let Some(aigp) = network.aigp {
        // What the channel makes the attribute from.
        writeln!(out, "    igp_metric = {aigp};")?;
    }
    if let Some(next_hop) = network.next_hop {
        writeln!(out, "    bgp_next_hop = {next_hop};")?;
    }
    let tuple = |text: &str| text.replace(':', ",");
    for community in &network.communities {
        writeln!(out, "    bgp_community.add(({}));", tuple(community))?;
    }
    for community in &network.large_communities {
        writeln!(out, "    bgp_large_community.add(({}));", tuple(community))?;
    }
    for target in &network.route_targets {
        writeln!(out, "    bgp_ext_community.add((rt,{}));", tuple(target))?;
    }
    writeln!(out, "  }};")?;
    Ok(())
}

fn write_neighbor(out: &mut String, router: &Router, neighbor: &Neighbor) -> Result {
    let Neighbor { address, asn, .. } = neighbor;
    let yes = |on: bool| if on { "on" } else { "off" };
    writeln!(out, "protocol bgp {} {{", name(*address))?;
    match &neighbor.interface {
        Some(_) => writeln!(out, "  local as {};", router.asn)?,
        None => {
            writeln!(out, "  local {} as {};", router.address_towards(*address), router.asn)?;
        }
    }
    writeln!(out, "  neighbor {} as {asn};", neighbor.place())?;
    // The log is where it says which messages came.
    writeln!(out, "  debug {{ states, events, packets }};")?;
    writeln!(out, "  connect delay time 1; connect retry time 1; error wait time 1, 2;")?;
    writeln!(out, "  hold time {};", router.hold)?;
    if neighbor.passive {
        writeln!(out, "  passive on;")?;
    }
    if let Some(password) = &neighbor.password {
        writeln!(out, "  password \"{password}\";")?;
    }
    if let Some(hops) = neighbor.multihop.or(neighbor.ttl_security.filter(|hops| *hops > 1)) {
        writeln!(out, "  multihop {hops};")?;
    }
    if neighbor.ttl_security.is_some() {
        writeln!(out, "  ttl security on;")?;
    }
    if neighbor.bfd {
        writeln!(out, "  bfd on;")?;
    }
    if neighbor.reflector_client {
        writeln!(out, "  rr client;")?;
    }
    if let Some(role) = neighbor.role {
        writeln!(out, "  local role {};", words::role(role, "rs_server", "rs_client"))?;
    }
    writeln!(out, "  enable extended messages {};", yes(neighbor.extended_messages))?;
    writeln!(out, "  enable as4 {};", yes(neighbor.four_octet_as))?;
    match neighbor.graceful_restart {
        Some(GracefulRestart { notification: true, .. }) => {
            let what = "graceful restart after a NOTIFICATION";
            return Err(NotOffered { software: Software::Bird, what }.into());
        }
        Some(GracefulRestart { restart, long_lived, notification: false }) => {
            writeln!(out, "  graceful restart on; graceful restart time {restart};")?;
            if let Some(stale) = long_lived {
                writeln!(out, "  long lived graceful restart on;")?;
                writeln!(out, "  long lived stale time {stale};")?;
            }
        }
        None => writeln!(out, "  graceful restart aware;")?,
    }
    for family in &neighbor.families {
        writeln!(out, "  {} {{", words::family(*family))?;
        writeln!(out, "    import all;\n    export filter {{")?;
        for community in &neighbor.communities {
            writeln!(out, "      bgp_community.add(({}));", community.replace(':', ","))?;
        }
        // To other ASes it sends the metric that its export filter sets, and no other.
        for network in router.networks.iter().filter(|network| network.family() == *family) {
            if let Some(med) = network.med {
                writeln!(out, "      if net = {} then bgp_med = {med};", network.prefix)?;
            }
        }
        writeln!(out, "      if source != RTS_DEVICE then accept; reject;\n    }};")?;
        let own: IpAddr = match family {
            Family::V4 => router.address.into(),
            Family::V6 => router.address6.into(),
        };
        let over_the_other = own.is_ipv4() != address.is_ipv4();
        if over_the_other && !(neighbor.extended_next_hop && *family == Family::V4) {
            writeln!(out, "    next hop address {own};")?;
        }
        if neighbor.next_hop_self {
            writeln!(out, "    next hop self;")?;
        }
        if neighbor.extended_next_hop && *family == Family::V4 {
            writeln!(out, "    extended next hop on;")?;
        }
        if let Some(limit) = neighbor.max_prefix {
            writeln!(out, "    receive limit {limit} action disable;")?;
        }
        let add_path = match (neighbor.add_path.receive, neighbor.add_path.send) {
            (true, true) => "on",
            (true, false) => "rx",
            (false, true) => "tx",
            (false, false) => "off",
        };
        writeln!(out, "    add paths {add_path};")?;
        if router.networks.iter().any(|network| network.aigp.is_some()) {
            writeln!(out, "    aigp originate;")?;
        }
        writeln!(out, "  }};")?;
    }
    writeln!(out, "}}")?;
    Ok(())
}

fn read_session(text: &str) -> Session {
    let value = |key: &str| {
        let found = text.lines().find_map(|line| line.trim().strip_prefix(key));
        found.map(str::trim).unwrap_or_default().to_owned()
    };
    let state = value("BGP state:");
    let mut offered = BTreeSet::new();
    let section = text.split("Neighbor capabilities").nth(1).unwrap_or_default();
    for line in section.lines().take_while(|line| !line.trim_start().starts_with("Session:")) {
        let capability = match line.trim() {
            "Route refresh" => Capability::RouteRefresh,
            "Enhanced refresh" => Capability::EnhancedRefresh,
            "4-octet AS numbers" => Capability::FourOctetAs,
            "Extended message" => Capability::ExtendedMessages,
            "ADD-PATH" => Capability::AddPath,
            "Extended next hop" => Capability::ExtendedNextHop,
            "Graceful restart" => Capability::GracefulRestart,
            "Long-lived graceful restart" => Capability::LongLivedGracefulRestart,
            line if line.starts_with("Role:") => Capability::Role,
            line if line.starts_with("AF announced:") => {
                if line.contains("ipv4") {
                    offered.insert(Capability::Ipv4);
                }
                if line.contains("ipv6") {
                    offered.insert(Capability::Ipv6);
                }
                continue;
            }
            _ => continue,
        };
        offered.insert(capability);
    }
    Session { established: state == "Established", state, offered }
}

/// Paths: a line with the prefix (blank for a further path of the same), then attributes,
/// indented by a tab.
fn read_routes(text: &str) -> Result<Vec<Heard>> {
    let mut all: Vec<Heard> = Vec::new();
    for line in text.lines() {
        if let Some(line) = line.strip_prefix('\t') {
            let Some(heard) = all.last_mut() else { continue };
            read_attribute(heard, line);
        } else if line.contains('[') {
            let first = line.split_whitespace().next().unwrap_or_default();
            let prefix = match (line.starts_with(' '), all.last()) {
                (true, Some(last)) => last.prefix,
                _ => first.parse().with_context(|| format!("no prefix in {line:?}"))?,
            };
            all.push(Heard::new(prefix));
        }
    }
    Ok(all)
}

fn read_attribute(heard: &mut Heard, line: &str) {
    let Some((key, value)) = line.split_once(':') else { return };
    let value = value.trim();
    // "(64500,7) (64500,8)", "(64500, 1, 2)", "(rt, 64500, 9)"
    let lists = || {
        let parts = value.split(')').map(|part| part.trim().trim_start_matches('('));
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(|part| part.replace(' ', "").replace(',', ":")).collect::<BTreeSet<_>>()
    };
    match key.trim() {
        "BGP.as_path" => value.clone_into(&mut heard.as_path),
        // The global address, then a link-local one.
        "BGP.next_hop" => {
            heard.next_hop = value.split_whitespace().next().and_then(|word| word.parse().ok());
        }
        "BGP.med" => heard.med = value.parse().ok(),
        "BGP.local_pref" => heard.local_pref = value.parse().ok(),
        "BGP.community" => heard.communities = lists(),
        "BGP.large_community" => heard.large_communities = lists(),
        "BGP.ext_community" => heard.extended_communities = lists(),
        _ => {
            heard.rest.push_str(line.trim());
            heard.rest.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_with_all_paths() {
        let text = "Table master4:
198.51.103.0/24      unicast [exa 02:40:07.571 from 10.50.0.5] * (100) [AS64999i]
\tvia 10.50.0.5 on net0
\tBGP.as_path: 65005 64999
\tBGP.next_hop: 10.50.0.5
\tBGP.med: 7
\tBGP.community: (65005,1) (65535,65281)
\tBGP.ext_community: (rt, 65005, 9)
\tBGP.large_community: (65005, 1, 2)
\tBGP.c8 [t]: 63 61
                     unicast [exa 02:40:07.571 from 10.50.0.5] (100) [AS64999i]
\tBGP.as_path: 65005
";
        let all = read_routes(text).unwrap();
        assert_eq!(all.len(), 2);
        let first = all.first().unwrap();
        assert_eq!(first.as_path, "65005 64999");
        assert_eq!(first.med, Some(7));
        assert_eq!(first.communities, ["65005:1", "65535:65281"].map(str::to_owned).into());
        assert_eq!(first.extended_communities, ["rt:65005:9".to_owned()].into());
        assert_eq!(first.large_communities, ["65005:1:2".to_owned()].into());
        assert!(first.rest.contains("63 61"), "{}", first.rest);
        assert_eq!(all.last().unwrap().prefix, first.prefix);
    }
}
