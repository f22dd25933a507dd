//! How the connection under a session is made and protected: whose packets count.
//!
//! What is here goes into socket options, not into OPEN: the neighbour cannot be told, it must be
//! configured alike.

use std::fmt;

use crate::secret::Secret;

/// The connection under a session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transport {
    /// What every segment is signed with; `None`: with nothing, and signed ones are not heard.
    pub key: Option<Key>,
    /// How far away the neighbour may be.
    pub hops: Hops,
    /// The interface that the session is bound to. Link-local neighbours always have one.
    pub interface: Option<String>,
}

/// What segments are signed with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Key {
    /// TCP MD5 (RFC 2385).
    Md5(Secret),
    /// TCP-AO (RFC 5925).
    Ao(AoKey),
}

/// A master key tuple of TCP-AO (RFC 5925 §3.1); the other end has it with its ids swapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AoKey {
    /// The master key.
    pub secret: Secret,
    /// What makes traffic keys and signatures of it.
    pub algorithm: AoAlgorithm,
    /// KeyID of what we send.
    pub send_id: u8,
    /// KeyID of what comes.
    pub receive_id: u8,
}

/// The algorithms that every TCP-AO must have (RFC 5926 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AoAlgorithm {
    /// HMAC-SHA-1-96 with KDF_HMAC_SHA1.
    HmacSha1,
    /// AES-128-CMAC-96 with KDF_AES_128_CMAC.
    AesCmac,
}

impl fmt::Display for AoAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AoAlgorithm::HmacSha1 => "hmac-sha-1-96",
            AoAlgorithm::AesCmac => "aes-128-cmac-96",
        })
    }
}

/// How far away a neighbour may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hops {
    /// Wherever the kernel's own TTL reaches.
    #[default]
    Any,
    /// Our packets get so far: they are sent with this TTL.
    Multihop(u8),
    /// Its packets came over at most so many hops, which nobody farther away can pretend (GTSM,
    /// RFC 5082): both ends send with TTL 255.
    Security(u8),
}

impl Hops {
    /// The TTL of what we send; `None`: the kernel's.
    pub fn ttl(self) -> Option<u8> {
        match self {
            Hops::Any => None,
            Hops::Multihop(hops) => Some(hops),
            Hops::Security(_) => Some(255),
        }
    }

    /// The least TTL that is heard; `None`: any.
    pub fn least_ttl(self) -> Option<u8> {
        match self {
            Hops::Security(hops) => Some(255 - hops.saturating_sub(1)),
            Hops::Any | Hops::Multihop(_) => None,
        }
    }
}

impl fmt::Display for Hops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hops::Any => f.write_str("any"),
            Hops::Multihop(hops) => write!(f, "multihop {hops}"),
            Hops::Security(hops) => write!(f, "ttl-security {hops}"),
        }
    }
}
