//! A local pod with an address of another node's block: announced alone, for as long as its route
//! is there.

use starling::api::{How, KernelState, Route};
use starling_lab::{Family, Result, routes, wait_for, wait_until};

use crate::support::{SOON, cluster, established};

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

    // Away with the route; away with the interface.
    node.netns().ip_line("route del 10.244.1.33/32")?;
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
