//! What an operator chooses to see, and does: sessions, next hops, the kernel's routes; networks by
//! the word and by the line; words for a neighbour.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::Ordering;

use starling::api::{FibEntry, Interface, Neighbor, Network, Nexthop, Summary, Wish};
use tokio::io::AsyncWriteExt;

use crate::command::{bgpctl, run};
use crate::http::Daemon;
use crate::sample;

#[tokio::test]
async fn networks_come_and_go_while_the_daemon_runs() {
    let daemon = Daemon::start().await;
    let (code, out, err) = run(&daemon.socket, "network add 10.51.0.0/16 fd00:51::/64").await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("10.51.0.0/16") && out.contains("fd00:51::/64"), "{out}");
    let (code, _, err) = run(&daemon.socket, "network delete 10.52.0.0/16").await;
    assert_eq!(code, 1);
    assert!(err.contains("was not added by an operator"), "{err}");
    let (_, out, _) = run(&daemon.socket, "network delete fd00:51::/64 --json").await;
    let left: Vec<Network> = serde_json::from_str(&out).unwrap();
    let (_, out, _) = run(&daemon.socket, "--json network show").await;
    assert_eq!(left, serde_json::from_str::<Vec<Network>>(&out).unwrap());
    let operators = |all: &[Network]| {
        let added = all.iter().filter(|net| net.wish == Wish::Operator);
        added.map(|net| net.prefix.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(operators(&left), ["fd00:50::/64", "10.51.0.0/16"]);

    // Many at once, as lines.
    let lines = "# ours\n10.60.0.0/16\n10.61.0.0/16 fd00:61::/64\n";
    let (code, out, err) = fed(&daemon.socket, "network add 10.62.0.0/16 - -j", lines).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let now = operators(&serde_json::from_str::<Vec<Network>>(&out).unwrap());
    assert_eq!(now[2..], ["10.62.0.0/16", "10.60.0.0/16", "10.61.0.0/16", "fd00:61::/64"]);
    let (code, out, _) = fed(&daemon.socket, "network delete -", "fd00:61::/64\n").await;
    assert!(code == 0 && !out.contains("fd00:61::/64") && out.contains("10.61.0.0/16"), "{out}");
    for (lines, says) in [("10.63.0.0/16\n10.63.0.1\n", "line 2"), ("# none\n", "no prefix")] {
        let (code, out, err) = fed(&daemon.socket, "network add -", lines).await;
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains(says), "{err}");
    }
    // What they carry is in options for those named here, in words of its line for others.
    let line = "network add 10.70.0.0/16 10.71.0.0/16 --med 50 --community 65000:1 --origin egp -j";
    let (_, out, err) = run(&daemon.socket, line).await;
    assert_eq!(err, "");
    let lines = "10.72.0.0/16 local-pref 200 prepend 2\n10.73.0.0/16\n";
    let (_, out_2, _) = fed(&daemon.socket, "network add - -j", lines).await;
    for (out, carried) in [
        (&out, vec![("10.70.0.0/16", "med 50 origin egp community 65000:1")]),
        (&out, vec![("10.71.0.0/16", "med 50 origin egp community 65000:1")]),
        (&out_2, vec![("10.72.0.0/16", "local-pref 200 prepend 2"), ("10.73.0.0/16", "")]),
    ] {
        let all: Vec<Network> = serde_json::from_str(out).unwrap();
        for (prefix, words) in carried {
            let found = all.iter().find(|network| network.prefix.to_string() == prefix).unwrap();
            assert_eq!(found.attributes.to_string(), words);
        }
    }
    let (_, out, _) = run(&daemon.socket, "network show").await;
    assert!(out.contains("local-pref 200 prepend 2\n"), "{out}");
    let (code, _, err) = fed(&daemon.socket, "network add - --med 5", "10.74.0.0/16\n").await;
    assert!(code == 1 && err.contains("PREFIX med 5"), "{err}");
    let (code, _, err) = fed(&daemon.socket, "network delete -", "10.72.0.0/16 med 5\n").await;
    assert!(code == 1 && err.contains("the prefix alone"), "{err}");
    for line in ["--prepend 26", "--origin bgp", "--community 65000:*", "--med x"] {
        let line = format!("network add 10.75.0.0/16 {line}");
        assert_eq!(run(&daemon.socket, &line).await.0, 2, "{line}");
    }

    let many: String = (0..65_536).map(|i| format!("10.{}.{}.0/24\n", i >> 8, i & 255)).collect();
    let (code, out, _) = fed(&daemon.socket, "network add - --json", &many).await;
    assert!(code == 0 && out.contains("10.255.255.0/24"), "{code}");
    // What the file has is not an operator's to flush.
    let (code, out, _) = run(&daemon.socket, "network flush -j").await;
    let left: Vec<Network> = serde_json::from_str(&out).unwrap();
    assert_eq!((code, left), (0, sample::networks()));
}

/// The same with a standard input.
async fn fed(socket: &Path, line: &str, input: &str) -> (i32, String, String) {
    let mut command = bgpctl(socket);
    command.args(line.split_whitespace()).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let feeding = tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
    let Output { status, stdout, stderr } = child.wait_with_output().await.unwrap();
    feeding.await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().expect("no signal"), text(stdout), text(stderr))
}

#[tokio::test]
async fn what_is_shown_can_be_chosen() {
    let daemon = Daemon::start().await;
    let of = async |line: &str| {
        let (code, out, err) = run(&daemon.socket, line).await;
        assert_eq!((code, err.as_str()), (0, ""), "{line}");
        out
    };
    let summary: Summary = serde_json::from_str(&of("show summary failed -j").await).unwrap();
    let names: Vec<&str> = summary.peers.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!((names, summary.neighbors), (vec!["server3", "gw0"], 5));
    let out = of("sh su up --as 64512").await;
    assert!(
        out.contains("server2") && !out.contains("server3") && !out.contains("transit"),
        "{out}"
    );
    let out = of("show summary --as 1").await;
    assert!(out.contains("none of the 5 neighbours is like that"), "{out}");

    let first = sample::fib().remove(0);
    let out = of(&format!("show fib {} --json", first.prefix)).await;
    assert_eq!(serde_json::from_str::<FibEntry>(&out).unwrap(), first);
    let out = of("show fib --state refused").await;
    assert!(out.contains("refused") && !out.contains("installed"), "{out}");
    let out = of("show fib 203.0.113.9").await;
    assert_eq!(out, "no route wanted or present is like that\n");

    let all: Vec<Nexthop> = serde_json::from_str(&of("show nexthops -j").await).unwrap();
    assert_eq!(all, sample::nexthops());
    let out = of("sh nex 10.9.9.9").await;
    assert!(out.contains("unreachable (!)") && !out.contains("10.1.5.11"), "{out}");
    assert_eq!(of("show metrics").await, "Prometheus\n");

    let out = of("show neighbors terse").await;
    assert!(out.lines().all(|line| line.split(' ').count() == 10), "{out}");
    assert!(out.starts_with("server2 10.1.5.11 64512 mesh Established 192 1 1 1 -\n"), "{out}");
    assert!(out.contains("\ngw0 10.1.5.1 65000 eBGP Idle 4 0 0 0 as_mismatch\n"), "{out}");
    let out = of("sh nei gw0 timers").await;
    assert!(out.contains("connect retry") && !out.contains("server2"), "{out}");
    let out = of("show neighbors group ebgp messages").await;
    assert!(out.contains("gw0") && !out.contains("server2"), "{out}");
    let mesh: Vec<Neighbor> =
        serde_json::from_str(&of("show neighbors group mesh terse --json").await).unwrap();
    assert_eq!(mesh, sample::neighbors()[..1]);
    let out = of("show neighbors group").await;
    assert!(out.contains("import=from-nodes") && out.contains("range=leaf"), "{out}");
    let (code, _, err) = run(&daemon.socket, "show neighbors group none").await;
    assert!(code == 1 && err.contains("the groups are ebgp, import=from-nodes"), "{err}");
    let all: Vec<Interface> = serde_json::from_str(&of("show interfaces -j").await).unwrap();
    assert_eq!(all, sample::interfaces());
    let out = of("sh int net0").await;
    assert!(out.contains("this node's address 10.1.5.10") && !out.contains("tunl0"), "{out}");
    let (code, _, err) = run(&daemon.socket, "show interfaces eth9").await;
    assert!(code == 1 && err.contains("no such interface"), "{err}");

    for line in [
        "show summary perhaps",
        "show fib --state lost",
        "show nexthops gw0",
        "show neighbors gw0 perhaps",
    ] {
        assert_eq!(run(&daemon.socket, line).await.0, 2, "{line}");
    }
}

#[tokio::test]
async fn words_go_with_a_session_that_is_made_anew() {
    let daemon = Daemon::start().await;
    let (code, out, _) = bgpctl(&daemon.socket)
        .args(["neighbor", "gw0", "clear", "--reason", "new card"])
        .output()
        .await
        .map(|o| (o.status.code(), String::from_utf8(o.stdout).unwrap(), o.stderr))
        .unwrap();
    assert_eq!(code, Some(0));
    assert!(out.contains("administrative reset: new card"), "{out}");
}

#[tokio::test]
async fn a_dump_is_whole_or_replaces_nothing() {
    let daemon = Daemon::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.mrt");
    let line = format!("mrt dump {}", file.display());
    let whole = [&[0, 0, 0, 1, 0, 13, 0, 2, 0, 0, 0, 4][..], b"mrt!"].concat();
    let (code, out, err) = run(&daemon.socket, &line).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.ends_with("table.mrt, 1 records, 16 octets\n"), "{out}");
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    let (_, out, _) = run(&daemon.socket, &format!("{line} --json")).await;
    assert_eq!(out, "{\"records\":1,\"octets\":16}\n");
    let piped = bgpctl(&daemon.socket).args(["mrt", "dump", "-"]).output().await.unwrap();
    assert_eq!((piped.status.code(), piped.stdout), (Some(0), whole));

    std::fs::write(&file, "as it was").unwrap();
    daemon.backend.0.breaks.store(true, Ordering::SeqCst);
    let (code, out, err) = run(&daemon.socket, &line).await;
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
    assert!(err.contains("broke before the answer was complete"), "{err}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "as it was");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    let (code, _, err) = run(&daemon.socket, "mrt dump /nowhere/at/all.mrt").await;
    assert!(code == 1 && err.contains("cannot write /nowhere/at"), "{err}");
}
