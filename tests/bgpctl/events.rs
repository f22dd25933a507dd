//! What happens, over HTTP and as `bgpctl monitor`: both forms, filters, every way to end, looks.

use std::process::Stdio;
use std::time::Duration;

use starling::api::{
    BestPath, Event, EventKind, FibAction, FibEvent, Happening, RouteEvent, SessionEvent,
    SessionState,
};
use starling::ctl::render;
use starling::daemon::broadcast::{About, Broadcast};
use starling::daemon::control::Listener;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::backend::Memory;
use crate::http::Daemon;

const SOON: Duration = Duration::from_secs(60);

fn path(from: &str, next_hop: Option<&str>) -> BestPath {
    BestPath {
        from: from.to_owned(),
        next_hop: next_hop.map(|address| address.parse().unwrap()),
        as_path: String::new(),
        local_pref: Some(100),
        med: None,
    }
}

fn session(peer: &str, was: SessionState, state: SessionState, reason: Option<&str>) -> Happening {
    let reason = reason.map(str::to_owned);
    let (peer, address) = (peer.to_owned(), [10, 1, 5, 11].into());
    Happening::Session(SessionEvent { peer, address, was: Some(was), state, reason })
}

fn fib(action: FibAction, old: Option<&str>, new: Option<&str>, text: Option<&str>) -> Happening {
    Happening::Fib(FibEvent {
        action,
        prefix: Some("10.244.2.0/26".parse().unwrap()),
        old: old.map(str::to_owned),
        new: new.map(str::to_owned),
        text: text.map(str::to_owned),
    })
}

/// One of each, with words that a neighbour chose.
fn samples() -> Vec<Happening> {
    let prefix = "10.244.2.0/26".parse().unwrap();
    let route = |old, new| Happening::Route(RouteEvent { prefix, old, new });
    let server2 = || path("server2", Some("10.1.5.11"));
    let gw0 = || BestPath {
        as_path: "65000 64999".to_owned(),
        local_pref: Some(200),
        med: Some(7),
        ..path("gw0", Some("10.1.5.1"))
    };
    vec![
        Happening::Begin { node: "server1".to_owned() },
        session("server2", SessionState::OpenConfirm, SessionState::Established, None),
        route(None, Some(server2())),
        fib(FibAction::Added, None, Some("via 10.1.5.11 dev net0"), None),
        route(Some(server2()), Some(gw0())),
        fib(
            FibAction::Replaced,
            Some("via 10.1.5.11 dev net0"),
            Some("via 10.1.5.1 dev net0"),
            None,
        ),
        fib(FibAction::Drift, None, None, Some("somebody else changed it: it is gone")),
        fib(
            FibAction::Refused,
            None,
            Some("via 10.1.5.1 dev net0"),
            Some("Network is unreachable"),
        ),
        route(Some(gw0()), None),
        fib(FibAction::Deleted, Some("via 10.1.5.1 dev net0"), None, None),
        route(None, Some(path("local", None))),
        session(
            "server2",
            SessionState::Established,
            SessionState::Idle,
            Some("the neighbour closed it: Cease, \u{1b}[2Jgone"),
        ),
        session("server2", SessionState::Idle, SessionState::Connect, None),
        Happening::Lost { count: 12 },
        Happening::End { reason: "the daemon is stopping".to_owned() },
    ]
}

#[test]
fn one_event_is_one_line() {
    let mut out = Vec::new();
    for (seq, what) in samples().into_iter().enumerate() {
        let event = Event { seq: seq as u64, time: "2026-01-02T03:04:05.678Z".to_owned(), what };
        render::event(&event, &jiff::tz::TimeZone::UTC, &mut out).unwrap();
    }
    let coloured = String::from_utf8(out).unwrap();
    assert!(!coloured.contains("\x1b[2J"), "a neighbour's words reached the terminal raw");
    let plain = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(plain.lines().count(), samples().len());
    insta::assert_snapshot!("events-piped", plain);
    insta::assert_snapshot!("events-coloured", coloured.replace('\x1b', "␛"));
}

fn tell(broadcast: &Broadcast, what: Happening) {
    let (kind, prefix) = match &what {
        Happening::Session(_) => (EventKind::Session, None),
        Happening::Route(event) => (EventKind::Route, Some(event.prefix)),
        Happening::Fib(event) => (EventKind::Fib, event.prefix),
        other => panic!("{other:?} is not told by anybody"),
    };
    broadcast.tell(About { kind, prefix, peer: None }, || what);
}

/// Begins to listen; the head of the answer, and its body line by line.
async fn listen<S>(stream: S, path: &str, more: &str) -> (String, Lines<BufReader<S>>)
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let request = format!("GET {path} HTTP/1.0\r\nhost: x\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut lines = stream.lines();
    let mut head = String::new();
    while let Some(line) = next(&mut lines).await.filter(|line| !line.is_empty()) {
        head += &format!("{line}\n");
    }
    (head, lines)
}

async fn next<R: AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>) -> Option<String> {
    timeout(SOON, lines.next_line()).await.expect("a line").unwrap()
}

fn event(line: &str) -> Event {
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}

#[tokio::test]
async fn events_come_as_lines_filtered_and_end_with_the_daemon() {
    let mut daemon = Daemon::start().await;
    let connect = || async { UnixStream::connect(&daemon.socket).await.unwrap() };
    let asked = "/v1/events?kind=session,fib&prefix=10.244.0.0%2F16";
    let (head, mut lines) = listen(connect().await, asked, "").await;
    assert!(head.starts_with("HTTP/1.0 200") && head.contains("application/x-ndjson"), "{head}");
    let begin = event(&next(&mut lines).await.unwrap());
    assert_eq!(begin.what, Happening::Begin { node: "server1".to_owned() });
    let broadcast = daemon.backend.0.broadcast.clone();
    assert!(broadcast.is_wanted(EventKind::Fib) && !broadcast.is_wanted(EventKind::Session));
    for what in samples().into_iter().skip(1).take(4) {
        tell(&broadcast, what);
    }
    let added = event(&next(&mut lines).await.unwrap());
    assert!(matches!(&added.what, Happening::Fib(fib) if fib.action == FibAction::Added));
    // Numbers are those of all that was told since somebody wanted to hear of it.
    assert!(added.seq > begin.seq, "{added:?}");
    broadcast.end("enough");
    let end = event(&next(&mut lines).await.unwrap());
    assert_eq!(end.what, Happening::End { reason: "enough".to_owned() });
    assert_eq!(next(&mut lines).await, None);
    // With nobody left to serve, the daemon ends at once.
    drop(daemon.stop.take());
    timeout(SOON, daemon.ended.take().unwrap()).await.expect("an end").unwrap();
}

#[tokio::test]
async fn a_browser_gets_server_sent_events_over_tcp() {
    let backend = Memory::default();
    let broadcast = backend.0.broadcast.clone();
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.tcp_address().unwrap();
    let serving = tokio::spawn(listener.serve(backend, std::future::pending()));
    let stream = TcpStream::connect(address).await.unwrap();
    let accept = "accept: text/event-stream\r\n";
    let (head, mut lines) = listen(stream, "/v1/events?peer=gw0", accept).await;
    assert!(head.contains("text/event-stream") && head.contains("no-store"), "{head}");
    let begin = next(&mut lines).await.unwrap();
    assert!(matches!(event(begin.strip_prefix("data: ").unwrap()).what, Happening::Begin { .. }));
    assert_eq!(next(&mut lines).await.as_deref(), Some(""));
    for peer in ["server2", "gw0"] {
        tell(&broadcast, session(peer, SessionState::Active, SessionState::Connect, None));
    }
    let line = next(&mut lines).await.unwrap();
    let told = event(line.strip_prefix("data: ").unwrap());
    assert!(matches!(told.what, Happening::Session(session) if session.peer == "gw0"));
    // Whoever goes away listens no more, without an event.
    drop(lines);
    let gone = async {
        while broadcast.is_wanted(EventKind::Session) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, gone).await.expect("the listener is gone");
    serving.abort();
}

struct Monitor {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Monitor {
    /// One that listens already.
    async fn start(daemon: &Daemon, line: &str) -> Monitor {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bgpctl"));
        command.env("STARLING_SOCKET", &daemon.socket).env("TZ", "UTC").env_remove("COLUMNS");
        command.args(line.split_whitespace()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let begin = next(&mut lines).await.expect("a first line");
        assert!(begin.contains("begin") && begin.contains("server1"), "{begin}");
        Monitor { child, lines }
    }

    async fn code(mut self) -> Option<i32> {
        drop(self.lines);
        timeout(SOON, self.child.wait()).await.expect("an end").unwrap().code()
    }
}

#[tokio::test]
async fn a_monitor_tells_what_was_asked_for_a_line_at_a_time() {
    let daemon = Daemon::start().await;
    let mut monitor = Monitor::start(&daemon, "mon sessions fib").await;
    for what in samples().into_iter().skip(1).take(3) {
        tell(&daemon.backend.0.broadcast, what);
    }
    let first = next(&mut monitor.lines).await.unwrap();
    assert!(first.ends_with("session  server2  Established, was OpenConfirm"), "{first}");
    let second = next(&mut monitor.lines).await.unwrap();
    assert!(second.ends_with("fib      10.244.2.0/26  added: via 10.1.5.11 dev net0"), "{second}");
    daemon.backend.0.broadcast.end("the daemon is stopping");
    let last = next(&mut monitor.lines).await.unwrap();
    assert!(last.ends_with("ended    the daemon is stopping"), "{last}");
    assert_eq!(next(&mut monitor.lines).await, None);
    assert_eq!(monitor.code().await, Some(0));
}

#[tokio::test]
async fn a_monitor_ends_cleanly_at_ctrl_c_and_when_its_reader_goes_away() {
    let daemon = Daemon::start().await;
    let mut monitor = Monitor::start(&daemon, "--json monitor routes --prefix 10.0.0.0/8").await;
    let told = samples().swap_remove(2);
    tell(&daemon.backend.0.broadcast, told);
    let route = event(&next(&mut monitor.lines).await.unwrap());
    assert!(matches!(route.what, Happening::Route(_)), "{route:?}");
    let pid = monitor.child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    assert_eq!(next(&mut monitor.lines).await, None);
    assert_eq!(monitor.code().await, Some(0));
    // Its pipe is closed by `code`, and nothing happens: it ends all the same.
    let monitor = Monitor::start(&daemon, "monitor --peer gw0").await;
    assert_eq!(monitor.code().await, Some(0));
    let (code, _, err) = crate::command::run(&daemon.socket, "monitor --peer nobody").await;
    assert!(code == 1 && err.contains("there is no neighbour `nobody`"), "{code}: {err}");
}
