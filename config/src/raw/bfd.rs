//! BFD: the table `[bfd]` of the mesh, and `bfd = …` of a peer.

use std::time::Duration;

use toml::de::DeValue;

use super::Keys;
use crate::reader::{Field, Section, kind};
use crate::source::At;
use crate::value::{Multiplier, Ttl};

/// What `[bfd]` may have.
pub(super) const TABLE: Keys = &["enabled", "interval", "multiplier"];
const OF_PEER: Keys = &["interval", "multiplier", "multihop", "min-ttl"];

/// `[bfd]`.
#[derive(Debug)]
pub(crate) struct Bfd {
    pub(crate) at: At,
    pub(crate) enabled: Field<bool>,
    pub(crate) interval: Field<Duration>,
    pub(crate) multiplier: Field<Multiplier>,
}

/// `bfd` of a `[[peer]]`.
#[derive(Debug)]
pub(crate) enum PeerBfd {
    /// Not there, `false`, or unreadable (and noted).
    Off,
    /// `true`, or a table.
    On(Box<Settings>),
}

/// What the table says; nothing where it is `true`.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) interval: Field<Duration>,
    pub(crate) multiplier: Field<Multiplier>,
    pub(crate) multihop: Field<bool>,
    pub(crate) min_ttl: Field<Ttl>,
}

pub(super) fn table(s: &mut Section<'_, '_>) -> Bfd {
    Bfd {
        at: s.at,
        enabled: s.one("enabled"),
        interval: s.one("interval"),
        multiplier: s.one("multiplier"),
    }
}

pub(super) fn of_peer(s: &mut Section<'_, '_>) -> PeerBfd {
    match s.any("bfd") {
        None | Some((DeValue::Boolean(false), _)) => PeerBfd::Off,
        Some((DeValue::Boolean(true), _)) => PeerBfd::On(Box::default()),
        Some((DeValue::Table(table), at)) => {
            let mut s = Section::new("bfd", table, at, OF_PEER, &[], s.problems());
            PeerBfd::On(Box::new(Settings {
                interval: s.one("interval"),
                multiplier: s.one("multiplier"),
                multihop: s.one("multihop"),
                min_ttl: s.one("min-ttl"),
            }))
        }
        Some((other, at)) => {
            s.problems()
                .error(at, format!("`bfd` is {}", kind(other)))
                .expected("true, false or { interval = \"300ms\", multiplier = 3 }");
            PeerBfd::Off
        }
    }
}
