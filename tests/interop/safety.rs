//! What keeps a mistake of a neighbour from spreading: nothing over eBGP that nobody asked for
//! (RFC 8212), no more prefixes than it may send, and malformed attributes that cost a route and
//! not the session (RFC 7606), said by ExaBGP, which writes whatever octets it is given.

use anyhow::{Context, ensure};
use starling::api::{Neighbor, Route, SessionState};
use starling_lab::matrix::{self, Feature};
use starling_lab::speaker::{Attribute, Network, Software};
use starling_lab::{Cluster, Result, wait_for};

use crate::beside::{Beside, NODE, networks, number, toml};
use crate::crossing::source;
use crate::sessions::used;
use crate::support::{SOON, neighbour};

#[test]
fn nothing_crosses_an_ebgp_session_that_no_policy_allows() -> Result {
    let source_peer = "[[peer]]\nname = \"r1\"\naddress = \"10.50.0.201\"\nasn = 65201\n\
        nodes = [\"n1\"]\npassive = true\nimport = [\"203.0.113.0/24\"]\n";
    let mut beside = Beside::establish(&Software::ALL, source_peer, |software, router| {
        for prefix in networks(software) {
            router.networks.push(Network::new(&prefix)?);
        }
        let toml = toml(software, "");
        Ok(toml
            .lines()
            .filter(|line| !line.starts_with("import"))
            .map(|l| format!("{l}\n"))
            .collect())
    })?;
    // A route that the node has and uses, and tells nobody.
    let (mut r1, _netns) = source(&mut beside.cluster)?;
    let address = "10.50.0.201".parse()?;
    r1.announce(&crate::speaker::mandatory(&[65201], address), &["203.0.113.0/24"])?;
    wait_for("its route", SOON, || used(&mut beside.cluster, "203.0.113.0/24"))?;
    beside.each(Feature::DefaultDeny, |cluster, peer| {
        wait_for("its routes, refused", SOON, || {
            let line = neighbour(cluster.node(1)?, &peer.name())?;
            ensure!((line.received, line.accepted) == (2, 0), "{line:?}");
            Ok(())
        })?;
        peer.hears(NODE.into(), "10.244.1.0/26", |_| Ok(()))?;
        let mut heard = peer.speaker.heard(NODE.into())?;
        heard.retain(|heard| {
            !["10.244.1.0/26", "fd00:244:1::/64"].contains(&&*heard.prefix.to_string())
        });
        ensure!(heard.is_empty(), "{heard:#?}");
        Ok(())
    })
}

fn has(cluster: &mut Cluster, prefix: &str) -> Result<bool> {
    let rows: Vec<Route> =
        cluster.node(1)?.daemon()?.rows(&["show", "routes", "--from", "exabgp"])?;
    Ok(rows.iter().any(|route| route.prefix.to_string() == prefix))
}

#[test]
fn malformed_attributes_of_a_real_speaker_cost_a_route_and_no_session() -> Result {
    let mut beside = Beside::establish(&[Software::ExaBgp], "", |software, router| {
        router.networks.push(Network::new(&networks(software)[1])?);
        Ok(toml(software, ""))
    })?;
    let prefix = networks(Software::ExaBgp)[0].clone();
    let good = Network::new(&prefix)?;
    // Code, flags, value; and whether the route goes (RFC 7606 §7) or only the attribute.
    let spoiled: [(u8, u8, &[u8], bool); 10] = [
        (1, 0x40, &[7], true),
        (2, 0x40, &[2, 3, 0, 1, 0, 2], true),
        (4, 0x80, &[1, 2, 3], true),
        (8, 0xc0, &[1, 2, 3, 4, 5], true),
        (16, 0xc0, &[1, 2, 3, 4, 5, 6, 7], true),
        (32, 0xc0, &[1, 2, 3, 4, 5], true),
        (6, 0x40, &[1], false),
        (7, 0xc0, &[1, 2, 3], false),
        // From another AS: LOCAL_PREF is not for us to read, whatever it is (§7.5).
        (5, 0x40, &[1, 2], false),
        // AS4_PATH from a speaker of four octets (RFC 6793 §6).
        (17, 0xc0, &[2, 3], false),
    ];
    let outcome = (|| -> Result {
        let peer = beside.peers.first_mut().expect("ExaBGP lacks nothing here");
        for (code, flags, value, goes) in spoiled {
            peer.speaker.announce(&good)?;
            wait_for("the good route", SOON, || {
                ensure!(has(&mut beside.cluster, &prefix)?, "it is not there");
                Ok(())
            })?;
            let mut bad = good.clone();
            bad.attributes.push(Attribute { flags, code, value: value.to_vec() });
            // What tells that it was read: the attribute of the route, or the route's end.
            bad.med = (code != 4).then_some(u32::from(code));
            peer.speaker.announce(&bad)?;
            wait_for(&format!("what becomes of attribute {code}"), SOON, || {
                if goes {
                    ensure!(!has(&mut beside.cluster, &prefix)?, "the route is still there");
                    return Ok(());
                }
                let path = used(&mut beside.cluster, &prefix)?;
                ensure!(path.med == Some(u32::from(code)), "{path:#?}");
                Ok(())
            })?;
        }
        let told: Neighbor =
            beside.cluster.node(1)?.daemon()?.read(&["show", "neighbors", "exabgp"])?;
        ensure!(told.flaps == 0 && told.agreed.is_some(), "{told:#?}");
        used(&mut beside.cluster, &networks(Software::ExaBgp)[1]).map(drop)
    })();
    matrix::tried(Feature::MalformedUpdates, Software::ExaBgp, outcome)?;
    for software in Software::ALL.into_iter().filter(|software| *software != Software::ExaBgp) {
        // They cannot be made to say such things.
        matrix::not_applicable(Feature::MalformedUpdates, software)?;
    }
    Ok(())
}

#[test]
fn a_neighbour_that_sends_too_much_is_told_so() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        router.networks.push(Network::new(&networks(software)[0])?);
        Ok(toml(software, "max-prefixes = { ipv4 = 2, action = \"close\" }"))
    })?;
    beside.each(Feature::PrefixLimit, |cluster, peer| {
        for host in [1, 2] {
            let prefix = format!("198.51.{}.{host}/32", number(peer.software));
            peer.speaker.announce(&Network::new(&prefix)?)?;
        }
        wait_for("the end of the session", SOON, || {
            let line = neighbour(cluster.node(1)?, &peer.name())?;
            ensure!(line.state != SessionState::Established, "{line:?}");
            let told: Neighbor =
                cluster.node(1)?.daemon()?.read(&["show", "neighbors", &peer.name()])?;
            let last = told.last_down.clone().context("nothing happened yet")?;
            ensure!(last.text.to_lowercase().contains("maximum"), "{told:#?}");
            Ok(())
        })
    })
}
