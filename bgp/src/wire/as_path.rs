//! AS_PATH (RFC 4271 §4.3, §5.1.2) with four octets a number: a view of its segments.

use std::fmt;

use crate::types::Asn;

/// The kind of a segment. Those of confederations (RFC 5065) are not ours to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegmentKind {
    /// Unordered, the result of aggregation; counts as one.
    Set = 1,
    /// Ordered, nearest AS first.
    Sequence = 2,
}

impl SegmentKind {
    /// The kind of a wire code.
    pub fn from_wire(code: u8) -> Option<SegmentKind> {
        match code {
            1 => Some(SegmentKind::Set),
            2 => Some(SegmentKind::Sequence),
            _ => None,
        }
    }
}

/// One segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Sequence or set.
    pub kind: SegmentKind,
    octets: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Its AS numbers in wire order.
    pub fn asns(self) -> impl ExactSizeIterator<Item = Asn> + 'a {
        let (numbers, _) = self.octets.as_chunks();
        numbers.iter().map(|octets| Asn(u32::from_be_bytes(*octets)))
    }

    /// What it adds to the length of the path: a set counts as one (RFC 4271 §9.1.2.2 a).
    pub fn count(self) -> usize {
        match self.kind {
            SegmentKind::Set => 1,
            SegmentKind::Sequence => self.octets.len() / 4,
        }
    }
}

/// A path of four-octet AS numbers, borrowed from canonical bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct AsPath<'a>(&'a [u8]);

impl<'a> AsPath<'a> {
    /// A view of an attribute's value. Reading stops at bytes that are no segment.
    pub fn new(value: &'a [u8]) -> AsPath<'a> {
        AsPath(value)
    }

    /// The value.
    pub fn octets(self) -> &'a [u8] {
        self.0
    }

    /// Its segments in wire order.
    pub fn segments(self) -> Segments<'a> {
        Segments(self.0)
    }

    /// Every AS number, whatever its segment.
    pub fn asns(self) -> impl Iterator<Item = Asn> + 'a {
        self.segments().flat_map(Segment::asns)
    }

    /// The length that the decision compares.
    pub fn len(self) -> usize {
        self.segments().map(Segment::count).sum()
    }

    /// Whether there is no segment: the route began in the AS of the neighbour.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The neighbouring AS: the first of a path that begins with a sequence.
    pub fn first(self) -> Option<Asn> {
        let first = self.segments().next()?;
        match first.kind {
            SegmentKind::Sequence => first.asns().next(),
            SegmentKind::Set => None,
        }
    }

    /// The AS that the route began in: the last of a path that ends with a sequence.
    pub fn origin(self) -> Option<Asn> {
        let last = self.segments().last()?;
        match last.kind {
            SegmentKind::Sequence => last.asns().last(),
            SegmentKind::Set => None,
        }
    }

    /// Whether `asn` is anywhere in it.
    pub fn contains(self, asn: Asn) -> bool {
        self.asns().any(|a| a == asn)
    }
}

/// The segments of a path.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a>(&'a [u8]);

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let (&[kind, count], rest) = self.0.split_first_chunk()?;
        let kind = SegmentKind::from_wire(kind)?;
        let (octets, rest) = rest.split_at_checked(usize::from(count) * 4)?;
        self.0 = rest;
        Some(Segment { kind, octets })
    }
}

/// `65001 65002 {65003,65004}`; nothing for an empty path.
impl fmt::Display for AsPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for segment in self.segments() {
            match segment.kind {
                SegmentKind::Sequence => {
                    for asn in segment.asns() {
                        write!(f, "{gap}{asn}")?;
                        gap = " ";
                    }
                }
                SegmentKind::Set => {
                    write!(f, "{gap}{{")?;
                    let mut comma = "";
                    for asn in segment.asns() {
                        write!(f, "{comma}{asn}")?;
                        comma = ",";
                    }
                    f.write_str("}")?;
                    gap = " ";
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for AsPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}
