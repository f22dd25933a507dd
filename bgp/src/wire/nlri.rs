//! NLRI (RFC 4271 §4.3): a run of prefixes, each a length in bits and the octets it needs.
//!
//! Bytes in, packed [`Prefix`] keys out. This loop runs once per prefix, so it is written by hand
//! and reads an address in one load where the field is long enough.

use crate::types::Prefix;

/// The run ends inside a prefix, or a length is too long for the family (RFC 7606 §5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incorrect;

/// Appends the prefixes of `field` to `out`. After an error `out` holds those before it.
///
/// # Errors
/// [`Incorrect`] if the field is not a run of whole prefixes of the family.
#[inline]
pub fn read<P: Prefix>(field: &[u8], out: &mut Vec<P>) -> Result<(), Incorrect> {
    let mut rest = field;
    while let Some((&len, tail)) = rest.split_first() {
        // Given more octets than its own, `from_wire` reads the address in one load.
        let prefix = P::from_wire(len, tail).ok_or(Incorrect)?;
        rest = tail.get(usize::from(len.div_ceil(8))..).ok_or(Incorrect)?;
        out.push(prefix);
    }
    Ok(())
}

/// Appends the prefixes of `field`, each behind its path identifier (RFC 7911 §3), to `out` and
/// `ids`. After an error both hold those before it.
///
/// # Errors
/// [`Incorrect`] if the field is not a run of identifiers with whole prefixes of the family.
#[inline]
pub fn read_with_ids<P: Prefix>(
    field: &[u8],
    out: &mut Vec<P>,
    ids: &mut Vec<u32>,
) -> Result<(), Incorrect> {
    let mut rest = field;
    while !rest.is_empty() {
        let (id, tail) = rest.split_first_chunk::<4>().ok_or(Incorrect)?;
        let (&len, tail) = tail.split_first().ok_or(Incorrect)?;
        let prefix = P::from_wire(len, tail).ok_or(Incorrect)?;
        rest = tail.get(usize::from(len.div_ceil(8))..).ok_or(Incorrect)?;
        out.push(prefix);
        ids.push(u32::from_be_bytes(*id));
    }
    Ok(())
}

/// The octets that `prefix` takes on the wire, its length octet included.
#[inline]
pub fn wire_len<P: Prefix>(prefix: P) -> usize {
    1 + usize::from(prefix.len().div_ceil(8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{V4, V6};

    #[test]
    fn reads_prefixes_of_every_length() {
        let mut v4: Vec<V4> = Vec::new();
        let field = [0, 1, 0xff, 9, 10, 0x80, 17, 10, 1, 0xff, 32, 192, 0, 2, 1];
        assert_eq!(read(&field, &mut v4), Ok(()));
        let shown: Vec<String> = v4.iter().map(V4::to_string).collect();
        assert_eq!(
            shown,
            ["0.0.0.0/0", "128.0.0.0/1", "10.128.0.0/9", "10.1.128.0/17", "192.0.2.1/32"]
        );
        let mut v6: Vec<V6> = Vec::new();
        assert_eq!(read(&[29, 0x20, 1, 0x0d, 0xbf, 0], &mut v6), Ok(()));
        let shown: Vec<String> = v6.iter().map(V6::to_string).collect();
        assert_eq!(shown, ["2001:db8::/29", "::/0"]);
    }

    #[test]
    fn a_run_that_ends_inside_a_prefix_is_incorrect() {
        for field in [&[8][..], &[24, 10, 0], &[8, 10, 1], &[33, 1, 2, 3, 4, 5]] {
            assert_eq!(read(field, &mut Vec::<V4>::new()), Err(Incorrect), "{field:?}");
        }
        assert_eq!(read(&[129], &mut Vec::<V6>::new()), Err(Incorrect));
    }

    #[test]
    fn path_identifiers_stand_in_front_of_each_prefix() {
        let (mut v4, mut ids): (Vec<V4>, Vec<u32>) = Default::default();
        let field = [0, 0, 0, 7, 8, 10, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 32, 192, 0, 2, 1];
        assert_eq!(read_with_ids(&field, &mut v4, &mut ids), Ok(()));
        let shown: Vec<String> = v4.iter().map(V4::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32"]);
        assert_eq!(ids, [7, 0xff00_0001, 0]);
        for field in [&[0][..], &[0, 0, 0, 1], &[0, 0, 0, 1, 8], &[0, 0, 0, 1, 33, 1, 2, 3, 4, 5]] {
            let (mut v4, mut ids): (Vec<V4>, Vec<u32>) = Default::default();
            assert_eq!(read_with_ids(field, &mut v4, &mut ids), Err(Incorrect), "{field:?}");
            assert_eq!(v4.len(), ids.len());
        }
    }

    #[test]
    fn the_wire_length_is_what_is_put() {
        for len in 0..=32 {
            let prefix = V4::from_wire(len, &[10, 1, 2, 3]).unwrap();
            let mut out = bytes::BytesMut::new();
            prefix.put(&mut out);
            assert_eq!(out.len(), wire_len(prefix));
        }
    }
}
