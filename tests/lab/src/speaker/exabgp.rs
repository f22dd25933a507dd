//! ExaBGP by the common description. It keeps no table: what it hears it tells a program
//! of ours line by line, as JSON, and what that program says it announces. The program is
//! `sh` with a pipe for our commands and a file for its words; the table is built here.

use super::{
    Capability, Heard, Neighbor, Network, NotOffered, Router, Session, Software, Speaker, words,
};
use crate::{Family, Netns, Proc, Result, must, wait_for};
use anyhow::{Context, ensure};
use ipnet::IpNet;
use rustix::fs::OFlags;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Running {
    proc: Proc,
    router: Router,
    commands: PathBuf,
    words: PathBuf,
}

impl Running {
    pub(super) fn start(netns: &Netns, dir: &Path, router: Router) -> Result<Self> {
        let (commands, told) = (dir.join("commands"), dir.join("words"));
        let (file, program) = (dir.join("exabgp.conf"), dir.join("program"));
        for old in [&commands, &told] {
            std::fs::remove_file(old).ok();
        }
        must(&["mkfifo".as_ref(), commands.as_os_str()])?;
        // Opened for both, the pipe has no end while the program lives.
        let script =
            format!("#!/bin/sh\ncat <>{} &\nexec cat >{}\n", commands.display(), told.display());
        std::fs::write(&program, script)?;
        must(&["chmod".as_ref(), "755".as_ref(), program.as_os_str()])?;
        super::write_config(&file, &config(&router, &program)?)?;
        let bind = format!("exabgp.tcp.bind={} {}", router.address, router.address6);
        let argv = [
            "env",
            "exabgp.daemon.user=root",
            "exabgp.daemon.drop=false",
            // It has a command line of its own, by pipes in a folder of the system.
            "exabgp.api.cli=false",
            "exabgp.api.ack=false",
            &bind,
            "exabgp",
            &file.to_string_lossy(),
        ];
        let proc = netns.spawn("exabgp", &argv, &dir.join("exabgp.log"))?;
        let mut running = Self { proc, router, commands, words: told };
        wait_for("ExaBGP to answer", super::START, || {
            running.proc.check_alive()?;
            ensure!(running.words.exists(), "its program does not run: {}", running.proc.log());
            running.pipe().map(drop)
        })?;
        for network in running.router.networks.clone() {
            running.announce(&network)?;
        }
        Ok(running)
    }

    fn pipe(&self) -> Result<File> {
        // Without a reader this fails instead of waiting for one.
        let flags = i32::try_from(OFlags::NONBLOCK.bits())?;
        let pipe = File::options().write(true).custom_flags(flags).open(&self.commands);
        pipe.context("ExaBGP's program does not read")
    }

    fn command(&self, line: &str) -> Result {
        let mut pipe = self.pipe()?;
        pipe.write_all(format!("{line}\n").as_bytes()).with_context(|| line.to_owned())
    }

    /// Its words so far, whole lines only.
    fn words(&self) -> Result<Vec<Value>> {
        let text = std::fs::read_to_string(&self.words)
            .with_context(|| format!("cannot read {}", self.words.display()))?;
        let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
        // What it says of refreshes is no JSON: `"afi": ""ipv4""`.
        let readable =
            |line: &&str| line.starts_with('{') && !line.contains("\"type\": \"refresh\"");
        let lines = whole.lines().filter(readable);
        lines.map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// What it says of one neighbour, in order.
    fn words_of(&self, neighbor: IpAddr) -> Result<Vec<Value>> {
        let peer = neighbor.to_string();
        let mut all = self.words()?;
        all.retain(|line| line["neighbor"]["address"]["peer"].as_str() == Some(&peer));
        Ok(all)
    }
}

impl Speaker for Running {
    fn software(&self) -> Software {
        Software::ExaBgp
    }

    fn session(&self, neighbor: IpAddr) -> Result<Session> {
        let mut session =
            Session { established: false, state: "down".to_owned(), offered: [].into() };
        for line in self.words_of(neighbor)? {
            let told = &line["neighbor"];
            match line["type"].as_str() {
                Some("state") => {
                    told["state"].as_str().unwrap_or_default().clone_into(&mut session.state);
                    session.established = session.state == "up";
                }
                Some("open") if told["direction"] == "receive" => {
                    let offers = told["open"]["capabilities"].as_object().into_iter().flatten();
                    session.offered =
                        offers.flat_map(|(code, offer)| offered(code, offer)).collect();
                }
                _ => {}
            }
        }
        Ok(session)
    }

    fn heard(&self, neighbor: IpAddr) -> Result<Vec<Heard>> {
        let mut table: BTreeMap<(IpNet, Option<u32>), Heard> = BTreeMap::new();
        for line in self.words_of(neighbor)? {
            let told = &line["neighbor"];
            if line["type"] == "state" && told["state"] == "down" {
                table.clear();
            }
            let update = &told["message"]["update"];
            if line["type"] != "update" || told["direction"] != "receive" {
                continue;
            }
            for family in ["ipv4 unicast", "ipv6 unicast"] {
                for route in update["withdraw"][family].as_array().into_iter().flatten() {
                    table.remove(&key(route)?);
                }
                for (next_hop, routes) in
                    update["announce"][family].as_object().into_iter().flatten()
                {
                    for route in routes.as_array().into_iter().flatten() {
                        let key = key(route)?;
                        table.insert(key, read_path(key, next_hop, &update["attribute"]));
                    }
                }
            }
        }
        Ok(table.into_values().collect())
    }

    fn announce(&mut self, network: &Network) -> Result {
        self.command(&format!("announce route {}", arguments(&self.router, network)?))?;
        let same =
            |other: &Network| (other.prefix, other.path_id) == (network.prefix, network.path_id);
        self.router.networks.retain(|other| !same(other));
        self.router.networks.push(network.clone());
        Ok(())
    }

    fn withdraw(&mut self, prefix: IpNet) -> Result {
        // It withdraws what it finds by all its attributes.
        let position = self.router.networks.iter().position(|network| network.prefix == prefix);
        let network = self.router.networks.remove(position.context("it is not announced")?);
        self.command(&format!("withdraw route {}", arguments(&self.router, &network)?))
    }

    fn refresh(&mut self, _neighbor: IpAddr, family: Family) -> Result {
        self.command(&format!("announce route-refresh {} unicast", words::family(family)))
    }

    fn refreshed(&self, _neighbor: IpAddr) -> Result<bool> {
        Ok(std::fs::read_to_string(&self.words)?.contains("\"subtype\": \"\"end\"\""))
    }

    fn reset(&mut self, _neighbor: IpAddr, _words: &str) -> Result {
        let what = "words for the end of a session";
        Err(NotOffered { software: Software::ExaBgp, what }.into())
    }

    fn farewell(&self, _neighbor: IpAddr) -> Result<String> {
        // It takes a NOTIFICATION that has words for one that it cannot read.
        let what = "reader of words at the end of a session";
        Err(NotOffered { software: Software::ExaBgp, what }.into())
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

fn config(router: &Router, program: &Path) -> Result<String> {
    let mut out = format!("process api {{\n  run {};\n  encoder json;\n}}\n", program.display());
    for neighbor in &router.neighbors {
        write_neighbor(&mut out, router, neighbor)?;
    }
    Ok(out)
}

fn write_neighbor(out: &mut String, router: &Router, neighbor: &Neighbor) -> Result {
    let lack = |what| Err(NotOffered { software: Software::ExaBgp, what }.into());
    if neighbor.bfd {
        return lack("BFD");
    }
    if neighbor.interface.is_some() {
        return lack("link-local neighbour");
    }
    if neighbor.role.is_some() {
        return lack("roles");
    }
    if neighbor.reflector_client || neighbor.max_prefix.is_some() {
        return lack("table");
    }
    if neighbor.graceful_restart.is_some_and(|restart| restart.long_lived.is_some()) {
        return lack("long-lived graceful restart");
    }
    if neighbor.graceful_restart.is_some_and(|restart| restart.notification) {
        return lack("graceful restart after a NOTIFICATION");
    }
    let enable = |on: bool| if on { "enable" } else { "disable" };
    let Neighbor { address, asn, .. } = neighbor;
    writeln!(out, "neighbor {address} {{\n  router-id {};", router.address)?;
    writeln!(out, "  local-address {};", router.address_towards(*address))?;
    writeln!(out, "  local-as {};\n  peer-as {asn};\n  hold-time {};", router.asn, router.hold)?;
    if neighbor.passive {
        writeln!(out, "  passive;")?;
    }
    if let Some(password) = &neighbor.password {
        writeln!(out, "  md5-password \"{password}\";")?;
    }
    if let Some(hops) = neighbor.ttl_security {
        writeln!(out, "  outgoing-ttl 255;\n  incoming-ttl {};", 256 - u16::from(hops))?;
    } else if let Some(hops) = neighbor.multihop {
        writeln!(out, "  outgoing-ttl {hops};")?;
    }
    writeln!(out, "  family {{")?;
    for family in &neighbor.families {
        writeln!(out, "    {} unicast;", words::family(*family))?;
    }
    writeln!(out, "  }}\n  capability {{\n    route-refresh enable;")?;
    writeln!(out, "    asn4 {};", enable(neighbor.four_octet_as))?;
    writeln!(out, "    extended-message {};", enable(neighbor.extended_messages))?;
    if let Some(restart) = neighbor.graceful_restart {
        writeln!(out, "    graceful-restart {};", restart.restart)?;
    }
    let add_path = match (neighbor.add_path.receive, neighbor.add_path.send) {
        (true, true) => "send/receive",
        (true, false) => "receive",
        (false, true) => "send",
        (false, false) => "disable",
    };
    writeln!(out, "    add-path {add_path};")?;
    if neighbor.extended_next_hop {
        writeln!(out, "    nexthop true;\n  }}\n  nexthop {{\n    ipv4 unicast ipv6;")?;
    }
    writeln!(out, "  }}")?;
    if neighbor.add_path.receive || neighbor.add_path.send {
        writeln!(out, "  add-path {{")?;
        for family in &neighbor.families {
            writeln!(out, "    {} unicast;", words::family(*family))?;
        }
        writeln!(out, "  }}")?;
    }
    writeln!(out, "  api {{\n    processes [ api ];\n    neighbor-changes;")?;
    writeln!(out, "    receive {{ parsed; update; open; notification; refresh; }}\n  }}\n}}")?;
    Ok(())
}

/// The words of `announce route`.
fn arguments(router: &Router, network: &Network) -> Result<String> {
    let mut out = format!("{} next-hop {}", network.prefix, router.next_hop(network));
    if let Some(id) = network.path_id {
        write!(out, " path-information {}", std::net::Ipv4Addr::from(id))?;
    }
    if !network.as_path.is_empty() {
        let path: Vec<String> = network.as_path.iter().map(u32::to_string).collect();
        // What it is given it sends: its own number first.
        write!(out, " as-path [ {} {} ]", router.asn, path.join(" "))?;
    }
    if let Some(med) = network.med {
        write!(out, " med {med}")?;
    }
    if let Some(local_pref) = network.local_pref {
        write!(out, " local-preference {local_pref}")?;
    }
    if let Some(aigp) = network.aigp {
        write!(out, " aigp {aigp}")?;
    }
    let mut communities = network.communities.clone();
    communities.extend(router.neighbors.iter().flat_map(|n| n.communities.clone()));
    if !communities.is_empty() {
        write!(out, " community [ {} ]", communities.join(" "))?;
    }
    if !network.large_communities.is_empty() {
        write!(out, " large-community [ {} ]", network.large_communities.join(" "))?;
    }
    if !network.route_targets.is_empty() {
        let targets: Vec<String> =
            network.route_targets.iter().map(|target| format!("target:{target}")).collect();
        write!(out, " extended-community [ {} ]", targets.join(" "))?;
    }
    for attribute in &network.attributes {
        write!(out, " attribute [ 0x{:02x} 0x{:02x} 0x", attribute.code, attribute.flags)?;
        for octet in &attribute.value {
            write!(out, "{octet:02x}")?;
        }
        write!(out, " ]")?;
    }
    Ok(out)
}

/// A capability by its code (IANA).
fn offered(code: &str, offer: &Value) -> Vec<Capability> {
    let simple = match code {
        "1" => {
            let families = offer["families"].to_string();
            let both = [("ipv4/unicast", Capability::Ipv4), ("ipv6/unicast", Capability::Ipv6)];
            let in_use = both.into_iter().filter(|(name, _)| families.contains(name));
            return in_use.map(|(_, capability)| capability).collect();
        }
        "2" => Capability::RouteRefresh,
        "5" => Capability::ExtendedNextHop,
        "6" => Capability::ExtendedMessages,
        "9" => Capability::Role,
        "64" => Capability::GracefulRestart,
        "65" => Capability::FourOctetAs,
        "69" => Capability::AddPath,
        "70" => Capability::EnhancedRefresh,
        "71" => Capability::LongLivedGracefulRestart,
        _ => return Vec::new(),
    };
    vec![simple]
}

/// What a route is told apart by: its prefix and its path identifier, which is written like
/// an address.
fn key(route: &Value) -> Result<(IpNet, Option<u32>)> {
    let text = route["nlri"].as_str().unwrap_or_default();
    let prefix = text.parse().with_context(|| format!("no prefix in {route}"))?;
    let id = route["path-information"].as_str();
    let id = id.and_then(|id| id.parse::<std::net::Ipv4Addr>().ok()).map(u32::from);
    Ok((prefix, id))
}

fn read_path((prefix, path_id): (IpNet, Option<u32>), next_hop: &str, told: &Value) -> Heard {
    let number = |key: &str| told[key].as_u64().and_then(|number| u32::try_from(number).ok());
    // [[64500, 7], [64500, 8]]
    let tuples = |key: &str| -> Vec<String> {
        let all = told[key].as_array().into_iter().flatten();
        let text = |one: &Value| {
            let parts: Vec<String> =
                one.as_array().into_iter().flatten().map(Value::to_string).collect();
            parts.join(":")
        };
        all.map(text).collect()
    };
    let mut heard = Heard::new(prefix);
    heard.path_id = path_id;
    heard.next_hop = next_hop.parse().ok();
    let path: Vec<String> =
        told["as-path"].as_array().into_iter().flatten().map(Value::to_string).collect();
    heard.as_path = path.join(" ");
    heard.med = number("med");
    heard.local_pref = number("local-preference");
    heard.communities = tuples("community").into_iter().collect();
    heard.large_communities = tuples("large-community").into_iter().collect();
    let extended = told["extended-community"].as_array().into_iter().flatten();
    let extended = extended.filter_map(|one| one["string"].as_str());
    heard.extended_communities = extended.map(words::extended).collect();
    heard.rest = told.to_string();
    heard
}
