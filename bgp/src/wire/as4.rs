//! AS numbers of four octets across a speaker of two (RFC 6793): both directions.
//!
//! Inside, every path has four octets a number. A two-octet neighbour sends AS_PATH with AS_TRANS
//! where a number does not fit and the true numbers in AS4_PATH, which speakers of two octets
//! passed on without understanding it; [`merge`] puts them together (§4.2.3). Towards such a
//! neighbour [`narrow`] takes them apart (§4.2.2).

use super::as_path::{AsPath, Segment, SegmentKind};
use crate::types::Asn;

/// The four-octet form of a path of two octets a number, which must be well-formed.
pub(super) fn widen(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() * 2);
    let mut rest = path;
    while let Some((&[kind, count], tail)) = rest.split_first_chunk() {
        let Some((numbers, tail)) = tail.split_at_checked(usize::from(count) * 2) else { break };
        out.extend_from_slice(&[kind, count]);
        for number in numbers.as_chunks::<2>().0 {
            out.extend_from_slice(&u32::from(u16::from_be_bytes(*number)).to_be_bytes());
        }
        rest = tail;
    }
    out
}

/// AS4_PATH without the segments of confederations, which it must not have but which are no
/// reason to ignore it (RFC 6793 §6), or `None` if it is malformed otherwise.
pub(super) fn without_confederations(path: &[u8]) -> Option<Vec<u8>> {
    // One segment at least, with one number at least (§6).
    if path.len() < 6 {
        return None;
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&head, tail)) = rest.split_first_chunk() {
        let [kind, count] = head;
        let (numbers, tail) = tail.split_at_checked(usize::from(count) * 4)?;
        if count == 0 || !(1..=4).contains(&kind) || numbers.as_chunks::<4>().0.contains(&[0; 4]) {
            return None;
        }
        if SegmentKind::from_wire(kind).is_some() {
            out.extend_from_slice(&head);
            out.extend_from_slice(numbers);
        }
        rest = tail;
    }
    rest.is_empty().then_some(out)
}

/// Puts `path` (widened) and `as4_path` together (RFC 6793 §4.2.3): the front of `path` as far as
/// it is longer, then `as4_path`. One longer than `path` is ignored.
pub(super) fn merge(path: Vec<u8>, as4_path: &[u8]) -> Vec<u8> {
    let (path, as4_path) = (AsPath::new(&path), AsPath::new(as4_path));
    let Some(mut front) = path.len().checked_sub(as4_path.len()) else {
        return path.octets().to_vec();
    };
    let mut out = Segmented::default();
    for segment in path.segments() {
        if front == 0 {
            break;
        }
        let taken = segment.count().min(front);
        front -= taken;
        match segment.kind {
            SegmentKind::Set => out.push(segment),
            SegmentKind::Sequence => out.push(segment.truncated(taken)),
        }
    }
    as4_path.segments().for_each(|segment| out.push(segment));
    out.octets
}

/// A path in the making, which joins a sequence to the one before it where both fit into one
/// segment: the two halves of a merge were one before.
#[derive(Default)]
struct Segmented {
    octets: Vec<u8>,
    /// Where the last segment begins.
    last: usize,
}

impl Segmented {
    fn push(&mut self, segment: Segment<'_>) {
        let count = segment.asns().len();
        if segment.kind == SegmentKind::Sequence
            && let Some([kind, grown]) = self.octets.get_mut(self.last..self.last + 2)
            && *kind == SegmentKind::Sequence as u8
            && let Ok(sum) = u8::try_from(usize::from(*grown) + count)
        {
            *grown = sum;
        } else {
            self.last = self.octets.len();
            self.octets
                .extend_from_slice(&[segment.kind as u8, u8::try_from(count).unwrap_or(255)]);
        }
        self.octets.extend_from_slice(segment.octets());
    }
}

/// The two-octet form of `path`, and whether a number did not fit, so that AS4_PATH has to go
/// along (RFC 6793 §4.2.2).
pub(super) fn narrow(path: AsPath<'_>) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(path.octets().len());
    let mut lossy = false;
    for segment in path.segments() {
        let asns = segment.asns();
        out.extend_from_slice(&[segment.kind as u8, u8::try_from(asns.len()).unwrap_or(255)]);
        for asn in asns {
            lossy |= !fits(asn);
            out.extend_from_slice(&asn.two_octets().to_be_bytes());
        }
    }
    (out, lossy)
}

/// Whether a two-octet speaker can say `asn`.
pub(super) fn fits(asn: Asn) -> bool {
    u16::try_from(asn.0).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments of (kind, numbers) in wire form.
    fn path(segments: &[(u8, &[u32])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, asns) in segments {
            out.extend([*kind, asns.len() as u8]);
            out.extend(asns.iter().flat_map(|a| a.to_be_bytes()));
        }
        out
    }

    #[test]
    fn the_longer_front_is_kept_and_joined() {
        let seen = path(&[(2, &[65001, 65002, 23456, 23456])]);
        let carried = path(&[(2, &[200_000, 300_000])]);
        assert_eq!(merge(seen, &carried), path(&[(2, &[65001, 65002, 200_000, 300_000])]));
    }

    #[test]
    fn a_set_counts_as_one() {
        let seen = path(&[(2, &[65001, 23456]), (1, &[5, 6])]);
        let carried = path(&[(2, &[200_000]), (1, &[5, 6])]);
        assert_eq!(merge(seen, &carried), path(&[(2, &[65001, 200_000]), (1, &[5, 6])]));
        let seen = path(&[(1, &[5, 6]), (2, &[23456])]);
        let carried = path(&[(2, &[200_000])]);
        assert_eq!(merge(seen, &carried), path(&[(1, &[5, 6]), (2, &[200_000])]));
    }

    #[test]
    fn a_longer_as4_path_is_ignored() {
        let seen = path(&[(2, &[23456])]);
        let carried = path(&[(2, &[200_000, 300_000])]);
        assert_eq!(merge(seen.clone(), &carried), seen);
    }

    #[test]
    fn a_joined_sequence_stays_within_a_count_of_one_octet() {
        let front = vec![65001; 255];
        let seen = path(&[(2, &front), (2, &[23456])]);
        let carried = path(&[(2, &[200_000])]);
        assert_eq!(merge(seen, &carried), path(&[(2, &front), (2, &[200_000])]));
    }

    #[test]
    fn narrow_says_whether_a_number_was_lost() {
        let small = path(&[(2, &[65001, 65535])]);
        assert_eq!(narrow(AsPath::new(&small)), (vec![2, 2, 0xfd, 0xe9, 0xff, 0xff], false));
        let large = path(&[(2, &[65001, 65536])]);
        assert_eq!(narrow(AsPath::new(&large)), (vec![2, 2, 0xfd, 0xe9, 0x5b, 0xa0], true));
        assert_eq!(widen(&[2, 2, 0xfd, 0xe9, 0x5b, 0xa0]), path(&[(2, &[65001, 23456])]));
    }

    #[test]
    fn confederations_are_cut_out_of_as4_path() {
        let carried = path(&[(3, &[64512]), (2, &[200_000])]);
        assert_eq!(without_confederations(&carried), Some(path(&[(2, &[200_000])])));
        let malformed =
            [path(&[(5, &[1])]), path(&[(2, &[])]), path(&[(2, &[0])]), vec![2, 2, 0, 0, 0, 1]];
        for carried in malformed {
            assert_eq!(without_confederations(&carried), None, "{carried:?}");
        }
    }
}
