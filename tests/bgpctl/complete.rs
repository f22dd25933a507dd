//! What bash offers, asked as bash asks.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use crate::http::Daemon;

/// What bash would offer for the last word of `line`.
async fn offered(socket: &Path, line: &str) -> Vec<String> {
    let script = r#"
        source <(COMPLETE=bash "$0")
        COMP_WORDS=(bgpctl "$@") COMP_CWORD=$#
        _clap_complete_bgpctl bgpctl "${!#}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_bgpctl")]).args(line.split(' '));
    command.env("STARLING_SOCKET", socket).kill_on_drop(true);
    let out = tokio::time::timeout(Duration::from_secs(60), command.output());
    let out = out.await.expect("an end").unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_shell_completes_commands_neighbours_and_prefixes() {
    let daemon = Daemon::start().await;
    // A shell does not wait long for the daemon: on a busy machine it offers nothing now and then.
    let of = async |line: &str| {
        for _ in 0..100 {
            let words = offered(&daemon.socket, line).await;
            if !words.is_empty() {
                return words;
            }
        }
        Vec::new()
    };
    assert_eq!(of("show ro").await, ["routes"]);
    assert_eq!(of("neighbor serv").await, ["server2", "server3"]);
    assert_eq!(of("neighbor 10.1.5.1").await, ["10.1.5.11", "10.1.5.1"]);
    assert_eq!(of("show routes --from tr").await, ["transit"]);
    for asks in ["show routes", "show fib", "why", "monitor --prefix", "policy test"] {
        assert_eq!(of(&format!("{asks} 192.168.16")).await, ["192.168.169.192/26"], "{asks}");
    }
    assert_eq!(of("show fib --state un").await, ["unresolved"]);
    assert_eq!(of("show routes --state st").await, ["stale"]);
    assert_eq!(of("show routes --family ipv").await, ["ipv4", "ipv6"]);
    assert_eq!(of("show summary e").await, ["established"]);
    assert_eq!(of("network add 10.51.0.0/16 --origin i").await, ["igp", "incomplete"]);
    assert_eq!(of("show neighbors t").await, ["transit", "terse", "timers"]);
    assert_eq!(of("show neighbors group ra").await, ["rack=rack0", "range=leaf"]);
    assert_eq!(of("show interfaces ne").await, ["net0", "net1"]);
    assert_eq!(of("rollback 2").await, ["2"]);
    assert!(offered(&daemon.socket, "rollback 3").await.is_empty(), "it is in force");
    assert_eq!(of("network delete fd00:5").await, ["fd00:50::/64"]);
}

#[tokio::test]
async fn without_a_daemon_a_shell_offers_what_needs_none() {
    let nowhere = Path::new("/nonexistent/control.sock");
    assert_eq!(offered(nowhere, "show ro").await, ["routes"]);
    assert!(offered(nowhere, "neighbor serv").await.is_empty());
}
