//! What `src/api/openapi.json` says of paths and parameters is what the routers have, and what it
//! says of answers is what comes, the refusals included.

#[path = "../openapi/mod.rs"]
mod document;

use std::collections::BTreeSet;

use document::{Document, Operation, encoded};
use starling::daemon::control::{Listener, read_only_router, router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::backend::Memory;
use crate::http::Daemon;

/// How a reader gets out of a failure of this file.
const HOW: &str = "paths and parameters are in src/api/openapi/operations.rs; then \
                   `make reference` writes src/api/openapi.json";

/// The paths of a router, as it says them itself.
fn paths(router: &axum::Router) -> BTreeSet<String> {
    let said = format!("{router:?}");
    let (_, paths) = said.split_once("paths: {").expect("axum's routers list their paths");
    let (paths, _) = paths.split_once("\"}").unwrap();
    let paths: BTreeSet<String> = paths.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(paths.len() > 20, "{paths:?}");
    paths
}

struct Answered {
    status: u16,
    kind: String,
    allow: String,
    body: String,
}

/// One request, whose answer ends with the connection; of an endless one the first line.
async fn ask<S>(mut stream: S, method: &str, path: &str, body: &str, accept: &str) -> Answered
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nhost: x\r\naccept: {accept}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let endless = path.starts_with("/v1/events");
    loop {
        let mut piece = [0; 65536];
        let read =
            tokio::time::timeout(std::time::Duration::from_secs(20), stream.read(&mut piece));
        let n = read.await.expect("an answer").unwrap();
        answer.extend_from_slice(&piece[..n]);
        let told = endless && String::from_utf8_lossy(&answer).contains("\"kind\":\"begin\"");
        if n == 0 || told {
            break;
        }
    }
    // Octets that are no text are looked at by others.
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().trim_start_matches(':').trim().to_owned()
    };
    Answered {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        kind: header("content-type"),
        allow: header("allow"),
        body: body.trim_end_matches('\n').to_owned(),
    }
}

#[tokio::test]
async fn the_paths_are_those_of_the_routers() {
    let document = Document::read();
    let all = document.operations();
    for (name, router, here) in [
        ("control socket", router(Memory::default()), 0),
        ("read-only", read_only_router(Memory::default()), 1),
    ] {
        let routed = paths(&router);
        // Where nothing may be changed those paths are there to say so.
        let described: BTreeSet<String> =
            all.iter().filter(|o| here == 1 || o.places().0).map(|o| o.path.to_owned()).collect();
        let missing: Vec<_> = routed.difference(&described).collect();
        let gone: Vec<_> = described.difference(&routed).collect();
        assert!(missing.is_empty(), "{name}: {missing:?} are not described: {HOW}");
        assert!(gone.is_empty(), "{name}: {gone:?} are described and not there: {HOW}");
    }
    // The methods, by what a request with another one is told (RFC 9110 §15.5.6).
    let daemon = Daemon::start().await;
    for operation in all.iter().filter(|o| o.places().0) {
        let stream = UnixStream::connect(&daemon.socket).await.unwrap();
        let refused = ask(stream, "PUT", &operation.path_for("gw0"), "", "*/*").await;
        assert_eq!(refused.status, 405, "{}", operation.path);
        let mut allowed: BTreeSet<String> =
            refused.allow.split(',').map(|method| method.trim().to_lowercase()).collect();
        allowed.remove("head");
        let described: BTreeSet<String> =
            all.iter().filter(|o| o.path == operation.path).map(|o| o.method.to_owned()).collect();
        assert_eq!(allowed, described, "{}: {HOW}", operation.path);
    }
}

#[tokio::test]
async fn what_is_not_changed_by_anybody_is_what_is_said() {
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.tcp_address().unwrap();
    let serving = tokio::spawn(listener.serve(Memory::default(), std::future::pending()));
    let document = Document::read();
    for operation in document.operations() {
        let (_, readable) = operation.places();
        assert_eq!(readable, operation.method == "get", "{}", operation.path);
        let path = asked(&operation, &[]);
        let stream = TcpStream::connect(address).await.unwrap();
        let method = operation.method.to_uppercase();
        let answer = ask(stream, &method, &path, "", "*/*").await;
        assert_eq!(answer.status == 403, !readable, "{path}: {}", answer.status);
        document.check(&operation, answer.status, &answer.kind, &answer.body);
    }
    serving.abort();
}

/// The URL of a question with what it needs, and these parameters.
fn asked(operation: &Operation<'_>, more: &[String]) -> String {
    let mut pairs: Vec<String> =
        operation.query().iter().filter(|p| p.needed).map(encoded).collect();
    pairs.extend_from_slice(more);
    // Where no one of them must be there, but one.
    let destination = pairs.iter().any(|p| p.starts_with("address=") || p.starts_with("prefix="));
    if operation.path == "/v1/policy/test" && !destination {
        pairs.push("prefix=10.244.3.0/26".to_owned());
    }
    if ["/v1/networks/add", "/v1/networks/delete"].contains(&operation.path) && pairs.is_empty() {
        pairs.push("prefix=10.52.0.0/16".to_owned());
    }
    let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
    format!("{}{query}", operation.path_for("server2"))
}

#[tokio::test]
async fn the_parameters_are_those_that_are_known() {
    let daemon = Daemon::start().await;
    let document = Document::read();
    for operation in document.operations().iter().filter(|o| o.places().0) {
        let stream = UnixStream::connect(&daemon.socket).await.unwrap();
        let path = asked(operation, &["nonsense=1".to_owned()]);
        let method = operation.method.to_uppercase();
        let answer = ask(stream, &method, &path, "", "*/*").await;
        let described: BTreeSet<String> =
            operation.query().iter().map(|parameter| parameter.name.to_owned()).collect();
        if ["/livez", "/readyz", "/metrics"].contains(&operation.path) {
            assert_ne!(answer.status, 400, "{path}");
            assert!(described.is_empty(), "{path}");
            continue;
        }
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        document.check(operation, answer.status, &answer.kind, &answer.body);
        let error: starling::api::ApiError = serde_json::from_str(&answer.body).unwrap();
        if error.error.contains("takes no query") {
            assert!(described.is_empty(), "{path}: {described:?}: {HOW}");
            continue;
        }
        // What it knows the refusal says.
        let hint = error.hint.unwrap_or_default();
        let words = hint.split([' ', ',', ';', ':']).filter(|word| !word.is_empty());
        let known: BTreeSet<String> = match hint.contains('=') {
            true => words.filter_map(|w| w.strip_suffix('=')).map(str::to_owned).collect(),
            // "known are name, all, runtime, confirm_s, to and dry", of which each takes some.
            false => {
                described.iter().filter(|d| words.clone().any(|w| w == **d)).cloned().collect()
            }
        };
        assert_eq!(described, known, "{path}: `{hint}`: {HOW}");
    }
}

#[tokio::test]
async fn the_answers_are_as_described() {
    let daemon = Daemon::start().await;
    let document = Document::read();
    let mut statuses = BTreeSet::new();
    for operation in document.operations().iter().filter(|o| o.places().0) {
        let mut questions = vec![asked(operation, &[])];
        // With each of its parameters; those of a made up path are no different.
        for parameter in operation.query().iter().filter(|p| !p.needed) {
            let mut more = vec![encoded(parameter)];
            match (operation.path, parameter.name) {
                ("/v1/routes", "longer" | "shorter") => {
                    more.push("prefix=10.244.2.0/26".to_owned())
                }
                ("/v1/routes", "withheld") => more.push("to=gw0".to_owned()),
                _ => {}
            }
            questions.push(asked(operation, &more));
        }
        let method = operation.method.to_uppercase();
        let file = match operation.path {
            "/v1/plan" | "/v1/apply" => "[cluster]\nasn = 64512\n",
            _ => "",
        };
        let accepts: &[&str] =
            if operation.is_endless() { &["*/*", "text/event-stream"] } else { &["*/*"] };
        for path in questions {
            for accept in accepts {
                let stream = UnixStream::connect(&daemon.socket).await.unwrap();
                let answer = ask(stream, &method, &path, file, accept).await;
                assert!(answer.status != 400 && answer.status != 405, "{path}: {}", answer.body);
                document.check(operation, answer.status, &answer.kind, &answer.body);
                statuses.insert(answer.status);
            }
        }
        // A path without such a neighbour.
        if operation.path.contains("{name}") {
            let stream = UnixStream::connect(&daemon.socket).await.unwrap();
            let nobody = ask(stream, &method, &operation.path_for("nobody"), "", "*/*").await;
            assert_eq!(nobody.status, 404, "{}", operation.path);
            document.check(operation, nobody.status, &nobody.kind, &nobody.body);
        }
    }
    // A reload of a file with errors.
    daemon.backend.0.bad_file.store(true, std::sync::atomic::Ordering::SeqCst);
    for operation in document.operations().iter().filter(|o| o.path == "/v1/reload") {
        let stream = UnixStream::connect(&daemon.socket).await.unwrap();
        let answer = ask(stream, "POST", operation.path, "", "*/*").await;
        document.check(operation, answer.status, &answer.kind, &answer.body);
        statuses.insert(answer.status);
    }
    assert!([200, 409, 422, 503].iter().all(|s| statuses.contains(s)), "{statuses:?}");
}

#[tokio::test]
async fn a_daemon_serves_the_document() {
    let daemon = Daemon::start().await;
    let stream = UnixStream::connect(&daemon.socket).await.unwrap();
    let answer = ask(stream, "GET", "/v1/openapi.json", "", "*/*").await;
    assert_eq!((answer.status, answer.kind.as_str()), (200, "application/json"));
    let served: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let text = include_str!("../../src/api/openapi.json");
    assert_eq!(served, serde_json::from_str::<serde_json::Value>(text).unwrap());
}
