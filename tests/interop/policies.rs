//! Policies at work with all five: rules on what they say, on what they are told and on what
//! enters the kernel; and rules that change by a reload while every session stays.

use anyhow::ensure;
use starling::api::{Neighbor, Policy, PolicyTest, Route};
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Network, Software};
use starling_lab::{Cluster, Family, Result, routes, wait_for};

use crate::beside::{Beside, NODE, Peer, networks, number, toml};
use crate::crossing::source;
use crate::sessions::used;
use crate::speaker::{OPTIONAL, TRANSITIVE, attribute, mandatory};
use crate::support::SOON;

/// What a speaker of ours announces to the node, beside the five.
const PREFIX: &str = "203.0.113.0/24";

/// Rules for all, and the source of a route that the five are told.
const FILE: &str = r#"
[kernel]
policy = "into-kernel"

[[peer]]
name = "r1"
address = "10.50.0.201"
asn = 65201
nodes = ["n1"]
passive = true
import = ["203.0.113.0/24"]

[[policy]]
name = "from-five"
rules = [
  { name = "longer", prefix = "198.51.0.0/16 ge 25", then = "reject" },
  { from = "ebgp", interface = "net0", as-path = { length = 1, regex = "^42[0-9]+$" }, community = "64999:1", then = "accept", set = { local-pref = 250, add-community = ["64512:7", "64512:1:2"], remove-community = "64999:2" } },
]

[[policy]]
name = "to-five"
rules = [
  { from = "r1", community = "65001:*", interface = "net0", then = "accept", set = { med = 33, prepend = 2, add-community = "64512:33" } },
  { prefix = "own-blocks", family = "ipv4", then = "accept", set = { add-community = "64512:9" } },
]

[[policy]]
name = "into-kernel"
rules = [
  { from = "r1", then = "reject" },
  { prefix = "198.51.0.0/16 or longer", interface = "net*", then = "accept", set = { metric = 77 } },
]
"#;

/// A part of the first network, which the rules refuse.
fn longer(software: Software) -> String {
    format!("198.51.{}.128/25", number(software))
}

/// Destination and metric of what the node's kernel holds from us.
fn kernel(cluster: &mut Cluster, prefix: &str) -> Result<Vec<Option<u32>>> {
    let held = routes(cluster.node(1)?.netns(), Family::V4, "proto bird")?;
    Ok(held.into_iter().filter(|r| r.dst == prefix).map(|r| r.metric).collect())
}

/// What `bgpctl policy test` says of one place.
fn tested(cluster: &mut Cluster, arguments: &[&str]) -> Result<PolicyTest> {
    let all = [&["policy", "test"], arguments].concat();
    let mut tests: Vec<PolicyTest> = cluster.node(1)?.daemon()?.read(&all)?;
    ensure!(tests.len() == 1, "{tests:#?}");
    Ok(tests.remove(0))
}

/// The rules of `FILE` at one of the five.
fn rules_are_at_work(cluster: &mut Cluster, peer: &mut Peer) -> Result {
    let name = peer.name();
    let [network, _] = networks(peer.software);
    // On the way in: accepted and changed, or refused for a reason that has a name.
    wait_for("its route", SOON, || {
        let path = used(cluster, &network)?;
        ensure!(path.local_pref == Some(250), "{path:#?}");
        ensure!(path.communities == ["64999:1", "64512:7"], "{path:#?}");
        ensure!(path.large_communities == ["64512:1:2"], "{path:#?}");
        Ok(())
    })?;
    let test = tested(cluster, &[&network, "--peer", &name, "--in"])?;
    ensure!(test.accepted && test.rule.as_deref() == Some("from-five rule 2"), "{test:#?}");
    ensure!(!test.route.hypothetical && test.route.communities == ["64999:1", "64999:2"]);
    ensure!(test.steps[0].miss.is_some() && test.steps[1].miss.is_none(), "{test:#?}");
    let refused = longer(peer.software);
    wait_for("its other route, refused", SOON, || {
        let shown: Vec<Route> =
            cluster.node(1)?.daemon()?.rows(&["show", "routes", &refused, "--detail"])?;
        let why = shown.first().and_then(|r| r.paths.first()?.filtered.clone());
        let rule = "rejected by from-five rule 1 (longer)";
        ensure!(why.as_deref() == Some(rule), "{shown:#?}");
        Ok(())
    })?;
    ensure!(!tested(cluster, &[&refused, "--peer", &name, "--in"])?.accepted);

    // Each of the two rules has decided, and says so.
    let policies: Vec<Policy> = cluster.node(1)?.daemon()?.read(&["show", "policies"])?;
    let from_five = policies.iter().find(|policy| policy.name == "from-five");
    let counted = from_five.is_some_and(|policy| policy.rules.iter().all(|rule| rule.hits > 0));
    ensure!(counted, "{policies:#?}");

    // Into the kernel: with another metric, or not at all.
    wait_for("the kernel's routes", SOON, || {
        let held = [kernel(cluster, &network)?, kernel(cluster, PREFIX)?];
        ensure!(held == [vec![Some(77)], vec![]], "{held:?}");
        Ok(())
    })?;

    // On the way out: what no default lets pass, changed; and our own.
    peer.hears(NODE.into(), PREFIX, |heard| {
        ensure!(heard.as_path == "64512 64512 64512 65201", "another AS path");
        ensure!(heard.med == Some(33), "another MED");
        let all: Vec<&str> = heard.communities.iter().map(String::as_str).collect();
        ensure!(all == ["64512:33", "65001:100"], "other communities");
        Ok(())
    })?;
    peer.hears(NODE.into(), "10.244.1.0/26", |heard| {
        ensure!(heard.communities.contains("64512:9"), "its community is missing");
        Ok(())
    })?;
    let test = tested(cluster, &[PREFIX, "--peer", &name, "--out"])?;
    ensure!(test.accepted && test.rule.as_deref() == Some("to-five rule 1"), "{test:#?}");
    // What the five say is told to none of the others: no rule, and `export` says own blocks.
    let other = Software::ALL.into_iter().find(|one| *one != peer.software).unwrap();
    let other = networks(other)[0].clone();
    wait_for("the other's route", SOON, || used(cluster, &other).map(drop))?;
    let test = tested(cluster, &[&other, "--peer", &name, "--out"])?;
    ensure!(!test.accepted && test.rule.is_none() && test.steps.len() == 2, "{test:#?}");
    Ok(())
}

#[test]
fn rules_decide_in_both_directions_and_change_without_a_new_session() -> Result {
    let mut beside = Beside::establish(&Software::ALL, FILE, |software, router| {
        for prefix in [networks(software)[0].clone(), longer(software)] {
            let mut network = Network::new(&prefix)?;
            network.communities = vec!["64999:1".to_owned(), "64999:2".to_owned()];
            router.networks.push(network);
        }
        Ok(toml(software, "import-policy = [\"from-five\"]\nexport-policy = \"to-five\""))
    })?;
    let (mut r1, _netns) = source(&mut beside.cluster)?;
    let tagged = attribute(OPTIONAL | TRANSITIVE, 8, [253, 233, 0, 100]);
    let from_r1 = mandatory(&[65201], "10.50.0.201".parse()?);
    r1.announce(&[from_r1, vec![tagged]].concat(), &[PREFIX])?;

    beside.each(Feature::Policy, rules_are_at_work)?;
    // Other rules, by a reload: the longer ones may come, what r1 said goes to nobody, and the
    // kernel has it.
    let file = std::fs::read_to_string(beside.cluster.config())?;
    let edits = [
        ("name = \"longer\", prefix = \"198.51.0.0/16 ge 25\"", "prefix = \"192.0.2.0/24\""),
        (
            "then = \"accept\", set = { med = 33, prepend = 2, add-community = \"64512:33\" }",
            "then = \"reject\"",
        ),
        ("  { from = \"r1\", then = \"reject\" },\n", ""),
        ("metric = 77", "metric = 78"),
        ("64512:9", "64512:10"),
    ];
    let new = edits.iter().fold(file.clone(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    beside.cluster.configure(&new)?;
    beside.each(Feature::Policy, |cluster, peer| {
        let (name, refused) = (peer.name(), longer(peer.software));
        wait_for("what was refused", SOON, || used(cluster, &refused).map(drop))?;
        wait_for("the kernel's routes", SOON, || {
            let held = [kernel(cluster, &refused)?, kernel(cluster, PREFIX)?];
            ensure!(held == [vec![Some(78)], vec![None]], "{held:?}");
            Ok(())
        })?;
        peer.hears(NODE.into(), "10.244.1.0/26", |heard| {
            ensure!(heard.communities.contains("64512:10"), "the old community");
            Ok(())
        })?;
        wait_for("the end of what r1 said", SOON, || {
            let heard = peer.speaker.heard(NODE.into())?;
            ensure!(heard.iter().all(|h| h.prefix.to_string() != PREFIX), "{heard:#?}");
            Ok(())
        })?;
        let neighbor =
            cluster.node(1)?.daemon()?.read::<Neighbor>(&["show", "neighbors", &name])?;
        ensure!(neighbor.flaps == 0 && neighbor.agreed.is_some(), "{neighbor:?}");
        Ok(())
    })
}
