//! What HTTP says, over real sockets: answers, refusals, and tables for slow readers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use starling::api::{
    BfdSession, Diagnosis, FibEntry, LogFilter, Neighbor, Node, Pod, Route, Summary, Version,
};
use starling::daemon::control::Listener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;

use crate::backend::Memory;
use crate::sample;

/// A daemon on a socket of its own, until it is dropped.
pub(crate) struct Daemon {
    pub(crate) backend: Memory,
    pub(crate) socket: PathBuf,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) ended: Option<tokio::task::JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

impl Daemon {
    pub(crate) async fn start() -> Daemon {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("made/on/demand/control.sock");
        let backend = Memory::default();
        let listener = Listener::unix(&socket).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = listener.serve(backend.clone(), async {
            let _ = stopped.await;
        });
        let ended = Some(tokio::spawn(serving));
        Daemon { backend, socket, stop: Some(stop), ended, _directory: directory }
    }

    async fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let stream = UnixStream::connect(&self.socket).await.unwrap();
        ask(stream, method, path).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let (status, body) = self.ask("GET", path).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"))
    }
}

/// One request in HTTP/1.0, whose answer is not chunked and ends with the connection.
async fn ask<S>(mut stream: S, method: &str, path: &str) -> (u16, String)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let request = format!("{method} {path} HTTP/1.0\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer))
        .await
        .expect("an answer that ends")
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[tokio::test]
async fn every_document_is_what_the_backend_said() {
    let daemon = Daemon::start().await;
    assert_eq!(daemon.get::<Version>("/v1/version").await, Version::this());
    assert_eq!(daemon.get::<Summary>("/v1/summary").await, sample::summary());
    assert_eq!(daemon.get::<Vec<Neighbor>>("/v1/neighbors").await, sample::neighbors());
    assert_eq!(daemon.get::<Vec<BfdSession>>("/v1/bfd").await, sample::bfd());
    assert_eq!(daemon.get::<Neighbor>("/v1/neighbors/gw0").await, sample::neighbors()[1]);
    assert_eq!(daemon.get::<Neighbor>("/v1/neighbors/10.1.5.1").await, sample::neighbors()[1]);
    assert_eq!(daemon.get::<Vec<Node>>("/v1/nodes").await, sample::nodes());
    let rows = daemon.ask("GET", "/v1/routes").await.1;
    let routes: Vec<Route> = rows.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(routes, sample::routes());
    let rows = daemon.ask("GET", "/v1/routes?detail=true").await.1;
    let routes: Vec<Route> = rows.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(routes, sample::detailed());
    let rows = daemon.ask("GET", "/v1/fib").await.1;
    let fib: Vec<FibEntry> = rows.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(fib, sample::fib());
    assert_eq!(daemon.get::<Diagnosis>("/v1/doctor").await, sample::diagnosis());
    let rows = daemon.ask("GET", "/v1/pods").await.1;
    let pods: Vec<Pod> = rows.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(pods, sample::pods());
    assert_eq!(daemon.ask("GET", "/metrics").await, (200, "Prometheus\n".to_owned()));
}

#[tokio::test]
async fn a_refusal_says_why_in_json() {
    let daemon = Daemon::start().await;
    for (method, path, status, says) in [
        // Only where nothing may be changed.
        ("GET", "/", 404, "there is no `/` here"),
        ("GET", "/v2/summary", 404, "/v2/summary"),
        ("GET", "/v1/neighbors/gw9", 404, "gw9"),
        ("GET", "/v1/neighbors/%ff", 400, "UTF-8"),
        ("GET", "/v1/routes?from=nobody", 404, "nobody"),
        ("GET", "/v1/events?peer=nobody", 404, "nobody"),
        ("GET", "/v1/events?kind=routes", 400, "no events of kind"),
        ("GET", "/v1/events?from=gw0", 400, "not a key"),
        ("GET", "/v1/routes?prefix=10.1.1.1", 400, "no length"),
        ("GET", "/v1/routes?prefix=10.1.1.1/24", 400, "bits set"),
        ("GET", "/v1/routes?address=10.1.1", 400, "not an address"),
        ("GET", "/v1/routes?peer=gw0", 400, "`peer` is not a key"),
        ("GET", "/v1/routes?prefix=10.0.0.0/8&address=10.0.0.1", 400, "exclude each other"),
        ("GET", "/v1/routes?detail=perhaps", 400, "perhaps"),
        ("GET", "/v1/nodes?prefix=10.0.0.0/8", 400, "takes no query"),
        ("GET", "/v1/fib?prefix=10.0.0.1", 400, "no length"),
        ("GET", "/v1/fib?state=lost", 400, "no route is called `lost`"),
        ("GET", "/v1/summary?state=perhaps", 400, "not `perhaps`"),
        ("GET", "/v1/nexthops?prefix=10.0.0.0/8", 400, "`prefix` is not a key"),
        ("POST", "/v1/neighbors/gw0/clear?why=x", 400, "`why` is not known"),
        ("POST", "/v1/networks/add", 400, "no network is named"),
        ("GET", "/v1/networks/flush", 405, "does not take this method"),
        ("POST", "/v1/plan?nam=x", 400, "`nam` is not known"),
        ("POST", "/v1/apply?confirm_s=0", 400, "confirm_s=0 makes no sense"),
        ("POST", "/v1/rollback?to=first", 400, "to=first makes no sense"),
        ("POST", "/v1/rollback?to=99", 404, "no such configuration"),
        ("POST", "/v1/confirm", 409, "no change waits"),
        ("GET", "/v1/plan", 405, "does not take this method"),
        ("POST", "/v1/networks/add", 400, "no network is named"),
        ("POST", "/v1/networks/add?prefix=10.50.0.0", 400, "no length"),
        ("POST", "/v1/networks/add?prefix=10.50.0.1/16", 400, "bits set"),
        ("POST", "/v1/networks/delete?net=10.50.0.0/16", 400, "`net` is not known"),
        ("POST", "/v1/networks/delete?prefix=10.99.0.0/16", 404, "was not added"),
        ("GET", "/v1/fib/flush", 405, "does not take this method"),
        ("POST", "/v1/fib/couple?now", 400, "takes no query"),
        ("GET", "/v1/networks/add", 405, "does not take this method"),
        ("GET", "/v1/reload", 405, "does not take this method"),
        ("POST", "/v1/summary", 405, "does not take this method"),
        ("DELETE", "/metrics", 405, "does not take this method"),
    ] {
        let (got, body) = daemon.ask(method, path).await;
        assert_eq!(got, status, "{method} {path}: {body}");
        let json: Value =
            serde_json::from_str(&body).unwrap_or_else(|e| panic!("{method} {path}: {e}: {body}"));
        let error = json["error"].as_str().expect("an error");
        assert!(error.contains(says), "{method} {path}: {error}");
    }
    let (_, body) = daemon.ask("GET", "/v1/reload").await;
    assert!(body.contains("use POST"), "{body}");
    // RFC 9110 §15.5.6.
    let mut stream = UnixStream::connect(&daemon.socket).await.unwrap();
    stream.write_all(b"PUT /v1/fib HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("allow: GET,HEAD\r\n"), "{answer}");
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_harms_nobody() {
    let daemon = Daemon::start().await;
    let mut stream = UnixStream::connect(&daemon.socket).await.unwrap();
    stream.write_all(b"show protocols\n\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(daemon.ask("GET", "/livez").await.0, 200);
}

#[tokio::test]
async fn probes_answer_503_with_the_reasons() {
    let daemon = Daemon::start().await;
    let (status, body) = daemon.ask("GET", "/readyz?verbose").await;
    assert_eq!(status, 503);
    let json: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["reasons"][0]["code"], "no_ipip");
    assert_eq!(daemon.ask("GET", "/livez").await.0, 200);
    daemon.backend.0.stuck.store(true, Ordering::SeqCst);
    let (status, body) = daemon.ask("GET", "/livez").await;
    assert_eq!(status, 503);
    assert!(body.contains("RIB"), "{body}");
}

#[tokio::test]
async fn a_reload_that_fails_is_422_and_tells() {
    let daemon = Daemon::start().await;
    let (status, body) = daemon.ask("POST", "/v1/reload").await;
    assert_eq!((status, body.contains("\"ok\":true")), (200, true), "{body}");
    daemon.backend.0.bad_file.store(true, Ordering::SeqCst);
    let (status, body) = daemon.ask("POST", "/v1/reload").await;
    assert_eq!((status, body.contains("cluster.toml:7:8")), (422, true), "{body}");
}

#[tokio::test]
async fn what_is_logged_is_told_and_changed() {
    let daemon = Daemon::start().await;
    let log: LogFilter = daemon.get("/v1/log").await;
    assert_eq!(log.filter, "");
    let (status, body) = daemon.ask("POST", "/v1/log?filter=info,starling_fib%3Ddebug").await;
    assert_eq!(status, 200, "{body}");
    let log: LogFilter = daemon.get("/v1/log").await;
    assert_eq!(log.filter, "info,starling_fib=debug");
    for path in ["/v1/log", "/v1/log?filter=a&filter=b", "/v1/log?filter=nonsense"] {
        assert_eq!(daemon.ask("POST", path).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn tcp_reads_and_never_writes() {
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.tcp_address().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let backend = Memory::default();
    let serving = tokio::spawn(listener.serve(backend, async {
        let _ = stopped.await;
    }));
    let ask = async |method: &str, path: &str| {
        ask(TcpStream::connect(address).await.unwrap(), method, path).await
    };
    assert_eq!(ask("GET", "/v1/summary").await.0, 200);
    assert_eq!(ask("GET", "/metrics").await.0, 200);
    assert_eq!(ask("GET", "/v1/networks").await.0, 200);
    assert_eq!(ask("GET", "/v1/nexthops").await.0, 200);
    assert_eq!(ask("GET", "/v1/log").await.0, 200);
    let networks = "/v1/networks/add?prefix=10.50.0.0/16";
    let steered = ["down", "up", "clear", "refresh", "resend", "drain", "undrain"];
    let steered = steered.map(|verb| format!("/v1/neighbors/gw0/{verb}"));
    let others = [
        "/v1/reload",
        "/v1/log?filter=debug",
        networks,
        "/v1/networks/delete",
        "/v1/networks/flush",
        "/v1/fib/couple",
        "/v1/fib/decouple",
        "/v1/fib/flush",
        "/v1/fib/audit",
    ];
    for path in others.into_iter().chain(steered.iter().map(String::as_str)) {
        let (status, body) = ask("POST", path).await;
        assert_eq!(status, 403, "{path}");
        assert!(body.contains("control socket"), "{body}");
    }
    assert_eq!(ask("GET", "/v1/why?address=10.244.3.7").await.0, 200);
    // Nobody from outside makes this daemon call others.
    let (status, body) = ask("GET", "/v1/why?address=10.244.3.7&both=true").await;
    assert_eq!(status, 403);
    assert!(body.contains("control socket"), "{body}");
    for path in ["/v1/why", "/v1/why?prefix=10.0.0.0/8", "/v1/why?address=x"] {
        assert_eq!(ask("GET", path).await.0, 400, "{path}");
    }
    stop.send(()).unwrap();
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_of_a_big_table_costs_no_memory_and_delays_nobody() {
    const ROWS: u64 = 200_000;
    // Rows (of 250 bytes) that may be under way: the channel's and one in hand at either end,
    // hyper's write buffer of 400 KB and the socket's own.
    const UNDER_WAY: u64 = 8_000;
    let daemon = Daemon::start().await;
    daemon.backend.0.made_up.store(ROWS, Ordering::SeqCst);
    let mut slow = UnixStream::connect(&daemon.socket).await.unwrap();
    slow.write_all(b"GET /v1/routes HTTP/1.0\r\n\r\n").await.unwrap();
    // It reads nothing yet: the producer fills channel and socket, then waits.
    let produced = || daemon.backend.0.produced.load(Ordering::SeqCst);
    let mut last = u64::MAX;
    while last != produced() || last == 0 {
        last = produced();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(last < UNDER_WAY, "{last} rows were made for a reader that reads none");
    // Others are answered meanwhile.
    assert_eq!(daemon.ask("GET", "/v1/summary").await.0, 200);
    // Then it reads, and gets every row once and in order.
    let mut buffer = vec![0; 64 * 1024];
    let mut tail = Vec::new();
    let mut rows: u64 = 0;
    loop {
        let n = slow.read(&mut buffer).await.unwrap();
        if n == 0 {
            break;
        }
        let ahead = produced() - rows;
        assert!(ahead < UNDER_WAY, "{ahead} rows wait in memory after {rows}");
        for piece in buffer[..n].split_inclusive(|b| *b == b'\n') {
            tail.extend_from_slice(piece);
            if tail.ends_with(b"}\n") {
                let prefix = std::net::Ipv4Addr::from(0x0a00_0000 + rows as u32);
                let start = format!("{{\"prefix\":\"{prefix}/32\"");
                assert!(tail.starts_with(start.as_bytes()), "row {rows}");
                rows += 1;
            }
            if tail.ends_with(b"\n") {
                tail.clear();
            }
        }
    }
    assert_eq!(rows, ROWS);
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_its_table() {
    let daemon = Daemon::start().await;
    daemon.backend.0.made_up.store(10_000_000, Ordering::SeqCst);
    let mut stream = UnixStream::connect(&daemon.socket).await.unwrap();
    stream.write_all(b"GET /v1/routes HTTP/1.0\r\n\r\n").await.unwrap();
    let mut some = [0; 100];
    stream.read_exact(&mut some).await.unwrap();
    drop(stream);
    let behaviour = Arc::clone(&daemon.backend.0);
    tokio::time::timeout(Duration::from_secs(60), async {
        while !behaviour.abandoned.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the producer is told");
}

/// Prometheus asks for OpenMetrics among others; who asks for nothing gets the older form.
#[tokio::test]
async fn metrics_come_in_the_form_that_is_asked_for() {
    let daemon = Daemon::start().await;
    for (accept, kind, text) in [
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "OpenMetrics\n",
        ),
        ("text/plain", "text/plain; version=0.0.4; charset=utf-8", "Prometheus\n"),
    ] {
        let mut stream = UnixStream::connect(&daemon.socket).await.unwrap();
        let request = format!("GET /metrics HTTP/1.0\r\naccept: {accept}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(&format!("content-type: {kind}\r\n")), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{text}")), "{answer}");
    }
}
