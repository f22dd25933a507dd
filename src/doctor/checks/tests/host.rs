//! What the host says: settings, interfaces, tables, programs.

use super::*;
use crate::doctor::facts::Program;

fn set(path: &str, value: &str) -> Facts {
    with_host(|host| {
        host.settings.insert(path.to_owned(), value.to_owned());
    })
}

#[test]
fn forwarding_off_for_all_or_for_one_interface() {
    let facts = set("net/ipv4/ip_forward", "0");
    says(&facts, "forwarding", Level::Problem, "IPv4", "sysctl -w net.ipv4.ip_forward=1");
    let facts = set("net/ipv4/conf/net0/forwarding", "0");
    says(&facts, "forwarding", Level::Problem, "1 interface", "net.ipv4.conf.net0.forwarding=1");
    // One that carries nothing of ours is nobody's affair.
    let facts = set("net/ipv4/conf/lo/forwarding", "0");
    assert_eq!(examine(&facts).worst, Level::Ok);
    // IPv6 matters where a pool has it.
    let v6 = sick(|facts| {
        let toml = TOML.replace(
            "[[node]]\nname = \"server1\"",
            "[[pool]]\ncidr = \"fd00::/32\"\n[[node]]\nname = \"server1\"",
        );
        facts.configured = Ok(configured(&toml));
        facts.host.settings.insert("net/ipv6/conf/all/forwarding".into(), "0".into());
    });
    says(&v6, "forwarding", Level::Problem, "IPv6", "net.ipv6.conf.all.forwarding=1");
}

#[test]
fn a_strict_filter_counts_where_it_is_the_larger_of_two() {
    let tunnel = "net/ipv4/conf/tunl0/rp_filter";
    says(&set(tunnel, "1"), "reverse_path", Level::Warning, "strict", "tunl0.rp_filter=2");
    assert_eq!(examine(&set(tunnel, "2")).worst, Level::Ok, "loose");
    let dropping = with_host(|host| {
        host.settings.insert(tunnel.into(), "1".into());
        host.counters.insert("TcpExt.IPReversePathFilter".into(), 7);
    });
    says(&dropping, "reverse_path", Level::Problem, "7 packets", "tunl0.rp_filter=2");
    // Strict for all, loose for one: loose. Here net0 has none of its own.
    let all = with_host(|host| {
        host.settings.insert("net/ipv4/conf/all/rp_filter".into(), "1".into());
        host.settings.insert(tunnel.into(), "2".into());
    });
    says(&all, "reverse_path", Level::Hint, "strict", "net0.rp_filter=2");
}

#[test]
fn an_interface_with_a_dot_in_its_name_is_set_by_a_path() {
    let facts = with_host(|host| {
        host.links[1].name = "eth0.5".into();
        host.settings.insert("net/ipv4/conf/eth0.5/forwarding".into(), "0".into());
    });
    says(&facts, "forwarding", Level::Problem, "forwarding", "net/ipv4/conf/eth0.5/forwarding=1");
}

#[test]
fn the_tunnel_is_there_and_as_it_should_be() {
    let without = |module| {
        with_host(|host| {
            host.links.remove(2);
            host.ipip = module;
        })
    };
    says(&without(Module::Absent), "tunnel", Level::Problem, "no module ipip", "modprobe ipip");
    says(&without(Module::Loadable), "tunnel", Level::Problem, "not loaded", "modprobe ipip");
    says(&without(Module::Present), "tunnel", Level::Problem, "has not been made", "reload");
    let bridge = with_host(|host| host.links[2].kind = Some("bridge".into()));
    says(&bridge, "tunnel", Level::Problem, "a bridge device", "name tunl0-other");
    let down = with_host(|host| host.links[2].up = false);
    says(&down, "tunnel", Level::Problem, "down", "ip link set tunl0 up");
    let far = with_host(|host| host.links[2].remote = Some("192.0.2.1".parse().unwrap()));
    says(&far, "tunnel", Level::Problem, "leads to 192.0.2.1 alone", "ip link del tunl0");
    let whole = with_host(|host| host.links[2].pmtudisc = true);
    says(&whole, "tunnel", Level::Warning, "allow fragments", "ttl inherit nopmtudisc");
    let in_vrf = |master| {
        sick(|facts| {
            let vrf = Link { vrf: Some(1000), ..link(9, "blue", Some("vrf"), 65536) };
            facts.host.links.push(vrf);
            facts.host.links[2].master = master;
            facts.configured = Ok(configured(&format!("{TOML}[kernel]\ntable = 1000\n")));
        })
    };
    let outside = in_vrf(None);
    says(&outside, "tunnel", Level::Problem, "not in blue", "ip link set tunl0 master blue");
    assert_eq!(examine(&in_vrf(Some(9))).worst, Level::Ok);
    let unaddressed = with_host(|host| host.addresses.truncate(1));
    says(&unaddressed, "tunnel", Level::Warning, "10.244.1.0", "10.244.1.0/32 dev tunl0");
}

#[test]
fn the_tunnels_mtu_fits_the_underlay() {
    let large = with_host(|host| host.links[2].mtu = 1500);
    says(&large, "tunnel", Level::Warning, "does not fit net0", "ip link set tunl0 mtu 1480");
    let small = with_host(|host| {
        host.links[2].mtu = 1400;
        host.links[3].mtu = 1400;
    });
    says(&small, "tunnel", Level::Hint, "room for 1480", "mtu 1480");
    let meant = sick(|facts| {
        facts.host.links[2].mtu = 1400;
        facts.host.links[3].mtu = 1400;
        facts.configured = Ok(configured(&format!("{TOML}[tunnel]\nmtu = 1400\n")));
    });
    assert_eq!(examine(&meant).worst, Level::Ok);
}

#[test]
fn packets_that_nobody_takes_tell_of_somebody_who_tunnels() {
    let facts = sick(|facts| {
        facts.configured = Ok(configured(&TOML.replace("cross-subnet", "never")));
        facts.host.links.remove(2);
        facts.host.counters.insert("Ip.InUnknownProtos".into(), 12);
        facts.host.tunnel = None;
    });
    says(&facts, "tunnel", Level::Hint, "12 packets", "tcpdump");
}

#[test]
fn the_nodes_address_is_on_one_interface_with_the_length_that_the_file_says() {
    let gone = with_host(|host| {
        host.addresses.remove(0);
    });
    says(&gone, "addresses", Level::Problem, "on no interface", "ip address add 10.1.5.10");
    let twice = with_host(|host| host.addresses.push(address(1, "10.1.5.10/32")));
    says(&twice, "addresses", Level::Warning, "several interfaces: net0, lo", "ip address del");
    let host_address = with_host(|host| host.addresses[0] = address(2, "10.1.5.10/32"));
    let findings = examine(&host_address).findings;
    assert!(findings.iter().any(|f| f.check == "addresses" && f.text.contains("a host address")));
    // The file says /24, the interface /20.
    let mask = sick(|facts| {
        facts.configured = Ok(configured(&TOML.replace("\"10.1.5.10\"", "\"10.1.5.10/24\"")));
        facts.host.addresses[0] = address(2, "10.1.5.10/20");
    });
    says(&mask, "addresses", Level::Warning, "net0 has 10.1.5.10/20", "address = \"10.1.5.10/20\"");
    // A cloud's /32 on the interface, and the subnet in the file: that is what it is for.
    let cloud = sick(|facts| {
        facts.configured = Ok(configured(&TOML.replace("\"10.1.5.10\"", "\"10.1.5.10/24\"")));
        facts.host.addresses[0] = address(2, "10.1.5.10/32");
    });
    assert_eq!(examine(&cloud).worst, Level::Ok);
    let twin = with_host(|host| {
        host.links.push(link(5, "net1", None, 1500));
        host.addresses.push(address(5, "10.1.5.20/24"));
    });
    says(&twin, "addresses", Level::Hint, "10.1.5.0/24 as net0 is", "arp_ignore");
}

#[test]
fn pods_links_answer_for_their_gateway_and_fit_the_tunnel() {
    let silent = set("net/ipv4/conf/cali1/proxy_arp", "0");
    says(&silent, "pods", Level::Warning, "off on 1 of 1 pod link", "cali1.proxy_arp=1");
    let large = with_host(|host| host.links[3].mtu = 1500);
    says(&large, "pods", Level::Hint, "1500 is more than the tunnel's 1480", "1480");
}

#[test]
fn tables_that_are_too_small_for_the_cluster() {
    let thresh = "net/ipv4/neigh/default/gc_thresh3";
    says(&set(thresh, "4"), "limits", Level::Problem, "4 neighbours at most", "gc_thresh3=4096");
    says(&set(thresh, "7"), "limits", Level::Warning, "may have 4", "gc_thresh2=2048");
    let count = "net/netfilter/nf_conntrack_count";
    says(&set(count, "850"), "limits", Level::Warning, "850 of 1000", "nf_conntrack_max=2000");
    says(&set(count, "960"), "limits", Level::Problem, "960 of 1000", "nf_conntrack_max=2000");
    // Since Linux 6.3 it means nothing.
    let many = |kernel| {
        sick(|facts| {
            facts.host.kernel = kernel;
            facts.daemon.as_mut().unwrap().wanted = (3, 5000);
        })
    };
    says(&many((6, 1)), "limits", Level::Problem, "5000 are wanted", "net.ipv6.route.max_size");
    assert_eq!(examine(&many((6, 3))).worst, Level::Ok);
}

#[test]
fn who_else_writes_routes() {
    let running = |name: &str| {
        with_host(|host| host.programs = Some(vec![Program { pid: 77, name: name.to_owned() }]))
    };
    says(&running("bird"), "writers", Level::Problem, "protocol 12", "disable --now bird");
    says(&running("starlingd"), "writers", Level::Problem, "second one", "kill 77");
    says(&running("calico-felix"), "writers", Level::Hint, "3.33", "programClusterRoutes");
    says(&running("cilium-agent"), "writers", Level::Hint, "itself", "one of the two");
    assert_eq!(examine(&running("zebra")).worst, Level::Ok, "it has a protocol of its own");
    let same = sick(|facts| {
        facts.configured = Ok(configured(&format!("{TOML}[kernel]\nprotocol = \"bgp\"\n")));
        facts.host.programs = Some(vec![Program { pid: 77, name: "zebra".into() }]);
    });
    says(&same, "writers", Level::Problem, "186", "[kernel] protocol");
    let fought = |recent| {
        let what = "proto 80 replaced 14 of our routes in 60 s".to_owned();
        let last = "10.244.2.0/26".parse().unwrap();
        let rival = Rival { protocol: Some(80), what, recent, total: 20, last, last_s: 1 };
        sick(|facts| facts.daemon.as_mut().unwrap().rivals = vec![rival.clone()])
    };
    says(&fought(14), "writers", Level::Problem, "proto 80 replaced 14", "ip monitor");
    assert_eq!(examine(&fought(1)).worst, Level::Ok, "once is no habit");
    let hidden = with_host(|host| host.programs = None);
    assert!(examine(&hidden).unchecked.iter().any(|u| u.check == "writers"));
}

#[test]
fn equal_paths_are_chosen_by_ports_too() {
    let facts = set("net/ipv4/fib_multipath_hash_policy", "0");
    says(&facts, "multipath", Level::Hint, "same of the equal paths", "hash_policy=1");
}
