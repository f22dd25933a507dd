//! When this node is cut off: the table `[isolation]`.

use std::time::Duration;

use super::Keys;
use crate::reader::{Field, Section};
use crate::source::At;

/// What `[isolation]` may have.
pub(super) const TABLE: Keys = &["keep", "percent", "peers"];

/// `[isolation]`.
#[derive(Debug)]
pub(crate) struct Isolation {
    pub(crate) at: At,
    pub(crate) keep: Field<Duration>,
    pub(crate) percent: Field<u32>,
    pub(crate) peers: Field<u32>,
}

pub(super) fn table(s: &mut Section<'_, '_>) -> Isolation {
    Isolation { at: s.at, keep: s.one("keep"), percent: s.one("percent"), peers: s.one("peers") }
}
