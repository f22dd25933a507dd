//! Interfaces, and who uses them.

use starling::api::{Interface, LinkState};

pub(crate) fn interfaces() -> Vec<Interface> {
    let link = |index, name: &str, kind: Option<&str>, mtu, addresses: &[&str]| Interface {
        name: name.to_owned(),
        index,
        kind: kind.map(str::to_owned),
        state: LinkState::Up,
        mtu,
        master: None,
        table: None,
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        own: Vec::new(),
        tunnel: false,
        neighbors: Vec::new(),
        routes: 0,
        pods: 0,
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    vec![
        link(1, "lo", None, 65536, &["127.0.0.1/8", "::1/128"]),
        Interface {
            own: vec!["10.1.5.10".parse().unwrap(), "fd00:5::10".parse().unwrap()],
            neighbors: names(&["server2", "server3", "gw0", "transit", "leaf-10.9.3.7"]),
            routes: 1_048_571,
            ..link(2, "net0", None, 1500, &["10.1.5.10/24", "fd00:5::10/64", "fe80::10/64"])
        },
        Interface {
            tunnel: true,
            routes: 2,
            ..link(3, "tunl0", Some("ipip"), 1480, &["10.244.1.0/32"])
        },
        Interface {
            pods: 1,
            master: Some("vrf-pods".to_owned()),
            ..link(4, "cali1a2b3c4d5e6", Some("veth"), 1480, &[])
        },
        Interface { table: Some(100), ..link(5, "vrf-pods", Some("vrf"), 65575, &[]) },
        Interface {
            state: LinkState::NoCarrier,
            neighbors: names(&["tor1"]),
            ..link(6, "net1", None, 9000, &["10.1.6.10/24"])
        },
        Interface { state: LinkState::Down, ..link(7, "wg0", Some("wireguard"), 1420, &[]) },
    ]
}
