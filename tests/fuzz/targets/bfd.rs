//! BFD (`bfd::packet`, `bfd::session`): what is read is written back the same, and a session takes
//! any sequence of packets and moments without breaking what its pump relies on.
//!
//! Input: records of one octet, by how many 4 ms time goes on, and 24 of a packet.
#![no_main]

use std::num::NonZeroU32;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use starling_bgp::bfd::{Config, Packet, Role, Session};
use starling_bgp::msg::{BfdIn, BfdOut};
use starling_bgp::types::Time;

const LEN: usize = starling_bgp::bfd::packet::LEN;

fuzz_target!(|input: &[u8]| {
    let config = Config { interval: Duration::from_millis(300), multiplier: 3, role: Role::Active };
    let number = NonZeroU32::new(5).unwrap();
    let mut now = Time::ZERO;
    let mut session = Session::new(now, config, number, 1);
    let (mut out, mut up) = (Vec::new(), false);
    for record in input.chunks(1 + LEN) {
        let (after, octets) = record.split_first().unwrap();
        now = now.after(Duration::from_millis(u64::from(*after) * 4));
        session.handle(now, BfdIn::Tick, &mut out);
        assert!(session.next_deadline().is_none_or(|at| at > now), "overdue");
        if let Ok(packet) = Packet::read(octets) {
            assert_eq!(packet.bytes(), octets[..LEN]);
            // Most of the random numbers are of no session; this one is of ours.
            let packet =
                Packet { your_discriminator: packet.your_discriminator.map(|_| number), ..packet };
            session.handle(now, BfdIn::Received(packet), &mut out);
        }
        for out in out.drain(..) {
            match out {
                BfdOut::Send(packet) => {
                    assert_eq!(Packet::read(&packet.bytes()), Ok(packet));
                    assert!(!(packet.poll && packet.finish));
                }
                BfdOut::Up => assert!(!std::mem::replace(&mut up, true)),
                BfdOut::Down(_) => assert!(std::mem::replace(&mut up, false)),
            }
        }
    }
});
