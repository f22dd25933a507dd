//! The BFD Control packet (RFC 5880 §4.1): read as strictly as §6.8.6 asks of a receiver that
//! uses no authentication, and written.

use std::fmt;
use std::num::NonZeroU32;

/// Without the authentication section, which we neither send nor take.
pub const LEN: usize = 24;

const VERSION: u8 = 1;
const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const INDEPENDENT: u8 = 0x08;
const AUTHENTICATED: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// A session's state, as the wire counts them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// Held down by an operator.
    AdminDown,
    /// The neighbour is not heard, or has just become so.
    Down,
    /// The neighbour is heard; whether it hears us is open.
    Init,
    /// Both hear each other.
    Up,
}

impl State {
    /// All, in the order of their numbers.
    pub const ALL: [State; 4] = [State::AdminDown, State::Down, State::Init, State::Up];

    fn bits(self) -> u8 {
        match self {
            State::AdminDown => 0,
            State::Down => 0x40,
            State::Init => 0x80,
            State::Up => 0xc0,
        }
    }

    fn from_bits(octet: u8) -> State {
        match octet & 0xc0 {
            0 => State::AdminDown,
            0x40 => State::Down,
            0x80 => State::Init,
            _ => State::Up,
        }
    }
}

/// Why a session left Up, or was kept from it: a number below 32, names for those of §4.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Diag(u8);

impl Diag {
    /// Nothing to tell.
    pub const NONE: Diag = Diag(0);
    /// Nothing was heard for the detection time.
    pub const DETECTION_TIME_EXPIRED: Diag = Diag(1);
    /// The other end went down first.
    pub const NEIGHBOUR_SIGNALLED_DOWN: Diag = Diag(3);
    /// An operator did it.
    pub const ADMINISTRATIVELY_DOWN: Diag = Diag(7);

    /// The number on the wire.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Diag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "no diagnostic",
            1 => "control detection time expired",
            2 => "echo function failed",
            3 => "neighbour signalled session down",
            4 => "forwarding plane reset",
            5 => "path down",
            6 => "concatenated path down",
            7 => "administratively down",
            8 => "reverse concatenated path down",
            number => return write!(f, "diagnostic {number}"),
        })
    }
}

/// One packet. Intervals are microseconds, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Why the sender's session last left Up.
    pub diag: Diag,
    /// The state of the sender's session.
    pub state: State,
    /// P: the sender wants a packet with F at once.
    pub poll: bool,
    /// F: the answer to P.
    pub finish: bool,
    /// C: the sender's BFD does not share the fate of its control plane.
    pub independent: bool,
    /// D: the sender would rather have no periodic packets.
    pub demand: bool,
    /// So many of the sender's intervals of silence are a loss; never 0.
    pub multiplier: u8,
    /// The sender's number of this session.
    pub my_discriminator: NonZeroU32,
    /// The receiver's number of it; `None`: the sender knows it not (yet).
    pub your_discriminator: Option<NonZeroU32>,
    /// The sender will send no faster.
    pub desired_min_tx: u32,
    /// The sender can take packets no faster; 0: it wants none.
    pub required_min_rx: u32,
    /// How fast the sender would take echoes; 0: none.
    pub required_min_echo_rx: u32,
}

/// Why octets are no packet of ours. Nobody is answered; a count for operators is all it makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Shorter than its header, or than its Length field.
    Short,
    /// Another version than 1.
    Version,
    /// Length is too small for what it must hold.
    Length,
    /// Detect Mult is 0.
    Multiplier,
    /// The M bit, which must be zero.
    Multipoint,
    /// My Discriminator is 0.
    MyDiscriminator,
    /// Your Discriminator is 0 in a state that only who knows it can be in.
    YourDiscriminator,
    /// It is authenticated, and no session of ours is.
    Authenticated,
}

impl Packet {
    /// Reads the payload of a UDP datagram; octets behind Length are ignored.
    ///
    /// # Errors
    /// What §6.8.6 says to discard, in its order.
    pub fn read(payload: &[u8]) -> Result<Packet, Malformed> {
        let (head, _) = payload.split_first_chunk::<LEN>().ok_or(Malformed::Short)?;
        let [first, flags, multiplier, length, words @ ..] = *head;
        if first >> 5 != VERSION {
            return Err(Malformed::Version);
        }
        let least = if flags & AUTHENTICATED == 0 { LEN } else { LEN + 2 };
        if usize::from(length) < least {
            return Err(Malformed::Length);
        }
        if usize::from(length) > payload.len() {
            return Err(Malformed::Short);
        }
        if multiplier == 0 {
            return Err(Malformed::Multiplier);
        }
        if flags & MULTIPOINT != 0 {
            return Err(Malformed::Multipoint);
        }
        let mut words = words.chunks_exact(4).map(|word| match *word {
            [a, b, c, d] => u32::from_be_bytes([a, b, c, d]),
            _ => 0,
        });
        let mut word = || words.next().unwrap_or_default();
        let my_discriminator = NonZeroU32::new(word()).ok_or(Malformed::MyDiscriminator)?;
        let your_discriminator = NonZeroU32::new(word());
        let state = State::from_bits(flags);
        if your_discriminator.is_none() && !matches!(state, State::Down | State::AdminDown) {
            return Err(Malformed::YourDiscriminator);
        }
        if flags & AUTHENTICATED != 0 {
            return Err(Malformed::Authenticated);
        }
        Ok(Packet {
            diag: Diag(first & 0x1f),
            state,
            poll: flags & POLL != 0,
            finish: flags & FINAL != 0,
            independent: flags & INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            multiplier,
            my_discriminator,
            your_discriminator,
            desired_min_tx: word(),
            required_min_rx: word(),
            required_min_echo_rx: word(),
        })
    }

    /// The octets.
    pub fn bytes(&self) -> [u8; LEN] {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = self.state.bits()
            | flag(self.poll, POLL)
            | flag(self.finish, FINAL)
            | flag(self.independent, INDEPENDENT)
            | flag(self.demand, DEMAND);
        let words = [
            u32::from_be_bytes([VERSION << 5 | self.diag.0, flags, self.multiplier, 24]),
            self.my_discriminator.get(),
            self.your_discriminator.map_or(0, NonZeroU32::get),
            self.desired_min_tx,
            self.required_min_rx,
            self.required_min_echo_rx,
        ];
        let mut bytes = [0; LEN];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
