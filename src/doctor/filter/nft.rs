//! What `nft -j -n list ruleset` prints, with the words of `nft -n -a list ruleset`.
//!
//! Read are the families that see IP packets pass (ip, ip6, inet) and chains of the types filter
//! and route. Rules that `iptables` wrote carry its extensions, which nft cannot tell: where its
//! own save can be had, that is read instead.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::{Addresses, Base, Chain, Condition, Hook, Rule, Table, Test, Tool, Verdict};

/// Family, table, handle.
type Handle = (String, String, u64);

/// Elements of sets and verdict maps: family, table, name.
type Sets = BTreeMap<(String, String, String), Vec<Value>>;

/// The tables of `json`, rules in the words of `text`; `None`: that is no ruleset.
pub fn tables(json: &str, text: &str) -> Option<Vec<Table>> {
    let whole: Value = serde_json::from_str(json).ok()?;
    let objects = whole.get("nftables")?.as_array()?;
    let words = words(text);
    let mut sets = Sets::new();
    let mut tables: Vec<Table> = Vec::new();
    for object in objects {
        let Some((kind, body)) = object.as_object().and_then(|object| object.iter().next()) else {
            continue;
        };
        let get = |key| body.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let (family, table) = (get("family"), get("table"));
        if !matches!(family.as_str(), "ip" | "ip6" | "inet") {
            continue;
        }
        match kind.as_str() {
            "table" => {
                let (tool, name, chains) = (Tool::Nft, get("name"), BTreeMap::new());
                tables.push(Table { tool, family, name, chains });
            }
            "set" | "map" => {
                let elements = body.get("elem").and_then(Value::as_array);
                sets.insert((family, table, get("name")), elements.cloned().unwrap_or_default());
            }
            "chain" => {
                let filters = matches!(get("type").as_str(), "filter" | "route");
                let hook = Hook::named(&get("hook")).filter(|_| filters);
                let base = hook.map(|hook| Base { hook, drops: get("policy") == "drop" });
                let of = tables.iter_mut().find(|t| (&t.family, &t.name) == (&family, &table));
                if let Some(of) = of {
                    of.chains.insert(get("name"), Chain { base, rules: Vec::new() });
                }
            }
            "rule" => {
                let handle = body.get("handle").and_then(Value::as_u64).unwrap_or(0);
                let known = words.get(&(family.clone(), table.clone(), handle));
                let said = known.cloned().unwrap_or_else(|| format!("the rule of handle {handle}"));
                let expressions = body.get("expr").and_then(Value::as_array);
                let reader = Reader { sets: &sets, family: &family, table: &table };
                let rules = reader.rules(expressions.map_or(&[], Vec::as_slice), &said);
                let of = tables.iter_mut().find(|t| (&t.family, &t.name) == (&family, &table));
                if let Some(chain) = of.and_then(|of| of.chains.get_mut(&get("chain"))) {
                    chain.rules.extend(rules);
                }
            }
            _ => {}
        }
    }
    Some(tables)
}

/// Whether a table holds extensions of iptables.
pub fn is_of_iptables(table: &Table) -> bool {
    let known = matches!(table.name.as_str(), "filter" | "mangle" | "raw" | "security" | "nat");
    known && matches!(table.family.as_str(), "ip" | "ip6")
}

/// The rules by their handles, as people write them.
fn words(text: &str) -> BTreeMap<Handle, String> {
    let mut words = BTreeMap::new();
    let mut table = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("table ") {
            let mut names = rest.split_whitespace().map(str::to_owned);
            table = names.next().zip(names.next());
            continue;
        }
        let Some((rule, handle)) = line.rsplit_once(" # handle ") else { continue };
        if let (Some((family, name)), Ok(handle)) = (&table, handle.trim().parse()) {
            // Counts change while one looks.
            let rule = match (rule.find("counter packets"), rule.find(" bytes ")) {
                (Some(from), Some(to)) => {
                    let rest = rule.get(to + 7..).unwrap_or("");
                    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                    format!("{}counter{rest}", rule.get(..from).unwrap_or(""))
                }
                _ => rule.to_owned(),
            };
            words.insert((family.clone(), name.clone(), handle), rule.trim().to_owned());
        }
    }
    words
}

struct Reader<'a> {
    sets: &'a Sets,
    family: &'a str,
    table: &'a str,
}

impl Reader<'_> {
    /// One rule, or as many as its verdict map has entries.
    fn rules(&self, expressions: &[Value], words: &str) -> Vec<Rule> {
        let mut conditions = Vec::new();
        let mut rules = Vec::new();
        let mut verdict = Verdict::Continue;
        for expression in expressions {
            let Some((kind, body)) = expression.as_object().and_then(|o| o.iter().next()) else {
                continue;
            };
            match kind.as_str() {
                "match" => self.condition(body, &mut conditions),
                "vmap" => {
                    let entries = self.elements(body.get("data"));
                    for entry in entries.iter().flatten() {
                        let (key, to) = (entry.get(0), entry.get(1));
                        let (Some(key), Some(to)) = (key, to) else { continue };
                        let mut all = conditions.clone();
                        let left = body.get("key").unwrap_or(&Value::Null);
                        self.compare(left, "==", key, &mut all);
                        let verdict = self::verdict(to).unwrap_or(Verdict::Unreadable);
                        rules.push(Rule { conditions: all, verdict, words: words.to_owned() });
                    }
                    if entries.is_none() {
                        verdict = Verdict::Unreadable;
                    }
                }
                "limit" | "quota" | "ct count" | "connlimit" | "dynset" | "set" | "meter" => {
                    conditions.push(unreadable());
                }
                "xt" => match body.get("type").and_then(Value::as_str) {
                    Some("target") => verdict = Verdict::Unreadable,
                    _ if body.get("name").and_then(Value::as_str) == Some("comment") => {}
                    _ => conditions.push(unreadable()),
                },
                "queue" | "tproxy" | "synproxy" => verdict = Verdict::Unreadable,
                // Statements that let the packet go on: counter, log, mangle, notrack, …
                _ => {
                    if let Some(end) = self::verdict(expression) {
                        verdict = end;
                    }
                }
            }
        }
        rules.push(Rule { conditions, verdict, words: words.to_owned() });
        rules
    }

    fn condition(&self, body: &Value, conditions: &mut Vec<Condition>) {
        let op = body.get("op").and_then(Value::as_str).unwrap_or("==");
        let (left, right) = (body.get("left"), body.get("right"));
        match (left, right) {
            (Some(left), Some(right)) => self.compare(left, op, right, conditions),
            _ => conditions.push(unreadable()),
        }
    }

    fn compare(&self, left: &Value, op: &str, right: &Value, conditions: &mut Vec<Condition>) {
        let negated = op == "!=";
        let values = match op {
            "==" | "!=" | "in" => self.elements(Some(right)),
            _ => None,
        };
        let inner = |key: &str, field: &str| {
            left.get(key)?.get(field)?.as_str().map(str::to_owned).filter(|_| values.is_some())
        };
        let values = values.as_deref().unwrap_or(&[]);
        let test = match (inner("payload", "protocol"), inner("payload", "field")) {
            (Some(protocol), Some(field)) => {
                // A field of a header is only there where the header is.
                let of = match protocol.as_str() {
                    "ip" => Some(Test::V6(false)),
                    "ip6" => Some(Test::V6(true)),
                    "th" => None,
                    other => super::protocol(other).map(|number| Test::Protocol(vec![number])),
                };
                conditions.extend(of.map(|test| Condition { test, negated: false }));
                match field.as_str() {
                    "protocol" | "nexthdr" => protocols(values).map(Test::Protocol),
                    "saddr" => ranges(values).map(Test::Source),
                    "daddr" => ranges(values).map(Test::Destination),
                    "dport" => ports(values).map(Test::Port),
                    _ => None,
                }
            }
            _ => match (inner("meta", "key").as_deref(), inner("ct", "key").as_deref()) {
                (Some("l4proto"), _) => protocols(values).map(Test::Protocol),
                (Some("iifname" | "iif"), _) => names(values).map(Test::Comes),
                (Some("oifname" | "oif"), _) => names(values).map(Test::Goes),
                (Some("nfproto"), _) => family(values, [2, 10]),
                (Some("protocol"), _) => family(values, [0x0800, 0x86dd]),
                (_, Some("state")) => Some(states(values)),
                _ if is_local(left, values) => Some(Test::Local),
                _ => None,
            },
        };
        conditions.push(Condition { test: test.unwrap_or(Test::Unreadable), negated });
    }

    /// The values that one is compared with, sets and lists unfolded; `None`: not to be read.
    fn elements(&self, value: Option<&Value>) -> Option<Vec<Value>> {
        match value? {
            Value::Array(all) => Some(all.clone()),
            Value::String(name) if name.starts_with('@') => {
                let name = name.get(1..)?.to_owned();
                let key = (self.family.to_owned(), self.table.to_owned(), name);
                self.sets.get(&key).map(|all| all.iter().map(bare).collect())
            }
            Value::Object(object) => match object.get("set").or_else(|| object.get("|")) {
                Some(set) => self.elements(Some(set)).map(|all| all.iter().map(bare).collect()),
                None => Some(vec![bare(&Value::Object(object.clone()))]),
            },
            scalar => Some(vec![scalar.clone()]),
        }
    }
}

/// An element without its timeout, counter and comment.
fn bare(value: &Value) -> Value {
    value.get("elem").and_then(|elem| elem.get("val")).unwrap_or(value).clone()
}

fn unreadable() -> Condition {
    Condition { test: Test::Unreadable, negated: false }
}

fn verdict(value: &Value) -> Option<Verdict> {
    let (kind, body) = value.as_object()?.iter().next()?;
    let target = || body.get("target").and_then(Value::as_str).unwrap_or("").to_owned();
    Some(match kind.as_str() {
        "accept" => Verdict::Accept,
        "drop" | "reject" => Verdict::Drop,
        "return" => Verdict::Return,
        "continue" => Verdict::Continue,
        "jump" => Verdict::Jump(target()),
        "goto" => Verdict::Goto(target()),
        _ => return None,
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn protocols(values: &[Value]) -> Option<Vec<u8>> {
    values.iter().map(|value| super::protocol(&text(value)?)).collect()
}

fn names(values: &[Value]) -> Option<Vec<String>> {
    values.iter().map(text).collect()
}

fn ranges(values: &[Value]) -> Option<Addresses> {
    let range = |value: &Value| -> Option<(IpAddr, IpAddr)> {
        if let Some(prefix) = value.get("prefix") {
            let (address, length) = (prefix.get("addr")?.as_str()?, prefix.get("len")?);
            return super::addresses(&format!("{address}/{length}"));
        }
        match value.get("range").and_then(Value::as_array).map(Vec::as_slice) {
            Some([first, last]) => {
                Some((first.as_str()?.parse().ok()?, last.as_str()?.parse().ok()?))
            }
            _ => super::addresses(value.as_str()?),
        }
    };
    values.iter().map(range).collect()
}

fn ports(values: &[Value]) -> Option<Vec<RangeInclusive<u16>>> {
    let port = |value: &Value| u16::try_from(value.as_u64()?).ok();
    let range = |value: &Value| match value.get("range").and_then(Value::as_array) {
        Some(ends) => Some(port(ends.first()?)?..=port(ends.last()?)?),
        None => port(value).map(|one| one..=one),
    };
    values.iter().map(range).collect()
}

/// Whether IPv6 is meant; `numbers`: those of IPv4 and IPv6.
fn family(values: &[Value], numbers: [u64; 2]) -> Option<Test> {
    let [value] = values else { return None };
    let is =
        |number: u64, name: &str| value.as_u64() == Some(number) || value.as_str() == Some(name);
    let [v4, v6] = numbers;
    match (is(v4, "ipv4") || is(v4, "ip"), is(v6, "ipv6") || is(v6, "ip6")) {
        (true, _) => Some(Test::V6(false)),
        (_, true) => Some(Test::V6(true)),
        _ => None,
    }
}

/// The bits of conntrack: 2 is established, 8 is new.
fn states(values: &[Value]) -> Test {
    let has = |bit: u64, name: &str| {
        values.iter().any(|value| {
            value.as_u64().is_some_and(|bits| bits & bit != 0) || value.as_str() == Some(name)
        })
    };
    Test::State { new: has(8, "new"), established: has(2, "established") }
}

/// `fib daddr type local`.
fn is_local(left: &Value, values: &[Value]) -> bool {
    let Some(fib) = left.get("fib") else { return false };
    let of = |key: &str, value: &str| fib.get(key).and_then(Value::as_str) == Some(value);
    let daddr = fib.get("flags").and_then(Value::as_array).is_some_and(|flags| flags.len() == 1)
        && fib.pointer("/flags/0").and_then(Value::as_str) == Some("daddr");
    let local =
        matches!(values, [value] if value.as_u64() == Some(2) || value.as_str() == Some("local"));
    of("result", "type") && daddr && local
}
