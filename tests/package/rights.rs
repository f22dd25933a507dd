//! What the service may do as the unit has it, and who may ask it what.

use anyhow::ensure;
use starling::api::Diagnosis;
use starling_lab::{Cluster, Result, wait_for};

use crate::SOON;
use crate::machine::Machine;

/// CAP_NET_ADMIN, as `/proc` has it.
const NET_ADMIN: &str = "0000000000001000";

/// Of a service that runs and has converged.
pub fn of_the_service(machine: &Machine, cluster: &Cluster) -> Result {
    what_is_left(machine)?;
    what_it_still_does(machine, cluster)?;
    who_may_ask(machine)
}

/// A user of its own, one capability, no way to more, and the unit's filter of system calls.
fn what_is_left(machine: &Machine) -> Result {
    let uid = machine.must(&["id", "-u", "starling"])?;
    assert_eq!(machine.status("Uid")?.split_whitespace().nth(1), Some(uid.trim()));
    for set in ["CapPrm", "CapEff", "CapInh", "CapAmb"] {
        assert_eq!(machine.status(set)?, NET_ADMIN, "{set}");
    }
    assert_eq!(machine.status("NoNewPrivs")?, "1");
    assert_eq!(machine.status("Seccomp")?, "2");
    // What belongs to its user belongs to root where no core may be dumped of it.
    let pid = machine.service("MainPID")?;
    let owner = machine.must(&["stat", "-c", "%U", &format!("/proc/{pid}/environ")])?;
    assert_eq!(owner.trim(), "root", "its memory may be dumped");
    // Every thread, not only the first.
    let all = machine.must(&["sh", "-c", &format!("grep -h CapEff /proc/{pid}/task/*/status")])?;
    ensure!(all.lines().count() >= 5, "{all}");
    for line in all.lines() {
        ensure!(line.ends_with(NET_ADMIN), "a thread has more: {all}");
    }
    let nice = machine.must(&["ps", "-L", "-o", "ni,comm", "-p", &pid])?;
    ensure!(nice.lines().any(|line| line.trim() == "-20 bfd"), "{nice}");
    Ok(())
}

/// The sandbox is in nobody's way: nothing was refused that the daemon wanted.
fn what_it_still_does(machine: &Machine, cluster: &Cluster) -> Result {
    let log = machine.log();
    for word in ["WARN", "ERROR", "not permitted", "denied"] {
        let found: Vec<&str> = log.lines().filter(|line| line.contains(word)).collect();
        // The file that `configured` broke on purpose.
        let expected = |line: &&&str| line.contains("configuration rejected");
        assert_eq!(found.iter().find(|line| !expected(line)), None, "{log}");
    }
    // The packet filter is read by its tools, and other programs are seen.
    machine.must(&["nft", "add", "table", "inet", "host"])?;
    let chain = "{ type filter hook input priority 0; policy accept; }";
    machine.must(&["nft", "add", "chain", "inet", "host", "input", chain])?;
    machine
        .must(&["nft", "add", "rule", "inet", "host", "input", "udp", "dport", "4784", "drop"])?;
    // Where a program takes too long, the doctor says so, and can be asked again.
    wait_for("the doctor's word", SOON, || {
        let said = machine.run(&["bgpctl", "--json", "doctor"])?;
        let diagnosis: Diagnosis = serde_json::from_str(&said.stdout)?;
        let finds = |check: &str, words: &str| {
            diagnosis.findings.iter().any(|f| f.check == check && f.text.contains(words))
        };
        ensure!(finds("filter", "BFD (UDP 4784) from n2, n3 is dropped"), "{diagnosis:#?}");
        for unseen in &diagnosis.unchecked {
            ensure!(!["writers", "filter"].contains(&unseen.check.as_str()), "{unseen:?}");
        }
        Ok(())
    })?;
    machine.must(&["nft", "delete", "table", "inet", "host"])?;
    cluster.ping_all(starling_lab::Family::V4)
}

/// Root and the group starling: everything. starling-read: looking. Others: nothing.
fn who_may_ask(machine: &Machine) -> Result {
    for (user, group) in
        [("steers", "starling"), ("looks", "starling-read"), ("stranger", "nogroup")]
    {
        machine.must(&["groupadd", user])?;
        machine.must(&["useradd", "-M", "-g", user, "-G", group, user])?;
    }
    let code = |user: &str, argv: &[&str]| {
        Ok::<_, anyhow::Error>(machine.run_as(user, argv)?.status.code())
    };
    let (look, change) =
        (["bgpctl", "show", "summary"], ["bgpctl", "network", "add", "10.244.1.128/26"]);
    assert_eq!(code("steers", &look)?, Some(0));
    assert_eq!(code("steers", &change)?, Some(0));
    assert_eq!(code("looks", &look)?, Some(0));
    let refused = machine.run_as("looks", &change)?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    ensure!(refused.stderr.contains("may only look"), "{refused:?}");
    assert_eq!(code("stranger", &look)?, Some(3));
    // It is the socket that decides, not the client.
    let reading = ["bgpctl", "--socket", "/run/starling/read.sock", "reload"];
    assert_eq!(code("steers", &reading)?, Some(3), "members of the one group are not of the other");
    assert_eq!(code("looks", &reading)?, Some(1));
    assert_eq!(code("stranger", &reading)?, Some(3));
    Ok(())
}
