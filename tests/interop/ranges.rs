//! Ranges: neighbours whom the file does not name, FRR and BIRD among them.

use std::time::Duration;

use anyhow::ensure;
use starling::api::{SessionState, Summary};
use starling_lab::{Bird, Node, Result, wait_for};

use crate::support::{SOON, cluster, established, logged, neighbour};
use crate::transport::{bird, bird_config, frr, key, neighbor};

/// What a range's neighbours are called, those that are up.
fn up(node: &mut Node) -> Result<Vec<String>> {
    let summary: Summary = node.daemon()?.read(&["show", "summary"])?;
    let up = summary.peers.into_iter().filter(|peer| peer.state == SessionState::Established);
    Ok(up.map(|peer| peer.name).collect())
}

#[test]
fn whoever_calls_from_a_range_is_let_in_up_to_its_limit() -> Result {
    let mut cluster = cluster(&[0])?;
    key(&cluster, "leaf.key", "hunter2")?;
    let range = |limit: u8| {
        format!(
            "[[peer]]\nname = \"leaf\"\naddress = \"10.50.0.192/26\"\nasn = [65000, 65001]\n\
             limit = {limit}\npassword-file = \"leaf.key\"\n"
        )
    };
    cluster.configure(&cluster.toml("never", &range(2)))?;
    cluster.start(1)?;
    let password = "neighbor 10.50.0.1 password hunter2";
    let (first, _r1) = frr(&cluster, "l1", 0, 201, &[password])?;
    let (second, second_host) = bird(&cluster, "l2", 0, 202, "password \"hunter2\";")?;
    let node = cluster.node(1)?;
    let both = ["leaf-10.50.0.201".to_owned(), "leaf-10.50.0.202".to_owned()];
    for name in &both {
        let line = established(node, name)?;
        ensure!(line.range.is_some_and(|range| range.to_string() == "10.50.0.192/26"), "{line:?}");
    }
    let shown = node.daemon()?.bgpctl(&["show", "summary"])?;
    for words in ["eBGP*", "65000 or 65001"] {
        ensure!(shown.contains(words), "{words:?} is not in:\n{shown}");
    }
    let shown = node.daemon()?.bgpctl(&["show", "neighbors", "leaf-10.50.0.201"])?;
    ensure!(shown.contains("called from the range 10.50.0.192/26"), "{shown}");

    // One more than the limit is told Cease, Connection Rejected (RFC 4486), and in the log.
    let (third, _r3) = bird(&cluster, "l3", 0, 203, "password \"hunter2\";")?;
    let node = cluster.node(1)?;
    logged(node, "range leaf has its limit of 2 neighbours")?;
    wait_for("the third one's reason", SOON, || {
        let said = third.birdc("show protocols all n1")?;
        ensure!(said.contains("Connection rejected"), "{said}");
        Ok(())
    })?;
    assert_eq!(up(node)?, both);

    // One that hangs up is forgotten, and its place is another's.
    drop((second, second_host));
    wait_for("the third one", 2 * SOON, || {
        let now = up(node)?;
        ensure!(now == [&*both[0], "leaf-10.50.0.203"], "{now:?}");
        Ok(())
    })?;
    let gone: Summary = node.daemon()?.read(&["show", "summary"])?;
    ensure!(gone.peers.len() == 2 && gone.ranges[0].neighbors == 2, "{gone:?}");

    // A reload that changes something else does not touch them; one without the range ends them.
    let flaps = neighbor(cluster.node(1)?, &both[0])?.flaps;
    cluster.configure(&cluster.toml("never", &range(3)))?;
    logged(cluster.node(1)?, "limit: 2 -> 3")?;
    assert_eq!(neighbor(cluster.node(1)?, &both[0])?.flaps, flaps);
    cluster.configure(&cluster.toml("never", ""))?;
    let node = cluster.node(1)?;
    wait_for("their end", SOON, || {
        let summary: Summary = node.daemon()?.read(&["show", "summary"])?;
        ensure!(summary.peers.is_empty() && summary.ranges.is_empty(), "{:?}", summary.peers);
        Ok(())
    })?;
    wait_for("FRR's reason", SOON, || {
        let said = first.vtysh("show bgp neighbors 10.50.0.1")?;
        ensure!(
            said.contains("Peer Unconfigured") || said.contains("Peer De-configured"),
            "{said}"
        );
        Ok(())
    })
}

#[test]
fn who_hung_up_is_forgotten_after_a_while() -> Result {
    let mut cluster = cluster(&[0])?;
    let range = "[[peer]]\naddress = \"10.50.0.192/26\"\nasn = \"external\"\n";
    cluster.configure(&cluster.toml("never", range))?;
    cluster.start(1)?;
    let caller = bird(&cluster, "caller", 0, 201, "")?;
    let node = cluster.node(1)?;
    established(node, "10.50.0.201")?;
    drop(caller);
    // Its place is kept, and the reason can be read ...
    wait_for("the end of the session", SOON, || {
        let line = neighbour(node, "10.50.0.201")?;
        ensure!(line.state == SessionState::Active && line.reason.is_some(), "{line:?}");
        Ok(())
    })?;
    let ready: Summary = node.daemon()?.read(&["show", "summary"])?;
    ensure!(ready.ready.ready && ready.ready.reasons.is_empty(), "{:?}", ready.ready);
    // ... for as long as src/daemon/dynamic.rs says.
    wait_for("it to be forgotten", 2 * SOON, || {
        let summary: Summary = node.daemon()?.read(&["show", "summary"])?;
        ensure!(summary.peers.is_empty(), "{:?}", summary.peers);
        Ok(())
    })
}

/// Its routes are kept while it restarts (RFC 4724 §4.2), and so it is kept itself.
#[test]
fn who_restarts_gracefully_is_not_forgotten() -> Result {
    let mut cluster = cluster(&[0])?;
    let range = "[[peer]]\naddress = \"10.50.0.192/26\"\nasn = \"external\"\n\
                 import = [\"198.51.100.0/24\"]\n";
    cluster.configure(&cluster.toml("never", range))?;
    cluster.start(1)?;
    let host = cluster.host("caller", 0, 201, &[])?;
    let config = bird_config(0, 201, "graceful restart on; graceful restart time 120;")
        + "protocol static { ipv4; route 198.51.100.0/24 blackhole; }\n";
    let caller = Bird::start(&host, &cluster.lab().subdir("caller")?, &config)?;
    let node = cluster.node(1)?;
    established(node, "10.50.0.201")?;
    wait_for("its route", SOON, || {
        let line = neighbour(node, "10.50.0.201")?;
        ensure!(line.accepted == 1, "{line:?}");
        Ok(())
    })?;
    caller.crash();
    // Longer than anybody else is remembered.
    std::thread::sleep(Duration::from_secs(28));
    let line = neighbour(node, "10.50.0.201")?;
    ensure!(line.state != SessionState::Established && line.accepted == 1, "{line:?}");
    Ok(())
}

#[test]
fn a_caller_of_another_as_or_of_no_words_is_no_neighbour() -> Result {
    let mut cluster = cluster(&[0])?;
    let range = "[[peer]]\nname = \"leaf\"\naddress = \"10.50.0.192/26\"\nasn = \"external\"\n\
                 [[peer]]\nname = \"ours\"\naddress = \"10.50.0.224/27\"\nasn = 64512\n";
    cluster.configure(&cluster.toml("never", range))?;
    cluster.start(1)?;
    // In the longer range, which is for another AS.
    let (foreign, _r1) = bird(&cluster, "foreign", 0, 230, "")?;
    let silent = cluster.host("silent", 0, 210, &[])?;
    let stream = silent.inside(|| std::net::TcpStream::connect("10.50.0.1:179"))??;
    let node = cluster.node(1)?;
    logged(node, "it says AS 65000, range ours is for AS 64512")?;
    wait_for("its reason", SOON, || {
        let said = foreign.birdc("show protocols all n1")?;
        ensure!(said.contains("Bad peer AS"), "{said}");
        Ok(())
    })?;
    let summary: Summary = node.daemon()?.read(&["show", "summary"])?;
    ensure!(summary.peers.is_empty() && summary.refused_connections > 0, "{summary:?}");
    drop(stream);
    Ok(())
}
