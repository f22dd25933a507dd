//! One spelling for what five programs spell in five ways.

use super::Role;
use crate::Family;

/// "ipv4", "ipv6".
pub(super) fn family(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}

/// A role as BIRD, FRR and OpenBGPD have it but for the names of route servers.
pub(super) fn role(role: Role, server: &'static str, client: &'static str) -> &'static str {
    match role {
        Role::Provider => "provider",
        Role::Customer => "customer",
        Role::Peer => "peer",
        Role::RouteServer => server,
        Role::RouteServerClient => client,
    }
}

/// A standard community as two numbers, also when the program has a name for it.
pub(super) fn community(text: &str) -> String {
    let plain: String =
        text.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let low = match plain.as_str() {
        "gracefulshutdown" | "gshut" => 0,
        "llgrstale" => 6,
        "nollgr" => 7,
        "blackhole" => 666,
        "noexport" => 65281,
        "noadvertise" => 65282,
        "noexportsubconfed" | "localas" => 65283,
        "nopeer" => 65284,
        _ => return text.to_owned(),
    };
    format!("65535:{low}")
}

/// The same of 32 bits.
pub(super) fn community_of(value: u64) -> String {
    format!("{}:{}", value >> 16, value & 0xffff)
}

/// An extended community: "RT:64512:1", "rt 64512:1", "target:64512:1" → "rt:64512:1".
pub(super) fn extended(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase().replace(' ', ":");
    match text.strip_prefix("target:") {
        Some(rest) => format!("rt:{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_become_one() {
        for text in ["no-export", "NO_EXPORT", "noExport"] {
            assert_eq!(community(text), "65535:65281");
        }
        assert_eq!(community("64512:7"), "64512:7");
        assert_eq!(community_of(4_227_072_007), "64500:7");
        for text in ["RT:64500:9", "rt 64500:9", "target:64500:9"] {
            assert_eq!(extended(text), "rt:64500:9");
        }
    }
}
