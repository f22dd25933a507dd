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
    let expected =
        ["ipv6", "route-refresh", "graceful-restart 120 s ipv4", "four-octet-as 65536", "fqdn gw0"];
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
        (&[70, 0][..], "enhanced-route-refresh"),
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
