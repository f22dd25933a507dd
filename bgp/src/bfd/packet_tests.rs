use proptest::prelude::*;

use super::*;

/// A packet as the figure of §4.1 has it, octet by octet.
const UP: [u8; LEN] = [
    0x23, 0xc8, 3, 24, // version 1, diagnostic 3; Up and C; Detect Mult; Length
    0, 0, 0, 7, // My Discriminator
    0, 0, 1, 0, // Your Discriminator
    0, 4, 0x93, 0xe0, // 300 ms
    0, 0x0f, 0x42, 0x40, // 1 s
    0, 0, 0, 0,
];

#[test]
fn every_field_is_where_the_rfc_puts_it() {
    let packet = Packet::read(&UP).unwrap();
    let wanted = Packet {
        diag: Diag::NEIGHBOUR_SIGNALLED_DOWN,
        state: State::Up,
        poll: false,
        finish: false,
        independent: true,
        demand: false,
        multiplier: 3,
        my_discriminator: NonZeroU32::new(7).unwrap(),
        your_discriminator: NonZeroU32::new(256),
        desired_min_tx: 300_000,
        required_min_rx: 1_000_000,
        required_min_echo_rx: 0,
    };
    assert_eq!(packet, wanted);
    assert_eq!(packet.bytes(), UP);
}

#[test]
fn what_the_rfc_discards_is_discarded() {
    let with = |changes: &[(usize, u8)]| {
        let mut bytes = UP.to_vec();
        for (at, octet) in changes {
            bytes[*at] = *octet;
        }
        Packet::read(&bytes).map(drop)
    };
    type Changes = [(usize, u8)];
    let table: &[(&Changes, Result<(), Malformed>)] = &[
        (&[], Ok(())),
        (&[(0, 0x03)], Err(Malformed::Version)),
        (&[(0, 0x43)], Err(Malformed::Version)),
        (&[(3, 23)], Err(Malformed::Length)),
        (&[(3, 25)], Err(Malformed::Short)),
        (&[(1, 0xcc), (3, 25)], Err(Malformed::Length)),
        (&[(2, 0)], Err(Malformed::Multiplier)),
        (&[(1, 0xc9)], Err(Malformed::Multipoint)),
        (&[(7, 0)], Err(Malformed::MyDiscriminator)),
        (&[(10, 0)], Err(Malformed::YourDiscriminator)),
        (&[(10, 0), (1, 0x80)], Err(Malformed::YourDiscriminator)),
        (&[(10, 0), (1, 0x40)], Ok(())),
        (&[(10, 0), (1, 0x00)], Ok(())),
    ];
    for (changes, wanted) in table {
        assert_eq!(with(changes), *wanted, "{changes:?}");
    }
    let mut authenticated = UP.to_vec();
    authenticated[1] |= AUTHENTICATED;
    authenticated[3] = 26;
    authenticated.extend([1, 2]);
    assert_eq!(Packet::read(&authenticated), Err(Malformed::Authenticated));
    for cut in 0..LEN {
        assert_eq!(Packet::read(&UP[..cut]), Err(Malformed::Short), "{cut} octets");
    }
    let longer = [&UP[..], &[9; 40]].concat();
    assert_eq!(Packet::read(&longer), Packet::read(&UP), "what follows Length is not looked at");
}

#[test]
fn diagnostics_have_their_names() {
    assert_eq!(Diag(1).to_string(), "control detection time expired");
    assert_eq!(Diag(31).to_string(), "diagnostic 31");
    assert_eq!(Diag::ADMINISTRATIVELY_DOWN.number(), 7);
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(mut bytes in proptest::array::uniform24(any::<u8>())) {
        // The gates that random octets hardly pass.
        bytes[0] = bytes[0] & 0x1f | 0x20;
        bytes[1] &= !(AUTHENTICATED | MULTIPOINT);
        bytes[3] = 24;
        if let Ok(packet) = Packet::read(&bytes) {
            prop_assert_eq!(packet.bytes(), bytes);
        }
    }
}
