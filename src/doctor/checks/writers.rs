//! Who else writes routes here: another BIRD, Felix, a second starlingd. Two that take the same
//! routes for theirs remove each other's.

use starling_fib::rivals::HABIT;

use crate::api::Level;
use crate::doctor::facts::Facts;
use crate::doctor::notes::Notes;

/// rtm_protocol of BIRD, also Calico's.
const BIRD: u8 = 12;
/// And of zebra, for routes of BGP.
const ZEBRA_BGP: u8 = 186;

pub fn check(facts: &Facts, notes: &mut Notes) {
    for rival in facts.daemon.iter().flat_map(|daemon| &daemon.rivals) {
        if rival.recent < HABIT {
            continue;
        }
        let text = format!("{}, the last one {}", rival.what, rival.last);
        notes.sick(Level::Problem, rival.name(), text, "find it (ip monitor route) and stop it");
    }
    programs(facts, notes);
}

/// Programs that are known for it.
fn programs(facts: &Facts, notes: &mut Notes) {
    let Some(programs) = &facts.host.programs else {
        return notes.unchecked("the processes of this host cannot be seen: run it as root");
    };
    let Ok(configured) = &facts.configured else { return };
    let ours = configured.plan.fib.protocol;
    let table = configured.plan.fib.table;
    for program in programs {
        let same = |protocol| ours == protocol;
        let (level, text, cure) = match program.name.as_str() {
            "bird" | "bird6" if same(BIRD) => (
                Level::Problem,
                format!("it runs here and takes every route of protocol {ours} for its own"),
                "stop it (systemctl disable --now bird), or [kernel] protocol = another number"
                    .to_owned(),
            ),
            "starlingd" if facts.daemon.is_ok() => (
                Level::Problem,
                format!("a second one runs here and writes protocol {ours} too"),
                format!("kill {}", program.pid),
            ),
            "zebra" if same(ZEBRA_BGP) => (
                Level::Problem,
                format!("it runs here and takes routes of protocol {ours} for its own"),
                "[kernel] protocol = another number; bgpctl reload".to_owned(),
            ),
            "calico-felix" => (
                Level::Hint,
                "since Calico 3.33 it removes others' routes of protocol 12 on tunl0 unless told not to"
                    .to_owned(),
                "set programClusterRoutes: Disabled in FelixConfiguration".to_owned(),
            ),
            "kube-router" | "cilium-agent" | "flanneld" => (
                Level::Hint,
                format!("it runs here and may route pods' prefixes itself (table {table})"),
                "leave pods' routes to one of the two".to_owned(),
            ),
            _ => continue,
        };
        notes.sick(level, format!("{} ({})", program.name, program.pid), text, cure);
    }
    if notes.is_well() {
        notes.ok("programs", format!("no other program here is known to write protocol {ours}"));
    }
}
