//! OpenBGPD by the common description: `bgpd` and its children, a control socket in its
//! folder, and its own `bgpctl` (which is not ours), by which networks are announced.

use super::{
    Capability, Heard, Neighbor, Network, NotOffered, Router, Session, Software, Speaker, words,
};
use crate::{Family, Netns, Proc, Result, must, wait_for};
use anyhow::{Context, bail, ensure};
use ipnet::IpNet;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

pub(super) const BGPD: &str = "/usr/sbin/bgpd";
const BGPCTL: &str = "/usr/sbin/bgpctl";
/// Where its children lock themselves in. The package leaves it to its service to make it.
const CHROOT: &str = "/run/openbgpd";

#[derive(Debug)]
pub(super) struct Running {
    proc: Proc,
    socket: String,
    router: Router,
}

impl Running {
    pub(super) fn start(netns: &Netns, dir: &Path, router: Router) -> Result<Self> {
        let file = dir.join("bgpd.conf");
        let socket = dir.join("bgpd.sock").to_string_lossy().into_owned();
        super::write_config(&file, &config(&router, &socket)?)?;
        must(&["mkdir", "-p", CHROOT])?;
        let argv = [BGPD, "-d", "-f", &file.to_string_lossy()];
        let proc = netns.spawn("bgpd", &argv, &dir.join("bgpd.log"))?;
        let mut running = Self { proc, socket, router };
        wait_for("OpenBGPD to answer", super::START, || {
            running.proc.check_alive()?;
            running.bgpctl(&["show", "summary"]).map(drop)
        })?;
        // Its session engine has the file before its decision engine has: what a neighbour
        // announces in between is judged without it (and reflected without an ORIGINATOR_ID).
        wait_for("OpenBGPD to have read its file", super::START, || {
            ensure!(running.proc.log().contains("RDE reconfigured"), "{}", running.proc.log());
            Ok(())
        })?;
        for network in running.router.networks.clone() {
            running.announce(&network)?;
        }
        for neighbor in &running.router.neighbors {
            running.bgpctl(&["neighbor", &neighbor.address.to_string(), "up"])?;
        }
        Ok(running)
    }

    fn bgpctl(&self, arguments: &[&str]) -> Result<String> {
        let mut all = vec!["-s", &self.socket];
        all.extend_from_slice(arguments);
        super::client(BGPCTL, &all)
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = vec!["-j"];
        all.extend_from_slice(arguments);
        let text = self.bgpctl(&all)?;
        serde_json::from_str(&text).with_context(|| format!("bgpctl {arguments:?}: {text:?}"))
    }
}

impl Speaker for Running {
    fn software(&self) -> Software {
        Software::OpenBgpd
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session> {
        let told = self.json(&["show", "neighbor", &neighbor.to_string()])?;
        let told = &told["neighbors"][0];
        let Some(state) = told["state"].as_str() else { bail!("{told}") };
        Ok(Session {
            established: state == "Established",
            state: state.to_owned(),
            offered: offered(&told["session"]["remote"]["capabilities"]),
        })
    }

    fn heard(&self, neighbor: IpAddr) -> Result<Vec<Heard>> {
        let neighbor = neighbor.to_string();
        let told = self.json(&["show", "rib", "detail", "neighbor", &neighbor])?;
        let read = |path: &Value| read_path(path);
        told["rib"].as_array().into_iter().flatten().map(read).collect()
    }

    fn announce(&mut self, network: &Network) -> Result {
        let arguments = arguments(&self.router, network)?;
        let mut all = vec!["network", "add"];
        all.extend(arguments.iter().map(String::as_str));
        self.bgpctl(&all).map(drop)
    }

    fn withdraw(&mut self, prefix: IpNet) -> Result {
        self.bgpctl(&["network", "delete", &prefix.to_string()]).map(drop)
    }

    fn refresh(&mut self, neighbor: IpAddr, _family: Family) -> Result {
        self.bgpctl(&["neighbor", &neighbor.to_string(), "refresh"]).map(drop)
    }

    fn refreshed(&self, neighbor: IpAddr) -> Result<bool> {
        let told = self.json(&["show", "neighbor", &neighbor.to_string()])?;
        let heard = &told["neighbors"][0]["stats"]["route-refresh"]["received"]["eorr"];
        Ok(heard.as_u64().is_some_and(|count| count >= 1))
    }

    fn reset(&mut self, neighbor: IpAddr, words: &str) -> Result {
        self.bgpctl(&["neighbor", &neighbor.to_string(), "clear", words]).map(drop)
    }

    fn farewell(&self, neighbor: IpAddr) -> Result<String> {
        let told = self.json(&["show", "neighbor", &neighbor.to_string()])?;
        Ok(told.to_string())
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

fn config(router: &Router, socket: &str) -> Result<String> {
    let mut out = format!("AS {}\nrouter-id {}\n", router.asn, router.address);
    writeln!(out, "connect-retry 1\nholdtime {}\nsocket \"{socket}\"", router.hold)?;
    writeln!(out, "fib-update no\nlog updates")?;
    for neighbor in &router.neighbors {
        write_neighbor(&mut out, router, neighbor)?;
    }
    writeln!(out, "allow from any\nallow to any")?;
    for neighbor in &router.neighbors {
        for community in &neighbor.communities {
            writeln!(out, "match to {} set {{ community {community} }}", neighbor.address)?;
        }
    }
    Ok(out)
}

fn write_neighbor(out: &mut String, router: &Router, neighbor: &Neighbor) -> Result {
    let lack = |what| Err(NotOffered { software: Software::OpenBgpd, what }.into());
    if neighbor.bfd {
        return lack("BFD");
    }
    if neighbor.interface.is_some() {
        // It takes one; its decision engine crashes as soon as the session is up (7.7).
        return lack("link-local neighbours");
    }
    if neighbor.extended_messages {
        return lack("extended messages");
    }
    if neighbor.extended_next_hop {
        return lack("IPv6 next hops for IPv4");
    }
    if neighbor.graceful_restart.is_some_and(|restart| restart.long_lived.is_some()) {
        return lack("long-lived graceful restart");
    }
    if neighbor.graceful_restart.is_some_and(|restart| restart.notification) {
        return lack("graceful restart after a NOTIFICATION");
    }
    let yes = |on: bool| if on { "yes" } else { "no" };
    let Neighbor { address, asn, .. } = neighbor;
    writeln!(out, "neighbor {address} {{\n  remote-as {asn}\n  descr \"{address}\"")?;
    // `start` says when.
    writeln!(out, "  down")?;
    writeln!(out, "  local-address {}", router.address_towards(*address))?;
    for (name, family) in [("IPv4", Family::V4), ("IPv6", Family::V6)] {
        let what = if neighbor.families.contains(&family) { "unicast" } else { "none" };
        writeln!(out, "  announce {name} {what}")?;
    }
    if neighbor.passive {
        writeln!(out, "  passive")?;
    }
    if let Some(password) = &neighbor.password {
        writeln!(out, "  tcp md5sig password \"{password}\"")?;
    }
    let over_the_other = |family: &Family| (*family == Family::V4) != address.is_ipv4();
    let hops = neighbor.multihop.or(neighbor.ttl_security.filter(|hops| *hops > 1));
    if *asn != router.asn && neighbor.families.iter().any(over_the_other) {
        // For the family that is not the session's it takes ::1 for its own address. What it
        // is told as a network's next hop it keeps, but on multihop sessions only.
        writeln!(out, "  multihop {}\n  set nexthop no-modify", hops.unwrap_or(2))?;
    } else if let Some(hops) = hops {
        writeln!(out, "  multihop {hops}")?;
    }
    writeln!(out, "  ttl-security {}", yes(neighbor.ttl_security.is_some()))?;
    writeln!(out, "  announce add-path recv {}", yes(neighbor.add_path.receive))?;
    writeln!(
        out,
        "  announce add-path send {}",
        if neighbor.add_path.send { "all" } else { "no" }
    )?;
    writeln!(out, "  announce enhanced refresh yes")?;
    writeln!(out, "  announce as-4byte {}", yes(neighbor.four_octet_as))?;
    if let Some(role) = neighbor.role {
        writeln!(out, "  announce policy {}", words::role(role, "rs", "rs-client"))?;
    }
    if neighbor.reflector_client {
        writeln!(out, "  route-reflector")?;
    }
    if let Some(limit) = neighbor.max_prefix {
        writeln!(out, "  max-prefix {limit}")?;
    }
    if neighbor.next_hop_self {
        writeln!(out, "  set nexthop self")?;
    }
    writeln!(out, "}}")?;
    Ok(())
}

/// The words of its `bgpctl network add`.
fn arguments(router: &Router, network: &Network) -> Result<Vec<String>> {
    let lack = |what| Err(NotOffered { software: Software::OpenBgpd, what }.into());
    if !network.attributes.is_empty() {
        return lack("way to write an attribute octet by octet");
    }
    if network.aigp.is_some() {
        return lack("AIGP");
    }
    if !network.as_path.is_empty() {
        return lack("way to put other AS numbers into a path");
    }
    let mut all = vec![network.prefix.to_string()];
    let mut word = |key: &str, value: String| all.extend([key.to_owned(), value]);
    if let Some(med) = network.med {
        word("med", med.to_string());
    }
    if let Some(local_pref) = network.local_pref {
        word("localpref", local_pref.to_string());
    }
    word("nexthop", router.next_hop(network).to_string());
    for community in &network.communities {
        word("community", community.clone());
    }
    for community in &network.large_communities {
        word("large-community", community.clone());
    }
    for target in &network.route_targets {
        all.extend(["ext-community".to_owned(), "rt".to_owned(), target.clone()]);
    }
    Ok(all)
}

fn offered(told: &Value) -> BTreeSet<Capability> {
    let mut all = BTreeSet::new();
    let simple = [
        ("as4byte", Capability::FourOctetAs),
        ("refresh", Capability::RouteRefresh),
        ("enhanced_refresh", Capability::EnhancedRefresh),
        ("graceful_restart", Capability::GracefulRestart),
        ("add-path", Capability::AddPath),
        ("open_policy_role", Capability::Role),
    ];
    for (key, capability) in simple {
        if !told[key].is_null() && told[key] != Value::Bool(false) {
            all.insert(capability);
        }
    }
    for family in told["multiprotocol"].as_array().into_iter().flatten() {
        match family.as_str() {
            Some("IPv4 unicast") => all.insert(Capability::Ipv4),
            Some("IPv6 unicast") => all.insert(Capability::Ipv6),
            _ => false,
        };
    }
    all
}

fn read_path(path: &Value) -> Result<Heard> {
    let number = |key: &str| path[key].as_u64().and_then(|number| u32::try_from(number).ok());
    let list = |key: &str| -> Vec<String> {
        let all = path[key].as_array().into_iter().flatten();
        all.filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let prefix = path["prefix"].as_str().unwrap_or_default();
    let mut heard = Heard::new(prefix.parse().with_context(|| format!("{path}"))?);
    heard.path_id = number("path_id");
    heard.next_hop = path["exit_nexthop"].as_str().and_then(|text| text.parse().ok());
    heard.as_path = path["aspath"].as_str().unwrap_or_default().to_owned();
    heard.med = number("metric");
    heard.local_pref = number("localpref");
    heard.communities = list("communities").iter().map(|text| words::community(text)).collect();
    heard.large_communities = list("large_communities").into_iter().collect();
    let extended = list("extended_communities");
    heard.extended_communities = extended.iter().map(|text| words::extended(text)).collect();
    heard.rest = path["attributes"].to_string();
    Ok(heard)
}
