//! The walks: which parts of which pages, on what hosts, a test each.

use starling_lab::Result;

use crate::page::{PAGES, Page};
use crate::stage::{Host, Kind};
use crate::walk::{Scene, play, prompt};

/// A node, with a pod's address that answers on the node itself. Not every kernel has ipip: a
/// device stands for the tunnel, into which routes are written; nothing is encapsulated.
macro_rules! node {
    ($name:literal, $bridge:literal, $address:literal, $gateway:literal, $pod:literal, $more:expr) => {
        Host {
            name: $name,
            kind: Kind::Node,
            plugs: &[($bridge, "net0", concat!($address, "/24"))],
            before: concat!(
                "ip tuntap add dev tunl0 mode tun; ip link set tunl0 mtu 1480 up\n",
                "export STARLINGD_OPTIONS=--tunnel-stand-in\n",
                concat!("ip address add ", $pod, "/32 dev lo\n"),
                concat!("ip route add default via ", $gateway, "\n"),
                $more
            ),
        }
    };
    ($name:literal, $bridge:literal, $address:literal, $gateway:literal, $pod:literal) => {
        node!($name, $bridge, $address, $gateway, $pod, "")
    };
}

const SERVER1: Host = node!("server1", "rack0", "10.1.5.10", "10.1.5.1", "10.244.1.10");
const SERVER2: Host = node!("server2", "rack0", "10.1.5.11", "10.1.5.1", "10.244.2.10");
/// The other two of the lab, in another rack.
const SERVER3: Host = node!("server3", "rack1", "10.1.8.10", "10.1.8.1", "10.244.3.10");
const SERVER4: Host = node!("server4", "rack1", "10.1.8.11", "10.1.8.1", "10.244.4.10");
/// Two more rack mates.
const MATE3: Host = node!("server3", "rack0", "10.1.5.12", "10.1.5.1", "10.244.3.10");
const MATE4: Host = node!("server4", "rack0", "10.1.5.13", "10.1.5.1", "10.244.4.10");

/// A router on top of both racks, with a network of its own behind it.
const TOR: Host = Host {
    name: "tor",
    kind: Kind::Router,
    plugs: &[("rack0", "net0", "10.1.5.1/24"), ("rack1", "net1", "10.1.8.1/24")],
    before: "ip link add srv0 type veth peer name srv1\n\
             ip link set srv0 up; ip link set srv1 up\n\
             ip address add 203.0.113.1/24 dev srv0",
};

/// The lab's gateway.
const GW0: Host = Host {
    name: "gw0",
    kind: Kind::Router,
    plugs: &[("rack0", "net0", "10.1.5.1/24"), ("rack1", "net1", "10.1.8.1/24")],
    before: "cat >/etc/frr/frr.conf <<END\n\
             router bgp 65000\n\
             no bgp ebgp-requires-policy\n\
             neighbor NODES peer-group\n\
             neighbor NODES remote-as 64512\n\
             bgp listen range 10.1.0.0/16 peer-group NODES\n\
             END\n\
             systemctl start frr",
};

/// BIRD as Calico sets it up on a node, in the pool 10.244.0.0/16.
macro_rules! calico {
    ($own:literal, $block:literal, $other:literal, $passive:literal) => {
        concat!(
            "cat >/etc/bird/bird.conf <<END\n",
            concat!("router id ", $own, ";\n"),
            "protocol device { scan time 2; }\n",
            "protocol direct { ipv4; interface -\"cali*\", \"net0\"; }\n",
            "protocol kernel { learn; persist; scan time 2; merge paths on; graceful restart;\n",
            "  ipv4 { import all; export where source != RTS_DEVICE; }; }\n",
            concat!("protocol static { ipv4; route ", $block, " blackhole; }\n"),
            "filter to_peers {\n",
            concat!("  if net = ", $block, " then accept;\n"),
            concat!("  if net ~ ", $block, " then reject;\n"),
            "  if net ~ 10.244.0.0/16 then accept;\n",
            "  reject; }\n",
            concat!("protocol bgp Mesh_", $other, " {\n"),
            concat!("  local ", $own, " as 64512; multihop; graceful restart; ", $passive, "\n"),
            "  connect delay time 2; connect retry time 5;\n",
            "  ipv4 { import all; export filter to_peers; gateway recursive; add paths on; };\n",
        )
    };
}

const CALICO1: Host = node!(
    "server1",
    "rack0",
    "10.1.5.10",
    "10.1.5.1",
    "10.244.1.10",
    concat!(
        calico!("10.1.5.10", "10.244.1.0/26", "10_1_5_11", "passive on;"),
        "  neighbor 10.1.5.11 as 64512; }\nEND\nsystemctl start bird"
    )
);
const CALICO2: Host = node!(
    "server2",
    "rack0",
    "10.1.5.11",
    "10.1.5.1",
    "10.244.2.10",
    concat!(
        calico!("10.1.5.11", "10.244.2.0/26", "10_1_5_10", ""),
        "  neighbor 10.1.5.10 as 64512; }\nEND\nsystemctl start bird"
    )
);

/// The file of two nodes, where a page need not show it again.
macro_rules! two_nodes {
    () => {
        "cat >/etc/starling/cluster.toml <<END\n\
         [cluster]\nasn = 64512\n[[pool]]\ncidr = \"10.244.0.0/16\"\n\
         [[node]]\nname = \"server1\"\naddress = \"10.1.5.10\"\nblocks = [\"10.244.1.0/26\"]\n\
         [[node]]\nname = \"server2\"\naddress = \"10.1.5.11\"\nblocks = [\"10.244.2.0/26\"]\n\
         END\nsystemctl start starlingd"
    };
}
const OLD1: Host = node!("server1", "rack0", "10.1.5.10", "10.1.5.1", "10.244.1.10", two_nodes!());
const OLD2: Host = node!("server2", "rack0", "10.1.5.11", "10.1.5.1", "10.244.2.10", two_nodes!());

/// One machine with nothing in it.
const MACHINE: Host = Host { name: "machine", kind: Kind::Node, plugs: &[], before: "" };

/// `name: page, [its sections, or none for all of it], hosts`.
macro_rules! scenes {
    ($($name:ident: $page:literal, [$($section:literal),*], $hosts:expr;)*) => {
        const SCENES: &[Scene] =
            &[$(Scene { page: $page, sections: &[$($section),*], hosts: $hosts }),*];
        $(#[test]
        fn $name() -> Result {
            play(&Scene { page: $page, sections: &[$($section),*], hosts: $hosts })
        })*
    };
}

scenes! {
    ten_commands: "README.md", ["A cluster in one file", "Ten commands"],
        &[GW0, SERVER1, SERVER2, SERVER3, SERVER4];
    peering_with_frr: "bgp/PEERS.md", ["FRR"], &[TOR, SERVER1, SERVER2];
    peering_with_bird: "bgp/PEERS.md", ["BIRD"], &[TOR, SERVER1, SERVER2];
    peering_with_openbgpd: "bgp/PEERS.md", ["OpenBGPD"], &[TOR, SERVER1, SERVER2];
    keys: "bgp/KEYS.md", [], &[TOR, SERVER1, SERVER2];
    reflectors: "bgp/REFLECTORS.md", [], &[SERVER1, SERVER2, MATE3, MATE4];
    in_the_place_of_bird: "dist/CALICO.md", [], &[CALICO1, CALICO2];
    upgrading: "dist/README.md", ["Upgrading"], &[OLD1, OLD2];
    tutorial: "dist/TUTORIAL.md", [], &[MACHINE];
    troubles: "src/TROUBLE.md", [], &[TOR, SERVER1, SERVER2, SERVER3];
}

#[test]
fn every_walk_is_played() {
    for (path, _) in PAGES {
        for block in Page::read(path).blocks().filter(|block| block.kind == "console") {
            let is_walk = block.text.lines().next().and_then(prompt).is_some();
            let played = |scene: &Scene| scene.page == path && scene.has(&block.section);
            let place = format!("{path}:{}", block.line);
            assert!(!is_walk || SCENES.iter().any(played), "{place} is in no scene");
        }
    }
}

#[test]
fn the_front_page_has_ten_commands() {
    let page = Page::read("README.md");
    let lines = page.blocks().filter(|block| block.section == "Ten commands");
    let typed = lines.flat_map(|block| block.text.lines()).filter_map(prompt);
    assert_eq!(typed.filter(|(_, line)| line.starts_with("bgpctl ")).count(), 10);
}
