//! Writes canonical attribute bytes (see [`super::AttrSet`]): the one place that puts an attribute
//! header in front of a value. Callers append in ascending type order.

use smallvec::SmallVec;

use crate::types::Asn;
use crate::wire::as_path::SegmentKind;
use crate::wire::attr::{Attr, EXTENDED, OPTIONAL, PARTIAL, TRANSITIVE, code};
use crate::wire::community::ExtendedCommunities;

/// Octets of attributes. Those of most routes fit into the place itself: an allocation less for
/// each set that is read is a tenth of the work that a table's arrival takes, for 3 octets a route.
pub type Octets = SmallVec<[u8; 64]>;

/// Canonical bytes in the making.
#[derive(Debug)]
pub(crate) struct Canonical {
    bytes: Octets,
    last: u8,
}

impl Canonical {
    /// Room for `capacity` octets: exact if they are to become a set without being copied.
    pub(crate) fn with_capacity(capacity: usize) -> Canonical {
        Canonical { bytes: Octets::with_capacity(capacity), last: 0 }
    }

    /// The octets that an attribute with a value of `len` takes.
    #[inline]
    pub(crate) fn attr_len(len: usize) -> usize {
        if len > 255 { 4 + len } else { 3 + len }
    }

    /// Begins an attribute whose value, `len` octets, the caller appends to what it gets.
    #[inline]
    pub(crate) fn begin(&mut self, flags: u8, code: u8, len: usize) -> &mut Octets {
        let flags = flags & (OPTIONAL | TRANSITIVE | PARTIAL);
        self.last = code;
        match u8::try_from(len) {
            Ok(len) => self.bytes.extend_from_slice(&[flags, code, len]),
            Err(_) => {
                let [high, low] = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
                self.bytes.extend_from_slice(&[flags | EXTENDED, code, high, low]);
            }
        }
        &mut self.bytes
    }

    /// Appends an attribute.
    #[inline]
    pub(crate) fn attr(&mut self, flags: u8, code: u8, value: &[u8]) {
        self.begin(flags, code, value.len()).extend_from_slice(value);
    }

    /// Appends attributes that are canonical already.
    #[inline]
    pub(crate) fn verbatim(&mut self, attributes: &[u8]) {
        self.bytes.extend_from_slice(attributes);
    }

    /// Appends LOCAL_PREF, unless something of its place or later is there already.
    pub(crate) fn local_pref(&mut self, value: u32) {
        if self.last < code::LOCAL_PREF {
            self.attr(TRANSITIVE, code::LOCAL_PREF, &value.to_be_bytes());
        }
    }

    /// Appends AS_PATH with `own` in front of `path` (RFC 4271 §5.1.2).
    pub(crate) fn prepended(&mut self, own: Asn, path: &[u8]) {
        let own = own.0.to_be_bytes();
        let sequence = SegmentKind::Sequence as u8;
        match path {
            // A sequence with room: it grows by one.
            [kind, count @ ..=254, numbers @ ..] if *kind == sequence => {
                let out = self.begin(TRANSITIVE, code::AS_PATH, path.len() + 4);
                out.extend_from_slice(&[sequence, count + 1]);
                out.extend_from_slice(&own);
                out.extend_from_slice(numbers);
            }
            _ => {
                let out = self.begin(TRANSITIVE, code::AS_PATH, path.len() + 6);
                out.extend_from_slice(&[sequence, 1]);
                out.extend_from_slice(&own);
                out.extend_from_slice(path);
            }
        }
    }

    /// Appends those extended communities that may leave the AS, if there are any.
    pub(crate) fn crossing(&mut self, attr: Attr<'_>) {
        let all = ExtendedCommunities::new(attr.value);
        let count = all.iter().filter(|c| c.is_transitive()).count();
        if count > 0 {
            let out = self.begin(attr.flags, attr.code, count * 8);
            all.iter().filter(|c| c.is_transitive()).for_each(|c| out.extend_from_slice(&c.0));
        }
    }

    /// The bytes.
    #[inline]
    pub(crate) fn finish(mut self) -> Octets {
        self.bytes.shrink_to_fit();
        self.bytes
    }
}
