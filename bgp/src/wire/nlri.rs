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

/// The octets that `prefix` takes on the wire, its length octet included.
#[inline]
pub fn wire_len<P: Prefix>(prefix: P) -> usize {
    1 + usize::from(prefix.len().div_ceil(8))
}
