//! What is measured of neighbours: the table `[metrics]`.

use super::Keys;
use crate::metrics::PerPeer;
use crate::reader::{Field, Section};
use crate::source::At;

/// What `[metrics]` may have.
pub(super) const TABLE: Keys = &["per-peer"];

/// `[metrics]`.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) at: At,
    pub(crate) per_peer: Field<PerPeer>,
}

pub(super) fn table(s: &mut Section<'_, '_>) -> Metrics {
    Metrics { at: s.at, per_peer: s.one("per-peer") }
}
