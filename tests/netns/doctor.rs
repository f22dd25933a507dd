//! `bgpctl doctor`: each thing broken for real on one node, and found there by the daemon.

use std::process::Command;

use anyhow::{Context, ensure};
use starling::api::{Diagnosis, Finding, Level};
use starling_lab::{Cluster, Family, Netns, Result, Starling, wait_for};

use crate::support::{SOON, cluster, established};
use crate::tunnel::stand_in;

/// What the doctor of node 1 says, and its exit code.
fn examine(cluster: &mut Cluster) -> Result<(Diagnosis, Option<i32>)> {
    let output = cluster.node(1)?.daemon()?.try_bgpctl(&["doctor", "--json"])?;
    let diagnosis = serde_json::from_str(&output.stdout).context(output.stderr.clone())?;
    Ok((diagnosis, output.status.code()))
}

fn find(diagnosis: &Diagnosis, check: &str, words: &str) -> Option<Finding> {
    let mut findings = diagnosis.findings.iter();
    findings.find(|f| f.check == check && f.level > Level::Ok && f.text.contains(words)).cloned()
}

/// Waits until the doctor of node 1 finds this; what cures it.
fn found(cluster: &mut Cluster, check: &str, level: Level, words: &str) -> Result<String> {
    wait_for("the doctor's word", SOON, || {
        let (diagnosis, _) = examine(cluster)?;
        let finding = find(&diagnosis, check, words)
            .with_context(|| format!("no {check} with {words:?}:\n{diagnosis:#?}"))?;
        ensure!(finding.level == level, "{finding:#?}");
        finding.cure.with_context(|| format!("{check} has no cure"))
    })
}

/// Waits until nothing of this check is wrong any more.
fn cured(cluster: &mut Cluster, check: &str) -> Result {
    wait_for("the cure", SOON, || {
        let (diagnosis, _) = examine(cluster)?;
        let left = find(&diagnosis, check, "");
        ensure!(left.is_none(), "{left:#?}");
        Ok(())
    })
}

/// Types a cure on a host, as a person would.
fn type_on(netns: &Netns, line: &str) -> Result {
    let mut shell: Command = netns.command("sh");
    let output = shell.args(["-c", line]).output()?;
    ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn type_here(cluster: &mut Cluster, line: &str) -> Result {
    type_on(cluster.node(1)?.netns(), line)
}

fn pair() -> Result<Cluster> {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    Ok(cluster)
}

#[test]
fn settings_of_the_kernel_are_found_and_cured_by_the_command_that_is_told() -> Result {
    let mut cluster = pair()?;
    for (check, key, bad, level, words) in [
        ("forwarding", "net/ipv4/ip_forward", "0", Level::Problem, "IPv4"),
        ("forwarding", "net/ipv6/conf/all/forwarding", "0", Level::Problem, "IPv6"),
        ("forwarding", "net/ipv4/conf/net0/forwarding", "0", Level::Problem, "off on 1 interface"),
        ("reverse_path", "net/ipv4/conf/net0/rp_filter", "1", Level::Hint, "strict"),
    ] {
        cluster.node(1)?.netns().sysctl(key, bad)?;
        let cure = found(&mut cluster, check, level, words)?;
        type_here(&mut cluster, &cure)?;
        cured(&mut cluster, check)?;
    }
    Ok(())
}

#[test]
fn a_packet_filter_of_either_kind_is_read_and_opened() -> Result {
    let mut cluster = cluster(&[0, 1])?;
    cluster.configure(&cluster.toml("cross-subnet", ""))?;
    stand_in(cluster.node(1)?.netns())?;
    cluster.start_with(1, &["--tunnel-stand-in"])?;
    type_here(&mut cluster, "nft add table inet host")?;
    let chain = "{ type filter hook input priority 0; policy accept; }";
    type_here(&mut cluster, &format!("nft add chain inet host input '{chain}'"))?;
    for (rule, level, words) in [
        ("ip protocol 4 drop", Level::Problem, "IP in IP (protocol 4) from n2"),
        ("tcp dport 179 drop", Level::Problem, "BGP (TCP 179) from n2"),
        ("udp dport 4784 drop", Level::Warning, "BFD (UDP 4784) from n2"),
    ] {
        type_here(&mut cluster, &format!("nft add rule inet host input {rule}"))?;
        let cure = found(&mut cluster, "filter", level, words)?;
        ensure!(
            cure.starts_with("nft insert rule inet host input ip saddr '{ 10.50.1.2 }'"),
            "{cure}"
        );
        wait_for("the rule's words", SOON, || {
            let (diagnosis, _) = examine(&mut cluster)?;
            let finding = find(&diagnosis, "filter", words).context("it is gone")?;
            ensure!(finding.text.contains(rule), "{finding:#?}");
            Ok(())
        })?;
        type_here(&mut cluster, &cure)?;
        cured_of(&mut cluster, "filter", words)?;
    }
    // Docker's way, by the old iptables: its tables are apart from those of nf_tables.
    type_here(&mut cluster, "nft flush ruleset")?;
    for program in ["iptables-nft", "iptables-legacy"] {
        type_here(&mut cluster, &format!("{program} -P INPUT DROP"))?;
        let words = "IP in IP (protocol 4) from n2 is dropped: policy drop";
        let cure = found(&mut cluster, "filter", Level::Problem, words)?;
        ensure!(cure.contains("-I INPUT -s 10.50.1.2 -p 4 -j ACCEPT"), "{cure}");
        type_here(&mut cluster, &cure)?;
        cured_of(&mut cluster, "filter", words)?;
        type_here(&mut cluster, &format!("{program} -P INPUT ACCEPT; {program} -F"))?;
    }
    cured_of(&mut cluster, "filter", "n2")
}

fn cured_of(cluster: &mut Cluster, check: &str, words: &str) -> Result {
    wait_for("the cure", SOON, || {
        let (diagnosis, _) = examine(cluster)?;
        let left = find(&diagnosis, check, words);
        ensure!(left.is_none(), "{left:#?}");
        Ok(())
    })
}

#[test]
fn a_mask_that_the_file_does_not_know_and_two_ends_that_differ() -> Result {
    let mut cluster = cluster(&[0, 1])?;
    let toml = cluster.toml("cross-subnet", "");
    let toml = toml
        .replace("\"10.50.0.1\"", "\"10.50.0.1/24\"")
        .replace("\"10.50.1.2\"", "\"10.50.1.2/24\"");
    cluster.configure(&toml)?;
    stand_in(cluster.node(1)?.netns())?;
    cluster.start_with(1, &["--tunnel-stand-in"])?;
    cured(&mut cluster, "encapsulation")?;
    // Somebody gave the interface a longer reach than the file says.
    for line in ["address add 10.50.0.1/20 dev net0", "address del 10.50.0.1/24 dev net0"] {
        cluster.node(1)?.netns().ip_line(line)?;
    }
    found(&mut cluster, "addresses", Level::Warning, "net0 has 10.50.0.1/20")?;
    // He does so in the file too, for this node alone.
    cluster.configure(&toml.replace("\"10.50.0.1/24\"", "\"10.50.0.1/20\""))?;
    let words = "(10.50.0.1 in 10.50.0.0/20) sends in clear to it";
    let cure = found(&mut cluster, "encapsulation", Level::Problem, words)?;
    ensure!(cure.contains("\"10.50.1.2/20\""), "{cure}");
    cured(&mut cluster, "addresses")?;
    cluster.configure(&toml.replace("/24\"", "/20\""))?;
    cured(&mut cluster, "encapsulation")?;
    // And the address is taken away altogether.
    cluster.node(1)?.netns().ip_line("address del 10.50.0.1/20 dev net0")?;
    found(&mut cluster, "addresses", Level::Problem, "on no interface").map(drop)
}

#[test]
fn the_other_end_is_asked_what_it_does() -> Result {
    let mut cluster = cluster(&[0, 1])?;
    let http = "[http]\nlisten = [\"0.0.0.0:9179\"]\n";
    cluster.configure(&cluster.toml("cross-subnet", http))?;
    for i in 1..=2 {
        stand_in(cluster.node(i)?.netns())?;
        cluster.start_with(i, &["--tunnel-stand-in"])?;
    }
    established(cluster.node(1)?, "n2")?;
    wait_for("both ends to do alike", SOON, || {
        let (diagnosis, _) = examine(&mut cluster)?;
        let same = diagnosis.findings.iter().find(|f| f.check == "encapsulation");
        ensure!(same.is_some_and(|f| f.level == Level::Ok), "{diagnosis:#?}");
        Ok(())
    })?;
    // n2's interface reaches farther than n1's, and the gateway plays along, as some do: only n2
    // knows, and says so when asked.
    let gateway = cluster.gateway().context("two racks have a gateway")?;
    gateway.sysctl("net/ipv4/conf/all/proxy_arp", "1")?;
    for line in ["address add 10.50.1.2/16 dev net0", "address del 10.50.1.2/24 dev net0"] {
        cluster.node(2)?.netns().ip_line(line)?;
    }
    let words = "it says that it sends in clear back";
    found(&mut cluster, "encapsulation", Level::Problem, words).map(drop)
}

#[test]
fn the_tunnel_that_is_missing_down_or_too_large() -> Result {
    let mut cluster = cluster(&[0, 1])?;
    cluster.configure(&cluster.toml("cross-subnet", "[tunnel]\nmanage = false\n"))?;
    cluster.node(1)?.netns().ip_line("link del tunl0").ok();
    cluster.start_with(1, &["--tunnel-stand-in"])?;
    found(&mut cluster, "tunnel", Level::Problem, "no such device")?;
    stand_in(cluster.node(1)?.netns())?;
    // A TUN device: honest about being none.
    found(&mut cluster, "tunnel", Level::Problem, "not ipip")?;
    Ok(())
}

#[test]
fn foreign_routes_are_found_where_they_stand_in_the_way() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    let toml = cluster.toml("never", "[kernel]\nmetric = 50\n");
    cluster.configure(&toml)?;
    let at_key = "10.244.2.0/26 via 10.50.0.99 dev net0 proto static metric 50";
    cluster.node(1)?.netns().ip_line(&format!("route add {at_key}"))?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    let cure = found(&mut cluster, "routes", Level::Problem, "protocol 4 sits there")?;
    let cure = cure.split(',').next().unwrap_or_default().to_owned();
    type_here(&mut cluster, &cure)?;
    cured(&mut cluster, "routes")?;
    cluster.node(1)?.holds(
        Family::V4,
        &[
            "blackhole 10.244.1.0/26 proto bird metric 50",
            "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird metric 50",
        ],
        SOON,
    )?;
    // One beside ours that the kernel likes better.
    let better = at_key.replace("metric 50", "metric 7");
    cluster.node(1)?.netns().ip_line(&format!("route add {better}"))?;
    let cure = found(&mut cluster, "routes", Level::Warning, "smaller metric 7")?;
    type_here(&mut cluster, cure.split(',').next().unwrap_or_default())?;
    cured(&mut cluster, "routes")
}

#[test]
fn who_keeps_removing_our_routes_is_told() -> Result {
    let mut cluster = pair()?;
    let route = "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird";
    let own = "blackhole 10.244.1.0/26 proto bird";
    for _ in 0..6 {
        cluster.node(1)?.holds(Family::V4, &[route, own], SOON)?;
        type_here(&mut cluster, "ip route del 10.244.2.0/26")?;
    }
    let cure = found(&mut cluster, "writers", Level::Problem, "removed 6 of our routes in 60 s")?;
    ensure!(cure.contains("ip monitor route"), "{cure}");
    Ok(())
}

#[test]
fn one_block_of_two_nodes_whose_files_differ() -> Result {
    let mut cluster = cluster(&[0, 0, 0])?;
    cluster.start_all()?;
    for other in ["n2", "n3"] {
        established(cluster.node(1)?, other)?;
    }
    cured(&mut cluster, "blocks")?;
    // An older file on n2, in which n3's block and a part of n1's were its own.
    let all = cluster.toml("never", "");
    let old = all
        .replace("\"10.244.3.0/26\", ", "")
        .replace("\"10.244.1.0/26\", ", "")
        .replace("\"10.244.2.0/26\"", "\"10.244.2.0/26\", \"10.244.3.0/26\", \"10.244.1.0/26\"");
    cluster.node(2)?.take_daemon()?.into_proc().stop(SOON)?;
    let file = cluster.lab().dir().join("old.toml");
    std::fs::write(&file, old)?;
    let node = &cluster.nodes()[1];
    let mut other =
        Starling::start_with(cluster.binaries(), node.netns(), "n2", &file, node.dir(), &[])?;
    other.wait_ready()?;
    let both = found(&mut cluster, "blocks", Level::Problem, "n2, n3 both announce it")?;
    ensure!(both.starts_with("on n2: starlingd check"), "{both}");
    found(&mut cluster, "blocks", Level::Problem, "it is this node's, and n2 announces it")?;
    Ok(())
}

#[test]
fn pods_links_without_proxy_arp_are_cured() -> Result {
    let mut cluster = pair()?;
    for line in ["link add cali1 type veth peer name pod1", "link set cali1 up"] {
        cluster.node(1)?.netns().ip_line(line)?;
    }
    let cure = found(&mut cluster, "pods", Level::Warning, "off on 1 of 1 pod link")?;
    type_here(&mut cluster, &cure)?;
    cured(&mut cluster, "pods")
}

#[test]
fn a_neighbour_that_is_away_and_a_kernel_that_is_left_alone() -> Result {
    let mut cluster = pair()?;
    cluster.node(2)?.take_daemon()?.into_proc().stop(SOON)?;
    let cure = found(&mut cluster, "sessions", Level::Problem, "connection refused")?;
    ensure!(cure == "on n2: systemctl start starlingd", "{cure}");
    cluster.node(1)?.daemon()?.bgpctl(&["fib", "decouple"])?;
    let cure = found(&mut cluster, "coupling", Level::Warning, "decoupled")?;
    ensure!(cure == "bgpctl fib couple", "{cure}");
    let (diagnosis, code) = examine(&mut cluster)?;
    ensure!((diagnosis.worst, code) == (Level::Problem, Some(5)), "{diagnosis:#?}");
    Ok(())
}

#[test]
fn without_a_daemon_the_host_and_the_file_are_looked_at() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    let (config, binaries) = (cluster.config().to_owned(), cluster.binaries().clone());
    let node = cluster.node(1)?;
    node.netns().sysctl("net/ipv4/ip_forward", "0")?;
    let socket = node.dir().join("nobody.sock");
    let mut bgpctl = node.netns().command(&binaries.bgpctl);
    bgpctl.arg("--socket").arg(&socket).args(["doctor", "--json", "--node", "n1", "--config"]);
    let output = bgpctl.arg(&config).output()?;
    let diagnosis: Diagnosis = serde_json::from_slice(&output.stdout)?;
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(diagnosis.node.as_deref(), Some("n1"));
    assert_eq!(diagnosis.findings[0].check, "daemon");
    ensure!(find(&diagnosis, "forwarding", "IPv4").is_some(), "{diagnosis:#?}");
    let addresses = diagnosis.findings.iter().find(|f| f.check == "addresses");
    ensure!(addresses.is_some_and(|f| f.text == "on net0 as 10.50.0.1/24"), "{diagnosis:#?}");
    Ok(())
}
