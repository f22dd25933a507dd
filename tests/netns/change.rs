//! Changes with a net: what a plan says comes true, what is not confirmed is undone, whoever dies
//! meanwhile, and no packet is lost by either.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use starling::api::{Applied, Generation, Neighbor, Plan, RouteFate, SessionFate, Summary};
use starling_lab::{
    Cluster, End, Family, Monitor, Output, Result, Signal, Starling, Traffic, wait_for,
};

use crate::support::{SOON, binaries, cluster};

/// The first of two nodes, whose file is its own, so that the other's is not written with it.
struct First {
    daemon: Option<Starling>,
    file: PathBuf,
    arguments: Vec<String>,
}

impl First {
    fn start(cluster: &Cluster, file: &Path) -> Result<First> {
        First::start_with(cluster, file, &[])
    }

    fn start_with(cluster: &Cluster, file: &Path, arguments: &[&str]) -> Result<First> {
        let node = &cluster.nodes()[0];
        let (binaries, netns) = (binaries(), node.netns());
        let mut daemon = Starling::start_with(&binaries, netns, "n1", file, node.dir(), arguments)?;
        daemon.wait_ready()?;
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        Ok(First { daemon: Some(daemon), file: file.to_owned(), arguments })
    }

    fn daemon(&self) -> Result<&Starling> {
        self.daemon.as_ref().context("the daemon was killed")
    }

    /// As SIGKILL leaves it, and as the next start finds it.
    fn restart_after_a_crash(&mut self, cluster: &Cluster) -> Result {
        if let Some(daemon) = self.daemon.take() {
            daemon.into_proc().crash();
        }
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        *self = First::start_with(cluster, &self.file, &arguments)?;
        Ok(())
    }

    fn says(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap_or_default()
    }

    fn ask(&self, arguments: &[&str]) -> Result<Output> {
        self.daemon()?.try_bgpctl(arguments)
    }

    fn generations(&self) -> Result<Vec<Generation>> {
        self.daemon()?.read(&["show", "generations"])
    }

    /// Waits until the newest configuration is on the wish of `source`.
    fn reaches(&self, source: &str) -> Result<Generation> {
        wait_for("another configuration", SOON, || {
            let newest = self.generations()?.into_iter().next().context("none")?;
            ensure!(newest.source == source, "{newest:?}\n{}", self.daemon()?.log());
            Ok(newest)
        })
    }

    /// Its session with the other node was never lost.
    fn kept_its_session(&self) -> Result {
        let peer: Neighbor = self.daemon()?.read(&["show", "neighbors", "n2"])?;
        ensure!(peer.flaps == 0 && peer.agreed.is_some(), "{peer:?}");
        Ok(())
    }
}

/// What the other node's kernel has of the first's blocks.
fn announced(cluster: &mut Cluster, blocks: &[&str]) -> Result {
    let mut wanted = vec!["blackhole 10.244.2.0/26 proto bird".to_owned()];
    wanted.extend(blocks.iter().map(|net| format!("{net} via 10.50.0.1 dev net0 proto bird")));
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    cluster.node(2)?.holds(Family::V4, &wanted, SOON)
}

/// What the first node's kernel has, with that metric.
fn written(cluster: &Cluster, metric: &str, blocks: &[&str]) -> Result {
    let mut wanted = vec![format!("10.244.2.0/26 via 10.50.0.2 dev net0 proto bird{metric}")];
    wanted.extend(blocks.iter().map(|net| format!("blackhole {net} proto bird{metric}")));
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    cluster.nodes()[0].holds(Family::V4, &wanted, SOON)?;
    let metric = if metric.is_empty() { " metric 1024" } else { metric };
    let wanted = [
        format!("blackhole fd00:244:1::/64 dev lo proto bird{metric}"),
        format!("fd00:244:2::/64 via fd50::2 dev net0 proto bird{metric}"),
    ];
    cluster.nodes()[0].holds(Family::V6, &[&wanted[0], &wanted[1]], SOON)
}

const OLD: &str = "10.244.1.0/26";
const NEW: &str = "10.244.1.64/26";

#[test]
fn a_change_is_planned_tried_undone_confirmed_and_taken_back() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start(2)?;
    let folder = cluster.lab().subdir("n1-etc")?;
    let old = cluster.toml("never", "");
    std::fs::write(folder.join("cluster.toml"), &old)?;
    let mut first = First::start(&cluster, &folder.join("cluster.toml"))?;
    announced(&mut cluster, &[OLD])?;
    written(&cluster, "", &[OLD])?;

    // A block more, and other routes in the kernel.
    let new = old.replace(&format!("\"{OLD}\""), &format!("\"{OLD}\", \"{NEW}\""));
    let new = format!("{new}[kernel]\nmetric = 100\n");
    let name = folder.join("new").display().to_string();
    std::fs::write(&name, &new)?;

    is_planned(&first, &folder, &name)?;
    written(&cluster, "", &[OLD])?;

    // It is undone by itself, and packets go on through all of it.
    let ends: Vec<End<'_>> = cluster
        .nodes()
        .iter()
        .map(|node| End { name: node.name(), netns: node.netns(), address: node.pod(Family::V4) })
        .collect();
    let traffic = Traffic::start(&ends, &[(0, 1), (1, 0)], Duration::from_millis(2))?;
    let begin = traffic.beat();
    // All of it is looked at before its time is over.
    let said: Applied = first.daemon()?.read(&["apply", &name, "--confirm", "12s"])?;
    ensure!(said.confirm_s.is_some() && said.generation == 2 && said.plan.differs, "{said:?}");
    ensure!(said.files.len() == 1 && first.says() == old, "{said:?}");
    let ready: Summary = first.daemon()?.read(&["show", "summary"])?;
    ensure!(ready.ready.ready && ready.confirm_s.is_some(), "{ready:?}");
    ensure!(ready.ready.reasons.iter().any(|reason| reason.code == "unconfirmed"), "{ready:?}");
    announced(&mut cluster, &[OLD, NEW])?;
    written(&cluster, " metric 100", &[OLD, NEW])?;
    let undone = first.reaches("not confirmed within 12s")?;
    ensure!(undone.generation == 3 && undone.digest == said.plan.digest, "{undone:?}");
    announced(&mut cluster, &[OLD])?;
    written(&cluster, "", &[OLD])?;
    traffic.beats(begin, 500)?;
    let end = traffic.calm(begin);
    let lost = traffic.lost(begin, end, |_, _| true);
    ensure!(lost.lost == 0 && lost.sent >= 1000, "{lost:?}");
    drop(traffic);
    first.kept_its_session()?;
    ensure!(first.says() == old);

    // By whoever is killed: bgpctl has ended long ago, and now the daemon does.
    first.daemon()?.bgpctl(&["apply", &name, "--confirm", "1h"])?;
    announced(&mut cluster, &[OLD, NEW])?;
    first.restart_after_a_crash(&cluster)?;
    announced(&mut cluster, &[OLD])?;
    written(&cluster, "", &[OLD])?;
    ensure!(first.generations()?.len() == 1);

    // Nobody else's reload comes in between.
    first.daemon()?.bgpctl(&["apply", &name, "--confirm", "1h"])?;
    for refused in [vec!["reload"], vec!["apply", &name], vec!["rollback", "1"]] {
        let said = first.ask(&refused)?;
        let waits = said.stderr.contains("a change waits to be confirmed");
        ensure!(said.status.code() == Some(1) && waits, "{refused:?}: {said:?}");
    }
    let confirmed: Applied = first.daemon()?.read(&["confirm"])?;
    ensure!(confirmed.confirm_s.is_none() && confirmed.generation == 2, "{confirmed:?}");
    ensure!(first.says() == new);
    ensure!(first.ask(&["confirm"])?.status.code() == Some(1));
    first.restart_after_a_crash(&cluster)?;
    written(&cluster, " metric 100", &[OLD, NEW])?;

    // Back, and forth: what was in force before is one command away.
    std::fs::write(&name, &old)?;
    first.daemon()?.bgpctl(&["apply", &name])?;
    ensure!(first.says() == old);
    written(&cluster, "", &[OLD])?;
    let back = first.daemon()?.bgpctl(&["rollback"])?;
    ensure!(back.contains("written to") && first.says() == new, "{back}");
    written(&cluster, " metric 100", &[OLD, NEW])?;
    first.daemon()?.bgpctl(&["rollback", "2", "--runtime"])?;
    written(&cluster, "", &[OLD])?;
    ensure!(first.says() == new);
    // What is in force is other than the file on purpose, until that changes.
    let comment = format!("{new}# the same\n");
    std::fs::write(&first.file, &comment)?;
    first.reaches("the file changed")?;
    written(&cluster, " metric 100", &[OLD, NEW])?;
    first.kept_its_session()
}

/// What a plan says of a block more and another metric; the same again, and a broken file.
fn is_planned(first: &First, folder: &Path, name: &str) -> Result {
    let said = first.ask(&["plan", name, "--json"])?;
    ensure!(said.status.code() == Some(4), "{said:?}");
    let plan: Plan = serde_json::from_str(&said.stdout)?;
    let [session] = plan.sessions.as_slice() else { anyhow::bail!("{plan:?}") };
    // Own blocks are accepted from nobody.
    let because = session.because.iter().all(|key| key.starts_with("never imported"));
    ensure!(session.becomes == SessionFate::Changed && because, "{session:?}");
    ensure!(session.established && session.accepted_then == 2, "{session:?}");
    ensure!(session.announced.first == [NEW.parse()?] && session.announced.count == 1);
    ensure!(session.withdrawn.count == 0, "{session:?}");
    // Both families, two routes each, get the metric; the block is there beside.
    ensure!((plan.routes.key, plan.routes.added) == (4, 1), "{:?}", plan.routes);
    let added = plan.routes.shifts.iter().find(|shift| shift.becomes == RouteFate::Added);
    ensure!(added.is_some_and(|shift| shift.prefix.to_string() == NEW), "{:?}", plan.routes);
    let same = first.ask(&["plan", &first.file.display().to_string()])?;
    ensure!(same.status.code() == Some(0), "{same:?}");

    let bad = folder.join("bad").display().to_string();
    std::fs::write(&bad, std::fs::read_to_string(name)?.replace("10.244.1.0/26", "10.244.1.0/33"))?;
    let refused = first.ask(&["plan", &bad])?;
    let mut check = std::process::Command::new(binaries().starlingd);
    let check = starling_lab::run(check.args(["check", &bad, "--node", "n1"]), SOON)?;
    let error = check.stderr.lines().find(|line| line.contains("error:")).unwrap_or_default();
    let error = error.trim_start_matches("starlingd: ");
    ensure!(error.contains("bad:") && refused.stdout.contains(error), "{refused:?}\n{check:?}");
    ensure!(refused.status.code() == Some(1));
    Ok(())
}

#[test]
fn what_happens_to_the_file_meanwhile_is_not_lost() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start(2)?;
    let folder = cluster.lab().subdir("n1-etc")?;
    let old = cluster.toml("never", "");
    let mut first = {
        std::fs::write(folder.join("cluster.toml"), &old)?;
        First::start(&cluster, &folder.join("cluster.toml"))?
    };
    announced(&mut cluster, &[OLD])?;
    let name = folder.join("new").display().to_string();
    std::fs::write(&name, format!("{old}[kernel]\nmetric = 100\n"))?;
    first.daemon()?.bgpctl(&["apply", &name, "--confirm", "1h"])?;
    written(&cluster, " metric 100", &[OLD])?;

    // Somebody else writes the file, and says so.
    let theirs = format!("{old}[kernel]\nmetric = 200\n");
    std::fs::write(&first.file, &theirs)?;
    first.daemon.as_mut().context("a daemon")?.proc().signal(Signal::HUP)?;
    wait_for("a word about it", SOON, || {
        let log = first.daemon()?.log();
        ensure!(log.contains("waits until the change that is in force"), "{log}");
        Ok(())
    })?;
    written(&cluster, " metric 100", &[OLD])?;
    let said = first.ask(&["confirm"])?;
    let words = "the file was changed meanwhile";
    ensure!(said.status.code() == Some(1) && said.stderr.contains(words), "{said:?}");
    ensure!(first.says() == theirs);
    first.daemon()?.bgpctl(&["rollback"])?;
    let sources: Vec<String> = first.generations()?.into_iter().map(|g| g.source).rev().collect();
    let applied = format!("bgpctl apply {name}");
    ensure!(
        sources == ["the start", &applied, "bgpctl rollback", "the file changed"],
        "{sources:?}"
    );
    written(&cluster, " metric 200", &[OLD])?;
    first.kept_its_session()
}

/// Word of a file comes once its folder is quiet. If that is late, what was put in force meanwhile
/// by something else than the file stays.
#[test]
fn late_word_of_the_file_undoes_nothing() -> Result {
    let cluster = cluster(&[0])?;
    let folder = cluster.lab().subdir("n1-etc")?;
    let text = cluster.toml("never", "");
    let file = folder.join("cluster.toml");
    std::fs::write(&file, &text)?;
    let other = |name: &str, metric: u32| -> Result<String> {
        // Not in the configuration's folder.
        let path = cluster.lab().subdir("proposals")?.join(name).display().to_string();
        std::fs::write(&path, format!("{text}[kernel]\nmetric = {metric}\n"))?;
        Ok(path)
    };
    let first = First::start(&cluster, &file)?;
    let sources = || -> Result<Vec<String>> {
        Ok(first.generations()?.into_iter().map(|g| g.source).rev().collect())
    };
    let (one, two, three) = (other("one", 100)?, other("two", 200)?, other("three", 300)?);
    let steps: [[&[&str]; 2]; 2] = [
        [&["apply", &one], &["rollback", "--runtime"]],
        [&["apply", &two], &["apply", &three, "--runtime"]],
    ];
    let mut wanted = vec!["the start".to_owned()];
    for ([written, not_written], source) in
        steps.into_iter().zip(["bgpctl rollback to 1", &format!("bgpctl apply {three}")])
    {
        let quiet = AtomicBool::new(false);
        std::thread::scope(|scope| -> Result {
            scope.spawn(|| {
                while !quiet.load(Ordering::Relaxed) {
                    std::fs::write(folder.join("busy"), "").ok();
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
            let both = [written, not_written]
                .into_iter()
                .try_for_each(|words| first.daemon()?.bgpctl(words).map(drop));
            quiet.store(true, Ordering::Relaxed);
            both
        })?;
        wanted.extend([format!("bgpctl apply {}", written[1]), source.to_owned()]);
        // Word of what was written comes.
        std::thread::sleep(Duration::from_secs(2));
        let sources = sources()?;
        ensure!(sources == wanted, "{sources:?}\n{}", first.daemon()?.log());
    }
    Ok(())
}

#[test]
fn what_was_in_force_outlives_the_daemon_and_what_was_not_confirmed_does_not_come_back() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start(2)?;
    let folder = cluster.lab().subdir("n1-etc")?;
    let old = cluster.toml("never", "");
    let file = folder.join("cluster.toml");
    std::fs::write(&file, &old)?;
    let state = folder.join("state");
    let mut first = First::start_with(&cluster, &file, &["--state", &state.display().to_string()])?;
    announced(&mut cluster, &[OLD])?;
    let other = |name: &str, metric: u32| -> Result<String> {
        let path = folder.join(name).display().to_string();
        std::fs::write(&path, format!("{old}[kernel]\nmetric = {metric}\n"))?;
        Ok(path)
    };
    first.daemon()?.bgpctl(&["apply", &other("meant", 100)?])?;
    written(&cluster, " metric 100", &[OLD])?;
    first.daemon()?.bgpctl(&["apply", &other("tried", 200)?, "--confirm", "1h"])?;
    written(&cluster, " metric 200", &[OLD])?;

    // Nobody confirmed it: the start knows only what the file says, and counts on.
    first.restart_after_a_crash(&cluster)?;
    written(&cluster, " metric 100", &[OLD])?;
    let all: Vec<(u64, bool)> =
        first.generations()?.iter().map(|g| (g.generation, g.unconfirmed)).collect();
    ensure!(all == [(4, false), (3, true), (2, false), (1, false)], "{all:?}");

    // Another start with the same file is the same configuration.
    first.restart_after_a_crash(&cluster)?;
    let now = first.generations()?;
    ensure!(now.len() == 4 && now[0].generation == 4 && now[0].current, "{now:?}");

    // A record that is broken costs itself alone.
    std::fs::write(state.join("generations/2.json"), "{")?;
    first.restart_after_a_crash(&cluster)?;
    let log = first.daemon()?.log();
    let told = log.lines().any(|line| line.contains("WARN") && line.contains("2.json"));
    ensure!(told, "{log}");

    // The way back is one command, to what was meant, and it counts.
    let back = first.daemon()?.bgpctl(&["rollback"])?;
    ensure!(back.contains("configuration 5") && first.says() == old, "{back}");
    written(&cluster, "", &[OLD])?;
    let tried = first.daemon()?.bgpctl(&["rollback", "3", "--runtime"])?;
    ensure!(tried.contains("configuration 6"), "by its number it may be had: {tried}");
    written(&cluster, " metric 200", &[OLD])?;
    let mode = |path: &Path| Ok::<_, anyhow::Error>(std::fs::metadata(path)?.permissions().mode());
    ensure!(mode(&state.join("generations/5.json"))? & 0o777 == 0o600);

    // And a folder that cannot be written is no reason not to start, nor to change.
    std::fs::remove_dir_all(&state)?;
    std::fs::write(&state, "no folder")?;
    first.restart_after_a_crash(&cluster)?;
    written(&cluster, "", &[OLD])?;
    first.daemon()?.bgpctl(&["apply", &other("meant", 100)?])?;
    written(&cluster, " metric 100", &[OLD])?;
    ensure!(first.daemon()?.log().contains("will know nothing after a restart"));
    Ok(())
}

#[test]
fn a_plan_says_what_is_lost_while_a_session_is_made_anew_or_for_good() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start(2)?;
    let folder = cluster.lab().subdir("n1-etc")?;
    let planned = |first: &First, text: String| -> Result<Plan> {
        let path = folder.join("new").display().to_string();
        std::fs::write(&path, text)?;
        Ok(serde_json::from_str(&first.ask(&["plan", &path, "--json"])?.stdout)?)
    };
    let theirs = ["10.244.2.0/26", "fd00:244:2::/64"];
    let named = |plan: &Plan| -> Vec<String> {
        let only = plan.sessions.iter().flat_map(|session| &session.only.first);
        only.map(ToString::to_string).collect()
    };
    let old = cluster.toml("never", "");
    std::fs::write(folder.join("cluster.toml"), &old)?;
    let first = First::start(&cluster, &folder.join("cluster.toml"))?;
    announced(&mut cluster, &[OLD])?;
    written(&cluster, "", &[OLD])?;

    // Graceful restart keeps all of it.
    let hold = old.replace("[timers]\n", "[timers]\nhold = \"30s\"\n");
    let plan = planned(&first, hold.clone())?;
    let [session] = plan.sessions.as_slice() else { anyhow::bail!("{plan:?}") };
    ensure!(session.becomes == SessionFate::Anew && session.only.count == 2, "{session:?}");
    ensure!((session.kept_s, session.keeps_s) == (Some(120), Some(120)), "{session:?}");
    ensure!(named(&plan) == theirs && plan.meanwhile.shifted() == 0, "{plan:?}");

    // A node that is struck from the file takes its routes with it.
    let alone = old.split("[[node]]\nname = \"n2\"").next().unwrap_or_default().to_owned();
    let plan = planned(&first, alone)?;
    let [session] = plan.sessions.as_slice() else { anyhow::bail!("{plan:?}") };
    ensure!(session.becomes == SessionFate::Removed && session.kept_s.is_none(), "{session:?}");
    ensure!(named(&plan) == theirs && session.accepted_then == 0, "{session:?}");
    ensure!((plan.routes.removed, plan.meanwhile.shifted()) == (2, 0), "{plan:?}");

    // Without graceful restart the routes are gone until the session is back; and they are.
    let without = old.replace("asn = 64512\n", "asn = 64512\ngraceful-restart = false\n");
    first.daemon()?.bgpctl(&["apply", &{
        std::fs::write(folder.join("new"), &without)?;
        folder.join("new").display().to_string()
    }])?;
    wait_for("the session without it", SOON, || {
        let peer: Neighbor = first.daemon()?.read(&["show", "neighbors", "n2"])?;
        ensure!(peer.agreed.as_ref().is_some_and(|agreed| agreed.graceful.is_none()), "{peer:?}");
        ensure!(peer.summary.accepted == 2, "{peer:?}");
        Ok(())
    })?;
    written(&cluster, "", &[OLD])?;
    let hold = without.replace("[timers]\n", "[timers]\nhold = \"30s\"\n");
    let plan = planned(&first, hold.clone())?;
    let [session] = plan.sessions.as_slice() else { anyhow::bail!("{plan:?}") };
    ensure!(session.becomes == SessionFate::Anew && session.only.count == 2, "{session:?}");
    ensure!((session.kept_s, session.keeps_s) == (None, None), "{session:?}");
    ensure!((plan.routes.shifted(), plan.meanwhile.removed) == (0, 2), "{plan:?}");
    let gone: Vec<String> = plan.meanwhile.shifts.iter().map(|s| s.prefix.to_string()).collect();
    ensure!(gone == theirs, "{gone:?}");
    let netns = cluster.nodes()[0].netns();
    let monitor = Monitor::start(netns, &folder.join("monitor.log"))?;
    std::fs::write(folder.join("new"), &hold)?;
    first.daemon()?.bgpctl(&["apply", &folder.join("new").display().to_string()])?;
    wait_for("the route gone and back", SOON, || {
        let seen = monitor.seen()?;
        let gone = seen.lines().any(|line| line.starts_with("Deleted 10.244.2.0/26"));
        let back = seen.lines().rev().find(|line| line.contains("10.244.2.0/26"));
        ensure!(gone && back.is_some_and(|line| !line.starts_with("Deleted")), "{seen}");
        Ok(())
    })?;
    written(&cluster, "", &[OLD])
}
