//! Local pods: which of their addresses other nodes hear, for as long as their routes are there;
//! that no route of ours takes the place of theirs; and ten thousand of them.

use std::time::Duration;

use anyhow::{Context, ensure};
use starling::api::{How, KernelState, Network, Pod, Route, Wish};
use starling_lab::{Cluster, Family, Netns, Result, routes, wait_for, wait_until};

use crate::support::{SOON, cluster, established};

/// A pod's interface of the host's namespace, up.
fn interface(host: &Netns, name: &str) -> Result {
    let far = format!("far-{name}");
    host.ip_line(&format!("link add {name} type veth peer name {far}"))?;
    host.ip_line(&format!("link set {far} up"))?;
    host.ip_line(&format!("link set {name} up")).map(drop)
}

/// What leads to an address in a node's main table.
fn way(host: &Netns, address: &str) -> Result<Vec<String>> {
    Ok(routes(host, Family::V4, address)?.iter().map(ToString::to_string).collect())
}

/// Waits until exactly `wanted` leads to an address in a node's main table.
fn leads(cluster: &mut Cluster, node: usize, address: &str, wanted: &[&str]) -> Result {
    let host = cluster.node(node)?.netns();
    wait_for(&format!("the way from n{node} to {address}"), SOON, || {
        let held = way(host, address)?;
        ensure!(held == wanted, "{held:?}, not {wanted:?}");
        Ok(())
    })
}

fn pod(cluster: &mut Cluster, node: usize, address: &str) -> Result<Option<Pod>> {
    let all: Vec<Pod> = cluster.node(node)?.daemon()?.rows(&["show", "pods"])?;
    Ok(all.into_iter().find(|pod| pod.address.to_string() == address))
}

#[test]
fn a_pod_with_a_borrowed_address_is_reached_from_every_node() -> Result {
    let mut cluster = cluster(&[0, 0, 0])?;
    cluster.start_all()?;
    for other in ["n1", "n3"] {
        established(cluster.node(2)?, other)?;
    }
    let host = cluster.node(2)?.netns();
    host.ip_line("link add cali123 type veth peer name pod123")?;
    host.ip_line("link set pod123 up")?;
    host.ip_line("link set cali123 up")?;
    // In nobody's block, in the block of n1, in our own, in no pool; and one of IPv6.
    for prefix in ["10.244.9.7/32", "10.244.1.33/32", "10.244.2.33/32", "10.99.9.9/32"] {
        host.ip_line(&format!("route add {prefix} dev cali123 scope link"))?;
    }
    host.ip_line("-6 route add fd00:244:9::7/128 dev cali123")?;
    let there = |i: usize, family, prefix: &'static str| (i, family, prefix);
    let announced = [
        there(1, Family::V4, "10.244.9.7"),
        there(3, Family::V4, "10.244.9.7"),
        // Its blackhole is shorter.
        there(1, Family::V4, "10.244.1.33"),
        there(3, Family::V4, "10.244.1.33"),
        there(1, Family::V6, "fd00:244:9::7"),
    ];
    for (i, family, prefix) in announced {
        let node = cluster.node(i)?.netns();
        wait_until(&format!("{prefix} on n{i}"), SOON, || {
            routes(node, family, prefix).is_ok_and(|held| {
                held.iter().any(|r| r.to_string().contains("dev net0 proto bird"))
            })
        })?;
    }
    for prefix in ["10.244.2.33", "10.99.9.9"] {
        let held = routes(cluster.node(1)?.netns(), Family::V4, prefix)?;
        assert!(held.is_empty(), "{held:?}");
    }
    let node = cluster.node(2)?;
    let held = routes(node.netns(), Family::V4, "proto bird")?;
    assert!(!held.iter().any(|r| r.to_string().contains("10.244.9.7")), "written here: {held:?}");
    let shown: Vec<Route> = node.daemon()?.rows(&["show", "routes", "10.244.9.7/32"])?;
    assert_eq!(shown[0].paths[0].reached.how, How::Local, "{shown:?}");
    assert_eq!(shown[0].kernel.state, KernelState::Out, "{shown:?}");
    let table = node.daemon()?.bgpctl(&["show", "routes", "10.244.9.7/32"])?;
    assert!(table.contains("local") && !table.contains("(!)"), "{table}");

    let borrowed = pod(&mut cluster, 2, "10.244.1.33")?.expect("the pod");
    assert_eq!((borrowed.interface.as_str(), borrowed.announced), ("cali123", true));
    let own = pod(&mut cluster, 2, "10.244.2.33")?.expect("the pod");
    assert_eq!((own.announced, own.why.as_str()), (false, "its block 10.244.2.0/26 is announced"));
    let outside = pod(&mut cluster, 2, "10.99.9.9")?.expect("the pod");
    assert_eq!((outside.announced, outside.why.as_str()), (false, "outside every pool"));

    // Away with the route; away with the interface.
    cluster.node(2)?.netns().ip_line("route del 10.244.1.33/32")?;
    let gone = |cluster: &mut starling_lab::Cluster, prefix: &str| -> Result {
        let node = cluster.node(1)?.netns();
        wait_for("the withdrawal", SOON, || {
            let held = routes(node, Family::V4, prefix)?;
            anyhow::ensure!(held.is_empty(), "{held:?}");
            Ok(())
        })
    };
    gone(&mut cluster, "10.244.1.33")?;
    cluster.node(2)?.netns().ip_line("link del cali123")?;
    gone(&mut cluster, "10.244.9.7")
}

/// All pods are announced, or none, by a reload; only routes of the protocols that are asked for.
#[test]
fn what_is_announced_of_pods_is_configured() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.configure(&cluster.toml("never", "[pods]\nannounce = \"all\"\n"))?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    let host = cluster.node(2)?.netns();
    interface(host, "cali1")?;
    host.ip_line("route add 10.244.2.33/32 dev cali1 scope link proto 80")?;
    host.ip_line("route add 10.244.2.34/32 dev cali1 scope link proto 77")?;
    let via = |address: &str| format!("{address} via 10.50.0.2 dev net0 proto bird");
    leads(&mut cluster, 1, "10.244.2.33", &[&via("10.244.2.33")])?;
    wait_for("the other route", SOON, || {
        let unlearned = pod(&mut cluster, 2, "10.244.2.34")?.context("it is not shown")?;
        ensure!(unlearned.why == "routes of protocol 77 are not learned", "{unlearned:?}");
        Ok(())
    })?;
    let networks: Vec<Network> = cluster.node(2)?.daemon()?.read(&["network", "show"])?;
    let wish = networks.iter().find(|network| network.prefix.to_string() == "10.244.2.33/32");
    assert_eq!(wish.map(|network| network.wish), Some(Wish::Pod));
    let reload = |cluster: &mut Cluster, pods: &str| -> Result {
        cluster.configure(&cluster.toml("never", pods))?;
        cluster.node(2)?.daemon()?.bgpctl(&["reload"]).map(drop)
    };
    reload(&mut cluster, "[pods]\nannounce = \"all\"\nprotocols = \"any\"\n")?;
    leads(&mut cluster, 1, "10.244.2.34", &[&via("10.244.2.34")])?;
    reload(&mut cluster, "[pods]\nannounce = \"none\"\n")?;
    leads(&mut cluster, 1, "10.244.2.33", &[])?;
    leads(&mut cluster, 1, "10.244.2.34", &[])
}

/// A pod moves from node to node and back. Where it is, its own route stands, whoever else says
/// that he has it, and whether ours would share its key or not; where it left, the way to its new
/// place is there as soon as its own route is gone.
#[test]
fn a_pod_that_moves_keeps_its_own_route() -> Result {
    for metric in [0, 1024] {
        let mut cluster = cluster(&[0, 0])?;
        cluster.configure(&cluster.toml("never", &format!("[kernel]\nmetric = {metric}\n")))?;
        cluster.start_all()?;
        established(cluster.node(1)?, "n2")?;
        // One of nobody's block, and one of the block of n1: there its blackhole must not win.
        for (i, address) in ["10.244.9.8", "10.244.1.33"].into_iter().enumerate() {
            let (local, name) = (format!("{address} dev cali{i} scope link"), format!("cali{i}"));
            let suffix = if metric == 0 { String::new() } else { format!(" metric {metric}") };
            let via =
                |node: usize| format!("{address} via 10.50.0.{node} dev net0 proto bird{suffix}");
            for node in [1, 2] {
                interface(cluster.node(node)?.netns(), &name)?;
            }
            let place = |cluster: &mut Cluster, node: usize| -> Result {
                let host = cluster.node(node)?.netns();
                host.ip_line(&format!("route replace {address}/32 dev {name} scope link")).map(drop)
            };
            let leave = |cluster: &mut Cluster, node: usize| -> Result {
                let host = cluster.node(node)?.netns();
                host.ip_line(&format!("route del {address}/32 dev {name} scope link")).map(drop)
            };
            place(&mut cluster, 2)?;
            leads(&mut cluster, 1, address, &[&via(2)])?;
            for (from, to) in [(2, 1), (1, 2)] {
                place(&mut cluster, to)?;
                leads(&mut cluster, to, address, &[&local])?;
                wait_for("the pod to be known", SOON, || {
                    ensure!(pod(&mut cluster, to, address)?.is_some());
                    Ok(())
                })?;
                // Both have it for a while, and neither fights for it.
                std::thread::sleep(Duration::from_millis(300));
                for node in [from, to] {
                    assert_eq!(
                        way(cluster.node(node)?.netns(), address)?,
                        std::slice::from_ref(&local)
                    );
                }
                leave(&mut cluster, from)?;
                // A block tells of its own pods; a pod elsewhere is told of alone.
                let there = [via(to)];
                let there: Vec<&str> = there.iter().map(String::as_str).collect();
                let in_its_block = to == 1 && address.starts_with("10.244.1.");
                leads(&mut cluster, from, address, if in_its_block { &[] } else { &there })?;
                assert_eq!(way(cluster.node(to)?.netns(), address)?, std::slice::from_ref(&local));
            }
        }
        let log = cluster.node(1)?.daemon()?.log();
        ensure!(
            !log.contains("WARN somebody else") && !log.contains("sits under our key"),
            "{log}"
        );
    }
    Ok(())
}

/// Ten thousand pods come and go at once: everybody hears of each, and the work for it ends. How
/// much it was is printed, not judged (`cargo test --test netns ten_thousand -- --nocapture`).
#[test]
fn ten_thousand_pods_come_and_go() -> Result {
    const PODS: usize = 10_000;
    let patience = Duration::from_secs(120);
    let mut cluster = cluster(&[0, 0])?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    let host = cluster.node(2)?.netns();
    interface(host, "cali1")?;
    let address = |i: usize| format!("10.244.{}.{}", 100 + i / 200, i % 200);
    let batch = |verb: &str| -> String {
        let line = |i| format!("route {verb} {}/32 dev cali1 scope link\n", address(i));
        (0..PODS).map(line).collect()
    };
    let run = |cluster: &mut Cluster, verb: &str| -> Result {
        let node = cluster.node(2)?;
        let file = node.dir().join(verb);
        std::fs::write(&file, batch(verb))?;
        node.netns().ip(&["-batch", &file.to_string_lossy()]).map(drop)
    };
    let before = processor_times(&mut cluster)?;
    for (verb, count) in [("add", PODS), ("del", 0), ("add", PODS)] {
        run(&mut cluster, verb)?;
        wait_for("the other node", patience, || {
            let held = routes(cluster.node(1)?.netns(), Family::V4, "proto bird")?;
            let pods = held.iter().filter(|route| !route.dst.contains('/')).count();
            ensure!(pods == count, "{pods} of {count}");
            Ok(())
        })?;
    }
    knows(&mut cluster, PODS)?;
    // The interface takes them all with it, without a word on any.
    cluster.node(2)?.netns().ip_line("link del cali1")?;
    knows(&mut cluster, 0)?;
    wait_for("the other node", patience, || {
        let held = routes(cluster.node(1)?.netns(), Family::V4, "proto bird")?;
        ensure!(held.len() == 2, "{} routes", held.len());
        Ok(())
    })?;
    let after = processor_times(&mut cluster)?;
    // A busy loop would go on.
    std::thread::sleep(Duration::from_secs(2));
    let later = processor_times(&mut cluster)?;
    for (i, who) in [(0, "the node that hears of them"), (1, "the node that has them")] {
        let (work, rest) = (after[i] - before[i], later[i] - after[i]);
        println!(
            "4 x {PODS} pods: {who} took {work:?} of processor time, and {rest:?} in 2 s after"
        );
    }
    Ok(())
}

/// Waits until node 2 knows of so many pods.
fn knows(cluster: &mut Cluster, pods: usize) -> Result {
    wait_for("the node's own pods", Duration::from_secs(60), || {
        let all: Vec<Pod> = cluster.node(2)?.daemon()?.rows(&["show", "pods"])?;
        ensure!(all.len() == pods && all.iter().all(|pod| pod.announced), "{}", all.len());
        Ok(())
    })
}

/// What the daemons of both nodes have used of the processors, in user and in kernel mode.
fn processor_times(cluster: &mut Cluster) -> Result<[Duration; 2]> {
    let mut times = [Duration::ZERO; 2];
    for (i, time) in times.iter_mut().enumerate() {
        let pid = cluster.node(i + 1)?.daemon()?.proc().pid();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Behind the name, which may hold anything: fields 14 and 15, in hundredths of a second.
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let ticks = |at: usize| fields.split_whitespace().nth(at - 3).unwrap().parse::<u64>();
        *time = Duration::from_millis(10 * (ticks(14)? + ticks(15)?));
    }
    Ok(times)
}
