//! What every key of the configuration is for: the text of `REFERENCE.md` and of `schema.json`.
//!
//! Data and nothing else, which no program refers to: `starlingd` does not carry it. The tests hold
//! it to the code: what is here and what the files may say are the same keys, every default is what
//! a file without the key comes to, every example is accepted, every bound is where the values are
//! refused, and what a reload does is what [`crate::diff`] finds.
//!
//! A key that is new gets its line here; `make reference`
//! writes both files anew.

use std::fmt;

mod cluster;
mod host;
mod kinds;
mod node;
mod peer;
mod policy;
mod service;

pub use kinds::{KINDS, Kind};

/// Every table of the file, in the order in which a reader wants them. The first is the file
/// itself, outside of all tables.
pub const TABLES: &[&Table] = &[
    FILE,
    cluster::CLUSTER,
    node::POOL,
    node::NODE,
    peer::PEER,
    policy::POLICY,
    policy::PREFIX_SET,
    policy::COMMUNITY_SET,
    node::REFLECTOR,
    host::KERNEL,
    host::TUNNEL,
    host::PODS,
    host::ISOLATION,
    service::TIMERS,
    service::BGP,
    service::BFD,
    service::HTTP,
    service::METRICS,
    service::CONTROL,
];

/// A table of the file, or one that is the value of a key.
#[derive(Debug)]
pub struct Table {
    /// As people write it: `[cluster]`, `[[node]]`; of a table inside a value its name in errors.
    pub what: &'static str,
    /// What it is for. Markdown.
    pub about: &'static str,
    /// What it may have.
    pub keys: &'static [Key],
}

/// A key.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What may stand there.
    pub value: Value,
    /// What counts without it.
    pub without: Without,
    /// A value that is not the default, in TOML.
    pub example: &'static str,
    /// What else its table has to say for the example to make sense: names and values.
    pub beside: &'static [(&'static str, &'static str)],
    /// What a reload that changes it does.
    pub reload: Reload,
    /// What it does. Markdown.
    pub about: &'static str,
}

/// What counts without a key.
#[derive(Clone, Copy, Debug)]
pub enum Without {
    /// Nothing: it must be there.
    Needed,
    /// This value, in TOML.
    Is(&'static str),
    /// This, in words; in the file of the tests it comes to this value.
    As(&'static str, &'static str),
    /// This, in words: no value says the same.
    None(&'static str),
}

/// What a reload that changes a key does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reload {
    /// It counts at once; no session and no announced route is touched.
    Live,
    /// Sessions stay, routes are judged again.
    Judged,
    /// The sessions that it concerns begin anew.
    Anew,
    /// Neighbours come or go, the sessions of the others stay.
    Neighbours,
    /// Nothing, until the daemon's restart.
    Restart,
    /// What changes decides.
    Depends(&'static str),
}

/// What may stand at a key.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// `true` or `false`.
    Flag,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// A number.
    Number {
        /// The least.
        least: u64,
        /// And the most.
        most: u64,
    },
    /// A span of time.
    Time(Span),
    /// A string of a kind.
    Text(&'static Kind),
    /// One of several.
    Either(&'static [Value]),
    /// An array.
    List(&'static Value),
    /// An array, or one element of it.
    OneOrList(&'static Value),
    /// A table of strings, such as `{ rack = "rack0" }`.
    Labels,
    /// A table.
    Table(&'static Table),
    /// An array of tables.
    Tables(&'static Table),
}

/// Which spans of time are allowed.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The least, in milliseconds.
    pub least: u64,
    /// The most, in milliseconds.
    pub most: u64,
    /// 0 is allowed below the least, and means something of its own.
    pub zero: bool,
    /// Whole seconds only.
    pub whole: bool,
}

/// The longest time that a file may say, in milliseconds.
const DAY: u64 = 86_400_000;
const SECOND: u64 = 1000;
const MOST: u64 = 4_294_967_295;
const ASN: Value = Value::Number { least: 1, most: 4_294_967_294 };
const NAMES: Value = Value::OneOrList(&Value::Text(kinds::NAME));

const fn time(least: u64, most: u64) -> Value {
    Value::Time(Span { least, most, zero: false, whole: false })
}

const fn seconds(least: u64, most: u64) -> Value {
    Value::Time(Span { least: least * SECOND, most: most * SECOND, zero: false, whole: true })
}

const fn number(least: u64, most: u64) -> Value {
    Value::Number { least, most }
}

const fn key(
    name: &'static str,
    value: Value,
    without: Without,
    example: &'static str,
    reload: Reload,
    about: &'static str,
) -> Key {
    Key { name, value, without, example, beside: &[], reload, about }
}

impl Key {
    const fn beside(self, beside: &'static [(&'static str, &'static str)]) -> Key {
        Key { beside, ..self }
    }
}

const FILE: &Table = &Table {
    what: "the file",
    about: "Outside of all tables, so at the beginning of the file.",
    keys: &[key(
        "include",
        Value::List(&Value::Text(kinds::PATTERN)),
        Without::None("no other file"),
        "[\"nodes.d/*.toml\"]",
        Reload::Depends(
            "what the files say decides; a file that comes into a folder or goes is noticed",
        ),
        "More files, by patterns relative to the folder of this one. They are read as if they stood \
         here: `[[node]]` and its like may be in any of them, a table in single brackets in one.",
    )],
};

impl Value {
    /// The tables that it may be.
    pub fn tables(&self) -> Vec<&'static Table> {
        match self {
            Value::Table(table) | Value::Tables(table) => vec![table],
            Value::Either(several) => several.iter().flat_map(Value::tables).collect(),
            Value::List(element) | Value::OneOrList(element) => element.tables(),
            _ => Vec::new(),
        }
    }
}

/// In words, without Markdown.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag => f.write_str("true or false"),
            Value::Word(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                f.write_str(&or(&words))
            }
            Value::Number { least, most } => write!(f, "a number, {least} to {most}"),
            Value::Time(span) => span.fmt(f),
            Value::Text(kind) => f.write_str(kind.name),
            Value::Either(several) => {
                let words: Vec<String> = several.iter().map(ToString::to_string).collect();
                f.write_str(&or(&words))
            }
            Value::List(element) => write!(f, "an array, each {element}"),
            Value::OneOrList(element) => write!(f, "{element}; or an array of such"),
            Value::Labels => f.write_str("a table of strings"),
            Value::Table(table) => write!(f, "a table, see {}", table.what),
            Value::Tables(table) => write!(f, "an array of tables, see {}", table.what),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span { least, most, zero, whole } = *self;
        let zero = if zero { "\"0s\", or " } else { "" };
        write!(f, "a time, {zero}{} to {}", written(least), written(most))?;
        f.write_str(if whole { ", in whole seconds" } else { "" })
    }
}

/// A span of time in the words of the file.
pub fn written(milliseconds: u64) -> String {
    let (seconds, rest) = (milliseconds / SECOND, milliseconds % SECOND);
    match (seconds, rest) {
        (_, 1..) => format!("\"{milliseconds}ms\""),
        (seconds @ 3600.., 0) if seconds % 3600 == 0 => format!("\"{}h\"", seconds / 3600),
        (seconds, 0) => format!("\"{seconds}s\""),
    }
}

/// `a, b or c`.
fn or(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
}
