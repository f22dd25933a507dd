//! A packet filter, as far as it can be read: would it let this packet through?
//!
//! In: what `nft`, `iptables-save` and `ipset` print ([`nft`], [`iptables`]). Out: a [`Fate`]
//! ([`walk`]). What cannot be read (a mark, a program, an extension) neither matches nor fails to:
//! both ways are followed, and where they differ the answer is that nobody can tell from here.
//! Addresses are not translated: a rule of a nat table is taken to change nothing.

pub mod iptables;
pub mod nft;
pub mod walk;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// A packet that is asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// From.
    pub source: IpAddr,
    /// To.
    pub destination: IpAddr,
    /// The protocol in its IP header.
    pub protocol: u8,
    /// The port it goes to, where the protocol has ports. That it comes from is not known.
    pub port: Option<u16>,
    /// The interface that it comes in by; none: this host makes it.
    pub comes: Option<String>,
    /// The interface that it leaves by; none: it is for this host.
    pub goes: Option<String>,
    /// It belongs to something that the other direction began (`ct state established`).
    pub answers: bool,
}

/// Where in the kernel a chain is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Hook {
    /// All that comes in.
    Prerouting,
    /// What is for this host.
    Input,
    /// What is not.
    Forward,
    /// What this host makes.
    Output,
    /// All that leaves.
    Postrouting,
}

impl Hook {
    fn named(name: &str) -> Option<Hook> {
        Some(match name.to_ascii_lowercase().as_str() {
            "prerouting" => Hook::Prerouting,
            "input" => Hook::Input,
            "forward" => Hook::Forward,
            "output" => Hook::Output,
            "postrouting" => Hook::Postrouting,
            _ => return None,
        })
    }
}

impl Packet {
    /// The hooks on its way.
    fn hooks(&self) -> &'static [Hook] {
        match (&self.comes, &self.goes) {
            (_, None) => &[Hook::Prerouting, Hook::Input],
            (Some(_), Some(_)) => &[Hook::Prerouting, Hook::Forward, Hook::Postrouting],
            (None, Some(_)) => &[Hook::Output, Hook::Postrouting],
        }
    }
}

/// With which program a table is changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tool {
    /// `nft`.
    Nft,
    /// `iptables` or `ip6tables`, whichever kind is the default here.
    Iptables,
    /// The old kind, where the default is the new one.
    Legacy,
}

/// A table, as far as it concerns packets of IP that pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// Whose.
    pub tool: Tool,
    /// `ip`, `ip6` or `inet`.
    pub family: String,
    /// Its name.
    pub name: String,
    /// Its chains by name.
    pub chains: BTreeMap<String, Chain>,
}

impl Table {
    fn takes(&self, packet: &Packet) -> bool {
        match self.family.as_str() {
            "ip" => packet.destination.is_ipv4(),
            "ip6" => packet.destination.is_ipv6(),
            _ => true,
        }
    }
}

/// A chain.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Chain {
    /// Where the kernel begins with it; none: others jump into it.
    pub base: Option<Base>,
    /// Its rules in order.
    pub rules: Vec<Rule>,
}

/// What makes a chain one that the kernel begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Base {
    /// Where.
    pub hook: Hook,
    /// What falls out of its end is dropped.
    pub drops: bool,
}

/// A rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// All of these hold …
    pub conditions: Vec<Condition>,
    /// … then this is done.
    pub verdict: Verdict,
    /// It, in the words of its tool.
    pub words: String,
}

/// What a rule does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The packet passes this base chain.
    Accept,
    /// It does not; with a word to its sender or not.
    Drop,
    /// Another chain, and then back.
    Jump(String),
    /// Another chain, and then not back.
    Goto(String),
    /// Back.
    Return,
    /// The next rule.
    Continue,
    /// Any of these: it cannot be read.
    Unreadable,
}

/// One thing that a rule asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// What.
    pub test: Test,
    /// It must not be so.
    pub negated: bool,
}

/// Addresses from the first to the last.
pub type Addresses = Vec<(IpAddr, IpAddr)>;

/// What a condition asks of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Test {
    /// One of these protocols.
    Protocol(Vec<u8>),
    /// Of IPv6, or of IPv4.
    V6(bool),
    /// From one of these.
    Source(Addresses),
    /// To one of these.
    Destination(Addresses),
    /// To one of these ports.
    Port(Vec<RangeInclusive<u16>>),
    /// In by one of these interfaces; `*` or `+` at the end stands for any characters.
    Comes(Vec<String>),
    /// Out by one of these.
    Goes(Vec<String>),
    /// The conntrack state: which of new and established are in the list.
    State {
        /// `new`.
        new: bool,
        /// `established`.
        established: bool,
    },
    /// It is for this host.
    Local,
    /// It cannot be read.
    Unreadable,
}

/// What becomes of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Every chain lets it pass.
    Passes,
    /// One does not.
    Dropped(Culprit),
    /// One may not: it asks what cannot be read.
    Unsure(Culprit),
}

/// What drops a packet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Culprit {
    /// Whose.
    pub tool: Tool,
    /// The table's family.
    pub family: String,
    /// The table.
    pub table: String,
    /// The base chain.
    pub chain: String,
    /// The rule, or the policy.
    pub rule: String,
}

/// The number of a protocol's name, as `nft` and `iptables` print it (those of /etc/protocols that
/// somebody might filter).
fn protocol(name: &str) -> Option<u8> {
    Some(match name {
        "icmp" => 1,
        "igmp" => 2,
        // Not "ipip", which is 94 and something else.
        "ipencap" | "ipv4" => 4,
        "tcp" => 6,
        "udp" => 17,
        "dccp" => 33,
        "ipv6" => 41,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "icmpv6" | "ipv6-icmp" => 58,
        "ospf" | "ospfigp" => 89,
        "ipip" => 94,
        "vrrp" => 112,
        "l2tp" => 115,
        "sctp" => 132,
        "udplite" => 136,
        number => return number.parse().ok(),
    })
}

/// `10.0.0.0/8`, `10.0.0.1` or `10.0.0.1-10.0.0.9` as first and last.
fn addresses(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((first, last)) = text.split_once('-') {
        return Some((first.parse().ok()?, last.parse().ok()?));
    }
    if let Some((address, mask)) = text.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let net = match mask.parse::<u8>() {
            Ok(length) => ipnet::IpNet::new(address, length).ok()?,
            Err(_) => ipnet::IpNet::with_netmask(address, mask.parse().ok()?).ok()?,
        };
        return Some((net.network(), net.broadcast()));
    }
    let one = text.parse().ok()?;
    Some((one, one))
}

#[cfg(test)]
mod tests;
