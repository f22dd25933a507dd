//! The tunnel device on the real kernel, with ipip and without.
//!
//! A TUN device stands for tunl0 where only the programming of routes and the care of addresses
//! are looked at. Nothing here takes it for IPIP.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code outside #[test]")]

use std::process::Command;
use std::time::Duration;

use crate::netns::pump::{Daemon, config, to, until};
use crate::netns::*;
use starling_fib::netlink::{Netlink, Options};
use starling_fib::types::{Mode, Report, RouteOp, TunnelError, TunnelSpec};

fn spec(address: Option<&str>) -> TunnelSpec {
    TunnelSpec {
        device: "tunl0".to_owned(),
        mtu: 1440,
        address: address.map(|address| address.parse().unwrap()),
        vrf: None,
        manage: true,
    }
}

fn any_kind() -> Netlink {
    let options = Options { accept_any_tunnel_kind: true, ..Options::default() };
    Netlink::open(options).expect("netlink").0
}

async fn addresses_of(kernel: &mut Netlink, device: u32) -> Vec<String> {
    let all = dump(kernel).await.addresses;
    let of_device = all.iter().filter(|a| a.device == device && a.address.addr().is_ipv4());
    of_device.map(|a| a.address.to_string()).collect()
}

#[test]
fn a_device_of_another_kind_is_refused() {
    in_netns("tunnel::a_device_of_another_kind_is_refused", || async {
        ip("tuntap add tunl0 mode tun");
        let (mut kernel, _events) = open();
        let error = kernel.tunnel(&spec(Some("192.168.70.57"))).await.unwrap_err();
        let expected =
            TunnelError::WrongKind { device: "tunl0".to_owned(), kind: "tun".to_owned() };
        assert_eq!(error, expected);
        let tunl0 = index_of("tunl0");
        assert_eq!(addresses_of(&mut kernel, tunl0).await, [""; 0], "untouched");
        let link = dump(&mut kernel).await.links.into_iter().find(|l| l.index == tunl0).unwrap();
        assert!(!link.up, "untouched");
    });
}

#[test]
fn the_device_is_set_up_and_carries_onlink_routes() {
    in_netns("tunnel::the_device_is_set_up_and_carries_onlink_routes", || async {
        two_underlays();
        ip("tuntap add tunl0 mode tun");
        let mut kernel = any_kind();
        let tunl0 = index_of("tunl0");
        // Twice: what is set up already is no error.
        for _ in 0..2 {
            assert_eq!(kernel.tunnel(&spec(Some("192.168.70.57"))).await, Ok(()));
        }
        let link = dump(&mut kernel).await.links.into_iter().find(|l| l.index == tunl0).unwrap();
        assert!(link.up);
        assert_eq!(link.mtu, 1440);
        assert_eq!(link.kind.as_deref(), Some("tun"));
        assert_eq!(addresses_of(&mut kernel, tunl0).await, ["192.168.70.57/32"]);

        let tunneled = route("10.244.2.0/26", &[onlink("10.1.8.10", tunl0)]);
        assert_eq!(kernel.apply(&[RouteOp::Add(tunneled.clone())]).await, []);
        assert_eq!(ours(&mut kernel).await, [tunneled]);
    });
}

#[test]
fn only_an_address_of_ours_gives_way() {
    in_netns("tunnel::only_an_address_of_ours_gives_way", || async {
        ip("tuntap add tunl0 mode tun");
        ip("address add 192.168.1.1/32 dev tunl0");
        let mut kernel = any_kind();
        let tunl0 = index_of("tunl0");
        for (wanted, there) in [
            (None, vec!["192.168.1.1/32"]),
            (Some("192.168.70.57"), vec!["192.168.1.1/32", "192.168.70.57/32"]),
            (Some("192.168.70.58"), vec!["192.168.1.1/32", "192.168.70.58/32"]),
            (None, vec!["192.168.1.1/32", "192.168.70.58/32"]),
            // Theirs already, and not ours by being asked for too.
            (Some("192.168.1.1"), vec!["192.168.1.1/32"]),
            (Some("192.168.70.59"), vec!["192.168.1.1/32", "192.168.70.59/32"]),
        ] {
            assert_eq!(kernel.tunnel(&spec(wanted)).await, Ok(()));
            assert_eq!(addresses_of(&mut kernel, tunl0).await, there, "after {wanted:?}");
        }
    });
}

/// By the daemon's own pump: what somebody does to the device is heard and put right.
#[test]
fn what_somebody_does_to_it_is_put_right_from_the_kernels_news() {
    in_netns("tunnel::what_somebody_does_to_it_is_put_right_from_the_kernels_news", || async {
        two_underlays();
        ip("route add default via 10.1.5.1");
        ip("tuntap add tunl0 mode tun");
        let tunl0 = index_of("tunl0");
        let mut daemon = Daemon::start();
        daemon.tell(config(&[("10.244.0.0/16", Mode::CrossSubnet)])).await;
        daemon.want("10.244.2.0/26", to("10.1.8.10")).await;
        let tunneled = [route("10.244.2.0/26", &[onlink("10.1.8.10", tunl0)])];
        until(&tunneled).await;
        for (deed, name, found) in [
            ("link set tunl0 down", "tunl0", "down"),
            ("link set tunl0 mtu 1300", "tunl0", "mtu 1300"),
            ("address del 192.168.70.57/32 dev tunl0", "tunl0", "without 192.168.70.57"),
            ("link set tunl0 name other0", "other0", "gone"),
        ] {
            ip(deed);
            let drift = daemon.report(|report| matches!(report, Report::TunnelDrift { .. })).await;
            let (device, what) = ("tunl0".to_owned(), found.to_owned());
            assert_eq!(drift, Report::TunnelDrift { device, what }, "{name}");
            let (mut kernel, _events) = open();
            let well = async {
                loop {
                    let seen = dump(&mut kernel).await;
                    let link = seen.links.iter().find(|link| link.index == tunl0).expect("it");
                    let addresses = addresses_of(&mut kernel, tunl0).await;
                    if link.up
                        && link.name == "tunl0"
                        && link.mtu == 1440
                        && addresses == ["192.168.70.57/32"]
                    {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            assert!(tokio::time::timeout(PATIENCE, well).await.is_ok(), "after {deed}");
            until(&tunneled).await;
        }
        daemon.stop().await;
    });
}

/// Whether this kernel can do IPIP, asked without our own code.
fn kernel_has_ipip() -> bool {
    let _ = Command::new("modprobe").arg("ipip").output();
    let made = Command::new("ip").args(["tunnel", "show", "tunl0"]).output();
    made.is_ok_and(|made| made.status.success() && !made.stdout.is_empty())
}

#[test]
fn without_ipip_the_error_says_what_to_do() {
    in_netns("tunnel::without_ipip_the_error_says_what_to_do", || async {
        let has_ipip = kernel_has_ipip();
        let (mut kernel, _events) = open();
        let result = kernel.tunnel(&spec(Some("192.168.70.57"))).await;
        if has_ipip {
            assert_eq!(result, Ok(()));
            let tunl0 = index_of("tunl0");
            let links = dump(&mut kernel).await.links;
            let link = links.into_iter().find(|l| l.index == tunl0).unwrap();
            assert_eq!((link.up, link.mtu, link.kind.as_deref()), (true, 1440, Some("ipip")));
            assert_eq!(addresses_of(&mut kernel, tunl0).await, ["192.168.70.57/32"]);
        } else {
            let error = result.unwrap_err();
            assert!(matches!(error, TunnelError::NoModule { .. }), "{error:?}");
            let words = error.to_string();
            for hint in ["modprobe ipip", "not found", "\"never\"", "not supported"] {
                assert!(words.contains(hint), "{hint:?} in {words:?}");
            }
            println!("{words}");
        }
    });
}

#[test]
fn a_name_the_kernel_refuses_is_an_error() {
    in_netns("tunnel::a_name_the_kernel_refuses_is_an_error", || async {
        let mut kernel = any_kind();
        let spec = TunnelSpec { device: "a-name-beyond-15-octets".to_owned(), ..spec(None) };
        let error = kernel.tunnel(&spec).await.unwrap_err();
        assert!(error.to_string().contains("a-name-beyond-15-octets"), "{error}");
    });
}
