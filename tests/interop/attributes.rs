//! What of a route crosses this AS, octet by octet, and which of two routes is used.

use std::net::Ipv4Addr;

use anyhow::ensure;
use starling::api::{Origin, Route};
use starling_lab::{Cluster, Netns, Result, wait_for};

use crate::sessions::used;
use crate::speaker::{OPTIONAL, PARTIAL, Speaker, TRANSITIVE, as_sequence, attribute, mandatory};
use crate::support::{SOON, cluster, established};

const NODE: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 1);
const R1: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 201);
const R2: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 202);

const PEERS: &str = "[[peer]]\nname = \"r1\"\naddress = \"10.50.0.201\"\nasn = 65001\n\
    nodes = [\"n1\"]\npassive = true\nimport = [\"203.0.113.0/24\"]\n\n\
    [[peer]]\nname = \"r2\"\naddress = \"10.50.0.202\"\nasn = 4200000002\n\
    nodes = [\"n1\"]\npassive = true\nimport = [\"203.0.113.0/24\"]\nexport = \"EXPORT\"\n";

/// Two routers, each with a session.
fn network(export: &str) -> Result<(Cluster, [(Speaker, Netns); 2])> {
    let mut cluster = cluster(&[0, 0])?;
    let netns = [cluster.host("r1", 0, 201, &[])?, cluster.host("r2", 0, 202, &[])?];
    cluster.configure(&cluster.toml("never", &PEERS.replace("EXPORT", export)))?;
    cluster.start_all()?;
    let [n1, n2] = netns;
    let (mut r1, mut r2) = (Speaker::dial(&n1, R1, NODE)?, Speaker::dial(&n2, R2, NODE)?);
    r1.establish(65001, R1)?;
    r2.establish(4_200_000_002, R2)?;
    established(cluster.node(1)?, "n2")?;
    Ok((cluster, [(r1, n1), (r2, n2)]))
}

#[test]
fn attributes_cross_to_another_as_as_they_should() -> Result {
    let (_cluster, [(mut r1, _n1), (mut r2, _n2)]) = network("all")?;
    let mut attributes = mandatory(&[65001, 64999], R1);
    let med = attribute(OPTIONAL, 4, 50u32.to_be_bytes());
    let communities = attribute(OPTIONAL | TRANSITIVE, 8, [253, 233, 0, 100, 253, 233, 0, 200]);
    let extended = attribute(OPTIONAL | TRANSITIVE, 16, [0, 2, 253, 233, 0, 0, 0, 7]);
    let large = attribute(OPTIONAL | TRANSITIVE, 32, [0, 0, 253, 233, 0, 0, 0, 1, 0, 0, 0, 2]);
    let unknown = attribute(OPTIONAL | TRANSITIVE, 200, *b"carry me");
    let local = attribute(OPTIONAL, 201, *b"drop me");
    attributes.extend([med, communities.clone(), extended.clone(), large.clone(), unknown, local]);
    r1.announce(&attributes, &["203.0.113.0/24"])?;

    let update = r2.update_for("203.0.113.0/24")?;
    let got = |code: u8| update.attribute(code);
    assert_eq!(got(1), Some(&attribute(TRANSITIVE, 1, [0])), "ORIGIN");
    let path = as_sequence(&[64512, 65001, 64999]);
    assert_eq!(got(2), Some(&attribute(TRANSITIVE, 2, path)), "AS_PATH");
    let next_hop = got(3).map(|attribute| attribute.value.clone()).unwrap_or_default();
    assert_eq!(next_hop, NODE.octets(), "NEXT_HOP");
    assert_eq!(got(4), None, "MULTI_EXIT_DISC goes no further than one AS");
    assert_eq!(got(5), None, "LOCAL_PREF is not for other ASes");
    assert_eq!(got(8), Some(&communities), "COMMUNITIES");
    assert_eq!(got(16), Some(&extended), "EXTENDED_COMMUNITIES");
    assert_eq!(got(32), Some(&large), "LARGE_COMMUNITIES");
    let carried = attribute(OPTIONAL | TRANSITIVE | PARTIAL, 200, *b"carry me");
    assert_eq!(got(200), Some(&carried), "unknown, transitive");
    assert_eq!(got(201), None, "unknown, not transitive");
    Ok(())
}

#[test]
fn a_router_is_told_own_blocks_only_unless_the_configuration_says_all() -> Result {
    let (mut cluster, [(mut r1, _n1), (mut r2, _n2)]) = network("own")?;
    r1.announce(&mandatory(&[65001], R1), &["203.0.113.0/24"])?;
    wait_for("its route", SOON, || used(&mut cluster, "203.0.113.0/24"))?;
    let told = r2.announced(&["10.244.1.0/26"])?;
    assert_eq!(told.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.244.1.0/26"]);
    Ok(())
}

#[test]
fn the_shorter_as_path_wins_and_the_reason_is_told() -> Result {
    let (mut cluster, [(mut r1, _n1), (mut r2, _n2)]) = network("own")?;
    r1.announce(&mandatory(&[65001, 64999, 64998], R1), &["203.0.113.0/24"])?;
    r2.announce(&mandatory(&[4_200_000_002, 64998], R2), &["203.0.113.0/24"])?;
    let node = cluster.node(1)?;
    let route = wait_for("two paths", SOON, || {
        let shown: Vec<Route> =
            node.daemon()?.rows(&["show", "routes", "203.0.113.0/24", "--detail"])?;
        ensure!(shown.len() == 1 && shown[0].paths.len() == 2, "{shown:#?}");
        // Until the kernel's side has answered for its next hop, a path does not compete.
        let best = &shown[0].paths[0];
        ensure!(best.from == "r2" && best.best, "{shown:#?}");
        Ok(shown[0].clone())
    })?;
    let (best, other) = (&route.paths[0], &route.paths[1]);
    assert_eq!((other.from.as_str(), other.best), ("r1", false));
    for path in [best, other] {
        ensure!(
            path.why.to_lowercase().contains("as path") || path.why.contains("AS_PATH"),
            "{}",
            path.why
        );
    }
    assert_eq!(best.as_path.as_deref(), Some("4200000002 64998"));
    let text = node.daemon()?.bgpctl(&["show", "routes", "203.0.113.7", "--detail"])?;
    ensure!(text.contains("4200000002 64998"), "{text}");

    // A path that has our own AS in it is a loop, whatever else it has.
    r2.announce(&mandatory(&[4_200_000_002, 64512], R2), &["203.0.113.0/24"])?;
    wait_for("the other path", SOON, || {
        let shown: Vec<Route> = node.daemon()?.rows(&["show", "routes", "203.0.113.0/24"])?;
        ensure!(shown.len() == 1 && shown[0].paths[0].from == "r1", "{shown:#?}");
        ensure!(shown[0].paths[0].best, "{shown:#?}");
        Ok(())
    })
}

/// What an operator has a network carry is on the wire for whom it is meant, and in the table of a
/// node of the mesh, to which our own AS in a path would be a loop.
#[test]
fn a_network_carries_what_the_operator_said() -> Result {
    let (mut cluster, [(mut r1, _n1), _r2]) = network("own")?;
    let prefix = "10.244.200.0/24";
    let said = [
        "network",
        "add",
        prefix,
        "--med",
        "50",
        "--local-pref",
        "200",
        "--prepend",
        "2",
        "--origin",
        "incomplete",
        "--community",
        "65000:1",
        "--community",
        "64512:1:2",
    ];
    cluster.node(1)?.daemon()?.bgpctl(&said)?;
    let update = r1.update_for(prefix)?;
    let got = |code: u8| update.attribute(code);
    assert_eq!(got(1), Some(&attribute(TRANSITIVE, 1, [2])), "ORIGIN");
    let path = as_sequence(&[64512, 64512, 64512]);
    assert_eq!(got(2), Some(&attribute(TRANSITIVE, 2, path)), "AS_PATH");
    let next_hop = got(3).map(|attribute| attribute.value.clone()).unwrap_or_default();
    assert_eq!(next_hop, NODE.octets(), "whoever announces it is the way to it");
    assert_eq!(got(4), Some(&attribute(OPTIONAL, 4, 50u32.to_be_bytes())), "our own MED");
    assert_eq!(got(5), None, "LOCAL_PREF is not for other ASes");
    let communities = attribute(OPTIONAL | TRANSITIVE, 8, [253, 232, 0, 1]);
    assert_eq!(got(8), Some(&communities), "COMMUNITIES");
    let large = attribute(OPTIONAL | TRANSITIVE, 32, [0, 0, 252, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
    assert_eq!(got(32), Some(&large), "LARGE_COMMUNITIES");

    let seen = |cluster: &mut Cluster| -> Result<Route> {
        wait_for("the network at the other node", SOON, || {
            let words = ["show", "routes", prefix, "--detail"];
            let mut shown: Vec<Route> = cluster.node(2)?.daemon()?.rows(&words)?;
            let path = shown.first().and_then(|route| route.paths.first());
            ensure!(path.is_some_and(|path| path.best), "{shown:#?}");
            Ok(shown.remove(0))
        })
    };
    let path = seen(&mut cluster)?.paths.remove(0);
    assert_eq!((path.med, path.local_pref), (Some(50), Some(200)), "{path:#?}");
    assert_eq!((path.as_path.as_deref(), path.origin), (Some(""), Some(Origin::Incomplete)));
    assert_eq!(path.communities, ["65000:1"]);
    assert_eq!(path.large_communities, ["64512:1:2"]);

    // A reload keeps it, and it is shown.
    cluster.node(1)?.daemon()?.bgpctl(&["reload"])?;
    let shown = cluster.node(1)?.daemon()?.bgpctl(&["network", "show"])?;
    let words = "med 50 local-pref 200 origin incomplete prepend 2 community 65000:1 \
                 community 64512:1:2";
    ensure!(shown.contains(words), "{shown}");
    assert_eq!(seen(&mut cluster)?.paths[0].med, Some(50));
    // Said again without, it carries nothing.
    cluster.node(1)?.daemon()?.bgpctl(&["network", "add", prefix])?;
    wait_for("the network without a MED", SOON, || {
        let path = seen(&mut cluster)?.paths.remove(0);
        ensure!((path.med, path.local_pref) == (None, Some(100)), "{path:#?}");
        Ok(())
    })
}
