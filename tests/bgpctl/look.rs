//! Snapshots of every table: piped (no limit, no colour), 80 and 120 columns, coloured.
//!
//! A change of looks shows as a changed file: `cargo insta review`, or read the diff.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use starling::api::{
    ApiError, Diagnosis, FibAudit, FibCoupling, FibEntry, Level, Memory, ReloadResult, Route,
    Terms, Version,
};
use starling::ctl::render::{self, Listing, Page};
use starling_fib::types::Coupling;

use crate::sample;

fn text(
    width: Option<usize>,
    render: impl FnOnce(&Page, &mut Vec<u8>) -> io::Result<()>,
) -> String {
    let mut out = Vec::new();
    render(&Page { width }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// The snapshots of one command.
pub(crate) fn looks(name: &str, render: impl Fn(&Page, &mut Vec<u8>) -> io::Result<()>) {
    for width in [60, 80, 120, 200] {
        let shown = plain(&text(Some(width), &render));
        // What a person or a file says is not broken, however long a word of it is.
        let words = |line: &&str| line.split_whitespace().all(|word| word.len() < 50);
        let lines = shown.lines().filter(words);
        let overflow: Vec<_> = lines.filter(|l| l.chars().count() > width).collect();
        assert!(overflow.is_empty(), "wider than {width}: {overflow:#?}");
        if [80, 120].contains(&width) {
            insta::assert_snapshot!(format!("{name}-{width}"), shown);
        }
    }
    let piped = plain(&text(None, &render));
    assert!(piped.lines().all(|l| l == l.trim_end()), "trailing spaces in\n{piped}");
    insta::assert_snapshot!(format!("{name}-piped"), piped);
    // Escape is spelled out so that a reader of the file sees it.
    let coloured = text(Some(120), &render);
    assert!(!coloured.contains("\x1b[2J"), "a neighbour's words reached the terminal raw");
    insta::assert_snapshot!(format!("{name}-coloured"), coloured.replace('\x1b', "␛"));
}

#[test]
fn summary() {
    looks("summary", |page, out| render::summary(page, &sample::summary(), out));
}

#[test]
fn plans() {
    looks("plan", |page, out| {
        for text in ["other", "same", "bad"] {
            render::plan(page, &sample::plan(text), out)?;
            writeln!(out, "--")?;
        }
        Ok(())
    });
}

#[test]
fn changes() {
    looks("applied", |page, out| {
        let waits = Terms { confirm_s: Some(60), runtime: false };
        for (text, terms) in [("other", waits), ("same", Terms::default()), ("bad", waits)] {
            let written = [Path::new("/etc/starling/cluster.toml")];
            let written = if text == "same" { &written[..] } else { &[] };
            render::applied(page, &sample::applied(text, terms), written, out)?;
            writeln!(out, "--")?;
        }
        Ok(())
    });
    looks("generations", |page, out| render::generations(page, &sample::generations(), out));
}

#[test]
fn neighbors() {
    looks("neighbors", |page, out| render::neighbors(page, &sample::neighbors(), out));
}

/// A few things of many.
#[test]
fn neighbor_tables() {
    let all = sample::neighbors();
    let terse = text(Some(60), |_, out| render::neighbors_terse(&all, out));
    insta::assert_snapshot!("neighbors-terse", terse);
    looks("neighbor-tables", |page, out| {
        render::neighbor_timers(page, &all, out)?;
        writeln!(out, "--")?;
        render::neighbor_messages(page, &all, out)?;
        writeln!(out, "--")?;
        render::neighbor_groups(page, &all, out)?;
        render::neighbor_groups(page, &[], out)
    });
}

#[test]
fn networks() {
    looks("networks", |page, out| {
        render::networks(page, &sample::networks(), out)?;
        render::networks(page, &[], out)
    });
}

#[test]
fn bfd() {
    looks("bfd", |page, out| {
        render::bfd(page, &sample::bfd(), out)?;
        render::bfd(page, &[], out)
    });
}

#[test]
fn nodes() {
    looks("nodes", |page, out| render::nodes(page, &sample::nodes(), out));
}

#[test]
fn mesh() {
    looks("mesh", |page, out| {
        render::mesh(page, &sample::mesh(), out)?;
        writeln!(out)?;
        render::mesh(page, &[], out)
    });
}

/// A hundred nodes fit the page, in as many blocks of columns as it takes.
#[test]
fn mesh_of_a_hundred() {
    looks("mesh-100", |page, out| render::mesh(page, &sample::hundred(), out));
}

#[test]
fn memory() {
    looks("memory", |page, out| {
        render::memory(page, &sample::memory(), out)?;
        let untold = Memory { used_bytes: None, free_bytes: None, ..sample::memory() };
        render::memory(page, &untold, out)
    });
}

#[test]
fn routes() {
    looks("routes", |page, out| {
        let mut table = render::RouteTable::new(page, "no routes".to_owned());
        table.rows(&sample::routes(), out)?;
        table.finish(out)
    });
}

#[test]
fn routes_in_detail() {
    looks("routes-detail", |page, out| {
        let mut blocks = render::RouteBlocks::new(page, "no routes".to_owned());
        blocks.rows(&sample::detailed(), out)?;
        blocks.finish(out)
    });
}

#[test]
fn advertised() {
    looks("advertised", |page, out| {
        let mut table = render::SentTable::new(page, "none".to_owned());
        table.rows(&sample::advertised(), out)?;
        table.finish(out)?;
        writeln!(out)?;
        let mut blocks = render::RouteBlocks::new(page, "none".to_owned());
        blocks.rows(&sample::advertised(), out)?;
        blocks.finish(out)?;
        render::SentTable::new(page, "no routes that gw0 is told".to_owned()).finish(out)
    });
}

/// Where paths are chosen by a condition, each has a line.
#[test]
fn paths() {
    looks("paths", |page, out| {
        let mut table = render::RouteTable::new(page, "no routes".to_owned());
        table.rows(&sample::detailed(), out)?;
        table.finish(out)
    });
}

/// Names of a cloud's hosts and IPv6 fit as well; what has no room beside stands below.
#[test]
fn long_names_and_addresses_fit() {
    let name = |i: usize| format!("ip-10-1-5-{i}.eu-central-1.compute.internal");
    let mut summary = sample::summary();
    for (i, peer) in summary.peers.iter_mut().enumerate() {
        peer.name = name(i);
    }
    let mut routes = sample::routes();
    for (i, route) in routes.iter_mut().enumerate() {
        route.prefix = format!("fd00:1234:5678:9abc:def0:1234:{i}::/122").parse().unwrap();
        for path in &mut route.paths {
            path.from = name(i);
            path.next_hop = format!("fd00:1234:5678:9abc:def0:1234:5678:{i}").parse().ok();
        }
    }
    let mut fib = sample::fib();
    for (i, entry) in fib.iter_mut().enumerate() {
        entry.prefix = format!("fd00:1234:5678:9abc:def0:1234:{i}::/122").parse().unwrap();
    }
    let shown = |page: &Page, out: &mut Vec<u8>| {
        render::summary(page, &summary, out)?;
        writeln!(out)?;
        let mut table = render::RouteTable::new(page, String::new());
        table.rows(&routes, out)?;
        table.finish(out)?;
        writeln!(out)?;
        let mut table = render::FibTable::new(page, "");
        table.rows(&fib, out)?;
        table.finish(out)
    };
    looks("long", shown);
    insta::assert_snapshot!("long-60", plain(&text(Some(60), shown)));
    // Whatever stands where, everything is said once.
    let words = |width| {
        let text = plain(&text(width, shown));
        let words = text.split_whitespace().filter(|word| word.contains([':', '.']));
        words.map(|word| word.trim_end_matches(',').to_owned()).collect::<BTreeSet<_>>()
    };
    for width in [60, 80, 120] {
        assert_eq!(words(Some(width)), words(None), "{width}");
    }
}

#[test]
fn nexthops() {
    looks("nexthops", |page, out| {
        render::nexthops(page, &sample::nexthops(), out)?;
        render::nexthops(page, &[], out)
    });
}

#[test]
fn interfaces() {
    looks("interfaces", |page, out| {
        render::interfaces(page, &sample::interfaces(), out)?;
        // One alone, with all of its neighbours.
        render::interfaces(page, &sample::interfaces()[1..2], out)?;
        render::interfaces(page, &[], out)
    });
}

#[test]
fn of_sessions_that_were_asked_for_there_may_be_none() {
    let mut summary = sample::summary();
    summary.peers.clear();
    let shown = text(None, |page, out| render::summary(page, &summary, out));
    assert!(plain(&shown).contains("none of the 5 neighbours is like that"), "{shown}");
    summary.neighbors = 0;
    summary.ranges.clear();
    let shown = text(None, |page, out| render::summary(page, &summary, out));
    assert!(plain(&shown).contains("no neighbours are configured"), "{shown}");
}

#[test]
fn fib() {
    looks("fib", |page, out| {
        let mut table = render::FibTable::new(page, "none");
        table.rows(&sample::fib(), out)?;
        table.finish(out)
    });
}

#[test]
fn coupling() {
    looks("coupling", |page, out| {
        for to in [Coupling::Coupled, Coupling::Decoupled, Coupling::Flushed] {
            render::coupling(page, &sample::coupling(to), out)?;
        }
        let busy = FibCoupling { coupled: true, differing: 12, removed: None };
        render::coupling(page, &busy, out)
    });
}

#[test]
fn audit() {
    looks("audit", |page, out| {
        render::audit(page, &sample::audit(), out)?;
        let clean = FibAudit { compared: 250_003, took_ms: 1840, ..FibAudit::default() };
        render::audit(page, &clean, out)
    });
}

#[test]
fn doctor() {
    looks("doctor", |page, out| {
        render::doctor(page, &sample::diagnosis(), out)?;
        let well = Diagnosis { node: None, worst: Level::Ok, findings: vec![], unchecked: vec![] };
        render::doctor(page, &well, out)
    });
}

#[test]
fn pods() {
    looks("pods", |page, out| {
        let mut table = render::PodTable::new(page);
        table.rows(&sample::pods(), out)?;
        table.finish(out)?;
        render::PodTable::new(page).finish(out)
    });
}

#[test]
fn policies() {
    looks("policies", |page, out| render::policies(page, &sample::policies(), out));
}

#[test]
fn policy_test() {
    looks("policy-test", |page, out| render::policy_tests(page, &sample::policy_tests(), out));
}

#[test]
fn reload() {
    looks("reload", |page, out| {
        let changed = ReloadResult {
            ok: true,
            generation: 4,
            changes: vec!["pool 10.244.0.0/16: ipip never, now cross-subnet".to_owned()],
            errors: Vec::new(),
        };
        render::reload(page, &changed, out)?;
        render::reload(page, &ReloadResult { changes: Vec::new(), ..changed }, out)?;
        let bad = ReloadResult {
            ok: false,
            generation: 4,
            changes: Vec::new(),
            errors: vec![
                "/etc/starling/cluster.toml:7:8: unknown mode `crosssubnet`\n  ipip = \
                 \"crosssubnet\"\n  hint: did you mean \"cross-subnet\"?"
                    .to_owned(),
                "/etc/starling/cluster.toml:9:1: peer `gw0` has no asn".to_owned(),
            ],
        };
        render::reload(page, &bad, out)
    });
}

#[test]
fn versions_and_errors() {
    looks("version", |page, out| {
        let version = Version {
            name: "starling".to_owned(),
            version: "1.2.3".to_owned(),
            commit: Some("0123abc".to_owned()),
            api: 1,
        };
        render::version("starlingd", &version, out)?;
        let error = ApiError::new("there is no neighbour `gw9`")
            .hint("known are server2, server3, gw0 and transit; `bgpctl show summary` lists them");
        render::error(page, &error, out)
    });
}

#[test]
fn a_table_keeps_the_widths_of_its_first_rows() {
    let all = sample::routes();
    let whole = text(None, |page, out| {
        let mut table = render::RouteTable::new(page, String::new());
        table.rows(&all, out)?;
        table.finish(out)
    });
    let in_pieces = text(None, |page, out| {
        let mut table = render::RouteTable::new(page, String::new());
        // The last row holds the widest cells of some columns.
        let (first, rest) = all.split_at(9);
        table.rows(first, out)?;
        for row in rest {
            table.rows(std::slice::from_ref(row), out)?;
        }
        table.finish(out)
    });
    assert_eq!(plain(&whole).lines().count(), plain(&in_pieces).lines().count());
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&whole), words(&in_pieces));
}

#[test]
fn nothing_is_said_in_words() {
    let routes = text(None, |page, out| {
        let mut table = render::RouteTable::new(page, "no route leads to 10.9.9.9".to_owned());
        Listing::<Route>::rows(&mut table, &[], out)?;
        table.finish(out)
    });
    assert_eq!(routes, "no route leads to 10.9.9.9\n");
    let fib = text(None, |page, out| {
        Listing::<FibEntry>::finish(&mut render::FibTable::new(page, "no routes wanted"), out)
    });
    assert_eq!(fib, "no routes wanted\n");
}
