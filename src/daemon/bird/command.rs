//! What is asked: the commands of BIRD that this socket understands.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::api::Lookup;

/// A question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Command {
    /// An empty line.
    Nothing,
    /// Not to be let change anything: so it is always.
    Restrict,
    /// `show status`.
    Status,
    /// `show protocols [all] [NAME]`.
    Protocols {
        /// With everything about each.
        all: bool,
        /// Only this one.
        name: Option<String>,
    },
    /// `show route …`.
    Routes(Routes),
    /// `show symbols`.
    Symbols,
    /// `show bfd sessions [NAME]`.
    Bfd,
}

/// Which routes, and how much of them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Routes {
    /// Only this destination, or what a packet to this address takes.
    pub(super) lookup: Option<Lookup>,
    /// With their attributes.
    pub(super) all: bool,
    /// Only the best of each destination.
    pub(super) primary: bool,
    /// Those that import rejected, and no others.
    pub(super) filtered: bool,
    /// Only from this protocol.
    pub(super) protocol: Option<String>,
    /// Only what this protocol's neighbour is told, as it is told.
    pub(super) export: Option<String>,
    /// Of `export`, the opposite: the best routes that it is not told.
    pub(super) withheld: bool,
    /// Only how many.
    pub(super) count: bool,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refused {
    /// 8xxx: not now, or not for this caller; 9xxx: not understood.
    pub(super) code: u16,
    pub(super) text: String,
}

impl Refused {
    fn syntax(what: &str) -> Refused {
        Refused { code: 9001, text: format!("syntax error, {what}") }
    }
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Result<Command, Refused> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [] => Ok(Command::Nothing),
        ["restrict"] => Ok(Command::Restrict),
        ["show", "status"] => Ok(Command::Status),
        ["show", "protocols"] => Ok(Command::Protocols { all: false, name: None }),
        ["show", "protocols", "all"] => Ok(Command::Protocols { all: true, name: None }),
        ["show", "protocols", "all", name] => {
            Ok(Command::Protocols { all: true, name: Some(bare(name).to_owned()) })
        }
        ["show", "protocols", name] => {
            Ok(Command::Protocols { all: false, name: Some(bare(name).to_owned()) })
        }
        ["show", "symbols", ..] => Ok(Command::Symbols),
        ["show", "bfd", "sessions"] | ["show", "bfd", "sessions", _] => Ok(Command::Bfd),
        ["show", "route", rest @ ..] => routes(rest).map(Command::Routes),
        [
            "configure" | "disable" | "enable" | "restart" | "reload" | "down" | "debug"
            | "mrtdump",
            ..,
        ] => Err(Refused { code: 8007, text: "Access denied".to_owned() }),
        [first @ ("show" | "eval" | "dump" | "graceful"), ..] => Err(Refused::syntax(&format!(
            "`{}` is not answered by starlingd: `bgpctl` shows all that it knows",
            words.get(..2).map_or_else(|| (*first).to_owned(), |two| two.join(" "))
        ))),
        [other, ..] => Err(Refused::syntax(&format!("unexpected `{other}`"))),
    }
}

fn routes(words: &[&str]) -> Result<Routes, Refused> {
    let mut asked = Routes::default();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let mut named = || {
            words.next().map(bare).ok_or_else(|| Refused::syntax("unexpected end of the command"))
        };
        match word {
            "all" => asked.all = true,
            "primary" => asked.primary = true,
            "filtered" => asked.filtered = true,
            "count" | "stats" => asked.count = true,
            "protocol" => asked.protocol = Some(named()?.to_owned()),
            "for" => asked.lookup = Some(covering(named()?)?),
            "table" => match named()? {
                // There is one table a family, and one family a socket.
                "master" | "master4" | "master6" => {}
                other => return Err(Refused::syntax(&format!("there is no table `{other}`"))),
            },
            "export" | "noexport" => {
                asked.withheld = word == "noexport";
                asked.export = Some(named()?.to_owned());
            }
            "preexport" | "filter" | "where" => {
                return Err(Refused::syntax(&format!("`{word}` is not answered by starlingd")));
            }
            prefix => asked.lookup = Some(exactly(prefix)?),
        }
    }
    Ok(asked)
}

/// `for`: the longest prefix that holds an address, or all of a prefix.
fn covering(text: &str) -> Result<Lookup, Refused> {
    match (text.parse::<IpAddr>(), text.parse::<IpNet>()) {
        (Ok(address), _) => Ok(Lookup::Address(address)),
        (_, Ok(net)) => Ok(Lookup::Address(net.addr())),
        _ => Err(Refused::syntax(&format!("`{text}` is neither address nor prefix"))),
    }
}

/// A prefix; an address alone is one of full length, as BIRD reads it.
fn exactly(text: &str) -> Result<Lookup, Refused> {
    match (text.parse::<IpAddr>(), text.parse::<IpNet>()) {
        (Ok(address), _) => Ok(Lookup::Prefix(address.into())),
        (_, Ok(net)) => Ok(Lookup::Prefix(net.trunc())),
        _ => Err(Refused::syntax(&format!("unexpected `{text}`"))),
    }
}

/// Names may be quoted.
fn bare(name: &str) -> &str {
    name.trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests;
