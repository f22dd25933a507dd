//! Writes UPDATEs.

use bytes::BytesMut;

use crate::attrs::AttrSet;
use crate::types::{Family, Prefix};

/// Appends UPDATEs that announce `prefixes` with `attrs`, as many in each as fit into 4096
/// octets, and returns how many. `as4`: the session has four-octet AS numbers. `internal`: it is
/// iBGP. Zero, although there are prefixes: the set does not fit into a message, or its next hop
/// cannot be said for this family; nothing was written.
pub fn announce<P: Prefix>(
    _attrs: &AttrSet,
    _as4: bool,
    _internal: bool,
    _prefixes: &[P],
    _out: &mut BytesMut,
) -> usize {
    0
}

/// Appends UPDATEs that withdraw `prefixes` and returns how many.
pub fn withdraw<P: Prefix>(_prefixes: &[P], _out: &mut BytesMut) -> usize {
    0
}

/// Appends the End-of-RIB marker of `family` (RFC 4724 §2).
pub fn end_of_rib(_family: Family, _out: &mut BytesMut) {}
