//! What operators ask of routes: what came from whom and what became of it, what goes to whom and
//! why not more, and any choice among them. One network serves all of it.

use anyhow::{Context, ensure};
use starling::api::{
    FibEntry, How, Interface, LinkState, Memory, MeshRow, Network, Nexthop, NexthopState, Reach,
    Route, SentState, Summary, Wish,
};
use starling_lab::{Cluster, Result, wait_for};

use crate::support::{SOON, cluster};
use crate::tunnel::get;
use crate::whole::exchanged;

const KEPT: &str = "10.244.200.0/24";
const DROPPED: &str = "10.244.201.0/24";

/// Three nodes, of which the third is in another rack and `n1` drops what one rule names.
fn network() -> Result<Cluster> {
    let mut cluster = cluster(&[0, 0, 1])?;
    let rules = format!(
        "[http]\nlisten = [\"0.0.0.0:9179\"]\n[[policy]]\nname = \"from-nodes\"\n\
         rules = [{{ prefix = \"{DROPPED}\", then = \"reject\" }}]\n"
    );
    let text = cluster.toml("never", &rules);
    let policy = "[cluster]\nimport-policy = \"from-nodes\"\n";
    cluster.configure(&text.replace("[cluster]\n", policy))?;
    cluster.start_all()?;
    exchanged(&mut cluster)?;
    cluster.node(2)?.daemon()?.bgpctl(&["network", "add", KEPT, DROPPED])?;
    Ok(cluster)
}

fn asked(cluster: &mut Cluster, node: usize, words: &[&str]) -> Result<Vec<Route>> {
    let line: Vec<&str> = ["show", "routes"].iter().chain(words).copied().collect();
    cluster.node(node)?.daemon()?.rows(&line)
}

fn prefixes(cluster: &mut Cluster, node: usize, words: &[&str]) -> Result<Vec<String>> {
    let mut found: Vec<String> =
        asked(cluster, node, words)?.iter().map(|route| route.prefix.to_string()).collect();
    found.sort();
    Ok(found)
}

#[test]
fn routes_by_neighbour_in_and_out_and_by_what_they_are() -> Result {
    let mut cluster = network()?;
    let blocks = ["10.244.2.0/26", "fd00:244:2::/64"];
    let all = [blocks[0], KEPT, DROPPED, blocks[1]];
    wait_for("what node 2 announces", SOON, || {
        let from = prefixes(&mut cluster, 1, &["--from", "n2"])?;
        ensure!(from == all, "{from:?}");
        Ok(())
    })?;

    // In: as it came, with what import made of it.
    let filtered = asked(&mut cluster, 1, &["--from", "n2", "--state", "filtered"])?;
    let [route] = &filtered[..] else { panic!("{filtered:#?}") };
    assert_eq!(route.prefix.to_string(), DROPPED);
    assert_eq!(route.paths[0].filtered.as_deref(), Some("rejected by from-nodes rule 1"));
    let valid = prefixes(&mut cluster, 1, &["--from", "10.50.0.2", "--state", "valid"])?;
    assert_eq!(valid, [blocks[0], KEPT, blocks[1]]);

    // Out: as it goes.
    let sent = asked(&mut cluster, 2, &["--to", "n1"])?;
    assert_eq!(prefixes(&mut cluster, 2, &["--to", "n1"])?, all);
    for route in &sent {
        let sent = route.paths[0].sent.as_ref().unwrap();
        let attributes = sent.attributes.as_ref().unwrap();
        assert_eq!((sent.state, attributes.local_pref), (SentState::Sent, Some(100)));
        let own = if route.prefix.addr().is_ipv4() { "10.50.0.2" } else { "fd50::2" };
        assert_eq!(attributes.next_hop.to_string(), own);
    }
    // And why not more.
    for (to, why) in [
        ("n1", "nothing goes back to whom it came from"),
        ("n3", "what iBGP brought goes to no iBGP neighbour (RFC 4271 §9.2)"),
    ] {
        let routes = asked(&mut cluster, 2, &["10.244.1.7", "--to", to])?;
        let sent = routes[0].paths[0].sent.as_ref().unwrap();
        assert_eq!((sent.state, sent.why.as_deref()), (SentState::Withheld, Some(why)));
        let rest = prefixes(&mut cluster, 2, &["--to", to, "--withheld", "--family", "ipv4"])?;
        assert_eq!(rest, ["10.244.1.0/26", "10.244.3.0/26"]);
    }
    let table = cluster.node(2)?.daemon()?.bgpctl(&["show", "routes", "--to", "n1"])?;
    ensure!(table.contains("CARRIES") && table.contains(" sent"), "{table}");

    // Any choice among them.
    for (words, wanted) in [
        (&["10.244.200.0/22", "--longer"][..], &[KEPT, DROPPED][..]),
        (&["10.244.200.0/22", "--longer", "--state", "best"], &[KEPT]),
        (&["10.244.200.0/25", "--shorter"], &[KEPT]),
        (&["10.244.201.9", "--shorter"], &[DROPPED]),
        (&["--from", "local", "--family", "ipv6"], &["fd00:244:1::/64"]),
        (&["--state", "unreachable"], &[]),
        (&["--as", "65000"], &[]),
        (&["--as-path", "", "--from", "n3", "--family", "ipv4"], &["10.244.3.0/26"]),
        (&["--community", "no-export"], &[]),
        (&["--origin", "egp"], &[]),
    ] {
        assert_eq!(prefixes(&mut cluster, 1, words)?, wanted, "{words:?}");
    }

    // Memory: what is kept is counted where it is kept.
    let memory: Memory = wait_for("what is kept", SOON, || {
        let memory: Memory = cluster.node(1)?.daemon()?.read(&["show", "memory"])?;
        let of = |kind: &str| memory.kinds.iter().find(|k| k.kind == kind).unwrap().count;
        ensure!((of("destinations_ipv4"), of("destinations_ipv6")) == (5, 3), "{memory:#?}");
        // What import dropped is no route; what node 1 tells the others is its own.
        ensure!((of("fib_wanted"), of("fib_present")) == (7, 7), "{memory:#?}");
        ensure!(of("adj_rib_out") == 2, "{memory:#?}");
        Ok(memory)
    })?;
    let counted: u64 = memory.kinds.iter().map(|kind| kind.bytes).sum();
    let used = memory.used_bytes.unwrap();
    ensure!(counted < used && used < 2 * memory.resident_bytes, "{counted} of {memory:#?}");

    // The mesh: all say what they see.
    let signs = |row: &MeshRow| -> Vec<(String, Reach)> {
        row.sees.iter().map(|sight| (sight.name.clone(), sight.reach)).collect()
    };
    let sees = |name: &str, reach| (name.to_owned(), reach);
    wait_for("all answers", SOON, || {
        let rows: Vec<MeshRow> = cluster.node(1)?.daemon()?.read(&["show", "mesh"])?;
        ensure!(
            rows.iter().map(signs).collect::<Vec<_>>()
                == [
                    [sees("n2", Reach::Direct), sees("n3", Reach::Gateway)],
                    [sees("n1", Reach::Direct), sees("n3", Reach::Gateway)],
                    [sees("n1", Reach::Gateway), sees("n2", Reach::Gateway)],
                ],
            "{rows:#?}"
        );
        Ok(())
    })?;
    // Over TCP nobody is asked for others.
    let alone = get(cluster.node(1)?.netns(), "127.0.0.1:9179", "/v1/mesh")?;
    ensure!(alone.matches("is asked over the Unix socket only").count() == 2, "{alone}");

    // All that can be asked, in the words of the API's document.
    crate::openapi::answers_as_described(cluster.node(1)?.daemon()?.socket(), "n2")?;

    // Without a session there is nothing to tell.
    cluster.node(1)?.daemon()?.bgpctl(&["neighbor", "n3", "down"])?;
    wait_for("its end", SOON, || {
        let refused = cluster.node(1)?.daemon()?.try_bgpctl(&["show", "routes", "--to", "n3"])?;
        ensure!(refused.status.code() == Some(1), "{refused:?}");
        ensure!(refused.stderr.contains("the session with n3 is not up"), "{refused:?}");
        Ok(())
    })?;

    // Nor does a node answer that is not there.
    drop(cluster.node(2)?.take_daemon()?);
    wait_for("what is left of the mesh", SOON, || {
        let rows: Vec<MeshRow> = cluster.node(1)?.daemon()?.read(&["show", "mesh"])?;
        let unknown = rows[1].unknown.clone().unwrap_or_default();
        ensure!(unknown.contains("Connection refused"), "{rows:#?}");
        let down = rows[0].sees.iter().filter(|sight| sight.reason.is_some()).count();
        ensure!(down == 2, "{rows:#?}");
        Ok(())
    })?;
    let table = cluster.node(1)?.daemon()?.bgpctl(&["show", "mesh"])?;
    ensure!(table.contains("1 n1  .!!\n2 n2  ?.?\n3 n3  !!.\n"), "{table}");
    Ok(())
}

#[test]
fn next_hops_and_the_kernels_routes_by_what_they_are_and_networks_by_the_line() -> Result {
    let mut cluster = network()?;
    let of = |cluster: &mut Cluster, words: &[&str]| -> Result<Vec<Nexthop>> {
        cluster.node(1)?.daemon()?.read(&[&["show", "nexthops"], words].concat())
    };
    wait_for("what uses the next hop", SOON, || {
        let all = of(&mut cluster, &[])?;
        let near = all.iter().find(|hop| hop.next_hop.to_string() == "10.50.0.2");
        // Its block and what it added, but for what is dropped.
        let used = near.is_some_and(|hop| (hop.paths, hop.routes.count) == (2, 2));
        ensure!(used, "{all:#?}");
        Ok(())
    })?;
    let all = of(&mut cluster, &["10.50.0.2"])?;
    let [near] = &all[..] else { panic!("{all:#?}") };
    assert_eq!(
        (near.state, near.from.as_slice()),
        (NexthopState::Reachable, &["n2".to_owned()][..])
    );
    let named: Vec<String> = near.routes.first.iter().map(ToString::to_string).collect();
    assert!(named.contains(&"10.244.2.0/26".to_owned()) && named.contains(&KEPT.to_owned()));
    assert_eq!(near.reached.iter().map(|way| way.how).collect::<Vec<_>>(), [How::Direct]);
    let all = of(&mut cluster, &[])?;
    let far = all.iter().find(|hop| hop.next_hop.to_string() == "10.50.1.3");
    assert_eq!(far.map(|hop| hop.reached[0].how), Some(How::Gateway), "{all:#?}");

    let fib = |cluster: &mut Cluster, words: &[&str]| -> Result<Vec<String>> {
        let line = [&["show", "fib"], words].concat();
        let rows: Vec<FibEntry> = cluster.node(1)?.daemon()?.rows(&line)?;
        Ok(rows.iter().map(|entry| entry.prefix.to_string()).collect())
    };
    assert_eq!(fib(&mut cluster, &["10.244.2.9"])?, ["10.244.2.0/26"]);
    assert_eq!(fib(&mut cluster, &["10.244.1.0/26"])?, ["10.244.1.0/26"]);
    assert!(fib(&mut cluster, &["10.1.1.1"])?.is_empty());
    assert!(fib(&mut cluster, &["--state", "refused"])?.is_empty());
    assert!(fib(&mut cluster, &["--state", "installed"])?.len() >= 4);
    let failed: Summary = cluster.node(1)?.daemon()?.read(&["show", "summary", "failed"])?;
    assert_eq!((failed.peers.len(), failed.neighbors), (0, 2));
    the_interfaces_are_the_kernels(&mut cluster)?;

    // All that an operator has added goes at once, and the others hear of it.
    let left: Vec<Network> = cluster.node(2)?.daemon()?.read(&["network", "flush"])?;
    assert!(!left.is_empty() && left.iter().all(|network| network.wish != Wish::Operator));
    wait_for("what is left", SOON, || {
        let all = of(&mut cluster, &["10.50.0.2"])?;
        ensure!(all.first().is_some_and(|hop| hop.routes.count == 1), "{all:#?}");
        Ok(())
    })
}

/// What the daemon has heard of its interfaces is what `ip` says of them, and who uses them is known.
fn the_interfaces_are_the_kernels(cluster: &mut Cluster) -> Result {
    let of = |cluster: &mut Cluster, words: &[&str]| -> Result<Vec<Interface>> {
        cluster.node(1)?.daemon()?.read(&[&["show", "interfaces"], words].concat())
    };
    let all = of(cluster, &[])?;
    let net0 = all.iter().find(|one| one.name == "net0").context("no net0")?;
    assert_eq!((net0.state, net0.mtu), (LinkState::Up, 1500));
    let own: Vec<String> = net0.own.iter().map(ToString::to_string).collect();
    assert_eq!(own, ["10.50.0.1", "fd50::1"]);
    assert_eq!(net0.neighbors, ["n2", "n3"], "the one behind the gateway too");
    ensure!(net0.routes >= 3, "{net0:#?}");
    // It follows the kernel's news.
    let netns = cluster.node(1)?.netns();
    netns.ip_line("link set net0 mtu 1400")?;
    netns.ip_line("link add dum0 type veth peer name dum1")?;
    wait_for("the kernel's news", SOON, || {
        let all = of(cluster, &[])?;
        let state = |name: &str| all.iter().find(|one| one.name == name).map(|one| one.state);
        ensure!(state("dum0") == Some(LinkState::Down), "{all:#?}");
        ensure!(of(cluster, &["net0"])?[0].mtu == 1400, "{all:#?}");
        Ok(())
    })?;
    let nobody = cluster.node(1)?.daemon()?.try_bgpctl(&["show", "interfaces", "eth9"])?;
    ensure!(nobody.status.code() == Some(1) && nobody.stderr.contains("no interface `eth9`"));
    Ok(())
}
