//! `bgpctl why`: what people see of it, its exit codes, and who may ask for the way back.

use std::io::Write;

use starling::api::{
    About, Back, Cause, Fact, KernelAnswer, KernelResult, Outcome, Owner, SessionState, Tone, Why,
};
use starling::ctl::render;

use crate::command::run;
use crate::http::Daemon;
use crate::look::looks;

fn fact(about: About, tone: Tone, text: &str) -> Fact {
    Fact { about, tone, text: text.to_owned() }
}

fn reached() -> Why {
    let plain = |about, text| fact(about, Tone::Plain, text);
    Why {
        target: "10.244.3.7".to_owned(),
        address: "10.244.3.7".parse().unwrap(),
        node: "server1".to_owned(),
        outcome: Outcome::Reached,
        cause: None,
        verdict: "10.244.3.7 is reached through 10.1.8.10 by tunl0".to_owned(),
        advice: None,
        facts: vec![
            plain(
                About::Kernel,
                "10.244.3.0/26 via 10.1.8.10 dev tunl0 onlink proto 12 metric 0, source \
                 10.244.1.0: our route",
            ),
            plain(
                About::Best,
                "10.244.3.0/26 from server3, 2m07s ago, next hop 10.1.8.10: the only usable path",
            ),
            plain(
                About::NextHop,
                "10.1.8.10 is outside 10.1.5.0/24 of net0, pool 10.244.0.0/16 is cross-subnet: \
                 tunnelled by tunl0",
            ),
            fact(
                About::Neighbour,
                Tone::Warn,
                "10.1.5.1 on net0: INCOMPLETE, it has not answered yet",
            ),
            // A neighbour's own words may hold anything.
            plain(About::Session, "server3 (10.1.8.10): Established for 3m02s\x1b[2J"),
        ],
        kernel: KernelAnswer {
            result: KernelResult::Sent,
            prefix: Some("10.244.3.0/26".parse().unwrap()),
            gateway: Some("10.1.8.10".parse().unwrap()),
            device: Some("tunl0".to_owned()),
            source: Some("10.244.1.0".parse().unwrap()),
            table: Some(254),
            protocol: Some(12),
            metric: Some(0),
            ours: true,
            words: "via 10.1.8.10 dev tunl0 onlink proto 12 metric 0".to_owned(),
        },
        routes: Vec::new(),
        owner: Some(Owner {
            name: "server3".to_owned(),
            block: "10.244.3.0/26".parse().unwrap(),
            this_node: false,
            session: Some(SessionState::Established),
        }),
        pool: Some("10.244.0.0/16".parse().unwrap()),
        back: None,
    }
}

fn unreached() -> Why {
    Why {
        target: "10.244.9.1".to_owned(),
        address: "10.244.9.1".parse().unwrap(),
        outcome: Outcome::Unreached,
        cause: Some(Cause::NoSession),
        verdict: "nothing leads to 10.244.9.1: node server9 owns the block, its session is down \
                  since 12s: we closed it: hold timer expired"
            .to_owned(),
        advice: Some("does starlingd run there? `bgpctl show neighbors server9`".to_owned()),
        facts: vec![
            fact(
                About::Kernel,
                Tone::Plain,
                "0.0.0.0/0 via 10.1.5.1 dev net0 proto 4 metric 0: not ours (proto static)",
            ),
            fact(
                About::Session,
                Tone::Bad,
                "server9 (10.1.9.10): Active, down since 12s: we closed it: hold timer expired",
            ),
        ],
        ..reached()
    }
}

fn astray(target: &str, back: Back) -> Why {
    Why {
        target: target.to_owned(),
        outcome: Outcome::Astray,
        cause: Some(Cause::Gateway),
        verdict: format!("{target} is sent to 10.1.5.1 on net0, which is no BGP peer"),
        back: Some(back),
        ..reached()
    }
}

fn back(why: Option<Why>) -> Back {
    Back {
        node: Some("server3".to_owned()),
        target: "10.244.1.0/26".to_owned(),
        at: Some("10.1.8.10:9179".parse().unwrap()),
        unasked: why.is_none().then(|| {
            "server3 could not be asked: cannot connect to 10.1.8.10:9179: connection refused"
                .to_owned()
        }),
        why: why.map(Box::new),
    }
}

/// What the daemon in memory knows.
pub(crate) fn samples() -> Vec<Why> {
    vec![
        Why { back: Some(back(Some(unreached()))), ..reached() },
        unreached(),
        astray("10.244.4.1", back(None)),
        Why { target: "10.244.5.1".to_owned(), back: Some(back(None)), ..reached() },
        Why { target: "10.244.6.1".to_owned(), back: Some(back(Some(reached()))), ..reached() },
        Why {
            target: "10.244.1.10".to_owned(),
            outcome: Outcome::Local,
            back: Some(Back { node: None, at: None, ..back(None) }),
            ..reached()
        },
    ]
}

#[test]
fn reached_and_the_way_back() {
    looks("why-both", |page, out| render::why(page, &samples()[0], out));
}

#[test]
fn not_reached_and_nobody_to_ask() {
    looks("why-not", |page, out| {
        render::why(page, &unreached(), out)?;
        writeln!(out)?;
        render::why(page, &samples()[2], out)
    });
}

#[tokio::test]
async fn the_exit_code_is_the_worse_of_the_two_ways() {
    let daemon = Daemon::start().await;
    for (line, wanted) in [
        ("why 10.244.3.7", 0),
        ("why 10.244.9.1", 4),
        ("why 10.244.4.1", 5),
        ("why 10.244.1.10", 0),
        ("why 10.244.3.7 --both", 4),
        ("why 10.244.4.1 --both", 5),
        ("why 10.244.5.1 --both", 6),
        ("why 10.244.6.1 --both", 0),
        // What stays on the node has no way back.
        ("why 10.244.1.10 --both", 0),
        ("w 10.244.3.7 --json", 0),
        ("why 10.244.9.1 --json", 4),
        ("why 192.0.2.1", 1),
        ("why", 2),
        ("why nonsense", 2),
        ("why 10.244.3.7/26", 2),
        ("why 10.244.3.7 --from 10.244.1.1", 2),
    ] {
        let (code, out, err) = run(&daemon.socket, line).await;
        assert_eq!(code, wanted, "{line}: {out}{err}");
        if wanted == 0 && line.ends_with("--json") {
            assert_eq!(serde_json::from_str::<Why>(&out).unwrap(), reached());
        }
    }
}
