use std::net::{TcpListener, TcpStream};

use starling_config::Config;
use starling_config::secret::Secret;
use starling_config::transport::AoAlgorithm;

use super::*;

/// A key, by the only way there is to one: from a file.
fn secret(text: &str) -> Secret {
    let file = "[cluster]\nasn = 64512\npassword-file = \"key\"\n[[node]]\nname = \"a\"\n\
                address = \"10.1.5.10\"\n";
    match Config::parse(&[("c.toml", file), ("key", text)]).unwrap().mesh_key {
        Some(Key::Md5(secret)) => secret,
        other => panic!("{other:?}"),
    }
}

fn on(net: &str, ipv6: bool) -> KeyScope {
    KeyScope::on(net.parse().unwrap(), ipv6).unwrap()
}

#[test]
fn md5_keys_have_the_kernels_layout() {
    let octets = tcp_md5sig(&on("10.1.5.1/32", false), b"key");
    assert_eq!(octets[..2], u16::try_from(libc::AF_INET).unwrap().to_ne_bytes());
    assert_eq!((&octets[2..4], &octets[4..8]), (&[0, 0][..], &[10, 1, 5, 1][..]));
    assert_eq!(octets[128..130], [0, 0], "one address: no prefix length");
    assert_eq!(octets[130..132], 3_u16.to_ne_bytes());
    assert_eq!(&octets[136..140], b"key\0");
    let octets = tcp_md5sig(&on("10.1.0.0/16", true), b"key");
    assert_eq!(octets[..2], u16::try_from(libc::AF_INET6).unwrap().to_ne_bytes());
    assert_eq!(octets[8..24], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 0, 0]);
    assert_eq!(octets[128..130], [1, 16], "a mapped prefix counts from the IPv4 part");
    assert!(KeyScope::on("fd00::/64".parse().unwrap(), false).is_none());
}

#[test]
fn ao_keys_have_the_kernels_layout() {
    let algorithm = AoAlgorithm::AesCmac;
    let key = AoKey { secret: secret("secret"), algorithm, send_id: 7, receive_id: 8 };
    let octets = tcp_ao_add(&on("fd00::1/128", true), &key);
    assert_eq!(&octets[128..141], b"cmac(aes128)\0");
    assert_eq!(octets[202..208], [128, 7, 8, 12, 0, 6]);
    assert_eq!(&octets[208..215], b"secret\0");
    assert_eq!(tcp_ao_del(&on("10.0.0.0/8", false), &key)[138..141], [8, 7, 8]);
}

/// Against this kernel: the options are taken on either kind of socket.
#[test]
fn the_kernel_takes_every_option() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(socket) = TcpListener::bind(address) else { continue };
        let remote = socket.local_addr().unwrap();
        listening(&socket, remote.is_ipv6()).unwrap();
        for hops in [Hops::Security(2), Hops::Multihop(3), Hops::Any] {
            let transport = Transport { hops, ..Transport::default() };
            let stream = TcpStream::connect(remote).unwrap();
            connection(&stream, remote, &transport, Duration::from_secs(90)).unwrap();
        }
    }
}

#[test]
fn an_md5_key_comes_changes_and_goes() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let key = Key::Md5(secret("one"));
    for whom in [on("10.1.5.1/32", false), on("10.1.0.0/16", false)] {
        add_key(&socket, &whom, &key).unwrap();
        add_key(&socket, &whom, &Key::Md5(secret("two"))).unwrap();
        remove_key(&socket, &whom, &key).unwrap();
        remove_key(&socket, &whom, &key).unwrap();
    }
}

/// What lacks is named: not every kernel has TCP-AO.
#[test]
fn a_kernel_without_ao_is_named() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let algorithm = AoAlgorithm::HmacSha1;
    let key = Key::Ao(AoKey { secret: secret("k"), algorithm, send_id: 1, receive_id: 1 });
    match add_key(&socket, &on("10.1.5.1/32", false), &key) {
        Ok(()) => remove_key(&socket, &on("10.1.5.1/32", false), &key).unwrap(),
        Err(error) => assert!(error.to_string().contains("CONFIG_TCP_AO"), "{error}"),
    }
}

#[test]
fn the_hops_of_a_caller_are_in_its_syn() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    listening(&socket, false).unwrap();
    let remote = socket.local_addr().unwrap();
    let caller = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let transport = Transport { hops: Hops::Multihop(253), ..Transport::default() };
    connection(&caller, remote, &transport, Duration::ZERO).unwrap();
    caller.connect(&remote.into()).unwrap();
    let (accepted, _) = socket.accept().unwrap();
    assert_eq!(hops_of_caller(&accepted), Some(3));
    assert_eq!(hops_of_caller(&accepted), None, "the kernel tells it once");
}

/// What the other end's kernel has said counts, not what was read of it.
#[test]
fn the_end_of_a_connection_is_seen_past_what_is_unread() {
    use std::io::Write;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pair = || {
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut far = listener.accept().unwrap().0;
        far.write_all(&[0; 1000]).unwrap();
        (near, far)
    };
    let ends = |near: &TcpStream| {
        // The kernel's own work may take a moment.
        (0..10_000).any(|_| {
            std::thread::sleep(Duration::from_millis(2));
            is_ended(near).unwrap()
        })
    };
    let (near, far) = pair();
    assert!(!is_ended(&near).unwrap());
    drop(far);
    assert!(ends(&near), "FIN behind 1000 octets");
    let (mut near, far) = pair();
    near.write_all(&[0; 10]).unwrap();
    drop(far);
    assert!(ends(&near), "RST: something was unread there");
    let (near, _far) = pair();
    near.shutdown(std::net::Shutdown::Write).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert!(!is_ended(&near).unwrap(), "our own end alone");
}
