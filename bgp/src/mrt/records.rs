//! Records as they come over a stream, in pieces that end anywhere: how many, and whether the last
//! one is whole. Their headers say how long they are (RFC 6396 §2); nobody looks into them.

/// Octets of a header: time, type and subtype, length.
const HEADER: usize = 12;

/// Counts records that come in pieces.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Records {
    count: u64,
    octets: u64,
    /// The beginning of a header whose rest has not come yet.
    header: Vec<u8>,
    /// Octets of a body that have not come yet.
    missing: usize,
}

impl Records {
    /// The next piece.
    pub fn see(&mut self, mut piece: &[u8]) {
        self.octets += piece.len() as u64;
        while !piece.is_empty() {
            let body = self.missing.min(piece.len());
            self.missing -= body;
            piece = piece.get(body..).unwrap_or_default();
            let wanted = (HEADER - self.header.len()).min(piece.len());
            let (head, rest) = piece.split_at_checked(wanted).unwrap_or_default();
            self.header.extend_from_slice(head);
            piece = rest;
            if let Some((_, [a, b, c, d])) = self.header.split_at_checked(HEADER - 4)
                && self.header.len() == HEADER
            {
                self.missing = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                self.header.clear();
                self.count += 1;
            }
        }
    }

    /// How many have come, the last one perhaps in part.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All octets that have come.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether the last one has come to its end.
    pub fn is_whole(&self) -> bool {
        self.missing == 0 && self.header.is_empty()
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
