//! BIRD's control socket, read as those read it who know only BIRD.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use starling::daemon::bird::Socket;
use starling_bgp::types::Family;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::backend::Memory;

struct Bird {
    socket: PathBuf,
    backend: Memory,
    _directory: tempfile::TempDir,
}

impl Bird {
    async fn start(family: Family) -> Bird {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("calico/bird.ctl");
        let backend = Memory::default();
        let listener = Socket::bind(&socket, family).await.unwrap();
        tokio::spawn(listener.serve(backend.clone(), std::future::pending()));
        Bird { socket, backend, _directory: directory }
    }

    async fn connect(&self) -> Client {
        let stream = BufReader::new(UnixStream::connect(&self.socket).await.unwrap());
        let mut client = Client(stream);
        let greeting = client.reply().await;
        assert!(greeting.starts_with("0001 BIRD v1.6.8+starling"), "{greeting}");
        assert!(greeting.ends_with(" ready.\n"), "{greeting}");
        client
    }

    async fn ask(&self, question: &str) -> String {
        self.connect().await.ask(question).await
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    async fn ask(&mut self, question: &str) -> String {
        self.0.write_all(format!("{question}\n").as_bytes()).await.unwrap();
        self.reply().await
    }

    /// Up to the line that ends a reply: its code is followed by a space.
    async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let start = reply.len();
            assert_ne!(self.0.read_line(&mut reply).await.unwrap(), 0, "cut off: {reply}");
            let line = &reply[start..];
            if line.get(..4).is_some_and(|code| code.parse::<u16>().is_ok())
                && line.as_bytes()[4] == b' '
            {
                return reply;
            }
        }
    }
}

/// Times of day and days, which are of this run.
fn timeless(reply: &str) -> String {
    let digits = |word: &str, shape: &str| {
        word.len() == shape.len()
            && word.chars().zip(shape.chars()).all(|(c, s)| match s {
                '0' => c.is_ascii_digit(),
                other => c == other,
            })
    };
    let mut out = String::new();
    for word in reply.split_inclusive([' ', '\n', ']']) {
        let bare = word.trim_end_matches([' ', '\n', ']']);
        let end = &word[bare.len()..];
        out.push_str(match bare {
            time if digits(time, "00:00:00") => "hh:mm:ss",
            day if digits(day, "0000-00-00") => "yyyy-mm-dd",
            other => other,
        });
        out.push_str(end);
    }
    out
}

#[tokio::test]
async fn what_it_says() {
    let (bird, bird6) = (Bird::start(Family::Ipv4).await, Bird::start(Family::Ipv6).await);
    let mut text = String::new();
    for (socket, question) in [
        (&bird, "show status"),
        (&bird, "show protocols"),
        (&bird, "show protocols all Mesh_10_1_5_11"),
        (&bird, "show protocols Mesh_10_9_9_9"),
        (&bird, "show route"),
        (&bird, "show route all"),
        (&bird, "show route count"),
        (&bird, "show route filtered"),
        (&bird, "show route export Node_10_1_5_1"),
        (&bird, "show route all export Node_10_1_5_1"),
        (&bird, "show route noexport Node_10_1_5_1"),
        (&bird, "show route export Node_10_1_5_1 count"),
        (&bird, "show route export Mesh_10_1_5_11"),
        (&bird, "show route export kernel1"),
        (&bird, "show route export Mesh_10_9_9_9"),
        (&bird, "show bfd sessions"),
        (&bird, "show symbols"),
        (&bird, "configure"),
        (&bird, "restrict"),
        (&bird, "show ospf"),
        (&bird6, "show protocols"),
        (&bird6, "show route"),
        (&bird6, "show route for 10.244.1.1"),
    ] {
        let name = if std::ptr::eq(socket, &bird) { "bird" } else { "bird6" };
        text += &format!("{name}> {question}\n{}", timeless(&socket.ask(question).await));
    }
    insta::assert_snapshot!("bird", text);
}

/// As `calicoctl node status` and calico-node's readiness read it: every line is one of four
/// kinds, and of the neighbours' columns the sixth is BGP's state.
#[tokio::test]
async fn node_status_finds_every_neighbour() {
    let reply = Bird::start(Family::Ipv4).await.ask("show protocols").await;
    let mut neighbours = Vec::new();
    for line in reply.lines() {
        let row = match line {
            header if header.starts_with("2002-") => {
                let fields: Vec<&str> = header[5..].split_whitespace().collect();
                assert_eq!(fields, ["name", "proto", "table", "state", "since", "info"]);
                continue;
            }
            end if end.starts_with("0000") => break,
            row if row.starts_with("1002-") => &row[5..],
            row if row.starts_with(' ') => row,
            other => panic!("unexpected output line: {other}"),
        };
        let fields: Vec<&str> = row.split_whitespace().collect();
        if fields.len() < 6 || fields[1] != "BGP" {
            continue;
        }
        let (kind, address) = fields[0].split_once('_').unwrap();
        let address = address.replace('_', ".");
        neighbours.push((kind.to_owned(), address, fields[3].to_owned(), fields[5].to_owned()));
    }
    let of = |kind: &str, address: &str, state: &str, bgp: &str| {
        (kind.to_owned(), address.to_owned(), state.to_owned(), bgp.to_owned())
    };
    assert!(neighbours.contains(&of("Mesh", "10.1.5.11", "up", "Established")), "{neighbours:?}");
    assert!(neighbours.contains(&of("Node", "10.1.5.1", "start", "Idle")), "{neighbours:?}");
}

/// As bird_exporter reads it: each protocol begins with its code, never with a space.
#[tokio::test]
async fn an_exporter_finds_counts_under_each_neighbour() {
    let reply = Bird::start(Family::Ipv4).await.ask("show protocols all").await;
    let mut protocol = None;
    let mut imported = Vec::new();
    for line in reply.lines() {
        if let Some(row) = line.strip_prefix("1002-") {
            protocol = row.split_whitespace().next();
        } else if let Some(counts) = line.trim_start_matches("1006-").trim().strip_prefix("Routes:")
        {
            let number = counts.split_whitespace().next().unwrap().parse::<u64>().unwrap();
            imported.push((protocol.unwrap(), number));
        }
    }
    assert!(imported.contains(&("Mesh_10_1_5_11", 2)), "{imported:?}");
    let rows = reply.lines().filter(|line| line.contains(" BGP      "));
    assert!(
        rows.clone().count() >= 2 && rows.clone().all(|row| row.starts_with("1002-")),
        "{reply}"
    );
}

/// Calico's readiness waits while it sees code 0024.
#[tokio::test]
async fn a_recovery_is_told() {
    let bird = Bird::start(Family::Ipv4).await;
    assert!(!bird.ask("show status").await.contains("0024"));
    bird.backend.0.recovering.store(true, Ordering::SeqCst);
    let reply = bird.ask("show status").await;
    assert!(reply.contains("\n0024-Graceful restart recovery in progress\n0013 "), "{reply}");
}

#[tokio::test]
async fn several_questions_on_one_connection_and_a_long_table() {
    let bird = Bird::start(Family::Ipv4).await;
    let mut client = bird.connect().await;
    assert!(client.ask("show status").await.ends_with("0013 Daemon is up and running\n"));
    bird.backend.0.made_up.store(20_000, Ordering::SeqCst);
    let reply = client.ask("show route").await;
    assert_eq!(reply.lines().count(), 20_001);
    assert_eq!(
        client.ask("show route count").await,
        "0014 20000 of 20000 routes for 20000 networks\n"
    );
    bird.backend.0.breaks.store(true, Ordering::SeqCst);
    assert!(client.ask("show route").await.ends_with("8000 the daemon is stopping\n"));
}

#[tokio::test]
async fn a_line_without_end_ends_the_connection() {
    let bird = Bird::start(Family::Ipv4).await;
    let mut client = bird.connect().await;
    // The other end may close before all is written.
    let _ = client.0.write_all(&[b'x'; 4096]).await;
    let mut rest = Vec::new();
    let _ = client.0.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    assert!(bird.ask("show status").await.contains("Daemon is up"), "others are unharmed");
}
