//! What happens on a node, as `bgpctl monitor` tells it: a session, a best path and the kernel's
//! route of it, from up to down, somebody else's hand between, and the daemon's own end.

use anyhow::{Context, ensure};
use starling::api::{Event, FibAction, Happening, SessionState};
use starling_lab::{Family, Proc, Result, wait_for};

use crate::support::{SOON, binaries, cluster, established};

const OWN: &str = "blackhole 10.244.1.0/26 proto bird";
const OTHER: &str = "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird";

#[test]
fn a_monitor_tells_what_happens_with_reasons() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start(1)?;
    cluster.node(1)?.daemon()?.wait_ready()?;
    let mut monitor = |words: &[&str], log: &str| -> Result<Proc> {
        let node = cluster.node(1)?;
        let socket = node.daemon()?.socket().to_owned();
        let mut command = node.netns().command(binaries().bgpctl);
        command.arg("--socket").arg(socket).args(words);
        let log = node.daemon()?.socket().with_file_name(log);
        Proc::spawn("bgpctl monitor", &mut command, &log)
    };
    let json = monitor(&["--json", "monitor", "--peer", "n2"], "peer.log")?;
    let fib = monitor(&["--json", "monitor", "fib", "--prefix", "10.244.2.0/24"], "fib.log")?;
    let words = monitor(&["monitor"], "words.log")?;
    for proc in [&json, &fib, &words] {
        wait_for("a first line", SOON, || {
            ensure!(proc.log().contains("begin"), "{}", proc.log());
            Ok(())
        })?;
    }

    cluster.start(2)?;
    established(cluster.node(1)?, "n2")?;
    cluster.node(1)?.holds(Family::V4, &[OWN, OTHER], SOON)?;
    cluster.node(1)?.netns().ip_line("route del 10.244.2.0/26")?;
    cluster.node(1)?.holds(Family::V4, &[OWN, OTHER], SOON)?;
    cluster.node(1)?.daemon()?.bgpctl(&["neighbor", "n2", "down", "--reason", "lunch"])?;
    cluster.node(1)?.holds(Family::V4, &[OWN], SOON)?;
    cluster.node(1)?.take_daemon()?.into_proc().stop(SOON)?;

    for proc in [&json, &fib, &words] {
        wait_for("the last line", SOON, || {
            ensure!(proc.log().contains("the daemon is stopping"), "{}", proc.log());
            Ok(())
        })?;
    }
    let events = |proc: &Proc| -> Result<Vec<Event>> {
        let log = proc.log();
        log.lines().map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
    };
    let all = events(&json)?;
    assert!(all.windows(2).all(|two| two[0].seq <= two[1].seq), "{all:#?}");
    let at = |what: &str, found: &dyn Fn(&Happening) -> bool| {
        let place = all.iter().position(|event| found(&event.what));
        place.with_context(|| format!("{what} in {all:#?}"))
    };
    let up = at(
        "established",
        &|what| matches!(what, Happening::Session(e) if e.state == SessionState::Established),
    )?;
    let prefix = "10.244.2.0/26".parse()?;
    let came = at("the route", &|what| {
        matches!(what, Happening::Route(e) if e.prefix == prefix && e.old.is_none()
            && e.new.as_ref().is_some_and(|new| new.from == "n2"))
    })?;
    let down = at("the end", &|what| {
        matches!(what, Happening::Session(e) if e.was == Some(SessionState::Established)
            && e.reason.as_ref().is_some_and(|why| why.contains("lunch")))
    })?;
    let gone = at("the route's end", &|what| {
        matches!(what, Happening::Route(e) if e.prefix == prefix && e.new.is_none()
            && e.old.as_ref().is_some_and(|old| old.from == "n2"))
    })?;
    assert!(up < came && came < gone && up < down, "{all:#?}");

    let done: Vec<FibAction> = events(&fib)?
        .into_iter()
        .filter_map(|event| match event.what {
            Happening::Fib(event) => Some(event.action),
            _ => None,
        })
        .collect();
    let expected = [FibAction::Added, FibAction::Drift, FibAction::Added, FibAction::Deleted];
    assert_eq!(done, expected, "{}", fib.log());
    let log = words.log();
    for line in [
        "session  n2  Established, was OpenConfirm",
        "route    10.244.2.0/26  new: via 10.50.0.2 from n2",
        "fib      10.244.2.0/26  added: via 10.50.0.2 dev net0",
        "fib      10.244.2.0/26  drift: somebody else changed it",
        "route    10.244.2.0/26  gone, was via 10.50.0.2 from n2",
        "fib      10.244.2.0/26  deleted: via 10.50.0.2 dev net0",
    ] {
        assert!(log.contains(line), "no {line:?} in\n{log}");
    }
    for proc in [json, fib, words] {
        let status = proc.ended(SOON)?;
        assert!(status.success(), "{status}");
    }
    Ok(())
}
