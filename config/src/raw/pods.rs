//! Local pods: the table `[pods]`.

use starling_fib::types::Announce;

use super::Keys;
use crate::reader::{Field, Section};
use crate::source::{At, Sp};
use crate::value::{DevicePattern, PodProtocol};

/// What `[pods]` may have.
pub(super) const TABLE: Keys = &["interfaces", "protocols", "announce"];

/// `[pods]`.
#[derive(Debug)]
pub(crate) struct Pods {
    pub(crate) at: At,
    pub(crate) interfaces: Field<Vec<Sp<DevicePattern>>>,
    pub(crate) protocols: Field<Vec<Sp<PodProtocol>>>,
    pub(crate) announce: Field<Announce>,
}

pub(super) fn table(s: &mut Section<'_, '_>) -> Pods {
    Pods {
        at: s.at,
        interfaces: s.list("interfaces"),
        protocols: s.one_or_list("protocols"),
        announce: s.one("announce"),
    }
}
