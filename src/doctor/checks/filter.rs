//! What the packet filter does to the packets that this trade lives on: IP in IP (protocol 4), BGP
//! (TCP 179), BFD (UDP 4784 and 3784), and what goes to and from local pods.
//!
//! A packet of each kind from every node is walked through the tables. Those of one fate are told
//! together, with the rule that drops them and the command that lets them through before it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use starling_fib::types::Mode;

use crate::api::Level;
use crate::doctor::facts::{Configured, Daemon, Facts, Host};
use crate::doctor::filter::walk::fate;
use crate::doctor::filter::{Culprit, Fate, Packet, Tool};
use crate::doctor::notes::{Notes, some};

const IPIP: u8 = 4;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

/// A kind of packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Tunnelled,
    Session(u16),
    Bfd(u16),
    /// To a local pod.
    ToPod,
    /// From one.
    FromPod,
}

impl Kind {
    fn words(self) -> String {
        match self {
            Kind::Tunnelled => "IP in IP (protocol 4)".to_owned(),
            Kind::Session(port) => format!("BGP (TCP {port})"),
            Kind::Bfd(port) => format!("BFD (UDP {port})"),
            Kind::ToPod => "traffic to local pods".to_owned(),
            Kind::FromPod => "traffic of local pods".to_owned(),
        }
    }
}

/// One packet that is asked about.
struct Question {
    kind: Kind,
    /// The other end's name.
    name: String,
    packet: Packet,
    /// The other end: an address or a block.
    other: IpNet,
    /// It goes there, rather than coming from there.
    leaves: bool,
    /// The session that it belongs to is up.
    works: bool,
}

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(configured) = &facts.configured else { return };
    let filter = &facts.host.filter;
    for unread in &filter.unread {
        notes.unchecked(unread);
    }
    let questions = questions(configured, &facts.host, facts.daemon.as_ref().ok());
    let mut dropped: BTreeMap<(Kind, bool, Culprit, bool, bool), Vec<&Question>> = BTreeMap::new();
    let mut unsure: BTreeMap<(Kind, Culprit), Vec<&Question>> = BTreeMap::new();
    for question in &questions {
        match fate(&filter.tables, &question.packet) {
            Fate::Passes => {}
            Fate::Unsure(culprit) => {
                unsure.entry((question.kind, culprit)).or_default().push(question);
            }
            Fate::Dropped(culprit) => {
                let answer = Packet { answers: true, ..question.packet.clone() };
                // The two directions of BFD are apart for conntrack, and so are two calls.
                let alike = !matches!(question.kind, Kind::Session(_) | Kind::Bfd(_));
                let answers = alike && fate(&filter.tables, &answer) == Fate::Passes;
                let key = (question.kind, question.leaves, culprit, answers, question.works);
                dropped.entry(key).or_default().push(question);
            }
        }
    }
    for ((kind, leaves, culprit, answers, works), questions) in &dropped {
        let names = some(questions.iter().map(|question| &question.name).collect::<BTreeSet<_>>());
        let subject = format!("{} {}", culprit.table, culprit.chain);
        let direction = if *leaves { "to" } else { "from" };
        let but = match (answers, works) {
            (_, true) => "; the session is up all the same, called from here",
            (true, false) => "; only what answers this node's own packets passes",
            (false, false) => "",
        };
        notes.sick(
            level(*kind, *answers, *works),
            subject,
            format!("{} {direction} {names} is dropped: {}{but}", kind.words(), culprit.rule),
            cure(*kind, culprit, *leaves, questions),
        );
    }
    for ((kind, culprit), _) in unsure {
        notes.unchecked(format!(
            "whether {} passes chain {} of table {} hangs on a rule that cannot be judged from \
             here: {}",
            kind.words(),
            culprit.chain,
            culprit.table,
            culprit.rule
        ));
    }
    if notes.is_well() && (!filter.tables.is_empty() || filter.unread.is_empty()) {
        let kinds: BTreeSet<Kind> = questions.iter().map(|question| question.kind).collect();
        let kinds: Vec<String> = kinds.into_iter().map(Kind::words).collect();
        let what = if kinds.is_empty() { "nothing of ours".to_owned() } else { kinds.join(", ") };
        let text = match filter.tables.is_empty() {
            true => "there is none".to_owned(),
            false => format!("no rule that can be read drops {what}"),
        };
        notes.ok("packet filter", text);
    }
}

fn level(kind: Kind, answers: bool, works: bool) -> Level {
    match kind {
        Kind::Session(_) if works => Level::Hint,
        // Death is noticed later, nothing else.
        Kind::Bfd(_) => Level::Warning,
        // Until nobody has spoken for some minutes.
        Kind::Tunnelled if answers => Level::Warning,
        _ => Level::Problem,
    }
}

fn questions(configured: &Configured, host: &Host, daemon: Option<&Daemon>) -> Vec<Question> {
    let mut questions = Vec::new();
    tunnelled(configured, host, &mut questions);
    if let Some(daemon) = daemon {
        sessions(configured, host, daemon, &mut questions);
    }
    pods(configured, host, &mut questions);
    questions
}

/// Both directions of a packet between this node and another address.
fn both(
    (kind, name, works): (Kind, &str, bool),
    (protocol, port): (u8, Option<u16>),
    (own, other): (IpAddr, IpAddr),
    device: &str,
    questions: &mut Vec<Question>,
) {
    let device = || Some(device.to_owned());
    let comes = Packet {
        source: other,
        destination: own,
        protocol,
        port,
        comes: device(),
        goes: None,
        answers: false,
    };
    let goes =
        Packet { source: own, destination: other, comes: None, goes: device(), ..comes.clone() };
    for (packet, leaves) in [(comes, false), (goes, true)] {
        let (name, other) = (name.to_owned(), other.into());
        questions.push(Question { kind, name, packet, other, leaves, works });
    }
}

/// From and to every node that either end may encapsulate for.
fn tunnelled(configured: &Configured, host: &Host, questions: &mut Vec<Question>) {
    if !configured.needs_tunnel() {
        return;
    }
    let v4 = |own: &&starling_config::model::NodeAddress| own.address.is_ipv4();
    let Some(own) = configured.plan.addresses.iter().find(v4) else { return };
    let Some((link, net)) = host.carrier(own.address) else { return };
    let subnet = own.subnet.unwrap_or(net.trunc());
    let always = configured.pool(Mode::Always).is_some();
    for node in configured.others() {
        let Some(other) = node.addresses.iter().find(v4) else { continue };
        if always || !subnet.contains(&other.address) {
            let about = (Kind::Tunnelled, node.name.as_str(), false);
            both(about, (IPIP, None), (own.address, other.address), &link.name, questions);
        }
    }
}

fn sessions(configured: &Configured, host: &Host, daemon: &Daemon, questions: &mut Vec<Question>) {
    for session in &daemon.sessions {
        let like = session.address.is_ipv4();
        let own = configured.plan.addresses.iter().find(|own| own.address.is_ipv4() == like);
        let Some((own, (link, _))) =
            own.and_then(|own| Some((own.address, host.carrier(own.address)?)))
        else {
            continue;
        };
        let (ends, works) = ((own, session.address), session.down.is_none());
        let about = (Kind::Session(session.port), session.name.as_str(), works);
        both(about, (TCP, Some(session.port)), ends, &link.name, questions);
        if let Some(multihop) = session.bfd {
            let port = if multihop { 4784 } else { 3784 };
            let about = (Kind::Bfd(port), session.name.as_str(), false);
            both(about, (UDP, Some(port)), ends, &link.name, questions);
        }
    }
}

/// A ping between a local pod and one of each other node. Other packets may be a policy's affair.
fn pods(configured: &Configured, host: &Host, questions: &mut Vec<Question>) {
    let v4 = |blocks: &[IpNet]| blocks.iter().find(|block| block.addr().is_ipv4()).copied();
    let link = host.links.iter().find(|link| configured.leads_to_pods(&link.name));
    let (Some(link), Some(here)) = (link, v4(&configured.plan.blocks)) else { return };
    let own = configured.plan.addresses.iter().find(|own| own.address.is_ipv4());
    let Some((underlay, net)) = own.and_then(|own| host.carrier(own.address)) else { return };
    for node in configured.others() {
        let Some(there) = v4(&node.blocks) else { continue };
        let near = node.addresses.iter().any(|other| net.contains(&other.address));
        let tunnel =
            configured.needs_tunnel() && (configured.pool(Mode::Always).is_some() || !near);
        let way = match tunnel {
            true => configured.plan.fib.tunnel.device.clone(),
            false => underlay.name.clone(),
        };
        let to = Packet {
            source: there.addr(),
            destination: here.addr(),
            protocol: ICMP,
            port: None,
            comes: Some(way),
            goes: Some(link.name.clone()),
            answers: false,
        };
        let from = Packet {
            source: here.addr(),
            destination: there.addr(),
            comes: to.goes.clone(),
            goes: to.comes.clone(),
            ..to.clone()
        };
        for (kind, packet) in [(Kind::ToPod, to), (Kind::FromPod, from)] {
            let (name, leaves) = (node.name.clone(), kind == Kind::FromPod);
            questions.push(Question { kind, name, packet, other: there, leaves, works: false });
        }
    }
}

/// The command that lets these through, before whatever drops them.
fn cure(kind: Kind, culprit: &Culprit, leaves: bool, questions: &[&Question]) -> String {
    let others: BTreeSet<IpNet> = questions.iter().map(|question| question.other).collect();
    let v6 = others.first().is_some_and(|other| other.addr().is_ipv6());
    let word = |other: &IpNet| match other.prefix_len() == other.max_prefix_len() {
        true => other.addr().to_string(),
        false => other.to_string(),
    };
    let list: Vec<String> = others.iter().map(word).collect();
    if culprit.table == "firewalld" {
        let sources: Vec<String> =
            list.iter().map(|source| format!("--add-source={source}")).collect();
        let sources = sources.join(" ");
        return format!("firewall-cmd --permanent --zone=trusted {sources}; firewall-cmd --reload");
    }
    let Culprit { tool, family, table, chain, .. } = culprit;
    match tool {
        Tool::Nft => {
            let field = match (v6, leaves) {
                (false, false) => "ip saddr",
                (false, true) => "ip daddr",
                (true, false) => "ip6 saddr",
                (true, true) => "ip6 daddr",
            };
            let what = match kind {
                Kind::Tunnelled => "ip protocol 4 ".to_owned(),
                Kind::Session(port) => format!("tcp dport {port} "),
                Kind::Bfd(port) => format!("udp dport {port} "),
                Kind::ToPod | Kind::FromPod => String::new(),
            };
            let list = list.join(", ");
            format!("nft insert rule {family} {table} {chain} {field} '{{ {list} }}' {what}accept")
        }
        Tool::Iptables | Tool::Legacy => {
            let six = if v6 { "6" } else { "" };
            let kind_of = if *tool == Tool::Legacy { "-legacy" } else { "" };
            let what = match kind {
                Kind::Tunnelled => " -p 4".to_owned(),
                Kind::Session(port) => format!(" -p tcp --dport {port}"),
                Kind::Bfd(port) => format!(" -p udp --dport {port}"),
                Kind::ToPod | Kind::FromPod => String::new(),
            };
            let of = if table == "filter" { String::new() } else { format!("-t {table} ") };
            let side = if leaves { "-d" } else { "-s" };
            let list = list.join(",");
            format!("ip{six}tables{kind_of} {of}-I {chain} {side} {list}{what} -j ACCEPT")
        }
    }
}
