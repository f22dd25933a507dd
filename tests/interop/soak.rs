//! Nobody loses a session while everything else changes: two nodes and the five speakers, each
//! speaker with a session to both nodes, and for `SOAK_SECONDS` (20; `make soak`: 600) one change
//! after the other. After each, the node holds what the model says, no more and no less.
//!
//! What changes: networks that the speakers announce and withdraw, what the nodes import from
//! whom, what they tell whom, which blocks they have, the attributes of routes, and the key of a
//! session with one more BIRD, which is the only one that is made anew by that.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use starling::api::{Neighbor, Route, SessionState};
use starling_lab::speaker::{Network, Software};
use starling_lab::{Bird, Cluster, Netns, Result, wait_for};

use crate::beside::{ASN, Beside, name, networks, number, toml};
use crate::support::{SOON, established};

/// For how long without an argument.
const SHORT: Duration = Duration::from_secs(20);
/// So many changes at the least, however long they take.
const LEAST: u32 = 4;
/// The nodes.
const NODES: [usize; 2] = [1, 2];

/// What the configuration says, and what the speakers do.
#[derive(Debug, Clone)]
struct Model {
    /// Speakers from which the nodes take IPv4 routes, too.
    imported: BTreeSet<Software>,
    /// Speakers that are told of the other speakers' routes.
    told: BTreeSet<Software>,
    /// Which third-octet blocks 10.244.N.64/26 node 1 has beside its own.
    blocks: BTreeSet<u8>,
    /// Networks announced beside the first ones: the number of the /32 in the speaker's /24.
    announced: BTreeSet<(Software, u8)>,
}

impl Model {
    fn file(&self, beside: &Beside) -> String {
        let mut extra = Keyed::PEER.to_owned();
        for software in Software::ALL {
            let export = if self.told.contains(&software) { "all" } else { "own" };
            let mut text = toml(software, &format!("export = \"{export}\""));
            if !self.imported.contains(&software) {
                let [v4, _] = networks(software);
                text = text.replace(&format!("\"{v4}\", "), "");
            }
            extra += &text.replace("nodes = [\"n1\"]\n", "");
        }
        let mut file = beside.cluster.toml("never", &extra);
        for block in &self.blocks {
            file = file.replace(
                "\"10.244.1.0/26\"",
                &format!("\"10.244.1.0/26\", \"10.244.{block}.64/26\""),
            );
        }
        file
    }

    /// What node 1 uses of a speaker, IPv4.
    fn used(&self, software: Software) -> BTreeSet<String> {
        if !self.imported.contains(&software) {
            return BTreeSet::new();
        }
        let own = networks(software)[0].clone();
        let more = self.announced.iter().filter(|(one, _)| *one == software);
        more.map(|(_, host)| more_of(software, *host)).chain([own]).collect()
    }
}

/// A further network of a speaker.
fn more_of(software: Software, host: u8) -> String {
    format!("198.51.{}.{host}/32", number(software))
}

/// The neighbour whose key changes.
#[derive(Debug)]
struct Keyed {
    bird: Bird,
    _netns: Netns,
    dir: PathBuf,
    key: u32,
}

impl Keyed {
    const PEER: &str = "[[peer]]\nname = \"keyed\"\naddress = \"10.50.0.190\"\nasn = 65190\n\
        nodes = [\"n1\"]\npassword-file = \"soak.key\"\n";

    fn start(cluster: &Cluster) -> Result<Self> {
        let netns = cluster.host("keyed", 0, 190, &[])?;
        let dir = cluster.lab().subdir("keyed")?;
        let bird = Bird::start(&netns, &dir, &Self::config(0))?;
        Ok(Self { bird, _netns: netns, dir, key: 0 })
    }

    fn word(key: u32) -> String {
        format!("key-{key}")
    }

    fn config(key: u32) -> String {
        format!(
            "router id 10.50.0.190;\nlog stderr all;\nprotocol device {{}}\nprotocol bgp n1 {{\n\
             local 10.50.0.190 as 65190; neighbor 10.50.0.1 as 64512; password \"{}\";\n\
             connect delay time 1; connect retry time 1; error wait time 1, 2;\n\
             ipv4 {{ import all; export none; }};\n}}\n",
            Self::word(key)
        )
    }

    /// Both ends have another key from now on.
    fn turn(&mut self, cluster: &mut Cluster) -> Result {
        self.key += 1;
        write_key(cluster, self.key)?;
        std::fs::write(self.dir.join("bird.conf"), Self::config(self.key))?;
        self.bird.birdc("configure")?;
        cluster.node(1)?.daemon()?.bgpctl(&["reload"])?;
        // Made anew under the new key, however the two ends came by it.
        let protocols = || self.bird.birdc("show protocols n1");
        wait_for("the session under its new key", SOON, || {
            let told: Neighbor =
                cluster.node(1)?.daemon()?.read(&["show", "neighbors", "keyed"])?;
            let said = protocols()?;
            ensure!(told.summary.state == SessionState::Established, "{told:#?}");
            ensure!(said.contains("Established"), "{said}");
            Ok(())
        })
    }
}

fn write_key(cluster: &Cluster, key: u32) -> Result {
    let file = cluster.config().with_file_name("soak.key");
    let new = file.with_extension("new");
    std::fs::write(&new, Keyed::word(key))?;
    Ok(std::fs::rename(new, file)?)
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % below
    }
}

fn toggle<T: Ord>(set: &mut BTreeSet<T>, one: T) {
    if !set.remove(&one) {
        set.insert(one);
    }
}

/// One change, in words for the one who reads why it failed.
fn change(
    beside: &mut Beside,
    keyed: &mut Keyed,
    model: &mut Model,
    dice: &mut Dice,
) -> Result<String> {
    let software = Software::ALL[dice.roll(Software::ALL.len())];
    let mut words = String::new();
    match dice.roll(6) {
        0 => {
            toggle(&mut model.imported, software);
            write!(words, "what is imported from {software}")?;
        }
        1 => {
            toggle(&mut model.told, software);
            write!(words, "what is told {software}")?;
        }
        2 => {
            let block = 200 + u8::try_from(dice.roll(3))?;
            toggle(&mut model.blocks, block);
            write!(words, "block 10.244.{block}.64/26")?;
        }
        3 => {
            let host = 1 + u8::try_from(dice.roll(9))?;
            let peer = beside.peers.iter_mut().find(|peer| peer.software == software);
            let speaker = &mut peer.context("no such peer")?.speaker;
            let network = Network::new(&more_of(software, host))?;
            if model.announced.remove(&(software, host)) {
                speaker.withdraw(network.prefix)?;
            } else {
                speaker.announce(&network)?;
                model.announced.insert((software, host));
            }
            write!(words, "{} of {software}", network.prefix)?;
        }
        4 => {
            keyed.turn(&mut beside.cluster)?;
            words.push_str("the key");
        }
        _ => {
            let peer = beside.peers.iter_mut().find(|peer| peer.software == software);
            let mut network = Network::new(&networks(software)[0])?;
            network.med = Some(u32::try_from(dice.roll(1000))?);
            network.communities.push(format!("64999:{}", dice.roll(1000)));
            peer.context("no such peer")?.speaker.announce(&network)?;
            write!(words, "attributes of {} of {software}", network.prefix)?;
        }
    }
    Ok(words)
}

/// The nodes and the speakers hold what the model says.
fn as_the_model_says(beside: &mut Beside, model: &Model) -> Result {
    for i in NODES {
        for software in Software::ALL {
            wait_for("the model's routes", SOON, || {
                let daemon = beside.cluster.node(i)?.daemon()?;
                let rows: Vec<Route> =
                    daemon.rows(&["show", "routes", "--from", &name(software)])?;
                let used = rows.iter().filter(|route| {
                    route.prefix.to_string().contains('.')
                        && route.paths.iter().any(|path| path.best)
                });
                let used: BTreeSet<String> = used.map(|route| route.prefix.to_string()).collect();
                let wanted = model.used(software);
                ensure!(used == wanted, "n{i} uses {used:?} of {software}, not {wanted:?}");
                Ok(())
            })?;
        }
    }
    // Of node 1 each speaker has the blocks, and what the others announce if it is told.
    for peer in &beside.peers {
        wait_for("what is told", SOON, || {
            let heard = peer.speaker.heard(crate::beside::NODE.into())?;
            let heard: BTreeSet<String> = heard
                .iter()
                .map(|heard| heard.prefix.to_string())
                .filter(|prefix| prefix.contains('.'))
                .collect();
            let mut wanted = BTreeSet::from(["10.244.1.0/26".to_owned()]);
            wanted.extend(model.blocks.iter().map(|block| format!("10.244.{block}.64/26")));
            if model.told.contains(&peer.software) {
                wanted.insert("10.244.2.0/26".to_owned());
                let others = Software::ALL.into_iter().filter(|other| *other != peer.software);
                wanted.extend(others.flat_map(|other| model.used(other)));
            }
            ensure!(heard == wanted, "{} has {heard:?}, not {wanted:?}", peer.software);
            Ok(())
        })?;
    }
    Ok(())
}

/// Not one session went down since it came up.
fn none_lost(beside: &mut Beside, since: Instant) -> Result {
    for i in NODES {
        let other = format!("n{}", 3 - i);
        for neighbour in Software::ALL.map(name).into_iter().chain([other]) {
            let daemon = beside.cluster.node(i)?.daemon()?;
            // Before the answer: that takes its time on its way here.
            let least = since.elapsed();
            let told: Neighbor = daemon.read(&["show", "neighbors", &neighbour])?;
            ensure!(told.flaps == 0, "n{i} lost {neighbour}: {told:#?}");
            ensure!(told.summary.state == SessionState::Established, "n{i}: {told:#?}");
            let age = Duration::from_secs(told.summary.since_s + 1);
            ensure!(age >= least, "n{i}: {neighbour} came up anew: {told:#?}");
        }
    }
    Ok(())
}

#[test]
fn no_session_is_lost_while_policies_and_blocks_change() -> Result {
    let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let whole = seconds.map_or(SHORT, Duration::from_secs);
    let mut model = Model {
        imported: Software::ALL.into(),
        told: BTreeSet::new(),
        blocks: BTreeSet::new(),
        announced: BTreeSet::new(),
    };
    let mut beside = Beside::build(&[0, 0], &Software::ALL, "", |software, router| {
        let mut second = router.neighbors[0].clone();
        second.address = "10.50.0.2".parse()?;
        second.asn = ASN;
        router.neighbors.push(second);
        router.networks.push(Network::new(&networks(software)[0])?);
        Ok(toml(software, "").replace("nodes = [\"n1\"]\n", ""))
    })?;
    write_key(&beside.cluster, 0)?;
    beside.cluster.configure(&model.file(&beside))?;
    for i in NODES {
        beside.cluster.node(i)?.daemon()?.bgpctl(&["reload"])?;
    }
    let mut keyed = Keyed::start(&beside.cluster)?;
    established(beside.cluster.node(1)?, "keyed")?;
    beside.sessions()?;
    for i in NODES {
        for neighbour in Software::ALL.map(name).into_iter().chain([format!("n{}", 3 - i)]) {
            established(beside.cluster.node(i)?, &neighbour)?;
        }
    }
    as_the_model_says(&mut beside, &model)?;
    let start = Instant::now();
    let (mut dice, mut changes) = (Dice(4271), 0);
    while start.elapsed() < whole || changes < LEAST {
        changes += 1;
        let words = change(&mut beside, &mut keyed, &mut model, &mut dice)?;
        beside.cluster.configure(&model.file(&beside))?;
        for i in NODES {
            beside.cluster.node(i)?.daemon()?.bgpctl(&["reload"])?;
        }
        as_the_model_says(&mut beside, &model)
            .and_then(|()| none_lost(&mut beside, start))
            .with_context(|| format!("change {changes}, {words}; the model: {model:#?}"))?;
    }
    println!("{changes} changes in {:?}", start.elapsed());
    Ok(())
}
