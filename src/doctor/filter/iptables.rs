//! What `iptables-save` and `ip6tables-save` print, of either kind, and `ipset save`.

use std::collections::BTreeMap;

use super::{Addresses, Base, Chain, Condition, Hook, Rule, Table, Test, Tool, Verdict};

/// Sets by name. One with elements that are no addresses is `None`.
pub type Sets = BTreeMap<String, Option<Addresses>>;

/// The sets of `ipset save`.
pub fn sets(text: &str) -> Sets {
    let mut sets = Sets::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("create"), Some(name), _) => {
                sets.insert(name.to_owned(), Some(Vec::new()));
            }
            (Some("add"), Some(name), Some(element)) => {
                let set = sets.entry(name.to_owned()).or_default();
                match (super::addresses(element), words.any(|word| word == "nomatch")) {
                    (Some(range), false) => set.iter_mut().for_each(|set| set.push(range)),
                    _ => *set = None,
                }
            }
            _ => {}
        }
    }
    sets
}

/// The tables of a save; `family` is `ip` or `ip6`.
pub fn tables(text: &str, tool: Tool, family: &str, sets: &Sets) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('*') {
            let (name, family) = (name.to_owned(), family.to_owned());
            tables.push(Table { tool, family, name, chains: BTreeMap::new() });
            continue;
        }
        let Some(table) = tables.last_mut() else { continue };
        if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split_whitespace();
            let (Some(name), policy) = (words.next(), words.next()) else { continue };
            let base = Hook::named(name)
                .filter(|_| policy.is_some_and(|policy| policy != "-"))
                .map(|hook| Base { hook, drops: policy == Some("DROP") });
            table.chains.insert(name.to_owned(), Chain { base, rules: Vec::new() });
            continue;
        }
        // Counters stand in front where somebody asked for them.
        let rule = line.find("-A ").and_then(|at| line.get(at..)).unwrap_or("");
        let words = split(rule);
        if let [_, chain, rest @ ..] = words.as_slice()
            && let Some(chain) = table.chains.get_mut(chain)
        {
            chain.rules.push(read(rest, rule, sets));
        }
    }
    // Translation drops nothing.
    tables.retain(|table| table.name != "nat");
    tables
}

/// Words, in which quotes keep spaces.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut begun) = (false, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            '\\' if quoted => word.extend(chars.next()),
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

fn read(words: &[String], line: &str, sets: &Sets) -> Rule {
    let mut conditions = Vec::new();
    let mut verdict = Verdict::Continue;
    let mut words = words.iter().map(String::as_str).peekable();
    let mut negated = false;
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or("");
        let test = match word {
            "!" => {
                negated = true;
                continue;
            }
            // Says which extension the words behind it belong to; those are read.
            "-m" => {
                value();
                continue;
            }
            "--comment" => {
                value();
                continue;
            }
            "-p" => match value() {
                "all" => continue,
                name => super::protocol(name).map(|number| Test::Protocol(vec![number])),
            },
            "-s" => super::addresses(value()).map(|range| Test::Source(vec![range])),
            "-d" => super::addresses(value()).map(|range| Test::Destination(vec![range])),
            "--src-range" => super::addresses(value()).map(|range| Test::Source(vec![range])),
            "--dst-range" => super::addresses(value()).map(|range| Test::Destination(vec![range])),
            "-i" => Some(Test::Comes(vec![value().to_owned()])),
            "-o" => Some(Test::Goes(vec![value().to_owned()])),
            "--dport" | "--dports" | "--destination-port" => ports(value()).map(Test::Port),
            "--ctstate" | "--state" => {
                let states: Vec<&str> = value().split(',').collect();
                let has = |name| states.contains(&name);
                Some(Test::State { new: has("NEW"), established: has("ESTABLISHED") })
            }
            "--dst-type" => match value() {
                "LOCAL" => Some(Test::Local),
                _ => None,
            },
            "--match-set" => {
                let (name, sides) = (value(), value());
                let known = sets.get(name).cloned().flatten();
                known.and_then(|set| match sides {
                    "src" => Some(Test::Source(set)),
                    "dst" => Some(Test::Destination(set)),
                    _ => None,
                })
            }
            "-j" => {
                verdict = target(value());
                // What follows are the target's own words.
                break;
            }
            "-g" => {
                verdict = Verdict::Goto(value().to_owned());
                break;
            }
            // With their value, if they have one.
            option if option.starts_with('-') => {
                if words.peek().is_some_and(|next| !next.starts_with('-') && *next != "!") {
                    words.next();
                }
                None
            }
            _ => None,
        };
        let test = test.unwrap_or(Test::Unreadable);
        conditions.push(Condition { test, negated });
        negated = false;
    }
    Rule { conditions, verdict, words: line.to_owned() }
}

fn target(name: &str) -> Verdict {
    match name {
        "ACCEPT" => Verdict::Accept,
        "DROP" | "REJECT" => Verdict::Drop,
        "RETURN" => Verdict::Return,
        "LOG" | "NFLOG" | "ULOG" | "MARK" | "CONNMARK" | "CT" | "NOTRACK" | "TRACE" | "TCPMSS"
        | "CLASSIFY" | "SET" | "TEE" | "DSCP" | "TOS" | "TTL" | "HL" | "CHECKSUM" | "AUDIT"
        | "CONNSECMARK" | "SECMARK" | "ECN" => Verdict::Continue,
        "QUEUE" | "NFQUEUE" | "TPROXY" | "SYNPROXY" | "RATEEST" | "STEAL" => Verdict::Unreadable,
        chain => Verdict::Jump(chain.to_owned()),
    }
}

/// `179`, `1000:2000`, `22,179`.
fn ports(text: &str) -> Option<Vec<std::ops::RangeInclusive<u16>>> {
    let range = |part: &str| match part.split_once(':') {
        Some((first, last)) => Some(first.parse().ok()?..=last.parse().ok()?),
        None => part.parse().ok().map(|one| one..=one),
    };
    text.split(',').map(range).collect()
}

/// Whether an address is in one of the sets of this name; for tests of sets alone.
#[cfg(test)]
pub(super) fn holds(sets: &Sets, name: &str, address: std::net::IpAddr) -> Option<bool> {
    let set = sets.get(name)?.as_ref()?;
    Some(set.iter().any(|(first, last)| (*first..=*last).contains(&address)))
}
