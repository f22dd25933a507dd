//! `--watch`: in a pipe, as JSON, on a terminal, in trouble, and to the end.

use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use starling::api::{Route, Summary};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::command::{bgpctl, run};
use crate::http::Daemon;
use crate::sample;

const PATIENCE: Duration = Duration::from_secs(60);

fn watched(daemon: &Daemon, line: &str) -> Child {
    let mut command = bgpctl(&daemon.socket);
    command.args(line.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_raw(child.id().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

#[tokio::test]
async fn in_a_pipe_it_is_written_again_below_the_time_until_ctrl_c() {
    let daemon = Daemon::start().await;
    let mut child = watched(&daemon, "--watch=100ms show summary failed");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut times = 0;
    let mut first = Vec::new();
    while times < 3 {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("more");
        assert!(!line.contains('\x1b'), "{line:?}");
        match line.strip_prefix("--- ") {
            Some(time) => {
                assert_eq!(time.len(), "14:02:11".len(), "{time}");
                times += 1;
            }
            None if times == 1 => first.push(line),
            None => {}
        }
    }
    let (_, once, _) = run(&daemon.socket, "show summary failed").await;
    assert_eq!(first, once.lines().collect::<Vec<_>>());
    interrupt(&child);
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("an end").unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[tokio::test]
async fn as_json_each_time_is_a_line_and_a_reader_that_goes_ends_it() {
    let daemon = Daemon::start().await;
    let mut child = watched(&daemon, "show summary --watch=100ms --json");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("more");
        assert_eq!(serde_json::from_str::<Summary>(&line).unwrap(), sample::summary());
    }
    // As `head` does.
    drop(lines);
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("an end").unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));

    let mut child = watched(&daemon, "show routes -j --watch=100ms");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("more");
        assert_eq!(serde_json::from_str::<Vec<Route>>(&line).unwrap(), sample::routes());
    }
}

#[tokio::test]
async fn a_daemon_that_goes_away_is_told_of_and_waited_for() {
    let mut daemon = Daemon::start().await;
    let mut child = watched(&daemon, "show summary --watch=100ms --json");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("a line");
    daemon.stop.take().unwrap().send(()).unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    // Told of it once more it has gone on.
    let mut times = 0;
    while times < 2 {
        let told = timeout(PATIENCE, errors.next_line()).await.unwrap().unwrap();
        times += usize::from(told.expect("it waits").contains("error:"));
    }
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    child.kill().await.unwrap();

    // One that is not there at the beginning is an error as ever.
    let nowhere = std::path::Path::new("/nonexistent/control.sock");
    let (code, out, err) = run(nowhere, "show summary --watch").await;
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("no daemon on /nonexistent"), "{err}");
}

#[tokio::test]
async fn only_what_shows_is_watched() {
    let daemon = Daemon::start().await;
    for line in
        ["reload --watch", "--watch=1s neighbor gw0 down", "network flush --watch", "top --watch"]
    {
        let (code, out, err) = run(&daemon.socket, line).await;
        assert_eq!((code, out.as_str()), (2, ""), "{line}");
        assert!(err.contains("`--watch` is for commands that show"), "{line}: {err}");
    }
    assert_eq!(run(&daemon.socket, "show summary --watch=soon").await.0, 2);
}

/// A terminal of `rows` rows, in which `line` runs until Ctrl-C comes; what came to be seen.
async fn on_a_terminal(
    daemon: &Daemon,
    rows: u16,
    line: &str,
    until: &str,
    times: usize,
) -> String {
    let line = format!("stty rows {rows} cols 100; exec {} {line}", env!("CARGO_BIN_EXE_bgpctl"));
    let mut script = Command::new("script");
    script.args(["-qefc", &line, "/dev/null"]).env("STARLING_SOCKET", &daemon.socket);
    script.env("TERM", "xterm").env_remove("COLUMNS").env_remove("NO_COLOR");
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = script.spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = Vec::new();
    let all = async {
        while String::from_utf8_lossy(&seen).matches(until).count() < times {
            assert!(output.read_buf(&mut seen).await.unwrap() > 0, "it ended: {seen:?}");
        }
        // The terminal makes a signal of it.
        tokio::io::AsyncWriteExt::write_all(&mut input, b"\x03").await.unwrap();
        output.read_to_end(&mut seen).await.unwrap();
        child.wait().await.unwrap()
    };
    let status = timeout(PATIENCE, all).await.expect("an end");
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert!(status.success(), "{status}: {seen}");
    seen
}

#[tokio::test]
async fn on_a_terminal_it_is_drawn_in_its_place_and_left_behind() {
    let daemon = Daemon::start().await;
    let seen = on_a_terminal(&daemon, 40, "show summary --watch=100ms", "transit", 3).await;
    let (entered, left) = (seen.find("\x1b[?1049h"), seen.rfind("\x1b[?1049l"));
    assert!(entered.is_some() && entered < left, "the other page is left: {seen:?}");
    assert!(seen.contains("every 100ms, at "), "{seen:?}");
    assert!(seen.contains("bgpctl show summary --watch=100ms"), "{seen:?}");
    // Each time from the top, each line cleared to its end, and not one cleared before it is written.
    assert!(seen.matches("\x1b[1;1H").count() >= 3, "{seen:?}");
    assert!(
        seen.contains("\x1b[K") && seen.contains("\x1b[J") && !seen.contains("\x1b[2J"),
        "{seen:?}"
    );
    // What was seen last stays, and so does the cursor.
    let after = &seen[left.unwrap()..];
    assert!(after.contains("transit") && seen.contains("\x1b[?25h"), "{after:?}");
}

#[tokio::test]
async fn what_is_higher_than_the_terminal_is_cut_and_counted() {
    let daemon = Daemon::start().await;
    daemon.backend.0.made_up.store(1000, Ordering::SeqCst);
    let seen = on_a_terminal(&daemon, 12, "show routes --watch=100ms", "more lines", 2).await;
    assert!(seen.contains("… and 991 more lines"), "{seen:?}");
    assert!(!seen.contains("10.0.3.100"), "{seen:?}");
    // Ten rows and a line above and below: nothing scrolls.
    let page = seen.split("\x1b[1;1H").nth(1).unwrap();
    let page = page.split("\x1b[12;1H").next().unwrap();
    assert_eq!(page.matches('\n').count(), 11, "{page:?}");
}
