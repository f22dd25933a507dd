//! What the data of a Cease says: an operator's words (RFC 9003), the limit that was passed
//! (RFC 4486 §4), the reason inside a hard reset (RFC 8538 §3). And a NOTIFICATION as one line.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::Notification;
use crate::types::Family;

/// Octets of the longest text (RFC 9003 §2).
const MOST_TEXT: usize = 255;

impl Notification {
    /// The same with an operator's words; as many as fit into 255 octets. Only Administrative
    /// Shutdown and Reset have a place for them (RFC 9003 §2); others stay as they are.
    #[must_use]
    pub fn saying(self, text: &str) -> Notification {
        if !self.takes_text() || text.is_empty() {
            return self;
        }
        let end = (0..=MOST_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        let text = text.get(..end.unwrap_or(0)).unwrap_or_default();
        let mut data = BytesMut::with_capacity(1 + text.len());
        data.put_u8(u8::try_from(text.len()).unwrap_or(0));
        data.put_slice(text.as_bytes());
        Notification { data: data.freeze(), ..self }
    }

    /// Cease 6/1 for more than `limit` prefixes of a family (RFC 4486 §4).
    pub fn over_limit(family: Family, limit: u32) -> Notification {
        let mut data = BytesMut::with_capacity(7);
        data.put_u16(family.afi());
        data.put_u8(1);
        data.put_u32(limit);
        Notification::with(6, 1, data)
    }

    /// This as a hard reset: the receiver forgets our routes (RFC 8538 §3).
    #[must_use]
    pub fn hard(&self) -> Notification {
        let mut data = BytesMut::with_capacity(2 + self.data.len());
        data.put_u8(self.code);
        data.put_u8(self.subcode);
        data.put_slice(&self.data);
        Notification { data: data.freeze(), ..Notification::CEASE_HARD_RESET }
    }

    /// Whether it asks the receiver to forget the sender's routes at once, whatever was agreed.
    pub fn is_hard_reset(&self) -> bool {
        (self.code, self.subcode) == (6, 9)
    }

    /// What a hard reset wraps, unless that is another one: one level is enough for everybody.
    fn inner(&self) -> Option<Notification> {
        let wraps = self.is_hard_reset() && self.data.len() >= 2;
        let inner = wraps.then(|| Notification::read(&self.data));
        inner.filter(|inner| !inner.is_hard_reset())
    }

    fn takes_text(&self) -> bool {
        matches!((self.code, self.subcode), (6, 2 | 4))
    }

    /// The words of the operator who ended the session, if there are any, on one line. What is
    /// not UTF-8 is replaced, and so is what would steer a terminal (RFC 9003 §4).
    pub fn text(&self) -> Option<String> {
        if let Some(inner) = self.inner() {
            return inner.text();
        }
        let (length, text) = self.data.split_first().filter(|_| self.takes_text())?;
        let text = text.get(..usize::from(*length)).filter(|text| !text.is_empty())?;
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let text: String = String::from_utf8_lossy(text).chars().map(clean).collect();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The family and the number of a Cease 6/1 that says them.
    fn limit(&self) -> Option<(Family, u32)> {
        let [high, low, safi, limit @ ..] = &*self.data else { return None };
        let family = Family::from_wire(u16::from_be_bytes([*high, *low]), *safi)?;
        let limit = u32::from_be_bytes(limit.try_into().ok()?);
        ((self.code, self.subcode) == (6, 1)).then_some((family, limit))
    }
}

/// `administrative shutdown (6/2): "back at noon"`.
impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({}/{})", self.code, self.subcode)?,
            None => write!(f, "code {} subcode {}", self.code, self.subcode)?,
        }
        match (self.inner(), self.limit()) {
            (Some(inner), _) => write!(f, ": {inner}"),
            (None, Some((family, limit))) => write!(f, ": {family}, at most {limit}"),
            (None, None) => match self.text() {
                Some(text) => write!(f, ": \"{text}\""),
                None => Ok(()),
            },
        }
    }
}
