//! Connections that are signed, near, far or bound to a link: with FRR and BIRD at the other end.

use anyhow::ensure;
use starling::api::{Authentication, Neighbor, SessionState};
use starling_lab::{Bird, Cluster, Frr, Netns, Node, Result, wait_for};

use crate::support::{SOON, cluster, established, logged, neighbour};

pub fn neighbor(node: &mut Node, name: &str) -> Result<Neighbor> {
    node.daemon()?.read(&["show", "neighbors", name])
}

/// Puts a key beside the configuration, in one step.
pub fn key(cluster: &Cluster, name: &str, key: &str) -> Result {
    let path = cluster.config().with_file_name(name);
    let new = path.with_extension("new");
    std::fs::write(&new, key)?;
    Ok(std::fs::rename(new, path)?)
}

/// A router 10.50.`rack`.`number` of AS 65000 that runs FRR with `lines` for its neighbour n1.
pub fn frr(
    cluster: &Cluster,
    name: &str,
    rack: u8,
    number: u8,
    lines: &[&str],
) -> Result<(Frr, Netns)> {
    let netns = cluster.host(name, rack, number, &way_to_n1(rack))?;
    let mut config = format!(
        "router bgp 65000\n bgp router-id 10.50.{rack}.{number}\n no bgp ebgp-requires-policy\n"
    );
    config += " neighbor 10.50.0.1 remote-as 64512\n neighbor 10.50.0.1 timers connect 1\n";
    for line in lines {
        config += &format!(" {line}\n");
    }
    let frr = Frr::start(&netns, &cluster.lab().subdir(name)?, &(config + "exit\n"))?;
    Ok((frr, netns))
}

/// The same with BIRD.
pub fn bird(
    cluster: &Cluster,
    name: &str,
    rack: u8,
    number: u8,
    lines: &str,
) -> Result<(Bird, Netns)> {
    let netns = cluster.host(name, rack, number, &way_to_n1(rack))?;
    let config = bird_config(rack, number, lines);
    Ok((Bird::start(&netns, &cluster.lab().subdir(name)?, &config)?, netns))
}

pub fn bird_config(rack: u8, number: u8, lines: &str) -> String {
    format!(
        "router id 10.50.{rack}.{number};\nlog stderr all;\nprotocol device {{}}\n\
         protocol bgp n1 {{\n local 10.50.{rack}.{number} as 65000;\n neighbor 10.50.0.1 as 64512;\n\
         connect delay time 1; connect retry time 1; error wait time 1, 2;\n ipv4 {{ import all; \
         export all; }};\n {lines}\n}}\n"
    )
}

/// The way to n1 from another rack. FRR dials nobody to whom only a default route leads.
fn way_to_n1(rack: u8) -> Vec<String> {
    let far = rack != 0;
    far.then(|| format!("route add 10.50.0.0/24 via 10.50.{rack}.254")).into_iter().collect()
}

fn peer(name: &str, address: &str, rest: &str) -> String {
    format!("[[peer]]\nname = \"{name}\"\naddress = \"{address}\"\nasn = 65000\n{rest}\n\n")
}

#[test]
fn md5_with_frr_and_bird_whoever_dials() -> Result {
    let mut cluster = cluster(&[0])?;
    key(&cluster, "gw.key", "hunter2\n")?;
    let mut peers = String::new();
    // Who waits here is called; who waits there is called by us.
    for (name, number, passive) in [
        ("frr-calls", 201, true),
        ("frr-waits", 202, false),
        ("bird-calls", 203, true),
        ("bird-waits", 204, false),
    ] {
        let rest = format!("password-file = \"gw.key\"\npassive = {passive}");
        peers += &peer(name, &format!("10.50.0.{number}"), &rest);
    }
    cluster.configure(&cluster.toml("never", &peers))?;
    cluster.start(1)?;
    let password = "neighbor 10.50.0.1 password hunter2";
    let _r1 = frr(&cluster, "frr-calls", 0, 201, &[password])?;
    let _r2 = frr(&cluster, "frr-waits", 0, 202, &[password, "neighbor 10.50.0.1 passive"])?;
    let _r3 = bird(&cluster, "bird-calls", 0, 203, "password \"hunter2\";")?;
    let _r4 = bird(&cluster, "bird-waits", 0, 204, "password \"hunter2\"; passive on;")?;
    let node = cluster.node(1)?;
    for name in ["frr-calls", "frr-waits", "bird-calls", "bird-waits"] {
        established(node, name)?;
        let shown = neighbor(node, name)?;
        assert_eq!(shown.transport.authentication, Some(Authentication::Md5), "{shown:?}");
    }
    let shown = node.daemon()?.bgpctl(&["show", "neighbors", "frr-waits"])?;
    ensure!(shown.contains("signed with TCP MD5"), "{shown}");
    let log = node.daemon()?.log();
    ensure!(!log.contains("hunter2") && !shown.contains("hunter2"), "the key is told: {log}");
    Ok(())
}

#[test]
fn a_wrong_key_is_no_session_and_the_reason_is_guessed() -> Result {
    let mut cluster = cluster(&[0])?;
    key(&cluster, "gw.key", "hunter2")?;
    let signed = "password-file = \"gw.key\"";
    let peers = peer("other", "10.50.0.201", signed) + &peer("none", "10.50.0.202", signed);
    cluster.configure(&cluster.toml("never", &peers))?;
    cluster.start(1)?;
    let _other = frr(&cluster, "other", 0, 201, &["neighbor 10.50.0.1 password hunter3"])?;
    let _none = bird(&cluster, "none", 0, 202, "")?;
    let node = cluster.node(1)?;
    for name in ["other", "none"] {
        wait_for("the reason", SOON, || {
            let line = neighbour(node, name)?;
            let reason = line.reason.unwrap_or_default();
            ensure!(line.state != SessionState::Established, "{name} is up");
            ensure!(reason.contains("a password is set"), "{name}: {reason}");
            Ok(())
        })?;
    }
    // The right key, put in place while the daemon runs, is all that is missing.
    key(&cluster, "gw.key", "hunter3\n")?;
    established(cluster.node(1)?, "other").map(drop)
}

#[test]
fn another_key_makes_only_that_session_anew() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    key(&cluster, "gw.key", "hunter2")?;
    key(&cluster, "mesh.key", "of the mesh")?;
    let peers = peer("gw", "10.50.0.201", "password-file = \"gw.key\"");
    let toml = cluster.toml("never", &peers);
    let toml = toml.replace("asn = 64512\n", "asn = 64512\npassword-file = \"mesh.key\"\n");
    cluster.configure(&toml)?;
    cluster.start_all()?;
    let password = |key| format!("neighbor 10.50.0.1 password {key}");
    let (frr, _gw) = frr(&cluster, "gw", 0, 201, &[&password("hunter2")])?;
    let node = cluster.node(1)?;
    for name in ["n2", "gw"] {
        established(node, name)?;
    }
    // The other end first, as an operator would: its session is lost with the next segment.
    frr.vtysh(&format!("configure terminal\nrouter bgp 65000\n{}", password("hunter4")))?;
    key(&cluster, "gw.key", "hunter4\n")?;
    let node = cluster.node(1)?;
    logged(node, "password: changed")?;
    wait_for("the new session", SOON, || {
        let gw = neighbor(node, "gw")?;
        ensure!(gw.flaps > 0 && gw.agreed.is_some(), "{gw:?}");
        Ok(())
    })?;
    let other = neighbor(node, "n2")?;
    ensure!(other.flaps == 0 && other.agreed.is_some(), "{other:?}");

    // A key that is gone is refused, and what runs goes on.
    std::fs::remove_file(cluster.config().with_file_name("gw.key"))?;
    let node = cluster.node(1)?;
    logged(node, "no key in")?;
    ensure!(neighbor(node, "gw")?.agreed.is_some(), "the session was lost");
    let refused = node.daemon()?.try_bgpctl(&["reload"])?;
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    ensure!((refused.stdout + &refused.stderr).contains("gw.key"), "the file is not named");
    Ok(())
}

#[test]
fn what_this_kernel_lacks_for_ao_is_named() -> Result {
    let mut cluster = cluster(&[0])?;
    key(&cluster, "gw.key", "hunter2")?;
    let ao = "tcp-ao = { key-file = \"gw.key\", send-id = 1, receive-id = 1 }";
    cluster.configure(&cluster.toml("never", &peer("gw", "10.50.0.201", ao)))?;
    let _gw = bird(&cluster, "gw", 0, 201, "")?;
    cluster.start(1)?;
    let node = cluster.node(1)?;
    wait_for("the reason", SOON, || {
        let line = neighbour(node, "gw")?;
        ensure!(line.state != SessionState::Established, "an unsigned session is up");
        let reason = line.reason.unwrap_or_default();
        // Where the kernel has it, it is the neighbour that does not.
        let named = reason.contains("CONFIG_TCP_AO") || reason.contains("tcp-ao is set");
        ensure!(named, "{reason}");
        Ok(())
    })
}

#[test]
fn ttl_security_holds_near_neighbours_and_refuses_far_ones() -> Result {
    // n1 in rack 0, a router between, and the rack where the far ones are.
    let mut cluster = cluster(&[0, 1])?;
    let near = "ttl-security = 1";
    let peers = peer("near-frr", "10.50.0.201", near)
        + &peer("near-bird", "10.50.0.202", near)
        + &peer("far", "10.50.1.203", &format!("{near}\npassive = true"))
        + &peer("two-hops", "10.50.1.204", "ttl-security = 2")
        + &peer("multihop", "10.50.1.205", "multihop = 2")
        + &peer("too-few", "10.50.1.206", "multihop = 1");
    cluster.configure(&cluster.toml("never", &peers))?;
    cluster.start(1)?;
    let hops = |n| format!("neighbor 10.50.0.1 ttl-security hops {n}");
    let multihop = "neighbor 10.50.0.1 ebgp-multihop 2";
    let _r1 = frr(&cluster, "near-frr", 0, 201, &[&hops(1)])?;
    let _r2 = bird(&cluster, "near-bird", 0, 202, "ttl security yes;")?;
    let _r3 = frr(&cluster, "far", 1, 203, &["neighbor 10.50.0.1 ebgp-multihop 255"])?;
    let _r4 = frr(&cluster, "two-hops", 1, 204, &[&hops(2)])?;
    let _r5 = frr(&cluster, "multihop", 1, 205, &[multihop])?;
    let _r6 = frr(&cluster, "too-few", 1, 206, &[multihop, "neighbor 10.50.0.1 passive"])?;
    let node = cluster.node(1)?;
    for name in ["near-frr", "near-bird", "two-hops", "multihop"] {
        established(node, name)?;
    }
    wait_for("the far one's refusal", SOON, || {
        let far = neighbor(node, "far")?;
        ensure!(far.agreed.is_none(), "a neighbour two hops away is up: {far:?}");
        let said = far.notes.iter().any(|note| note.contains("over 2 hops, ttl-security allows 1"));
        ensure!(said, "{:?}", far.notes);
        Ok(())
    })?;
    wait_for("the reason", SOON, || {
        let reason = neighbour(node, "too-few")?.reason.unwrap_or_default();
        ensure!(reason.contains("multihop = 1") || reason.contains("no route to host"), "{reason}");
        Ok(())
    })?;
    let shown = node.daemon()?.bgpctl(&["show", "neighbors", "near-frr"])?;
    ensure!(shown.contains("TTL security: at most 1 hop away"), "{shown}");
    Ok(())
}

#[test]
fn link_local_neighbours_are_told_apart_by_their_link() -> Result {
    let mut cluster = cluster(&[0])?;
    let lines = ["address add fe80::b/64 dev net0 nodad".to_owned()];
    let b = cluster.host("b", 0, 202, &lines)?;
    cluster.node(1)?.netns().ip_line("address add fe80::1/64 dev net0 nodad")?;
    let f = cluster.host("f", 0, 201, &["address add fe80::f/64 dev net0 nodad".to_owned()])?;
    // A second wire from n1 to f with the same addresses at its ends.
    let node = cluster.node(1)?;
    node.netns().ip_lines(&node.netns().veth("net1", &f, "net1")?)?;
    node.netns().ip_line("address add fe80::1/64 dev net1 nodad")?;
    f.ip_lines(&[
        "link set net1 up".to_owned(),
        "address add fe80::f/64 dev net1 nodad".to_owned(),
    ])?;
    let peers = "[[peer]]\nname = \"bird\"\naddress = \"fe80::b%net0\"\nasn = 65000\n\
                 [[peer]]\nname = \"frr\"\naddress = \"fe80::f\"\ninterface = \"net0\"\nasn = 65000\n\
                 [[peer]]\nname = \"elsewhere\"\naddress = \"fe80::f%net1\"\nasn = 65099\n\
                 passive = true\n";
    cluster.configure(&cluster.toml("never", peers))?;
    cluster.start(1)?;
    let bird = "router id 10.50.0.202;\nprotocol device {}\nprotocol bgp n1 {\n local as 65000;\n\
                neighbor fe80::1%net0 as 64512;\n passive on;\n ipv6 { import all; export none; };\n}\n";
    let _bird = Bird::start(&b, &cluster.lab().subdir("b")?, bird)?;
    let frr = "router bgp 65000\n bgp router-id 10.50.0.201\n no bgp ebgp-requires-policy\n \
               neighbor fe80::1 remote-as 64512\n neighbor fe80::1 interface net0\n \
               neighbor fe80::1 timers connect 1\n address-family ipv6 unicast\n  \
               neighbor fe80::1 activate\n exit-address-family\nexit\n";
    let _frr = Frr::start(&f, &cluster.lab().subdir("f")?, frr)?;
    let node = cluster.node(1)?;
    for name in ["bird", "frr"] {
        let line = established(node, name)?;
        assert_eq!(line.interface.as_deref(), Some("net0"));
    }
    // The same address on the other link is somebody else, who has not called.
    let line = neighbour(node, "elsewhere")?;
    ensure!(line.state == SessionState::Active, "{line:?}");
    let shown = node.daemon()?.bgpctl(&["show", "neighbors", "fe80::f%net0"])?;
    ensure!(shown.contains("frr") && shown.contains("on net0 alone"), "{shown}");
    Ok(())
}

#[test]
fn a_source_that_comes_later_is_waited_for() -> Result {
    let mut cluster = cluster(&[0])?;
    let peers = peer("gw", "10.50.0.201", "local-address = \"10.50.0.77\"");
    cluster.configure(&cluster.toml("never", &peers))?;
    cluster.start(1)?;
    let netns = cluster.host("gw", 0, 201, &[])?;
    let config = "router bgp 65000\n no bgp ebgp-requires-policy\n neighbor 10.50.0.77 remote-as \
                  64512\n neighbor 10.50.0.77 passive\nexit\n";
    let _frr = Frr::start(&netns, &cluster.lab().subdir("gw")?, config)?;
    let node = cluster.node(1)?;
    wait_for("the reason", SOON, || {
        let reason = neighbour(node, "gw")?.reason.unwrap_or_default();
        ensure!(reason.contains("waiting: our address 10.50.0.77"), "{reason}");
        Ok(())
    })?;
    node.netns().ip_line("address add 10.50.0.77/24 dev net0")?;
    established(node, "gw").map(drop)
}
