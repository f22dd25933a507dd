use proptest::prelude::*;

use super::*;

fn encoded(list: &[Capability]) -> Vec<u8> {
    let mut out = BytesMut::new();
    list.iter().for_each(|capability| capability.put(&mut out));
    out.to_vec()
}

#[test]
fn known_bytes() {
    let bytes = [
        1, 4, 0, 2, 0, 1, // ipv6 unicast
        2, 0, // route refresh
        64, 6, 0x80, 120, 0, 1, 1, 0x80, // restarting, 120 s, ipv4 unicast kept
        65, 4, 0, 1, 0, 0, // AS 65536
        73, 5, 3, b'g', b'w', b'0', 0, // fqdn
    ];
    let list = Capability::read_all(&bytes).unwrap();
    assert_eq!(encoded(&list), bytes);
    let words: Vec<String> = list.iter().map(Capability::to_string).collect();
    let expected = [
        "ipv6",
        "route-refresh",
        "graceful-restart 120 s, restarting, ipv4 (preserved)",
        "four-octet-as 65536",
        "fqdn gw0",
    ];
    assert_eq!(words, expected);
}

#[test]
fn known_bytes_of_what_a_session_may_use() {
    let bytes = [
        5, 6, 0, 1, 0, 1, 0, 2, // RFC 8950: ipv4 unicast via ipv6
        6, 0, // RFC 8654
        9, 1, 3, // RFC 9234: customer
        64, 2, 0x40, 0, // RFC 8538: notification, nothing kept
        69, 8, 0, 1, 1, 1, 0, 2, 1, 3, // RFC 7911: ipv4 receive, ipv6 both
        70, 0, // RFC 7313
        71, 7, 0, 1, 1, 0x80, 0, 0x0e, 0x10, // RFC 9494: ipv4 for an hour
    ];
    let list = Capability::read_all(&bytes).unwrap();
    assert_eq!(encoded(&list), bytes);
    let words: Vec<String> = list.iter().map(Capability::to_string).collect();
    let expected = [
        "extended-next-hop ipv4 via ipv6",
        "extended-message",
        "role customer",
        "graceful-restart 0 s, notification, no family",
        "add-path ipv4 receive ipv6 both",
        "enhanced-route-refresh",
        "long-lived-graceful-restart ipv4 3600 s",
    ];
    assert_eq!(words, expected);
}

#[test]
fn lengths_must_add_up() {
    for bad in [&[1][..], &[1, 4, 0, 1, 0], &[2, 0, 9], &[65, 3, 0, 0, 1], &[1, 5, 0, 1, 0, 1, 0]] {
        assert_eq!(Capability::read_all(bad), Err(Notification::OPEN_UNSPECIFIC), "{bad:?}");
    }
}

#[test]
fn what_we_cannot_use_is_kept() {
    for (bytes, words) in [
        (&[70, 1, 0][..], "enhanced-route-refresh (unreadable)"),
        (&[69, 4, 0, 1, 1, 4], "add-path (unreadable)"),
        (&[5, 5, 0, 1, 0, 1, 0], "extended-next-hop (unreadable)"),
        (&[9, 0], "role (unreadable)"),
        (&[71, 6, 0, 1, 1, 0, 0, 1], "long-lived-graceful-restart (unreadable)"),
        (&[2, 1, 7], "code 2 (1 octets)"),
        (&[64, 1, 0], "graceful-restart (unreadable)"),
        (&[200, 2, 1, 2], "code 200 (2 octets)"),
        (&[73, 2, 1, 27], "fqdn (2 octets)"),
        (&[1, 4, 0, 1, 0, 4], "multiprotocol 1/4"),
    ] {
        let list = Capability::read_all(bytes).unwrap();
        assert_eq!(encoded(&list), bytes);
        assert_eq!(list[0].to_string(), words);
    }
}

proptest! {
    #[test]
    fn whatever_reads_is_written_back(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(list) = Capability::read_all(&bytes) {
            let again = Capability::read_all(&encoded(&list)).unwrap();
            for capability in &list {
                let _ = capability.to_string();
            }
            prop_assert_eq!(list, again);
        }
    }
}
