//! Nodes with a pod each, racks, and one gateway between the racks.
//!
//! In: a [`Plan`]. Out: a [`Topology`] of namespaces, and the questions that every story
//! asks it: do the kernels hold these routes, do pods reach pods (`wire.rs`: and how).

use super::Driver;
use crate::process::last_lines;
use crate::{
    Family, Lab, Netns, Pod, Result, Stage, Starling, Switch, ping, prepare_tunnel, routes,
    wait_for,
};
use anyhow::{Context, bail};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a network may take to converge: an emulated machine is slow.
const CONVERGENCE: Duration = Duration::from_secs(90);
/// How long an answer may take that nothing but an empty ARP table stands in the way of.
const ANSWER: Duration = Duration::from_secs(60);

/// A network on paper.
#[derive(Debug)]
pub struct Plan {
    /// One bridge a rack: its name, and the gateway's address with prefix length.
    pub racks: &'static [(&'static str, &'static str)],
    /// The gateway's name; its legs are eth0, eth1 … in the order of the racks.
    pub gateway: &'static str,
    /// The nodes' interface.
    pub device: &'static str,
    /// The nodes.
    pub nodes: &'static [NodePlan],
    /// The MTU of a pod's interface.
    pub pod_mtu: u32,
}

/// A node on paper.
#[derive(Debug)]
pub struct NodePlan {
    /// Its name, also in the configuration.
    pub name: &'static str,
    /// Index of its rack.
    pub rack: usize,
    /// Its address with prefix length.
    pub address: &'static str,
    /// Its pod's address.
    pub pod: &'static str,
    /// The prefix length that the pod believes in.
    pub pod_length: u8,
    /// The host's end of the pod's veth pair.
    pub pod_device: &'static str,
    /// The module ipip has brought it a `tunl0`, as it does everywhere by default.
    pub module_tunnel: bool,
}

impl NodePlan {
    /// A node with a pod on `cali1`, and the module's `tunl0`.
    #[must_use]
    pub const fn new(
        name: &'static str,
        rack: usize,
        address: &'static str,
        pod: &'static str,
    ) -> Self {
        let (pod_length, pod_device) = (32, "cali1");
        Self { name, rack, address, pod, pod_length, pod_device, module_tunnel: true }
    }
}

/// A node, up.
#[derive(Debug)]
pub struct Node {
    /// The daemon, once started.
    pub starling: Option<Starling>,
    /// Its pod.
    pub pod: Pod,
    /// The host itself.
    pub host: Netns,
    /// Its address.
    pub address: Ipv4Addr,
}

/// A network, up. Dropping it takes it down, daemons first.
#[derive(Debug)]
pub struct Topology {
    /// In the order of the plan.
    pub nodes: Vec<Node>,
    /// The router between the racks, and everybody's default gateway.
    pub gateway: Netns,
    /// The bridges.
    pub switch: Switch,
    /// The configuration that all nodes share.
    pub config: PathBuf,
    /// Names and files.
    pub lab: Lab,
    driver: Driver,
}

impl Topology {
    /// Makes namespaces, bridges, hosts and pods, and writes the configuration `config`.
    ///
    /// # Errors
    /// When `ip` fails, in its words.
    pub fn build(lab: Lab, driver: Driver, plan: &Plan, config: &str) -> Result<Self> {
        let switch = Switch::new(&lab)?;
        let gateway = lab.netns(plan.gateway)?;
        gateway.sysctl("net/ipv4/ip_forward", "1")?;
        for (leg, (bridge, address)) in plan.racks.iter().enumerate() {
            switch.bridge(bridge)?;
            let device = format!("eth{leg}");
            let address = format!("address add {address} dev {device}");
            switch.plug(bridge, &gateway, &device, &[address])?;
        }
        let mut nodes = Vec::new();
        for node in plan.nodes {
            let (bridge, via) = plan.racks.get(node.rack).context("a node in no rack")?;
            let host = match node.module_tunnel {
                true => lab.netns(node.name)?,
                false => lab.netns_without_tunl0(node.name)?,
            };
            let lines = [
                format!("address add {} dev {}", node.address, plan.device),
                format!("route add default via {} dev {}", without_length(via), plan.device),
            ];
            switch.plug(bridge, &host, plan.device, &lines)?;
            let pod = Pod::new(
                &lab,
                &host,
                node.pod.parse().context("a pod's address")?,
                node.pod_length,
                node.pod_device,
                plan.pod_mtu,
            )?;
            let address = without_length(node.address).parse().context("a node's address")?;
            nodes.push(Node { starling: None, pod, host, address });
        }
        let file = lab.dir().join("cluster.toml");
        std::fs::write(&file, config)
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self { nodes, gateway, switch, config: file, lab, driver })
    }

    /// The node with this index of the plan.
    ///
    /// # Errors
    /// When the plan has no such node.
    pub fn node(&self, index: usize) -> Result<&Node> {
        self.nodes.get(index).with_context(|| format!("the plan has no node {index}"))
    }

    /// True if daemons write the routes.
    #[must_use]
    pub fn has_daemons(&self) -> bool {
        matches!(self.driver, Driver::Starling(_))
    }

    /// Starts the daemon on every node, or writes `expected` by hand.
    ///
    /// # Errors
    /// When a daemon does not start, or `ip` refuses a route.
    pub fn start(&mut self, stage: &Stage, expected: &[&[&str]]) -> Result {
        if !self.has_daemons() {
            return self.write_by_hand(stage, expected);
        }
        stage.step("starting starlingd on every node");
        for at in 0..self.nodes.len() {
            self.launch(at)?;
        }
        for node in &mut self.nodes {
            if let Some(starling) = &mut node.starling {
                starling.wait_ready()?;
            }
        }
        Ok(())
    }

    /// Starts the daemon of one node, and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_one(&mut self, at: usize) -> Result {
        self.launch(at)?;
        let node = self.nodes.get_mut(at).and_then(|node| node.starling.as_mut());
        node.with_context(|| format!("no daemon on node {at}"))?.wait_ready()
    }

    fn launch(&mut self, at: usize) -> Result {
        let Driver::Starling(binaries) = &self.driver else { bail!("there are no daemons here") };
        let node = self.nodes.get_mut(at).with_context(|| format!("the plan has no node {at}"))?;
        let name = node.host.host();
        let dir = self.lab.subdir(name)?;
        node.starling = Some(Starling::start(binaries, &node.host, name, &self.config, &dir)?);
        Ok(())
    }

    /// Gives all nodes another configuration, by a reload.
    ///
    /// # Errors
    /// When it cannot be written, or a daemon rejects it.
    pub fn reconfigure(&self, config: &str) -> Result {
        std::fs::write(&self.config, config).context("cannot edit the configuration")?;
        for starling in self.nodes.iter().filter_map(|node| node.starling.as_ref()) {
            starling.bgpctl(&["reload"])?;
        }
        Ok(())
    }

    /// Writes the routes with `ip route replace`, as somebody without a daemon would.
    ///
    /// # Errors
    /// When `ip` refuses one.
    pub fn write_by_hand(&self, stage: &Stage, expected: &[&[&str]]) -> Result {
        stage.step("writing the routes by hand");
        for (node, lines) in self.nodes.iter().zip(expected) {
            if lines.iter().any(|line| line.contains("tunl0")) {
                prepare_tunnel(&node.host, 1480)?;
            }
            let replace = lines.iter().map(|line| format!("route replace {line}"));
            node.host.ip_lines(&replace.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Waits until every node's kernel holds exactly `expected` with `proto bird`, one
    /// check a node.
    pub fn check_routes(&self, stage: &mut Stage, expected: &[&[&str]]) {
        let start = Instant::now();
        let wanted: usize = expected.iter().map(|lines| lines.len()).sum();
        let mut shown = usize::MAX;
        loop {
            let held: Vec<Vec<String>> =
                self.nodes.iter().map(|node| bird_routes(&node.host).unwrap_or_default()).collect();
            let nodes = || held.iter().zip(expected);
            let present: usize = nodes()
                .map(|(held, lines)| {
                    lines.iter().filter(|line| held.iter().any(|route| route == *line)).count()
                })
                .sum();
            if present != shown {
                shown = present;
                stage.step(&format!("kernel routes in place: {present} of {wanted}"));
            }
            let exact = present == wanted && nodes().all(|(held, lines)| held.len() == lines.len());
            if exact || start.elapsed() > CONVERGENCE {
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        stage.step(&format!("that took {:.1} s", start.elapsed().as_secs_f64()));
        for (node, lines) in self.nodes.iter().zip(expected) {
            let plural = if lines.len() == 1 { "" } else { "s" };
            let what =
                format!("{} holds exactly its {} route{plural}", node.host.host(), lines.len());
            if stage.check(&what, holds(node, lines)).is_none() {
                self.explain(stage, node);
            }
        }
    }

    /// Every pod reaches every other; `shown` are the pairs of indices whose pings a
    /// person sees.
    pub fn check_pods_reach_pods(&self, stage: &mut Stage, shown: &[(usize, usize)]) {
        for (i, from) in self.nodes.iter().enumerate() {
            for (j, to) in self.nodes.iter().enumerate().skip(i + 1) {
                if let Some(words) = self.check_ping(stage, from, to)
                    && shown.contains(&(i, j))
                {
                    let (pod, address) = (from.pod.netns.name(), to.pod.address);
                    stage.show(&format!("ip netns exec {pod} ping {address}"), &words);
                }
            }
        }
    }

    /// The pod of `from` reaches the pod of `to` and hears its answers; gives the words of
    /// `ping`.
    pub fn check_ping(&self, stage: &mut Stage, from: &Node, to: &Node) -> Option<String> {
        let address = to.pod.address;
        let what =
            format!("pod of {} pings pod of {} ({address})", from.host.host(), to.host.host());
        // The first packet may meet an ARP table that is still empty.
        let outcome = wait_for("every reply", ANSWER, || {
            ping(&from.pod.netns, address.into(), 3)?.complete()
        });
        let ping = stage.check(&what, outcome);
        if ping.is_none() {
            self.explain(stage, from);
            self.explain(stage, to);
        }
        ping.map(|ping| ping.text)
    }

    /// Everything about a node that helps to understand a failure.
    pub fn explain(&self, stage: &Stage, node: &Node) {
        let name = node.host.host();
        for words in ["-4 route show", "-brief address"] {
            let text = node.host.ip_line(words).unwrap_or_else(|error| format!("{error:#}"));
            stage.explain(&format!("ip {words} of {name}"), &text);
        }
        if let Some(starling) = &node.starling {
            for question in ["summary", "routes"] {
                let text = starling
                    .bgpctl(&["show", question])
                    .unwrap_or_else(|error| format!("{error:#}"));
                stage.explain(&format!("bgpctl show {question} on {name}"), &text);
            }
            stage.explain(&format!("log of {name}"), &last_lines(&starling.log(), 25));
        }
    }

    /// What a person wants to see of the first node: Starling's view and the kernel's.
    pub fn tour(&self, stage: &Stage) {
        let Some(node) = self.nodes.first() else { return };
        if let Some(starling) = &node.starling {
            for question in ["nodes", "routes"] {
                let text = starling
                    .bgpctl(&["show", question])
                    .unwrap_or_else(|error| format!("{error:#}"));
                stage.show(&format!("bgpctl show {question}   (on {})", node.host.host()), &text);
            }
        }
        let text = node.host.ip_line("-4 route show").unwrap_or_else(|error| format!("{error:#}"));
        stage.show(&format!("ip route   (on {})", node.host.host()), &text);
    }

    /// Leaves everything running when this value is dropped, and says how to look around.
    pub fn keep(&mut self, stage: &Stage) {
        self.lab.keep();
        self.switch.keep();
        self.gateway.keep();
        for node in &mut self.nodes {
            node.host.keep();
            node.pod.keep();
            if let Some(starling) = &mut node.starling {
                starling.proc().detach();
            }
        }
        let Some(node) = self.nodes.first() else { return };
        let mut words = format!(
            "ip netns list\nip netns exec {0} ip route\nip netns exec {1} ping {2}\n",
            node.host.name(),
            node.pod.netns.name(),
            self.nodes.last().map_or(node.pod.address, |last| last.pod.address),
        );
        if let Some(starling) = &node.starling {
            words += &format!(
                "{} --socket {} show routes\n",
                starling.bgpctl_path().display(),
                starling.socket().display()
            );
            let log = self.lab.dir().join(node.host.host()).join("starlingd.log");
            words += &format!("less {}\n", log.display());
        }
        words += &format!("$EDITOR {}", self.config.display());
        stage.show("the network stays up; look around", &words);
    }
}

/// The routes with `proto bird` of a host, as `ip route` prints them.
pub(super) fn bird_routes(host: &Netns) -> Result<Vec<String>> {
    Ok(routes(host, Family::V4, "proto bird")?.iter().map(ToString::to_string).collect())
}

pub(super) fn holds(node: &Node, expected: &[&str]) -> Result {
    let held = bird_routes(&node.host)?;
    let missing: Vec<&str> =
        expected.iter().filter(|line| !held.iter().any(|route| route == *line)).copied().collect();
    let surplus: Vec<&str> =
        held.iter().map(String::as_str).filter(|route| !expected.contains(route)).collect();
    if missing.is_empty() && surplus.is_empty() {
        return Ok(());
    }
    let mut words = String::new();
    for line in missing {
        words += &format!("missing    {line}\n");
    }
    for line in surplus {
        words += &format!("unexpected {line}\n");
    }
    bail!("{words}")
}

/// Whether `device` is up with this MTU.
pub(super) fn mtu_is(host: &Netns, device: &str, mtu: u32) -> Result {
    let text = host.ip_line(&format!("link show dev {device}"))?;
    if text.contains(&format!(" mtu {mtu} ")) && text.contains("UP") {
        return Ok(());
    }
    bail!("it is: {}", text.trim())
}

fn without_length(address: &str) -> &str {
    address.split('/').next().unwrap_or(address)
}
