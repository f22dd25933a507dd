//! Socket options of BGP's connections: signatures (RFC 2385, RFC 5925), hops (RFC 5082), the
//! class of its packets, and how soon the kernel gives a dead path up.
//!
//! What socket2 knows is asked of socket2. What it does not (keys, the least TTL, the SYN of a
//! caller) goes through two functions here, most of the program's `unsafe`: the option's value is
//! built as the octets of `linux/tcp.h`, which the kernel copies.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use ipnet::IpNet;
use socket2::SockRef;
use starling_config::transport::{AoAlgorithm, AoKey, Hops, Key, Transport};

/// CS6, internetwork control (RFC 4594 §3.2), as the octet that has been called TOS and DSCP.
const CLASS: u32 = 0xc0;
/// An IPv4 or IPv6 packet that no router has touched.
const FRESH: u32 = 255;

/// Since Linux 6.7; libc has no names for them.
const TCP_AO_ADD_KEY: libc::c_int = 38;
const TCP_AO_DEL_KEY: libc::c_int = 39;
/// The 96 bits of both algorithms.
const MAC_LEN: u8 = 12;

/// Prepares a listening socket: its SYN-ACKs pass a caller's TTL security, and the SYN of each
/// caller is kept for [`hops_of_caller`].
///
/// # Errors
/// The operating system's.
pub fn listening(socket: &impl AsFd, ipv6: bool) -> io::Result<()> {
    let options = SockRef::from(socket);
    if ipv6 {
        options.set_unicast_hops_v6(FRESH)?;
        options.set_tclass_v6(CLASS)?;
    }
    // A socket of both families has IPv4's options too, and one of IPv6 alone does not mind.
    options.set_ttl_v4(FRESH)?;
    options.set_tos_v4(CLASS)?;
    set(socket, libc::IPPROTO_TCP, libc::TCP_SAVE_SYN, &1_i32.to_ne_bytes())
}

/// Prepares a socket for the connection with `remote`, before or after it stands. `patience`: how
/// long sent data may stay unanswered before the connection counts as dead; zero: as long as the
/// kernel likes.
///
/// # Errors
/// The operating system's, with the option that it is about; for an option that the kernel does
/// not have, what is missing.
pub fn connection(
    socket: &impl AsFd,
    remote: SocketAddr,
    transport: &Transport,
    patience: Duration,
) -> io::Result<()> {
    let options = SockRef::from(socket);
    let said = |what: &'static str| move |error| about(what, error);
    match remote.ip().to_canonical() {
        IpAddr::V4(_) => options.set_tos_v4(CLASS).map_err(said("IP_TOS"))?,
        IpAddr::V6(_) => options.set_tclass_v6(CLASS).map_err(said("IPV6_TCLASS"))?,
    }
    hops(socket, remote.ip().to_canonical(), transport.hops)?;
    if let Some(interface) = &transport.interface {
        options
            .bind_device(Some(interface.as_bytes()))
            .map_err(|error| about(&format!("interface {interface}"), error))?;
    }
    if !patience.is_zero() {
        options.set_tcp_user_timeout(Some(patience)).map_err(said("TCP_USER_TIMEOUT"))?;
    }
    match &transport.key {
        None => Ok(()),
        Some(key) => add_key(socket, &KeyScope::of_socket(remote), key),
    }
}

/// Both ends' TTL.
fn hops(socket: &impl AsFd, remote: IpAddr, hops: Hops) -> io::Result<()> {
    // The kernel's own choice has to be asked for: a connection that was accepted has the
    // listening socket's.
    let ours = hops.ttl().map_or(-1, i32::from).to_ne_bytes();
    let least = i32::from(hops.least_ttl().unwrap_or(0)).to_ne_bytes();
    let (level, ttl, least_ttl) = match remote {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TTL, libc::IP_MINTTL),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, libc::IPV6_MINHOPCOUNT),
    };
    set(socket, level, ttl, &ours)
        .and_then(|()| set(socket, level, least_ttl, &least))
        .map_err(|error| about("the TTL", error))
}

/// How many hops the SYN of a connection came over, if it was sent with TTL 255; `None`: the
/// kernel has not kept it (SYN cookies, or asked for the second time).
pub fn hops_of_caller(socket: &impl AsFd) -> Option<u8> {
    // Sixty octets of IPv4's header, or forty of IPv6's and what follows, are more than enough.
    let mut packet = [0; 512];
    let length = get(socket, libc::IPPROTO_TCP, libc::TCP_SAVED_SYN, &mut packet).ok()?;
    let packet = packet.get(..length)?;
    let ttl = match packet.first()? >> 4 {
        4 => *packet.get(8)?,
        6 => *packet.get(7)?,
        _ => return None,
    };
    Some((255 - ttl).saturating_add(1))
}

/// For how long nothing was acknowledged (tcpi_last_ack_recv), while something waits for that
/// (tcpi_unacked).
///
/// # Errors
/// The operating system's.
pub fn unacknowledged(socket: &impl AsFd) -> io::Result<Option<Duration>> {
    // The part of `struct tcp_info` that every kernel has.
    let mut info = [0; 104];
    let length = get(socket, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info)?;
    let info = info.get(..length).unwrap_or_default();
    let number = |at: usize| info.get(at..).and_then(|rest| rest.first_chunk());
    let (Some(unacked), Some(last)) = (number(24), number(56)) else { return Ok(None) };
    let (unacked, last) = (u32::from_ne_bytes(*unacked), u32::from_ne_bytes(*last));
    Ok((unacked > 0).then(|| Duration::from_millis(last.into())))
}

/// Whether the other end has said that nothing more comes (FIN) or that it knows nothing of the
/// connection (RST), also where that, or what came before it, was not read yet (tcpi_state).
///
/// # Errors
/// The operating system's.
pub fn is_ended(socket: &impl AsFd) -> io::Result<bool> {
    /// Of `linux/tcp_states.h`; libc has no names for them on every target.
    const CLOSE: u8 = 7;
    const CLOSE_WAIT: u8 = 8;
    let mut info = [0; 1];
    get(socket, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info)?;
    Ok([CLOSE, CLOSE_WAIT].contains(&info[0]))
}

/// Whose segments a key signs: those of these addresses, as the socket's family writes them.
#[derive(Clone, Copy, Debug)]
pub struct KeyScope {
    net: IpNet,
    /// The socket is of IPv6, so that IPv4 addresses are mapped (RFC 4291 §2.5.5.2).
    mapped: bool,
}

impl KeyScope {
    /// Those of `net`, on a socket of IPv6 or not; `None`: such a socket never meets them.
    pub fn on(net: IpNet, ipv6: bool) -> Option<KeyScope> {
        match (net, ipv6) {
            (IpNet::V6(_), false) => None,
            _ => Some(KeyScope { net, mapped: ipv6 }),
        }
    }

    /// That of the other end. Accepted connections of IPv4 may be on sockets of IPv6, and their
    /// address then says so.
    fn of_socket(remote: SocketAddr) -> KeyScope {
        KeyScope { net: IpNet::from(remote.ip().to_canonical()), mapped: remote.is_ipv6() }
    }

    /// A `sockaddr_storage`: family, no port, address.
    fn octets(&self) -> [u8; 128] {
        let mut octets = [0; 128];
        let (family, at, address) = match self.net.addr() {
            IpAddr::V4(v4) if !self.mapped => (libc::AF_INET, 4, v4.octets().to_vec()),
            IpAddr::V4(v4) => (libc::AF_INET6, 8, v4.to_ipv6_mapped().octets().to_vec()),
            IpAddr::V6(v6) => (libc::AF_INET6, 8, v6.octets().to_vec()),
        };
        put(&mut octets, 0, &u16::try_from(family).unwrap_or(0).to_ne_bytes());
        put(&mut octets, at, &address);
        octets
    }

    fn is_one_address(&self) -> bool {
        self.net.prefix_len() == self.net.max_prefix_len()
    }
}

/// Makes a socket sign what goes to `whom`, and hear nothing unsigned from there. On a listening
/// socket that is inherited by what it accepts. A key that is there already is replaced.
///
/// # Errors
/// What the kernel does not offer, or its own words.
pub fn add_key(socket: &impl AsFd, whom: &KeyScope, key: &Key) -> io::Result<()> {
    match key {
        Key::Md5(secret) => md5(socket, whom, secret.octets()),
        Key::Ao(key) => add_ao(socket, whom, key),
    }
}

/// Ends that.
///
/// # Errors
/// The kernel's words; there being no such key is none.
pub fn remove_key(socket: &impl AsFd, whom: &KeyScope, key: &Key) -> io::Result<()> {
    let result = match key {
        Key::Md5(_) => md5(socket, whom, &[]),
        Key::Ao(key) => set(socket, libc::IPPROTO_TCP, TCP_AO_DEL_KEY, &tcp_ao_del(whom, key)),
    };
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}

/// An empty key removes the one that is there.
fn md5(socket: &impl AsFd, whom: &KeyScope, key: &[u8]) -> io::Result<()> {
    // The older option takes no prefix length and is all that a single address needs.
    let option = match whom.is_one_address() {
        true => libc::TCP_MD5SIG,
        false => libc::TCP_MD5SIG_EXT,
    };
    set(socket, libc::IPPROTO_TCP, option, &tcp_md5sig(whom, key)).map_err(|error| {
        match error.raw_os_error() {
            Some(libc::ENOPROTOOPT) => missing("TCP MD5", "CONFIG_TCP_MD5SIG"),
            Some(libc::ENOENT) if key.is_empty() => error,
            _ => about("TCP MD5", error),
        }
    })
}

/// `struct tcp_md5sig`: address, flags, prefix length, key length, interface, key.
fn tcp_md5sig(whom: &KeyScope, key: &[u8]) -> [u8; 216] {
    /// TCP_MD5SIG_FLAG_PREFIX.
    const PREFIX: u8 = 1;
    let mut octets = [0; 216];
    put(&mut octets, 0, &whom.octets());
    if !whom.is_one_address() {
        put(&mut octets, 128, &[PREFIX, whom.net.prefix_len()]);
    }
    put(&mut octets, 130, &u16::try_from(key.len()).unwrap_or(0).to_ne_bytes());
    put(&mut octets, 136, key);
    octets
}

fn add_ao(socket: &impl AsFd, whom: &KeyScope, key: &AoKey) -> io::Result<()> {
    match set(socket, libc::IPPROTO_TCP, TCP_AO_ADD_KEY, &tcp_ao_add(whom, key)) {
        // What was accepted has it from the listening socket.
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        Err(error) => Err(match error.raw_os_error() {
            Some(libc::ENOPROTOOPT) => missing("TCP-AO", "CONFIG_TCP_AO, Linux 6.7 or later"),
            Some(libc::ENOENT) => missing("TCP-AO's algorithm", &key.algorithm.to_string()),
            _ => about("TCP-AO", error),
        }),
        Ok(()) => Ok(()),
    }
}

/// `struct tcp_ao_add`: address, algorithm, interface, flags, padding, prefix length, ids, length
/// of the signature, key flags, key length, key.
fn tcp_ao_add(whom: &KeyScope, key: &AoKey) -> [u8; 288] {
    let algorithm = match key.algorithm {
        AoAlgorithm::HmacSha1 => "hmac(sha1)",
        AoAlgorithm::AesCmac => "cmac(aes128)",
    };
    let secret = key.secret.octets();
    let mut octets = [0; 288];
    put(&mut octets, 0, &whom.octets());
    put(&mut octets, 128, algorithm.as_bytes());
    put(&mut octets, 202, &[whom.net.prefix_len(), key.send_id, key.receive_id, MAC_LEN]);
    put(&mut octets, 207, &[u8::try_from(secret.len()).unwrap_or(0)]);
    put(&mut octets, 208, secret);
    octets
}

/// `struct tcp_ao_del`: address, interface, flags, padding, prefix length, ids.
fn tcp_ao_del(whom: &KeyScope, key: &AoKey) -> [u8; 144] {
    let mut octets = [0; 144];
    put(&mut octets, 0, &whom.octets());
    put(&mut octets, 138, &[whom.net.prefix_len(), key.send_id, key.receive_id]);
    octets
}

/// Writes `part` at `at`; the places above are within their structures.
fn put(octets: &mut [u8], at: usize, part: &[u8]) {
    if let Some(place) = octets.get_mut(at..at + part.len()) {
        place.copy_from_slice(part);
    }
}

fn about(what: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

fn missing(what: &str, needs: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("this kernel has no {what} ({needs})"))
}

#[expect(unsafe_code, reason = "options that no crate knows")]
fn set(socket: &impl AsFd, level: i32, option: i32, value: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).unwrap_or(0);
    // SAFETY: the descriptor is open for as long as the borrow of `socket`, and the kernel reads
    // `length` octets at `value`, which are there, and keeps no pointer to them.
    let result = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, value.as_ptr().cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How much of `value` the kernel wrote.
#[expect(unsafe_code, reason = "options that no crate knows")]
fn get(socket: &impl AsFd, level: i32, option: i32, value: &mut [u8]) -> io::Result<usize> {
    let mut length = libc::socklen_t::try_from(value.len()).unwrap_or(0);
    // SAFETY: as above; the kernel writes at most `length` octets to `value`, which are ours and
    // of which every value is valid, and how many into `length`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(length as usize) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
#[path = "sockopt_tests.rs"]
mod tests;
