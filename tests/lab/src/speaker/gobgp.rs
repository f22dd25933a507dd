//! GoBGP by the common description: one daemon, a gRPC socket in its folder, and its client
//! `gobgp`, by which networks are announced also at the start (its file has none).

use super::{
    Capability, Heard, Neighbor, Network, NotOffered, Router, Session, Software, Speaker, words,
};
use crate::{Family, Netns, Proc, Result, wait_for};
use anyhow::Context;
use ipnet::IpNet;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

#[derive(Debug)]
pub(super) struct Running {
    proc: Proc,
    target: String,
    router: Router,
}

impl Running {
    pub(super) fn start(netns: &Netns, dir: &Path, router: Router) -> Result<Self> {
        let (file, socket) = (dir.join("gobgpd.toml"), dir.join("gobgpd.sock"));
        super::write_config(&file, &config(&router)?)?;
        // A socket that a crashed predecessor left is in the way.
        std::fs::remove_file(&socket).ok();
        let target = format!("unix://{}", socket.display());
        let (file, hosts) = (file.to_string_lossy(), format!("--api-hosts={target}"));
        let mut argv = vec!["gobgpd", "-f", &file, "-p", &hosts, "--pprof-disable"];
        if router.restarting {
            argv.push("-r");
        }
        let proc = netns.spawn("gobgpd", &argv, &dir.join("gobgpd.log"))?;
        let mut running = Self { proc, target, router };
        wait_for("gobgpd to answer", super::START, || {
            running.proc.check_alive()?;
            running.gobgp(&["global"]).map(drop)
        })?;
        for network in running.router.networks.clone() {
            running.announce(&network)?;
        }
        Ok(running)
    }

    fn gobgp(&self, arguments: &[&str]) -> Result<String> {
        let mut all = vec!["--target", &self.target];
        all.extend_from_slice(arguments);
        super::client("gobgp", &all)
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = arguments.to_vec();
        all.push("-j");
        let text = self.gobgp(&all)?;
        // An empty table is said in words.
        if !text.starts_with(['{', '[']) {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("gobgp {arguments:?}: {text:?}"))
    }
}

impl Speaker for Running {
    fn software(&self) -> Software {
        Software::GoBgp
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session> {
        let told = self.json(&["neighbor", &self.router.place(neighbor)])?;
        // The numbers of RFC 4271's states, from Idle = 1.
        let state = told["state"]["session_state"].as_u64().unwrap_or_default();
        let names =
            ["unknown", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"];
        let name = usize::try_from(state).ok().and_then(|index| names.get(index));
        Ok(Session {
            established: state == 6,
            state: name.map_or_else(|| state.to_string(), |name| (*name).to_owned()),
            offered: offered(&told["state"]["remote_cap"]),
        })
    }

    fn heard(&self, neighbor: IpAddr) -> Result<Vec<Heard>> {
        let mut all = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let told =
                self.json(&["neighbor", &self.router.place(neighbor), "adj-in", "-a", family])?;
            for (prefix, paths) in told.as_object().into_iter().flatten() {
                for path in paths.as_array().into_iter().flatten() {
                    all.push(read_path(prefix.parse()?, path));
                }
            }
        }
        Ok(all)
    }

    fn announce(&mut self, network: &Network) -> Result {
        let arguments = arguments(&self.router, network)?;
        let mut all = vec!["global", "rib", "-a", words::family(network.family()), "add"];
        all.extend(arguments.iter().map(String::as_str));
        self.gobgp(&all).map(drop)
    }

    fn withdraw(&mut self, prefix: IpNet) -> Result {
        let family = words::family(Network::new(&prefix.to_string())?.family());
        self.gobgp(&["global", "rib", "-a", family, "del", &prefix.to_string()]).map(drop)
    }

    fn refresh(&mut self, _neighbor: IpAddr, _family: Family) -> Result {
        // `softresetin` reads its own Adj-RIB-In again and asks nobody.
        let what = "command that asks for routes again";
        Err(NotOffered { software: Software::GoBgp, what }.into())
    }

    fn refreshed(&self, _neighbor: IpAddr) -> Result<bool> {
        let what = "enhanced refresh";
        Err(NotOffered { software: Software::GoBgp, what }.into())
    }

    fn reset(&mut self, neighbor: IpAddr, words: &str) -> Result {
        self.gobgp(&["neighbor", &self.router.place(neighbor), "reset", "--reason", words])
            .map(drop)
    }

    fn farewell(&self, _neighbor: IpAddr) -> Result<String> {
        Ok(self.proc.log())
    }

    fn log(&self) -> String {
        self.proc.log()
    }

    fn proc(&mut self) -> &mut Proc {
        &mut self.proc
    }

    fn into_proc(self: Box<Self>) -> Proc {
        self.proc
    }
}

fn config(router: &Router) -> Result<String> {
    let mut out = String::new();
    writeln!(out, "[global.config]\nas = {}\nrouter-id = \"{}\"", router.asn, router.address)?;
    for neighbor in &router.neighbors {
        write_neighbor(&mut out, router, neighbor)?;
    }
    Ok(out)
}

fn write_neighbor(out: &mut String, router: &Router, neighbor: &Neighbor) -> Result {
    let lack = |what| Err(NotOffered { software: Software::GoBgp, what }.into());
    if neighbor.bfd {
        return lack("BFD");
    }
    if neighbor.role.is_some() {
        return lack("roles");
    }
    if neighbor.extended_messages {
        return lack("extended messages");
    }
    if !neighbor.four_octet_as {
        return lack("two-octet session");
    }
    let Neighbor { address, asn, .. } = neighbor;
    writeln!(out, "[[neighbors]]\n[neighbors.config]")?;
    writeln!(out, "neighbor-address = \"{}\"\npeer-as = {asn}", neighbor.place())?;
    if let Some(password) = &neighbor.password {
        writeln!(out, "auth-password = \"{password}\"")?;
    }
    writeln!(out, "[neighbors.timers.config]\nconnect-retry = 1\nhold-time = {}", router.hold)?;
    writeln!(out, "keepalive-interval = {}\nidle-hold-time-after-reset = 1", router.hold / 3)?;
    writeln!(out, "[neighbors.transport.config]\npassive-mode = {}", neighbor.passive)?;
    if neighbor.interface.is_none() {
        writeln!(out, "local-address = \"{}\"", router.address_towards(*address))?;
    }
    if let Some(hops) = neighbor.ttl_security {
        let least = 256 - u16::from(hops);
        writeln!(out, "[neighbors.ttl-security.config]\nenabled = true\nttl-min = {least}")?;
    } else if let Some(hops) = neighbor.multihop {
        writeln!(out, "[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = {hops}")?;
    }
    if neighbor.reflector_client {
        writeln!(out, "[neighbors.route-reflector.config]\nroute-reflector-client = true")?;
        writeln!(out, "route-reflector-cluster-id = \"{}\"", router.address)?;
    }
    writeln!(out, "[neighbors.add-paths.config]\nreceive = {}", neighbor.add_path.receive)?;
    if neighbor.add_path.send {
        writeln!(out, "send-max = 8")?;
    }
    if let Some(restart) = neighbor.graceful_restart {
        writeln!(out, "[neighbors.graceful-restart.config]\nenabled = true")?;
        writeln!(out, "restart-time = {}", restart.restart)?;
        writeln!(out, "notification-enabled = {}", restart.notification)?;
        writeln!(out, "long-lived-enabled = {}", restart.long_lived.is_some())?;
    }
    for family in &neighbor.families {
        writeln!(out, "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]")?;
        writeln!(out, "afi-safi-name = \"{}-unicast\"", words::family(*family))?;
        if let Some(limit) = neighbor.max_prefix {
            writeln!(out, "[neighbors.afi-safis.prefix-limit.config]\nmax-prefixes = {limit}")?;
        }
        if let Some(restart) = neighbor.graceful_restart {
            writeln!(out, "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true")?;
            if let Some(stale) = restart.long_lived {
                writeln!(out, "[neighbors.afi-safis.long-lived-graceful-restart.config]")?;
                writeln!(out, "enabled = true\nrestart-time = {stale}")?;
            }
        }
    }
    Ok(())
}

/// The words of `gobgp global rib add`.
fn arguments(router: &Router, network: &Network) -> Result<Vec<String>> {
    if !network.attributes.is_empty() {
        let what = "way to write an attribute octet by octet";
        return Err(NotOffered { software: Software::GoBgp, what }.into());
    }
    let mut all = vec![network.prefix.to_string()];
    let mut word = |key: &str, value: String| {
        all.extend(key.split(' ').map(str::to_owned).chain([value]));
    };
    word("nexthop", router.next_hop(network).to_string());
    word("origin", "igp".to_owned());
    if !network.as_path.is_empty() {
        let path: Vec<String> = network.as_path.iter().map(u32::to_string).collect();
        word("aspath", path.join(","));
    }
    if let Some(med) = network.med {
        word("med", med.to_string());
    }
    if let Some(local_pref) = network.local_pref {
        word("local-pref", local_pref.to_string());
    }
    if let Some(aigp) = network.aigp {
        word("aigp metric", aigp.to_string());
    }
    let mut communities = network.communities.clone();
    // What is added towards a neighbour is added here at the source.
    communities.extend(router.neighbors.iter().flat_map(|n| n.communities.clone()));
    if !communities.is_empty() {
        word("community", communities.join(","));
    }
    if !network.large_communities.is_empty() {
        word("large-community", network.large_communities.join(","));
    }
    for target in &network.route_targets {
        word("rt", target.clone());
    }
    Ok(all)
}

/// The names of the messages in which GoBGP keeps the neighbour's capabilities.
fn offered(told: &Value) -> BTreeSet<Capability> {
    let mut all = BTreeSet::new();
    for capability in told.as_array().into_iter().flatten() {
        let name = capability["type_url"].as_str().unwrap_or_default();
        let name = name.rsplit('.').next().unwrap_or_default();
        all.insert(match (name, capability["value"].as_str().unwrap_or_default()) {
            // AFI 1 or 2, SAFI 1, as protobuf in base64.
            ("MultiProtocolCapability", "CgQIARAB") => Capability::Ipv4,
            ("MultiProtocolCapability", "CgQIAhAB") => Capability::Ipv6,
            ("RouteRefreshCapability", _) => Capability::RouteRefresh,
            ("EnhancedRouteRefreshCapability", _) => Capability::EnhancedRefresh,
            ("FourOctetASNCapability", _) => Capability::FourOctetAs,
            // The code of one that it has no message for.
            ("UnknownCapability", "CAY=") => Capability::ExtendedMessages,
            ("UnknownCapability", code) if code.starts_with("CAk") => Capability::Role,
            ("AddPathCapability", _) => Capability::AddPath,
            ("ExtendedNexthopCapability", _) => Capability::ExtendedNextHop,
            ("GracefulRestartCapability", _) => Capability::GracefulRestart,
            ("LongLivedGracefulRestartCapability", _) => Capability::LongLivedGracefulRestart,
            _ => continue,
        });
    }
    all
}

fn read_path(prefix: IpNet, path: &Value) -> Heard {
    let mut heard = Heard::new(prefix);
    let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let every = |value: &Value| value.as_array().cloned().unwrap_or_default();
    heard.path_id = number(&path["nlri"]["id"]).or(number(&path["id"]));
    for attribute in every(&path["attrs"]) {
        let value = &attribute["value"];
        let address = || attribute["nexthop"].as_str().and_then(|text| text.parse().ok());
        match attribute["type"].as_u64() {
            Some(1) => {}
            Some(2) => {
                let segments = every(&attribute["as_paths"]);
                let numbers = segments.iter().flat_map(|segment| every(&segment["asns"]));
                let numbers: Vec<String> = numbers.map(|asn| asn.to_string()).collect();
                heard.as_path = numbers.join(" ");
            }
            Some(3 | 14) => heard.next_hop = address(),
            Some(4) => heard.med = number(&attribute["metric"]),
            Some(5) => heard.local_pref = number(value),
            Some(8) => {
                let all = every(&attribute["communities"]);
                let all = all.iter().filter_map(Value::as_u64);
                heard.communities = all.map(words::community_of).collect();
            }
            Some(16) => {
                let kind = |one: &Value| match one["subtype"].as_u64() {
                    Some(2) => "rt",
                    _ => "other",
                };
                let text = |one: &Value| {
                    one["value"].as_str().map(|value| format!("{}:{value}", kind(one)))
                };
                heard.extended_communities = every(value).iter().filter_map(text).collect();
            }
            Some(32) => {
                let text = |one: &Value| {
                    format!("{}:{}:{}", one["ASN"], one["LocalData1"], one["LocalData2"])
                };
                heard.large_communities = every(value).iter().map(text).collect();
            }
            _ => {
                heard.rest.push_str(&attribute.to_string());
                heard.rest.push('\n');
            }
        }
    }
    heard
}
