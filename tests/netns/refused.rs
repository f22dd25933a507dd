//! What is refused, and in which words: strangers, a second daemon, a taken port, no daemon.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use anyhow::ensure;
use starling::api::Summary;
use starling_lab::{Binaries, Lab, Result, Starling, must, wait_for};

use crate::support::{SOON, binaries, cluster, logged};

#[test]
fn a_stranger_gets_cease_connection_rejected() -> Result {
    let mut cluster = cluster(&[0])?;
    let stranger = cluster.host("stranger", 0, 99, &[])?;
    cluster.start(1)?;
    for target in ["10.50.0.1:179", "[fd50::1]:179"] {
        let answer = stranger.inside(|| -> std::io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect(target)?;
            stream.set_read_timeout(Some(SOON))?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer)
        })??;
        let mut wanted = vec![0xff; 16];
        // Length 21, NOTIFICATION, Cease / Connection Rejected (RFC 4486).
        wanted.extend([0, 21, 3, 6, 5]);
        assert_eq!(answer, wanted, "{target}");
    }
    wait_for("both to be counted", SOON, || {
        let summary: Summary = cluster.node(1)?.daemon()?.read(&["show", "summary"])?;
        ensure!(summary.refused_connections == 2, "{summary:#?}");
        Ok(())
    })?;
    logged(cluster.node(1)?, "10.50.0.99")?;
    logged(cluster.node(1)?, "no [[node]] or [[peer]] has this address")
}

#[test]
fn without_descriptors_connections_wait_and_one_line_says_so() -> Result {
    let mut cluster = cluster(&[0])?;
    let stranger = cluster.host("stranger", 0, 99, &[])?;
    cluster.start(1)?;
    let pid = cluster.node(1)?.daemon()?.proc().pid().to_string();
    let limit = |soft: &str| must(&["prlimit", "--pid", &pid, &format!("--nofile={soft}:")]);
    let before = must(&["prlimit", "--pid", &pid, "--nofile", "-o", "SOFT", "--noheadings"])?;
    // What is open stays open; nothing more can be opened.
    limit("3")?;
    let mut stream = stranger.inside(|| TcpStream::connect("10.50.0.1:179"))??;
    stream.set_read_timeout(Some(SOON))?;
    let node = cluster.node(1)?;
    logged(node, "cannot accept connections")?;
    limit(before.trim())?;
    logged(node, "connections are accepted again")?;
    let log = node.daemon()?.log();
    assert_eq!(log.matches("cannot accept connections").count(), 1, "{log}");
    // Who waited is answered: Cease, as any stranger.
    let mut answer = [0; 21];
    stream.read_exact(&mut answer)?;
    assert_eq!(answer[19..], [6, 5]);
    Ok(())
}

#[test]
fn bgpctl_without_a_daemon_exits_three_and_says_where_it_looked() -> Result {
    let lab = Lab::unique()?;
    let socket = lab.dir().join("nobody.sock");
    let output = binaries().bgpctl(&socket, &["show", "summary"])?;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    ensure!(output.stderr.contains("nobody.sock"), "{output:?}");
    // A socket that a dead daemon left behind is no daemon either.
    drop(std::os::unix::net::UnixListener::bind(&socket)?);
    let output = binaries().bgpctl(&socket, &["show", "summary"])?;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    Ok(())
}

#[test]
fn a_second_daemon_on_the_same_socket_is_refused() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start(1)?;
    let (first, other) = (&cluster.nodes()[0], &cluster.nodes()[1]);
    // In another namespace, so that it is not the port that it stumbles over.
    let log = cluster.lab().subdir("second")?;
    let mut command = other.netns().command(binaries().starlingd);
    command.arg("run").arg("--config").arg(cluster.config()).args(["--node", "n2"]);
    command.arg("--control").arg(first.dir().join("control.sock"));
    let output = starling_lab::run(&mut command, SOON)?;
    ensure!(!output.status.success(), "{output:?}");
    let said = output.stdout + &output.stderr;
    ensure!(said.contains("control.sock"), "{said}");
    drop(log);
    // The first one does not even notice.
    cluster.node(1)?.daemon()?.bgpctl(&["show", "summary"]).map(drop)
}

#[test]
fn a_taken_port_is_said_with_what_to_do() -> Result {
    let cluster = cluster(&[0])?;
    let node = &cluster.nodes()[0];
    let _holder = node.netns().inside(|| TcpListener::bind("[::]:179"))??;
    let Binaries { starlingd, .. } = binaries();
    let mut command = node.netns().command(starlingd);
    command.arg("run").arg("--config").arg(cluster.config()).args(["--node", "n1"]);
    command.arg("--control").arg(node.dir().join("control.sock"));
    let output = starling_lab::run(&mut command, SOON)?;
    ensure!(!output.status.success(), "{output:?}");
    let said = output.stdout + &output.stderr;
    for words in ["179", "taken", "[bgp] listen or port"] {
        ensure!(said.contains(words), "{words:?} is not in: {said}");
    }
    Ok(())
}

#[test]
fn a_socket_left_by_a_crash_is_no_obstacle() -> Result {
    let mut cluster = cluster(&[0])?;
    cluster.start(1)?;
    let node = cluster.node(1)?;
    node.take_daemon()?.into_proc().crash();
    ensure!(node.dir().join("control.sock").exists(), "the crash was supposed to leave the socket");
    cluster.start(1)?;
    wait_for("an answer", SOON, || cluster.node(1)?.daemon()?.bgpctl(&["version"]).map(drop))
}

#[test]
fn an_unknown_node_does_not_start() -> Result {
    let cluster = cluster(&[0])?;
    let node = &cluster.nodes()[0];
    let dir = cluster.lab().subdir("unknown")?;
    let mut daemon = Starling::start(&binaries(), node.netns(), "n17", cluster.config(), &dir)?;
    wait_for("its end", SOON, || {
        ensure!(daemon.proc().check_alive().is_err(), "it runs");
        Ok(())
    })?;
    ensure!(daemon.log().contains("n17"), "{}", daemon.log());
    Ok(())
}
