//! What an operator chooses to see, and does: sessions, next hops, the kernel's routes; networks by
//! the word and by the line; words for a neighbour.

use std::path::Path;
use std::process::{Output, Stdio};

use starling::api::{FibEntry, Network, Nexthop, Summary, Wish};
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

    for line in ["show summary perhaps", "show fib --state lost", "show nexthops gw0"] {
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
