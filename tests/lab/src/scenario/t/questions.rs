//! What `bgpctl why` and `bgpctl doctor` say of a tunnel that works, and of one with everything
//! wrong that goes wrong with tunnels; each cure is typed as it is told.

use super::super::topology::{Node, Topology};
use super::{PATIENCE, daemon};
use crate::{Result, Stage, wait_for};
use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// What is done to host1, what the doctor finds then (check, level, words), and, where that is no
/// command of bgpctl, how the cure begins. The tunnel is let alone by a daemon that is decoupled.
const ILLS: [(&str, [&str; 3], &str); 6] = [
    (
        "ip link set tunl0 mtu 1490",
        ["tunnel", "warning", "its mtu 1490 does not fit eth0"],
        "ip link set tunl0 mtu 1480",
    ),
    (
        "ip address del 10.244.1.0/32 dev tunl0",
        ["tunnel", "warning", "10.244.1.0 is not on it"],
        "ip address add 10.244.1.0/32 dev tunl0",
    ),
    ("ip link set tunl0 down", ["tunnel", "problem", "it is down"], "ip link set tunl0 up"),
    (
        "nft 'add table inet host; add chain inet host input { type filter hook input priority 0; }; \
         add rule inet host input ip protocol 4 drop'",
        ["filter", "problem", "IP in IP (protocol 4) from host2 is dropped"],
        "nft insert rule inet host input ip saddr '{ 10.0.2.10 }' ip protocol 4 accept",
    ),
    (
        "sysctl -qw net.ipv4.conf.cali1.proxy_arp=0",
        ["pods", "warning", "proxy_arp is off on 1 of 1 pod link"],
        "sysctl -w net.ipv4.conf.cali1.proxy_arp=1",
    ),
    (
        "sysctl -qw net.ipv4.conf.tunl0.rp_filter=1",
        ["reverse_path", "warning", "rp_filter is strict"],
        "sysctl -w net.ipv4.conf.tunl0.rp_filter=2",
    ),
];

/// Plays it; afterwards the network is as before.
pub(super) fn play(net: &Topology, stage: &mut Stage) -> Result {
    stage.step("asking bgpctl why, and the doctor");
    let (host1, host2) = (net.node(0)?, net.node(1)?);
    let told = wait_for("the answer", PATIENCE, || why_it_works(host1));
    if let Some(words) = stage.check("`bgpctl why --both` goes from the packet to the cause", told)
    {
        stage.show("bgpctl why 10.244.2.10 --both   (on host1)", &words);
    }
    let well = wait_for("its word", PATIENCE, || is_healthy(host1));
    stage.check("`bgpctl doctor` finds nothing in a healthy network", well);

    daemon(host1)?.bgpctl(&["fib", "decouple"])?;
    for (deed, ..) in &ILLS {
        shell(host1, deed)?;
    }
    let lost = why_it_does_not(host1);
    stage.check("with tunl0 down, `bgpctl why` says so", lost);
    let found = wait_for("all of it", PATIENCE, || find_all(host1));
    if let Some(found) = stage.check("`bgpctl doctor` finds what was broken, and cures", found) {
        stage.show("bgpctl doctor   (on host1)", &found);
    }
    for (_, _, cure) in &ILLS {
        shell(host1, cure)?;
    }
    daemon(host1)?.bgpctl(&["fib", "couple"])?;
    let cured = wait_for("its word", PATIENCE, || is_healthy(host1));
    stage.check("typed one after the other, the cures leave nothing to find", cured);
    shell(host1, "nft delete table inet host")?;

    // host2's interface reaches farther than host1's, and the gateway plays along, as some do.
    net.gateway.sysctl("net/ipv4/conf/all/proxy_arp", "1")?;
    readdress(host2, "10.0.2.10/24", "10.0.2.10/16")?;
    let differs = wait_for("its word", PATIENCE, || {
        let words = "this node encapsulates to it, and it says that it sends in clear back";
        let cure = finding(&examine(host1)?, ["encapsulation", "problem", words])?;
        ensure!(cure.starts_with("bgpctl show nodes, here and on host2"), "{cure}");
        Ok(())
    });
    let what = "`bgpctl doctor` finds that host2 does not encapsulate towards host1, who does";
    if stage.check(what, differs).is_none() {
        net.explain(stage, host2);
    }
    readdress(host2, "10.0.2.10/16", "10.0.2.10/24")?;
    net.gateway.sysctl("net/ipv4/conf/all/proxy_arp", "0")?;
    let same = wait_for("its word", PATIENCE, || is_healthy(host1));
    stage.check("and nothing when both do alike again", same);
    Ok(())
}

fn readdress(node: &Node, from: &str, to: &str) -> Result {
    let lines = [format!("address add {to} dev eth0"), format!("address del {from} dev eth0")];
    node.host.ip_lines(&lines)
}

/// As a person would type it on that host.
fn shell(node: &Node, line: &str) -> Result {
    let output = node.host.command("sh").args(["-c", line]).output()?;
    ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// `bgpctl why` about the other pod, both ways: the verdicts and each fact of the way there.
fn why_it_works(node: &Node) -> Result<String> {
    let output = daemon(node)?.try_bgpctl(&["why", "10.244.2.10", "--both"])?;
    let said = &output.stdout;
    for words in [
        "10.244.2.10 is reached through 10.0.2.10 by tunl0",
        "10.244.2.0/26 via 10.0.2.10 dev tunl0 onlink proto 12 metric 0",
        "10.0.2.10 is outside 10.0.1.0/24 of eth0, pool 10.244.0.0/16 is cross-subnet: tunnelled \
         by tunl0",
        "tunl0: ipip, up, mtu 1480",
        "packets to 10.0.2.10 take 0.0.0.0/0 via 10.0.1.1 dev eth0",
        "host2 (10.0.2.10): Established",
        // The way back, in host2's words.
        "10.244.1.0/26 is reached through 10.0.1.10 by tunl0",
        "10.0.1.10 is outside 10.0.2.0/24 of eth0",
    ] {
        ensure!(said.contains(words), "{words:?} is not in\n{said}{}", output.stderr);
    }
    ensure!(output.status.code() == Some(0), "it exits with {:?}", output.status.code());
    Ok(output.stdout)
}

fn why_it_does_not(node: &Node) -> Result {
    wait_for("the answer", PATIENCE, || {
        let output = daemon(node)?.try_bgpctl(&["why", "10.244.2.10"])?;
        ensure!(output.stdout.contains("tunl0 is down"), "{}", output.stdout);
        ensure!(matches!(output.status.code(), Some(4 | 5)), "{:?}", output.status.code());
        Ok(())
    })
}

fn examine(node: &Node) -> Result<Value> {
    let output = daemon(node)?.try_bgpctl(&["doctor", "--json"])?;
    serde_json::from_str(&output.stdout).with_context(|| format!("the doctor said: {output:?}"))
}

fn is_healthy(node: &Node) -> Result {
    let diagnosis = examine(node)?;
    ensure!(diagnosis["worst"] == "ok", "{}", in_words(&diagnosis));
    Ok(())
}

/// Every ill by its check, level and words, with its cure; all of them in words.
fn find_all(node: &Node) -> Result<String> {
    let diagnosis = examine(node)?;
    for (_, wanted, begins) in &ILLS {
        let cure = finding(&diagnosis, *wanted)?;
        ensure!(cure.starts_with(begins), "{wanted:?} is cured by {cure:?}, not {begins:?}");
    }
    Ok(in_words(&diagnosis))
}

/// The cure of what is found.
fn finding(diagnosis: &Value, [check, level, words]: [&str; 3]) -> Result<String> {
    let findings = diagnosis["findings"].as_array().context("no findings")?;
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let found = findings.iter().find(|finding| {
        text(finding, "check") == check
            && text(finding, "level") == level
            && text(finding, "text").contains(words)
    });
    match found {
        Some(found) => Ok(text(found, "cure")),
        None => bail!("no {level} of {check} with {words:?} in\n{}", in_words(diagnosis)),
    }
}

fn in_words(diagnosis: &Value) -> String {
    let none = Vec::new();
    let findings = diagnosis["findings"].as_array().unwrap_or(&none);
    let line = |finding: &Value| {
        let part = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}: {}\n", part("level"), part("check"), part("subject"), part("text"))
            + &format!("    cure: {}\n", part("cure"))
    };
    let sick = findings.iter().filter(|finding| finding["level"] != "ok");
    sick.map(line).collect()
}
