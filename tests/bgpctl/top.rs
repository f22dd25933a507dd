//! `bgpctl top`: what its screen shows at two sizes, what its keys do, and the program on a terminal
//! of its own.

use std::process::Stdio;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use starling::api::{
    Counters, Event, Happening, Neighbor, PeerSummary, SessionEvent, SessionState,
};
use starling::ctl::top::{Key, Screen};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::http::Daemon;
use crate::sample;

/// All peers of the summary, having received and sent so many messages, a tenth of them UPDATEs.
fn neighbors(messages: u64) -> Vec<Neighbor> {
    let counters =
        |n: u64| Counters { updates: n / 10, keepalives: n - n / 10, ..Counters::default() };
    let template = sample::neighbors().remove(0);
    let peers = sample::summary().peers.into_iter().enumerate();
    peers
        .map(|(at, summary)| Neighbor {
            summary,
            messages_received: counters(messages * at as u64),
            messages_sent: counters(messages),
            ..template.clone()
        })
        .collect()
}

fn session(seq: u64, peer: &str, reason: &str) -> Event {
    let what = Happening::Session(SessionEvent {
        peer: peer.to_owned(),
        address: [10, 1, 5, 11].into(),
        was: Some(SessionState::Established),
        state: SessionState::Idle,
        reason: Some(reason.to_owned()),
    });
    // No time that a zone could change: it is shown as it came.
    Event { seq, time: "03:04:05.678".to_owned(), what }
}

/// A screen two samples old.
fn screen() -> Screen {
    let mut screen = Screen::default();
    screen.sample(Duration::from_secs(1), sample::summary(), neighbors(1000));
    screen.happened(
        (0..3).map(|n| session(n, "server2", "the hold time \u{1b}[2Jran out")).collect(),
    );
    let fib = |prefix: &str| Event {
        what: Happening::Fib(starling::api::FibEvent {
            action: starling::api::FibAction::Added,
            prefix: Some(prefix.parse().unwrap()),
            old: None,
            new: Some("via 10.1.5.11 dev net0".to_owned()),
            text: None,
        }),
        ..session(4, "", "")
    };
    screen.happened(vec![fib("10.244.2.0/26"), fib("10.244.3.0/26")]);
    screen.sample(Duration::from_secs(3), sample::summary(), neighbors(1400));
    screen
}

fn drawn(screen: &mut Screen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen.draw(frame)).unwrap();
    let text = terminal.backend().to_string();
    assert!(!text.contains('\x1b'), "a neighbour's words reached the terminal raw");
    text
}

#[test]
fn it_fills_a_small_and_a_large_terminal() {
    insta::assert_snapshot!("top-80x24", drawn(&mut screen(), 80, 24));
    insta::assert_snapshot!("top-200x60", drawn(&mut screen(), 200, 60));
    // However small, it is no reason to end.
    for (width, height) in [(1, 1), (20, 3), (79, 13), (120, 14)] {
        drawn(&mut screen(), width, height);
    }
}

/// The words of a row of the table, by its name.
fn row(text: &str, name: &str) -> Vec<String> {
    let line = text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{text}"));
    line.trim_matches('"').split_whitespace().map(str::to_owned).collect()
}

#[test]
fn no_state_and_no_number_is_cut_however_narrow_the_terminal() {
    for width in [60, 80, 100, 120, 200] {
        let text = drawn(&mut screen(), width, 24);
        let leaf = row(&text, "leaf");
        assert!(leaf.contains(&"Established".to_owned()), "{width}: {text}");
        let transit = row(&text, "transit");
        assert!(transit.contains(&"1048576".to_owned()), "{width}: {text}");
        let asn = transit.contains(&"4200000001".to_owned());
        assert_eq!(asn, width >= 80, "{width}: {text}");
        assert_eq!(text.contains("REASON"), width >= 100, "{width}: {text}");
        assert!(text.contains("leaf-10.9.3.7 "), "{width}: {text}");
    }
    // Long names and IPv6 are given room before anything that may be left out.
    let mut screen = Screen::default();
    let template = sample::neighbors().remove(0);
    let peers = (0..3).map(|i| PeerSummary {
        name: format!("ip-10-1-5-{i}.eu-central-1.compute.internal"),
        address: format!("fd00:1234:5678:9abc:def0:1234:5678:9ab{i}").parse().unwrap(),
        reason: None,
        ..template.summary.clone()
    });
    let many = peers.map(|summary| Neighbor { summary, ..template.clone() }).collect();
    screen.sample(Duration::ZERO, sample::summary(), many);
    let text = drawn(&mut screen, 120, 24);
    assert!(text.contains("ip-10-1-5-2.eu-central-1.compute.internal "), "{text}");
    let text = drawn(&mut screen, 200, 24);
    assert!(text.contains("fd00:1234:5678:9abc:def0:1234:5678:9ab1 "), "{text}");
}

/// The names of neighbours, from above.
fn order(screen: &mut Screen) -> Vec<String> {
    let text = drawn(screen, 200, 60);
    let rows = text.lines().skip_while(|line| !line.contains("NEIGHBOR")).skip(1);
    let names =
        rows.map(|line| line.trim_matches('"').split_whitespace().next().map(str::to_owned));
    names.take(5).map_while(|name| name.filter(|name| !name.starts_with('─'))).collect()
}

#[test]
fn keys_sort_filter_and_end() {
    let mut screen = screen();
    let down_first = ["gw0", "server3", "leaf-10.9.3.7", "server2", "transit"];
    assert_eq!(order(&mut screen), down_first);
    assert!(!screen.press(Key::Char('r')));
    assert_eq!(order(&mut screen)[0], "transit");
    for key in ['r', 's'] {
        screen.press(Key::Char(key));
    }
    assert_eq!(order(&mut screen), ["gw0", "leaf-10.9.3.7", "server2", "server3", "transit"]);
    screen.press(Key::Char('s'));
    assert_eq!(order(&mut screen)[0], "transit", "the most received");
    for key in ['s', 's'] {
        screen.press(Key::Char(key));
    }
    assert_eq!(order(&mut screen)[0], "leaf-10.9.3.7", "the most UPDATEs");

    screen.press(Key::Char('/'));
    for c in "SERVERq".chars() {
        assert!(!screen.press(Key::Char(c)), "`q` is a letter while a filter is typed");
    }
    screen.press(Key::Backspace);
    assert_eq!(order(&mut screen).len(), 2);
    assert!(drawn(&mut screen, 80, 24).contains("filter: SERVER"));
    screen.press(Key::Enter);
    assert!(drawn(&mut screen, 80, 24).contains("2 of 5 match"));
    screen.press(Key::Escape);
    assert_eq!(order(&mut screen).len(), 5);
    assert!(screen.press(Key::Char('q')) && screen.press(Key::Interrupt));
}

#[test]
fn many_neighbours_are_scrolled_and_a_daemon_that_is_gone_is_told() {
    let mut screen = Screen::default();
    let template = sample::neighbors().remove(0);
    let many = (0..500).map(|i| Neighbor {
        summary: PeerSummary { name: format!("node-{i:03}"), ..template.summary.clone() },
        ..template.clone()
    });
    screen.sample(Duration::ZERO, sample::summary(), many.collect());
    let text = drawn(&mut screen, 80, 24);
    assert!(text.contains("node-000") && text.contains("1–11 of 500"), "{text}");
    screen.press(Key::End);
    let text = drawn(&mut screen, 80, 24);
    assert!(text.contains("node-499") && text.contains("490–500 of 500"), "{text}");
    screen.press(Key::Move(-10));
    assert!(drawn(&mut screen, 80, 24).contains("480–490 of 500"));
    screen.press(Key::Home);
    assert!(drawn(&mut screen, 80, 24).contains("node-000"));
    screen.trouble("no daemon on /run/x: there is no such file".to_owned());
    let text = drawn(&mut screen, 80, 24);
    assert!(text.contains("no answer") && text.contains("no daemon on /run/x"), "{text}");
}

#[tokio::test]
async fn without_a_terminal_it_refuses_and_says_what_else_there_is() {
    let daemon = Daemon::start().await;
    let (code, out, err) = crate::command::run(&daemon.socket, "top").await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("top fills a terminal") && err.contains("bgpctl monitor --json"), "{err}");
}

#[tokio::test]
async fn on_a_terminal_it_shows_the_node_and_leaves_the_terminal_as_it_was() {
    let daemon = Daemon::start().await;
    let line = format!("stty rows 24 cols 80; exec {} top", env!("CARGO_BIN_EXE_bgpctl"));
    for key in ["q", "\x03"] {
        // It gives the command a terminal.
        let mut script = Command::new("script");
        script.args(["-qefc", &line, "/dev/null"]).env("STARLING_SOCKET", &daemon.socket);
        script.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = script.spawn().unwrap();
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut seen = Vec::new();
        let shown = async {
            while !String::from_utf8_lossy(&seen).contains("UPD/s IN") {
                assert!(output.read_buf(&mut seen).await.unwrap() > 0, "it ended: {seen:?}");
            }
            input.write_all(key.as_bytes()).await.unwrap();
            input.flush().await.unwrap();
            output.read_to_end(&mut seen).await.unwrap();
            child.wait().await.unwrap()
        };
        let status = timeout(Duration::from_secs(60), shown).await.expect("an end");
        let seen = String::from_utf8_lossy(&seen);
        assert!(status.success(), "{status}: {seen}");
        let (entered, left) = (seen.find("\x1b[?1049h"), seen.rfind("\x1b[?1049l"));
        assert!(entered.is_some() && entered < left, "the other screen is left: {seen:?}");
        assert!(seen.contains("server1") && seen.contains("gw0"), "{seen:?}");
    }
}
