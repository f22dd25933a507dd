//! NOTIFICATION (RFC 4271 §4.5): code, subcode, data; also *the* error type of wire and session.
//!
//! Codes and subcodes stay numbers, so that one we do not know survives being received and shown;
//! the table below gives the known ones their names, `text` reads what the data of a Cease says.

mod text;

use bytes::{BufMut, Bytes, BytesMut};

/// Why a session ends, in the protocol's own terms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notification {
    /// Error code.
    pub code: u8,
    /// Error subcode; 0 is "unspecific".
    pub subcode: u8,
    /// What the RFCs prescribe for this subcode; often the offending bytes.
    pub data: Bytes,
}

impl Notification {
    /// Without data.
    pub fn new(code: u8, subcode: u8) -> Notification {
        Notification { code, subcode, data: Bytes::new() }
    }

    /// With data.
    pub fn with(code: u8, subcode: u8, data: impl Into<Bytes>) -> Notification {
        Notification { code, subcode, data: data.into() }
    }
}

macro_rules! notifications {
    ($( $konst:ident = ($code:literal, $subcode:literal) $text:literal ; )*) => {
        /// Constructors for the notifications of the RFCs, without data.
        impl Notification {
            $(
                #[doc = $text]
                pub const $konst: Notification =
                    Notification { code: $code, subcode: $subcode, data: Bytes::new() };
            )*

            fn name(&self) -> Option<&'static str> {
                match (self.code, self.subcode) {
                    $( ($code, $subcode) => Some($text), )*
                    _ => None,
                }
            }
        }
    };
}

notifications! {
    HEADER_UNSPECIFIC = (1, 0) "message header error";
    NOT_SYNCHRONIZED = (1, 1) "connection not synchronized";
    BAD_LENGTH = (1, 2) "bad message length";
    BAD_TYPE = (1, 3) "bad message type";
    OPEN_UNSPECIFIC = (2, 0) "OPEN message error";
    UNSUPPORTED_VERSION = (2, 1) "unsupported version number";
    BAD_PEER_AS = (2, 2) "bad peer AS";
    BAD_BGP_IDENTIFIER = (2, 3) "bad BGP identifier";
    UNSUPPORTED_PARAMETER = (2, 4) "unsupported optional parameter";
    UNACCEPTABLE_HOLD_TIME = (2, 6) "unacceptable hold time";
    UNSUPPORTED_CAPABILITY = (2, 7) "unsupported capability";
    ROLE_MISMATCH = (2, 11) "role mismatch";
    UPDATE_UNSPECIFIC = (3, 0) "UPDATE message error";
    MALFORMED_ATTRIBUTE_LIST = (3, 1) "malformed attribute list";
    UNRECOGNIZED_WELL_KNOWN = (3, 2) "unrecognized well-known attribute";
    MISSING_WELL_KNOWN = (3, 3) "missing well-known attribute";
    ATTRIBUTE_FLAGS = (3, 4) "attribute flags error";
    ATTRIBUTE_LENGTH = (3, 5) "attribute length error";
    INVALID_ORIGIN = (3, 6) "invalid ORIGIN attribute";
    INVALID_NEXT_HOP = (3, 8) "invalid NEXT_HOP attribute";
    OPTIONAL_ATTRIBUTE = (3, 9) "optional attribute error";
    INVALID_NETWORK = (3, 10) "invalid network field";
    MALFORMED_AS_PATH = (3, 11) "malformed AS_PATH";
    HOLD_TIMER_EXPIRED = (4, 0) "hold timer expired";
    FSM_UNSPECIFIC = (5, 0) "finite state machine error";
    FSM_IN_OPEN_SENT = (5, 1) "unexpected message in OpenSent state";
    FSM_IN_OPEN_CONFIRM = (5, 2) "unexpected message in OpenConfirm state";
    FSM_IN_ESTABLISHED = (5, 3) "unexpected message in Established state";
    CEASE_UNSPECIFIC = (6, 0) "cease";
    CEASE_MAX_PREFIXES = (6, 1) "maximum number of prefixes reached";
    CEASE_SHUTDOWN = (6, 2) "administrative shutdown";
    CEASE_DECONFIGURED = (6, 3) "peer de-configured";
    CEASE_RESET = (6, 4) "administrative reset";
    CEASE_REJECTED = (6, 5) "connection rejected";
    CEASE_CONFIG_CHANGE = (6, 6) "other configuration change";
    CEASE_COLLISION = (6, 7) "connection collision resolution";
    CEASE_RESOURCES = (6, 8) "out of resources";
    CEASE_HARD_RESET = (6, 9) "hard reset";
    CEASE_BFD_DOWN = (6, 10) "BFD down";
    REFRESH_UNSPECIFIC = (7, 0) "ROUTE-REFRESH message error";
    REFRESH_BAD_LENGTH = (7, 1) "invalid ROUTE-REFRESH length";
    SEND_HOLD_EXPIRED = (8, 0) "send hold timer expired";
}

impl Notification {
    /// Reads the body of a NOTIFICATION message. One too short to have a code is answered by
    /// nobody (RFC 4271 §6.4: no NOTIFICATION for a NOTIFICATION), so it reads as 0/0.
    pub fn read(body: &[u8]) -> Notification {
        Notification {
            code: body.first().copied().unwrap_or(0),
            subcode: body.get(1).copied().unwrap_or(0),
            data: Bytes::copy_from_slice(body.get(2..).unwrap_or(&[])),
        }
    }

    /// Appends the whole message, header included.
    pub fn put(&self, out: &mut BytesMut) {
        // The data is cut so that the message stays within 4096 octets (RFC 4271 §4).
        let data = self.data.get(..4075).unwrap_or(&self.data);
        out.put_bytes(0xff, 16);
        out.put_u16(u16::try_from(21 + data.len()).unwrap_or(21));
        out.put_u8(3);
        out.put_u8(self.code);
        out.put_u8(self.subcode);
        out.put_slice(data);
    }
}

impl std::error::Error for Notification {}

#[cfg(test)]
#[path = "notification_tests.rs"]
mod tests;
