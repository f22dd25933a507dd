//! Whether the daemon answers, runs what the file says, and writes to the kernel.

use starling_fib::types::Coupling;

use crate::api::Level;
use crate::doctor::facts::Facts;
use crate::doctor::notes::{Notes, count};

pub fn check(facts: &Facts, notes: &mut Notes) {
    let why = match &facts.daemon {
        Ok(_) => return notes.ok("starlingd", "it answers"),
        Err(why) => why,
    };
    let programs = facts.host.programs.as_deref().unwrap_or(&[]);
    let itself = programs.iter().find(|program| program.name == "starlingd");
    let running = itself.map_or(String::new(), |program| {
        format!("; a starlingd runs (process {}): it is stuck, or has another socket", program.pid)
    });
    notes.sick(
        Level::Problem,
        "starlingd",
        format!("the daemon does not answer: {why}{running}; what only it knows is not looked at"),
        "systemctl status starlingd; journalctl -u starlingd -n 50",
    );
    let Some(who) = facts.host.listener.as_deref().filter(|who| *who != "starlingd") else {
        return;
    };
    let port = facts.configured.as_ref().map_or(179, |configured| configured.plan.port);
    let name = if who.is_empty() { "another program" } else { who };
    notes.sick(
        Level::Problem,
        format!("port {port}"),
        format!("{name} listens on TCP {port}: starlingd cannot start beside it"),
        format!("ss -ltnp sport = :{port}; stop that program"),
    );
}

pub fn configuration(facts: &Facts, notes: &mut Notes) {
    let configured = match &facts.configured {
        Ok(configured) => configured,
        Err(words) => {
            let text = format!("it cannot be used: {words}");
            return notes.sick(
                Level::Problem,
                "file",
                text,
                "starlingd check /etc/starling/cluster.toml",
            );
        }
    };
    let rejected = facts.daemon.as_ref().ok().and_then(|daemon| daemon.rejected.as_deref());
    match rejected {
        Some(words) => {
            let first = words.lines().next().unwrap_or_default();
            notes.sick(
                Level::Warning,
                "file",
                format!("the newest was rejected and an older one runs: {first}"),
                format!("starlingd check {}", configured.file),
            );
        }
        None => notes.ok("file", format!("{} is in force", configured.file)),
    }
}

pub fn coupling(facts: &Facts, notes: &mut Notes) {
    let Ok(daemon) = &facts.daemon else { return };
    let how = match daemon.coupling {
        Coupling::Coupled => return notes.ok("kernel", "it is written to"),
        Coupling::Decoupled => "the operator has decoupled it, nothing is written",
        Coupling::Flushed => "the operator has flushed it, no route of ours is written",
    };
    let level = if daemon.differing > 0 { Level::Problem } else { Level::Warning };
    let differing = count(daemon.differing, "destination");
    notes.sick(level, "kernel", format!("{how}: {differing} not as wanted"), "bgpctl fib couple");
}
