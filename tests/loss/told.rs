//! What the nodes of a mesh are told, in the words of either software, and what their kernels
//! should hold then.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use starling_lab::CalicoNode;

/// A cluster: everything that a reload can change.
#[derive(Debug, Clone)]
pub struct Told {
    /// The nodes that there are.
    pub nodes: BTreeMap<u8, Node>,
    /// The kernel's metric.
    pub metric: Option<u32>,
    /// The pool's mode. BIRD, without Calico's additions, knows only `never`.
    pub ipip: &'static str,
    /// All but the first peer with the first alone.
    pub star: bool,
    /// It is IPv6 that is looked at: Starling has both families, BIRD this one alone.
    pub v6: bool,
    /// More of Starling's file.
    pub more: String,
    /// More of BIRD's.
    pub more_bird: String,
}

/// A node's address of IPv6, where all are in one rack.
fn address6(i: u8) -> String {
    format!("fd50::{i}")
}

/// A node as the others know it.
#[derive(Debug, Clone)]
pub struct Node {
    pub address: Ipv4Addr,
    pub blocks: Vec<String>,
}

/// A node's first block.
pub fn block(i: u8) -> String {
    format!("10.244.{i}.0/26")
}

/// Its block of IPv6.
pub fn block6(i: u8) -> String {
    format!("fd00:244:{i}::/64")
}

impl Told {
    /// Nodes in one rack, with a block each.
    pub fn of(nodes: impl IntoIterator<Item = u8>) -> Self {
        Self::in_racks(nodes.into_iter().map(|i| (i, 0)))
    }

    /// Nodes in the racks of these numbers.
    pub fn in_racks(nodes: impl IntoIterator<Item = (u8, u8)>) -> Self {
        let node = |(i, rack)| {
            (i, Node { address: Ipv4Addr::new(10, 50, rack, i), blocks: vec![block(i)] })
        };
        Self {
            nodes: nodes.into_iter().map(node).collect(),
            metric: None,
            ipip: "never",
            star: false,
            v6: false,
            more: String::new(),
            more_bird: String::new(),
        }
    }

    /// Those that node `i` has to do with, itself among them.
    pub fn known_to(&self, i: u8) -> impl Iterator<Item = (u8, &Node)> {
        let star = self.star;
        let knows = move |j: &u8| !star || i == 1 || *j == 1 || *j == i;
        self.nodes.iter().filter(move |(j, _)| knows(j)).map(|(j, node)| (*j, node))
    }

    /// The file of Starling on node `i`.
    pub fn toml(&self, i: u8) -> String {
        let mut text = format!(
            "[cluster]\nasn = 64512\n[[pool]]\ncidr = \"10.244.0.0/16\"\nipip = \"{}\"\n",
            self.ipip
        );
        if self.v6 {
            text += "[[pool]]\ncidr = \"fd00:244::/32\"\n";
        }
        for (j, Node { address, blocks }) in self.known_to(i) {
            let (mut addresses, mut blocks) = (vec![address.to_string()], blocks.clone());
            if self.v6 {
                addresses.push(address6(j));
                blocks.push(block6(j));
            }
            text += &format!(
                "[[node]]\nname = \"n{j}\"\naddress = {addresses:?}\nblocks = {blocks:?}\n"
            );
        }
        if let Some(metric) = self.metric {
            text += &format!("[kernel]\nmetric = {metric}\n");
        }
        text + &self.more
    }

    /// The file of BIRD on node `i`.
    pub fn bird(&self, i: u8) -> String {
        let own = self.nodes.get(&i);
        let mut node = CalicoNode {
            asn: 64512,
            address: own.map_or(Ipv4Addr::UNSPECIFIED, |own| own.address),
            mesh: self.known_to(i).filter(|(j, _)| *j != i).map(|(_, node)| node.address).collect(),
            blocks: own.map(|own| own.blocks.clone()).unwrap_or_default(),
            pools: vec!["10.244.0.0/16".to_owned()],
        };
        if self.v6 {
            (node.blocks, node.pools) = (vec![block6(i)], vec!["fd00:244::/32".to_owned()]);
        }
        let metric = self.metric.map(|metric| format!("  metric {metric};\n")).unwrap_or_default();
        let text = node.config();
        let text = match (self.v6, text.split_once('\n')) {
            // Its first line is the router's identifier.
            (true, Some((first, rest))) => {
                let rest = rest.replace("10.50.0.", "fd50::").replace("ipv4", "ipv6");
                format!("{first}\n{rest}")
            }
            _ => text,
        };
        text.replace("protocol kernel {\n", &format!("protocol kernel {{\n{metric}"))
            + &self.more_bird
    }

    /// The routes of IPv6 of node `i` to the blocks of the others, when all of `alive` announce
    /// theirs, in `ip`'s words and in order, without a metric.
    pub fn routes6(&self, i: u8, alive: impl Fn(u8) -> bool) -> Vec<String> {
        let others = self.known_to(i).map(|(j, _)| j).filter(|j| *j != i && alive(*j));
        let line = |j| format!("{} via {} dev net0 proto bird", block6(j), address6(j));
        others.map(line).collect()
    }

    /// The routes of node `i` when all of `alive` announce their blocks, in `ip`'s words and in
    /// order, without a metric.
    pub fn routes(&self, i: u8, alive: impl Fn(u8) -> bool) -> Vec<String> {
        let rack = |node: &Node| node.address.octets()[2];
        let own = self.nodes.get(&i).map(rack);
        let mut routes = Vec::new();
        for (j, node) in self.known_to(i).filter(|(j, _)| alive(*j)) {
            let near = own == Some(rack(node));
            let address = node.address;
            let way = match self.ipip {
                _ if i == j => None,
                "always" => Some(format!("via {address} dev tunl0 proto bird onlink")),
                "cross-subnet" if !near => {
                    Some(format!("via {address} dev tunl0 proto bird onlink"))
                }
                _ if near => Some(format!("via {address} dev net0 proto bird")),
                _ => own.map(|rack| format!("via 10.50.{rack}.254 dev net0 proto bird")),
            };
            routes.extend(node.blocks.iter().map(|block| match &way {
                Some(way) => format!("{block} {way}"),
                None => format!("blackhole {block} proto bird"),
            }));
        }
        routes.sort();
        routes
    }
}
