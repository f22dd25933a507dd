//! Path attributes (RFC 4271 §4.3): what each code is called, which flags it must have, and what
//! RFC 7606 does with a malformed one. One table; adding an attribute begins with a row here.
//!
//! Bytes in, borrowed [`Attr`]s out. [`Attrs`] walks both received bytes, where it reports what
//! does not fit, and the canonical bytes of an `AttrSet`, where everything fits.

/// Flags: bit 0, the attribute is optional rather than well-known.
pub const OPTIONAL: u8 = 0x80;
/// Flags: bit 1, it is passed on to other speakers.
pub const TRANSITIVE: u8 = 0x40;
/// Flags: bit 2, a speaker on the way passed it on without understanding it.
pub const PARTIAL: u8 = 0x20;
/// Flags: bit 3, the length takes two octets.
pub const EXTENDED: u8 = 0x10;

/// What a malformed attribute does to its UPDATE (RFC 7606 §2), weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Consequence {
    /// The attribute is ignored, the routes stand.
    Discard,
    /// The UPDATE's routes count as withdrawn.
    Withdraw,
    /// The session ends with a NOTIFICATION.
    Reset,
}

/// What there is to know about an attribute's code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spec {
    /// The name of the RFCs.
    pub name: &'static str,
    /// The optional and transitive bits that it must have.
    pub flags: u8,
    /// What happens when it is malformed.
    pub malformed: Consequence,
}

macro_rules! attributes {
    ($( $(#[$doc:meta])* $konst:ident = $code:literal $name:literal $flags:expr, $malformed:ident; )*) => {
        /// The codes that this speaker understands.
        pub mod code {
            $( $(#[$doc])* pub const $konst: u8 = $code; )*
        }

        /// The rows by code: a look-up, where a match would be a jump that nobody can predict.
        static SPECS: [Option<Spec>; 256] = {
            let mut specs = [None; 256];
            $( specs[$code] = Some(Spec {
                name: $name,
                flags: $flags,
                malformed: Consequence::$malformed,
            }); )*
            specs
        };
    };
}

attributes! {
    /// RFC 4271 §5.1.1; malformed: RFC 7606 §7.1.
    ORIGIN = 1 "ORIGIN" TRANSITIVE, Withdraw;
    /// RFC 4271 §5.1.2; malformed: RFC 7606 §7.2.
    AS_PATH = 2 "AS_PATH" TRANSITIVE, Withdraw;
    /// RFC 4271 §5.1.3; malformed: RFC 7606 §7.3.
    NEXT_HOP = 3 "NEXT_HOP" TRANSITIVE, Withdraw;
    /// RFC 4271 §5.1.4; malformed: RFC 7606 §7.4.
    MULTI_EXIT_DISC = 4 "MULTI_EXIT_DISC" OPTIONAL, Withdraw;
    /// RFC 4271 §5.1.5; malformed: RFC 7606 §7.5.
    LOCAL_PREF = 5 "LOCAL_PREF" TRANSITIVE, Withdraw;
    /// RFC 4271 §5.1.6; malformed: RFC 7606 §7.6.
    ATOMIC_AGGREGATE = 6 "ATOMIC_AGGREGATE" TRANSITIVE, Discard;
    /// RFC 4271 §5.1.7; malformed: RFC 7606 §7.7.
    AGGREGATOR = 7 "AGGREGATOR" OPTIONAL | TRANSITIVE, Discard;
    /// RFC 1997; malformed: RFC 7606 §7.8.
    COMMUNITIES = 8 "COMMUNITIES" OPTIONAL | TRANSITIVE, Withdraw;
    /// RFC 4456 §8; malformed: RFC 7606 §7.9.
    ORIGINATOR_ID = 9 "ORIGINATOR_ID" OPTIONAL, Withdraw;
    /// RFC 4456 §8; malformed: RFC 7606 §7.10.
    CLUSTER_LIST = 10 "CLUSTER_LIST" OPTIONAL, Withdraw;
    /// RFC 4760 §3; malformed: RFC 7606 §7.11.
    MP_REACH_NLRI = 14 "MP_REACH_NLRI" OPTIONAL, Reset;
    /// RFC 4760 §4; malformed: RFC 7606 §7.12.
    MP_UNREACH_NLRI = 15 "MP_UNREACH_NLRI" OPTIONAL, Reset;
    /// RFC 4360; malformed: RFC 7606 §7.14.
    EXTENDED_COMMUNITIES = 16 "EXTENDED_COMMUNITIES" OPTIONAL | TRANSITIVE, Withdraw;
    /// RFC 6793 §3; malformed: RFC 6793 §6.
    AS4_PATH = 17 "AS4_PATH" OPTIONAL | TRANSITIVE, Discard;
    /// RFC 6793 §3; malformed: RFC 6793 §6.
    AS4_AGGREGATOR = 18 "AS4_AGGREGATOR" OPTIONAL | TRANSITIVE, Discard;
    /// RFC 5701; malformed: RFC 7606 §7.15.
    IPV6_EXTENDED_COMMUNITIES = 25 "IPV6_EXTENDED_COMMUNITIES" OPTIONAL | TRANSITIVE, Withdraw;
    /// RFC 7311; malformed: RFC 7311 §3.2.
    AIGP = 26 "AIGP" OPTIONAL, Discard;
    /// RFC 8092; malformed: RFC 8092 §6.
    LARGE_COMMUNITIES = 32 "LARGE_COMMUNITIES" OPTIONAL | TRANSITIVE, Withdraw;
    /// Only to Customer, RFC 9234; malformed: RFC 9234 §5.
    OTC = 35 "OTC" OPTIONAL | TRANSITIVE, Withdraw;
}

/// The row of `code`, if this speaker understands it.
#[inline]
pub fn spec(code: u8) -> Option<&'static Spec> {
    SPECS.get(usize::from(code)).and_then(Option::as_ref)
}

/// One attribute, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attr<'a> {
    /// Its flags as they came.
    pub flags: u8,
    /// Its type code.
    pub code: u8,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Attr<'a> {
    /// The first attribute of `bytes` and what follows it; `None` if it does not fit.
    #[inline]
    pub fn split(bytes: &'a [u8]) -> Option<(Attr<'a>, &'a [u8])> {
        let (&[flags, code, length], rest) = bytes.split_first_chunk()?;
        let (length, rest) = if flags & EXTENDED == 0 {
            (usize::from(length), rest)
        } else {
            let (&low, rest) = rest.split_first()?;
            (usize::from(u16::from_be_bytes([length, low])), rest)
        };
        let (value, rest) = rest.split_at_checked(length)?;
        Some((Attr { flags, code, value }, rest))
    }

    /// The value as one big-endian number, if it has four octets.
    #[inline]
    pub fn u32(&self) -> Option<u32> {
        self.value.try_into().ok().map(u32::from_be_bytes)
    }
}

/// Attributes in the order of their bytes. Ends at the first that does not fit.
#[derive(Clone, Debug)]
pub struct Attrs<'a>(&'a [u8]);

impl<'a> Attrs<'a> {
    /// Walks `bytes`.
    pub fn new(bytes: &'a [u8]) -> Attrs<'a> {
        Attrs(bytes)
    }

    /// What has not been walked: empty at the end, unless the last attribute does not fit.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = Attr<'a>;

    #[inline]
    fn next(&mut self) -> Option<Attr<'a>> {
        let (attr, rest) = Attr::split(self.0)?;
        self.0 = rest;
        Some(attr)
    }
}
