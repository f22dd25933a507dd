//! A packet's way through the tables.

use std::net::IpAddr;

use super::{Addresses, Chain, Condition, Culprit, Fate, Packet, Rule, Table, Test, Verdict};

/// Chains within chains; the kernel allows no more either.
const DEEPEST: usize = 16;
/// Rules looked at for one packet before the answer is that it cannot be told.
const MOST: usize = 200_000;

/// What becomes of `packet` in all of `tables`.
pub fn fate(tables: &[Table], packet: &Packet) -> Fate {
    let mut unsure = None;
    for hook in packet.hooks() {
        for table in tables.iter().filter(|table| table.takes(packet)) {
            for (name, chain) in &table.chains {
                let Some(base) = chain.base.filter(|base| base.hook == *hook) else { continue };
                let mut walk = Walk { table, packet, left: MOST };
                let mut end = walk.chain(chain, 0);
                if end.through {
                    match base.drops {
                        true => end.drop = end.drop.or(Some("policy drop".to_owned())),
                        false => end.accept = true,
                    }
                }
                let culprit = |rule| Culprit {
                    tool: table.tool,
                    family: table.family.clone(),
                    table: table.name.clone(),
                    chain: name.clone(),
                    rule,
                };
                match (end.drop, end.accept) {
                    (Some(rule), false) => return Fate::Dropped(culprit(rule)),
                    (Some(rule), true) => {
                        let rule = end.unreadable.unwrap_or(rule);
                        unsure = unsure.or(Some(culprit(rule)));
                    }
                    (None, _) => {}
                }
            }
        }
    }
    unsure.map_or(Fate::Passes, Fate::Unsure)
}

/// How a chain may end: several at once where it cannot be read.
#[derive(Default)]
struct End {
    accept: bool,
    /// The first rule that may drop.
    drop: Option<String>,
    /// Its end, or a return.
    through: bool,
    /// The first rule that could not be read.
    unreadable: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Match {
    Yes,
    No,
    Maybe,
}

struct Walk<'a> {
    table: &'a Table,
    packet: &'a Packet,
    left: usize,
}

impl Walk<'_> {
    fn chain(&mut self, chain: &Chain, depth: usize) -> End {
        let mut end = End::default();
        for rule in &chain.rules {
            if self.left == 0 || depth > DEEPEST {
                end.accept = true;
                end.drop.get_or_insert_with(|| "there are too many rules to follow".to_owned());
                return end;
            }
            self.left -= 1;
            let matches = self.matches(rule);
            if matches == Match::No {
                continue;
            }
            if matches == Match::Maybe || rule.verdict == Verdict::Unreadable {
                end.unreadable.get_or_insert_with(|| rule.words.clone());
            }
            let goes_on = self.carry_out(rule, depth, &mut end);
            if matches == Match::Yes && !goes_on {
                return end;
            }
        }
        end.through = true;
        end
    }

    /// Adds to `end` how a rule that matches may end the chain; whether the next rule may follow.
    fn carry_out(&mut self, rule: &Rule, depth: usize, end: &mut End) -> bool {
        match &rule.verdict {
            Verdict::Continue => true,
            Verdict::Accept => {
                end.accept = true;
                false
            }
            Verdict::Drop => {
                end.drop.get_or_insert_with(|| rule.words.clone());
                false
            }
            Verdict::Return => {
                end.through = true;
                false
            }
            Verdict::Unreadable => {
                end.accept = true;
                end.drop.get_or_insert_with(|| rule.words.clone());
                true
            }
            Verdict::Jump(name) | Verdict::Goto(name) => {
                let Some(chain) = self.table.chains.get(name) else { return true };
                let inner = self.chain(chain, depth + 1);
                end.accept |= inner.accept;
                end.drop = end.drop.take().or(inner.drop);
                end.unreadable = end.unreadable.take().or(inner.unreadable);
                if matches!(rule.verdict, Verdict::Jump(_)) {
                    return inner.through;
                }
                end.through |= inner.through;
                false
            }
        }
    }

    fn matches(&self, rule: &Rule) -> Match {
        let mut all = Match::Yes;
        for condition in &rule.conditions {
            match self.holds(condition) {
                Match::No => return Match::No,
                Match::Maybe => all = Match::Maybe,
                Match::Yes => {}
            }
        }
        all
    }

    fn holds(&self, Condition { test, negated }: &Condition) -> Match {
        let packet = self.packet;
        let is = match test {
            Test::Protocol(numbers) => numbers.contains(&packet.protocol),
            Test::V6(v6) => packet.destination.is_ipv6() == *v6,
            Test::Source(nets) => contains(nets, packet.source),
            Test::Destination(nets) => contains(nets, packet.destination),
            Test::Port(ports) => {
                packet.port.is_some_and(|port| ports.iter().any(|range| range.contains(&port)))
            }
            Test::Comes(names) => named(names, packet.comes.as_deref()),
            Test::Goes(names) => named(names, packet.goes.as_deref()),
            Test::State { new, established } => match packet.answers {
                true => *established,
                false => *new,
            },
            Test::Local => packet.goes.is_none(),
            Test::Unreadable => return Match::Maybe,
        };
        if is != *negated { Match::Yes } else { Match::No }
    }
}

fn contains(nets: &Addresses, address: IpAddr) -> bool {
    nets.iter().any(|(first, last)| {
        first.is_ipv4() == address.is_ipv4() && (*first..=*last).contains(&address)
    })
}

/// No interface has no name, and matches none.
fn named(names: &[String], interface: Option<&str>) -> bool {
    let Some(interface) = interface else { return false };
    names.iter().any(|name| match name.strip_suffix(['*', '+']) {
        Some(begin) => interface.starts_with(begin),
        None => name == interface,
    })
}
