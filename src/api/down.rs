//! What keeps a session from being up, or has ended it, in one word for programs.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! causes {
    ($( $cause:ident = $word:literal, $ends:literal, $doc:literal; )*) => {
        /// What keeps a session from being up, or has ended it. The sentence for people beside it
        /// says who ended it, and more.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum DownCause {
            $( #[doc = $doc] #[serde(rename = $word)] $cause, )*
        }

        impl DownCause {
            /// All there are.
            pub const ALL: &[DownCause] = &[$( DownCause::$cause, )*];

            /// The word.
            pub fn word(self) -> &'static str {
                match self { $( DownCause::$cause => $word, )* }
            }

            /// Whether a session that was up may end by it.
            pub fn ends_sessions(self) -> bool {
                match self { $( DownCause::$cause => $ends, )* }
            }
        }
    };
}

causes! {
    Held = "held", false, "`bgpctl neighbor NAME down`.";
    Connecting = "connecting", false, "Nothing has failed yet.";
    NeverCalled = "never_called", false, "We are passive, and the neighbour has not called.";
    AddressAbsent = "address_absent", false, "Our address of the session is on no interface.";
    InterfaceAbsent = "interface_absent", false, "The interface that it is bound to is not there.";
    Refused = "connection_refused", false, "The neighbour's host is there, and nothing listens.";
    NoRoute = "no_route", false, "This host knows no way to the neighbour.";
    HostUnreachable = "host_unreachable", false,
        "A router on the way, or nobody on the wire, knows the neighbour.";
    NoAnswer = "no_answer", false, "Nothing comes back.";
    NoAnswerKeyed = "no_answer_keyed", false,
        "Nothing comes back, and a key is set: the neighbour's may be another.";
    ConnectFailed = "connect_failed", false, "The connection cannot be made for another reason.";
    AsMismatch = "as_mismatch", false, "The AS numbers of the two configurations differ.";
    IdentifierClash = "identifier_clash", false, "The BGP identifiers are the same, or one is 0.";
    HoldTimeRefused = "hold_time_refused", false, "One side's hold time is not the other's.";
    RoleMismatch = "role_mismatch", false, "The roles do not fit (RFC 9234).";
    OpenRefused = "open_refused", false, "An OPEN was refused for another reason.";
    ProtocolError = "protocol_error", true, "A message was malformed, or came out of turn.";
    HoldExpired = "hold_expired", true, "Nothing was heard for the hold time.";
    SendHoldExpired = "send_hold_expired", true, "Nothing was taken of what was sent (RFC 9687).";
    PrefixLimit = "prefix_limit", true, "There were more prefixes than allowed.";
    Shutdown = "shutdown", true, "One side stops (Cease, Administrative Shutdown).";
    Deconfigured = "deconfigured", true, "One side has no such neighbour any more.";
    Reset = "reset", true, "One side begins it anew (Cease, Administrative Reset).";
    Rejected = "rejected", true, "The other side does not know this node.";
    ConfigChanged = "config_changed", true, "A setting changed that takes a new session.";
    Collision = "collision", true, "There were two connections.";
    OutOfResources = "out_of_resources", true, "One side has no room.";
    Ceased = "ceased", true, "One side ended it without saying why.";
    BfdDown = "bfd_down", true, "BFD hears nothing any more.";
    LinkDown = "link_down", true, "The interface that leads there is dead.";
    HostGone = "host_gone", true, "The neighbour's host acknowledges nothing.";
    ConnectionLost = "connection_lost", true, "The connection broke.";
}

impl fmt::Display for DownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
