//! The lab's own pieces, on this machine's kernel: namespaces, wires, captures, and real
//! neighbours that talk to each other. Needs root and what `tests/vm/install lab` brings.

use anyhow::bail;
use starling_lab::{
    Bird, CalicoNode, Capture, Family, Frr, FrrNeighbor, FrrRouter, Lab, Netns, Pod, Result,
    Switch, must, ping, routes, wait_for,
};
use std::net::Ipv4Addr;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

fn two_hosts(lab: &Lab) -> Result<(Netns, Netns, Switch)> {
    let switch = Switch::new(lab)?;
    switch.bridge("br0")?;
    let (one, two) = (lab.netns("one")?, lab.netns("two")?);
    switch.plug("br0", &one, "net0", &["address add 10.77.0.1/24 dev net0".into()])?;
    switch.plug("br0", &two, "net0", &["address add 10.77.0.2/24 dev net0".into()])?;
    Ok((one, two, switch))
}

#[test]
fn pods_reach_each_other_over_routes_set_by_hand() -> Result {
    let lab = Lab::unique()?;
    let (one, two, _switch) = two_hosts(&lab)?;
    for host in [&one, &two] {
        // Proxy ARP answers for 169.254.1.1 only where the host has some route to it.
        host.ip_line("route add default via 10.77.0.254")?;
    }
    let pod1 = Pod::new(&lab, &one, Ipv4Addr::new(172, 19, 1, 10), 24, "veth1", 1480)?;
    let pod2 = Pod::new(&lab, &two, Ipv4Addr::new(172, 19, 2, 10), 24, "veth1", 1480)?;
    assert_eq!(ping(&pod1.netns, pod2.address.into(), 1)?.received, 0);

    one.ip_line("route add 172.19.2.0/24 via 10.77.0.2 dev net0 proto bird")?;
    two.ip_line("route add 172.19.1.0/24 via 10.77.0.1 dev net0 proto bird")?;
    let held = routes(&one, Family::V4, "proto bird")?;
    assert_eq!(
        held.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["172.19.2.0/24 via 10.77.0.2 dev net0 proto bird"]
    );

    let log = lab.dir().join("capture.log");
    let capture = Capture::start(&two, "net0", "icmp", 2, &log)?;
    ping(&pod1.netns, pod2.address.into(), 1)?.complete()?;
    let packets = capture.packets(SOON)?;
    assert!(
        packets[0].starts_with("IP 172.19.1.10 > 172.19.2.10: ICMP echo request"),
        "{packets:?}"
    );
    assert!(packets[1].starts_with("IP 172.19.2.10 > 172.19.1.10: ICMP echo reply"), "{packets:?}");
    Ok(())
}

#[test]
fn sockets_can_be_opened_inside_a_namespace() -> Result {
    let lab = Lab::unique()?;
    let (one, two, _switch) = two_hosts(&lab)?;
    let listener = two.inside(|| std::net::TcpListener::bind("10.77.0.2:179"))??;
    let stream = one.inside(|| std::net::TcpStream::connect("10.77.0.2:179"))??;
    assert_eq!(listener.accept()?.1, stream.local_addr()?);
    assert!(two.inside(|| panic!("work that panics")).is_err());
    Ok(())
}

#[test]
fn a_dropped_network_leaves_nothing() -> Result {
    let lab = Lab::unique()?;
    let netns = lab.netns("gone")?;
    let name = netns.name().to_owned();
    let log = lab.dir().join("sleep.log");
    let mut sleep = netns.spawn("sleep", &["sleep", "600"], &log)?;
    let process = format!("/proc/{}/stat", sleep.pid());
    wait_for("it to be there", SOON, || {
        let pids = must(&["ip", "netns", "pids", &name])?;
        anyhow::ensure!(pids.trim() == sleep.pid().to_string(), "there are: {pids}");
        Ok(())
    })?;
    // Its value lets go of it: the namespace must end it all the same.
    sleep.detach();
    let dir = lab.dir().to_owned();
    drop((netns, lab));
    assert!(!dir.exists());
    assert!(!must(&["ip", "netns", "list"])?.contains(&name));
    wait_for("its end", SOON, || {
        let stat = std::fs::read_to_string(&process).unwrap_or_default();
        // Nobody waits for a detached child: it stays a zombie until this test ends.
        if stat.is_empty() || stat.contains(") Z ") {
            return Ok(());
        }
        bail!("it runs: {stat}")
    })
}

#[test]
fn a_calico_node_and_a_top_of_rack_switch_exchange_blocks() -> Result {
    let lab = Lab::unique()?;
    let (one, two, _switch) = two_hosts(&lab)?;
    let router = FrrRouter {
        asn: 64512,
        router_id: Ipv4Addr::new(10, 77, 0, 1),
        neighbors: vec![FrrNeighbor { address: Ipv4Addr::new(10, 77, 0, 2).into(), asn: 64512 }],
        networks: vec!["10.244.1.0/26".into(), "2001:db8:1::/64".into()],
    };
    let node = CalicoNode {
        asn: 64512,
        address: Ipv4Addr::new(10, 77, 0, 2),
        mesh: vec![Ipv4Addr::new(10, 77, 0, 1)],
        blocks: vec!["10.244.2.0/26".into()],
        pools: vec!["10.244.0.0/16".into()],
    };
    let frr = Frr::start(&one, &lab.subdir("frr")?, &router.config())?;
    let bird = Bird::start(&two, &lab.subdir("bird")?, &node.config())?;

    let holds = |netns: &Netns, protocol: &str, wanted: &str| {
        wait_for(wanted, SOON, || {
            let held: Vec<String> = routes(netns, Family::V4, &format!("proto {protocol}"))?
                .iter()
                .map(ToString::to_string)
                .collect();
            if held.iter().any(|route| route.starts_with(wanted)) {
                return Ok(());
            }
            bail!("{} holds {held:?}", netns.name())
        })
    };
    holds(&one, "bgp", "10.244.2.0/26")?;
    holds(&two, "bird", "10.244.1.0/26 via 10.77.0.1 dev net0")?;
    holds(&two, "bird", "blackhole 10.244.2.0/26")?;
    assert!(frr.vtysh("show bgp summary json")?.contains("10.77.0.2"));
    assert!(bird.birdc("show protocols all Mesh_10_77_0_1")?.contains("Established"));

    // A crash leaves the kernel's routes: that is what a takeover finds.
    bird.crash();
    holds(&two, "bird", "10.244.1.0/26 via 10.77.0.1 dev net0")
}
