//! The attributes of one UPDATE, judged one by one in a single pass (RFC 7606 §3, §4, §7).
//!
//! Raw attributes in; out come what the routes need (next hops, prefixes still in wire form, the
//! [`Rank`]), the worst fault, and on request the canonical bytes of an `AttrSet`. Nothing is
//! copied before that request, and then once.
//!
//! Deviation: RFC 4271 §5.1.5 wants LOCAL_PREF from internal neighbours; a missing one counts as
//! 100 here, as everywhere.

mod conclude;
mod value;

use crate::attrs::Rank;
use crate::attrs::canonical::Canonical;
use crate::types::Family;
use crate::wire::Notification;
use crate::wire::as_path::{AsPath, Shape};
use crate::wire::attr::{
    self, Attr, Attrs, Consequence, EXTENDED, OPTIONAL, PARTIAL, TRANSITIVE, code,
};

use super::mp::{self, Reach, Unreach};
use super::{Context, Judgement};

/// The two bits of an attribute that goes through speakers that do not understand it.
const OPTIONAL_TRANSITIVE: u8 = OPTIONAL | TRANSITIVE;

/// A set of attribute codes.
#[derive(Clone, Copy, Default)]
struct Codes([u64; 4]);

impl Codes {
    #[inline]
    fn contains(&self, code: u8) -> bool {
        self.0.get(usize::from(code >> 6)).is_some_and(|word| word >> (code & 63) & 1 != 0)
    }

    #[inline]
    fn insert(&mut self, code: u8) {
        if let Some(word) = self.0.get_mut(usize::from(code >> 6)) {
            *word |= 1 << (code & 63);
        }
    }
}

/// Why the routes count as withdrawn.
pub(super) struct Fault {
    pub(super) why: String,
    /// What ends the session instead, where there are no routes to withdraw (RFC 7606 §5.2).
    pub(super) notification: Notification,
}

/// A value against the rules of its attribute: the subcode and the words for it.
type Malformed = (Notification, String);

/// What the pass has found.
pub(super) struct Attributes<'a> {
    raw: &'a [u8],
    context: &'a Context,
    /// How many there were, whatever became of them.
    pub(super) count: usize,
    pub(super) reach: Option<Reach<'a>>,
    pub(super) unreach: Option<Unreach<'a>>,
    /// NEXT_HOP as it came: it only matters beside the NLRI field (RFC 4760 §3).
    next_hop: Option<Attr<'a>>,
    /// AS_PATH, where it is not what came: put together from two-octet numbers and AS4_PATH.
    path: Option<Vec<u8>>,
    aggregator: Option<&'a [u8]>,
    as4_path: Option<&'a [u8]>,
    as4_aggregator: Option<&'a [u8]>,
    /// What the decision compares.
    pub(super) rank: Rank,
    /// The worst there is short of the session's end; of several the first.
    pub(super) fault: Option<Fault>,
    pub(super) judgement: Judgement,
    seen: Codes,
    /// Those that go into the canonical bytes, and how many octets they take there.
    kept: Codes,
    octets: usize,
    /// They came in ascending order, once each.
    ascending: bool,
    /// And as they are to stay, without needless length octets.
    verbatim: bool,
    last: u8,
}

impl<'a> Attributes<'a> {
    /// Nothing judged yet.
    #[inline]
    pub(super) fn of(raw: &'a [u8], context: &'a Context) -> Attributes<'a> {
        Attributes {
            raw,
            context,
            count: 0,
            reach: None,
            unreach: None,
            next_hop: None,
            path: None,
            aggregator: None,
            as4_path: None,
            as4_aggregator: None,
            rank: Rank::default(),
            fault: None,
            judgement: Judgement::default(),
            seen: Codes::default(),
            kept: Codes::default(),
            octets: 0,
            ascending: true,
            verbatim: context.as4,
            last: 0,
        }
    }

    /// Judges every attribute.
    ///
    /// # Errors
    /// The NOTIFICATION that ends the session.
    pub(super) fn read(&mut self) -> Result<(), Notification> {
        let mut walk = Attrs::new(self.raw);
        for attr in &mut walk {
            self.count += 1;
            self.take(attr)?;
        }
        if !walk.rest().is_empty() {
            // RFC 7606 §4: the Total Attribute Length still says where the NLRI begins.
            self.withdraw(
                "the last attribute is longer than the attributes".to_owned(),
                Notification::MALFORMED_ATTRIBUTE_LIST,
            );
        }
        Ok(())
    }

    /// Whether MP_REACH_NLRI was there with prefixes, or of a family whose prefixes we ignore.
    pub(super) fn announces(&self) -> bool {
        match self.reach {
            Some(reach) => !reach.nlri.is_empty(),
            None => self.seen.contains(code::MP_REACH_NLRI),
        }
    }

    #[inline]
    fn take(&mut self, attr: Attr<'a>) -> Result<(), Notification> {
        let Some(spec) = attr::spec(attr.code) else { return self.unknown(attr) };
        if self.seen.contains(attr.code) {
            return self.duplicate(attr, spec);
        }
        self.seen.insert(attr.code);
        // Not even looked at where it does not belong (RFC 7606 §7.5, §7.9, §7.10; RFC 6793 §4.1).
        let external = !self.context.kind.is_internal();
        match attr.code {
            // AIGP stays inside an administration (RFC 7311 §3.3).
            code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST | code::AIGP
                if external =>
            {
                self.discard(spec, "from an external neighbour");
                return Ok(());
            }
            code::AS4_PATH | code::AS4_AGGREGATOR if self.context.as4 => {
                self.discard(spec, "in a session of four-octet AS numbers");
                return Ok(());
            }
            _ => {}
        }
        if (attr.flags ^ spec.flags) & (OPTIONAL | TRANSITIVE) != 0 {
            // RFC 7606 §3 c; for the two MP attributes §5.3.
            let why = format!("{}: flags {:#04x}", spec.name, attr.flags);
            if spec.malformed == Consequence::Reset {
                return self.disable(attr, why);
            }
            self.withdraw(why, with(Notification::ATTRIBUTE_FLAGS, attr));
            return Ok(());
        }
        let Err((notification, why)) = self.value(attr) else { return Ok(()) };
        match spec.malformed {
            Consequence::Reset => return self.disable(attr, format!("{}: {why}", spec.name)),
            Consequence::Withdraw => {
                self.withdraw(format!("{}: {why}", spec.name), with(notification, attr));
            }
            Consequence::Discard => self.discard(spec, &why),
        }
        Ok(())
    }

    /// RFC 4271 §5 and §9: kept if transitive, with the word that we did not understand it.
    fn unknown(&mut self, attr: Attr<'a>) -> Result<(), Notification> {
        if attr.flags & OPTIONAL == 0 {
            return Err(with(Notification::UNRECOGNIZED_WELL_KNOWN, attr));
        }
        if self.seen.contains(attr.code) {
            let again = format!("attribute {}: it is there twice", attr.code);
            self.judgement.discarded.push(again);
            self.ascending = false;
            return Ok(());
        }
        self.seen.insert(attr.code);
        if attr.flags & TRANSITIVE != 0 {
            self.keep(attr, attr.value.len());
        }
        Ok(())
    }

    /// RFC 7606 §3 g.
    #[cold]
    fn duplicate(&mut self, attr: Attr<'a>, spec: &attr::Spec) -> Result<(), Notification> {
        if matches!(attr.code, code::MP_REACH_NLRI | code::MP_UNREACH_NLRI) {
            return Err(Notification::MALFORMED_ATTRIBUTE_LIST);
        }
        self.discard(spec, "it is there twice");
        self.ascending = false;
        Ok(())
    }

    #[inline]
    fn keep(&mut self, attr: Attr<'_>, len: usize) {
        self.kept.insert(attr.code);
        self.octets += Canonical::attr_len(len);
        let needed = if len > 255 { EXTENDED } else { 0 };
        self.ascending &= self.last < attr.code;
        self.verbatim &= attr.flags == flags(attr) | needed;
        self.last = attr.code;
    }

    #[inline]
    fn shape(&mut self, shape: Shape, path: &[u8]) {
        self.rank.path_len = shape.len;
        self.rank.neighbor_as = AsPath::new(path).first();
        if shape.own > u32::from(self.context.allow_own_as) {
            self.judgement.unusable = Some("our own AS is in AS_PATH");
        }
    }

    #[cold]
    fn discard(&mut self, spec: &attr::Spec, why: &str) {
        self.judgement.discarded.push(format!("{}: {why}", spec.name));
    }

    #[cold]
    fn foreign(&mut self, code: u8, afi: u16, safi: u8) {
        let name = attr::spec(code).map_or("", |spec| spec.name);
        let note = format!("{name}: AFI {afi} SAFI {safi} was not negotiated");
        self.judgement.discarded.push(note);
    }

    /// A malformed MP attribute (RFC 7606 §5.3, §7.11, §7.12): where it says of which family it is
    /// and the session has another one, that family is ignored from now on. With a family that is
    /// ignored anyway nothing is lost.
    ///
    /// # Errors
    /// The NOTIFICATION that ends the session, where that saves nothing.
    #[cold]
    fn disable(&mut self, attr: Attr<'_>, why: String) -> Result<(), Notification> {
        let Some((afi, safi)) = mp::family(attr.value) else {
            return Err(with(Notification::OPTIONAL_ATTRIBUTE, attr));
        };
        let ours = Family::from_wire(afi, safi).filter(|f| self.context.families.contains(*f));
        match ours {
            None => {
                self.foreign(attr.code, afi, safi);
                Ok(())
            }
            Some(family) => self
                .judgement
                .disable(family, self.context.families, why)
                .ok_or_else(|| with(Notification::OPTIONAL_ATTRIBUTE, attr)),
        }
    }

    #[cold]
    fn withdraw(&mut self, why: String, notification: Notification) {
        self.fault.get_or_insert(Fault { why, notification });
    }
}

/// The canonical flags of an attribute, but for the length bit: partial where it may be, and on
/// what we do not understand ourselves (RFC 4271 §5).
#[inline]
fn flags(attr: Attr<'_>) -> u8 {
    match attr.flags & (OPTIONAL | TRANSITIVE | PARTIAL) {
        OPTIONAL_TRANSITIVE if attr::spec(attr.code).is_none() => OPTIONAL_TRANSITIVE | PARTIAL,
        flags if flags & OPTIONAL_TRANSITIVE == OPTIONAL_TRANSITIVE => flags,
        flags => flags & !PARTIAL,
    }
}

/// `notification` with the attribute as its data (RFC 4271 §6.3).
#[cold]
fn with(notification: Notification, attr: Attr<'_>) -> Notification {
    let mut data = Canonical::with_capacity(attr.value.len() + 4);
    data.attr(attr.flags, attr.code, attr.value);
    Notification { data: data.finish().into_vec().into(), ..notification }
}
