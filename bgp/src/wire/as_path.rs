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

    /// Its AS numbers as they are on the wire.
    pub(super) fn octets(self) -> &'a [u8] {
        self.octets
    }

    /// Its first `count` AS numbers.
    pub(super) fn truncated(self, count: usize) -> Segment<'a> {
        Segment { kind: self.kind, octets: self.octets.get(..count * 4).unwrap_or(self.octets) }
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

    /// The value with `asns` in front of it, in their order; at most 255 of them.
    pub fn prepended(self, asns: &[Asn]) -> Vec<u8> {
        let sequence = SegmentKind::Sequence as u8;
        let asns = asns.get(..255).unwrap_or(asns);
        // What fits into the first sequence joins it.
        let (there, rest) = match self.0 {
            [kind, count, rest @ ..]
                if *kind == sequence && asns.len() + usize::from(*count) <= 255 =>
            {
                (*count, rest)
            }
            all => (0, all),
        };
        let mut out = Vec::with_capacity(2 + asns.len() * 4 + self.0.len());
        let count = there.saturating_add(u8::try_from(asns.len()).unwrap_or(u8::MAX));
        if count > 0 {
            out.extend_from_slice(&[sequence, count]);
        }
        out.extend(asns.iter().flat_map(|asn| asn.0.to_be_bytes()));
        out.extend_from_slice(rest);
        out
    }

    /// Whether `asn` is anywhere in it.
    pub fn contains(self, asn: Asn) -> bool {
        self.asns().any(|a| a == asn)
    }
}

/// What the judge wants to know of a path.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Shape {
    /// Its length, as [`AsPath::len`].
    pub(super) len: u32,
    /// How often the AS that was asked for is in it.
    pub(super) own: u32,
}

/// Walks a path of `W` octets a number that nobody has checked, looking for `own`.
///
/// # Errors
/// Why it is malformed (RFC 7606 §7.2, RFC 7607 for AS 0). The segments of confederations are,
/// because we are in none (RFC 5065 §4), and an AS_SET counts as such (RFC 9774 §3).
#[inline]
pub(super) fn check<const W: usize>(path: &[u8], own: Asn) -> Result<Shape, &'static str> {
    let mut shape = Shape::default();
    let mut rest = path;
    while let Some((&[kind, count], tail)) = rest.split_first_chunk() {
        let Some((numbers, tail)) = tail.split_at_checked(usize::from(count) * W) else {
            return Err("a segment is longer than the attribute");
        };
        if count == 0 {
            return Err("an empty segment");
        }
        let mut zero = false;
        for octets in numbers.as_chunks::<W>().0 {
            let asn = octets.iter().fold(0, |asn, octet| asn << 8 | u32::from(*octet));
            zero |= asn == 0;
            shape.own += u32::from(asn == own.0);
        }
        if zero {
            return Err("AS 0");
        }
        match SegmentKind::from_wire(kind) {
            Some(SegmentKind::Set) => return Err("an AS_SET (RFC 9774)"),
            Some(SegmentKind::Sequence) => shape.len += u32::from(count),
            None if kind == 3 || kind == 4 => return Err("a segment of a confederation"),
            None => return Err("an unknown segment type"),
        }
        rest = tail;
    }
    if rest.is_empty() { Ok(shape) } else { Err("a single octet after the last segment") }
}

/// The segments of a path.
#[derive(Clone, Debug)]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `65001 200000 {7,8}`.
    const MIXED: [u8; 20] =
        [2, 2, 0, 0, 0xfd, 0xe9, 0, 3, 0x0d, 0x40, 1, 2, 0, 0, 0, 7, 0, 0, 0, 8];

    #[test]
    fn a_path_reads_as_people_write_it() {
        let path = AsPath::new(&MIXED);
        assert_eq!(path.to_string(), "65001 200000 {7,8}");
        assert_eq!((path.len(), path.first(), path.origin()), (3, Some(Asn(65001)), None));
        assert!(path.contains(Asn(8)) && !path.contains(Asn(9)));
        let (sequence, set) = (AsPath::new(&MIXED[..10]), AsPath::new(&MIXED[10..]));
        assert_eq!((sequence.origin(), set.first()), (Some(Asn(200_000)), None));
        assert_eq!((set.len(), set.to_string()), (1, "{7,8}".to_owned()));
    }

    #[test]
    fn the_empty_path_is_of_the_neighbours_own() {
        let path = AsPath::default();
        assert!(path.is_empty());
        assert_eq!((path.len(), path.first(), path.origin()), (0, None, None));
        assert_eq!(path.to_string(), "");
    }

    #[test]
    fn numbers_in_front_join_the_first_sequence_while_it_has_room() {
        let shown = |octets: &[u8]| AsPath::new(octets).to_string();
        let path = AsPath::new(&MIXED).prepended(&[Asn(1), Asn(2)]);
        assert_eq!(shown(&path), "1 2 65001 200000 {7,8}");
        assert_eq!(AsPath::new(&path).segments().count(), 2);
        let set = AsPath::new(&MIXED[10..]).prepended(&[Asn(1)]);
        assert_eq!(shown(&set), "1 {7,8}");
        assert_eq!(shown(&AsPath::default().prepended(&[Asn(1)])), "1");
        assert!(AsPath::default().prepended(&[]).is_empty());
        let long = AsPath::default().prepended(&[Asn(9); 254]);
        let longer = AsPath::new(&long).prepended(&[Asn(1), Asn(2)]);
        assert_eq!(AsPath::new(&longer).len(), 256);
        assert!(shown(&longer).starts_with("1 2 9 "));
        assert_eq!(AsPath::new(&longer).segments().count(), 2);
    }

    #[test]
    fn the_check_agrees_with_the_view() {
        let sequence = &MIXED[..10];
        let shape = check::<4>(sequence, Asn(200_000)).unwrap();
        assert_eq!(shape, Shape { len: 2, own: 1 });
        assert_eq!(shape.len as usize, AsPath::new(sequence).len());
        assert_eq!(check::<4>(sequence, Asn(9)).unwrap().own, 0);
        assert_eq!(check::<2>(&[2, 2, 0xfd, 0xe9, 0, 7], Asn(7)).unwrap().len, 2);
        assert_eq!(check::<2>(&[2, 2, 0, 7, 0, 7], Asn(7)).unwrap().own, 2);
        assert_eq!(check::<4>(&MIXED, Asn(7)), Err("an AS_SET (RFC 9774)"));
    }
}
