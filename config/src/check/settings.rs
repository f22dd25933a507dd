//! The tables that come once: kernel, tunnel, timers, http, metrics, control, bgp.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::metrics::PerPeer;
use crate::model::{Kernel, Listen, Timers, Tunnel};
use crate::raw::{self, Raw};
use crate::source::{Problems, Sp};

/// Where `bgpctl` looks.
const CONTROL_SOCKET: &str = "/run/starling/control.sock";
/// RFC 4271 §8.2.1.
pub(super) const BGP_PORT: u16 = 179;

pub(super) fn kernel(raw: &Raw, problems: &mut Problems) -> Kernel {
    let mut kernel = Kernel::default();
    let Some(table) = &raw.kernel else { return kernel };
    if let Some(protocol) = table.protocol.get() {
        kernel.protocol = protocol.value.0;
        if kernel.protocol == 80 {
            problems
                .warn(protocol.at, "Calico's Felix writes its own routes with protocol 80")
                .hint("where both run on a node, each would take the other's routes for its own");
        }
    }
    if let Some(number) = table.table.value() {
        kernel.table = number.0;
    }
    if let Some(metric) = table.metric.value() {
        kernel.metric = *metric;
    }
    kernel.netns = table.netns.value().map(|netns| netns.0.clone());
    kernel.hold = table.hold_pools.value().copied().unwrap_or_default();
    kernel.nexthop_objects = table.nexthop_objects.value().copied().unwrap_or_default();
    if let Some(audit) = table.audit.value() {
        kernel.audit = (!audit.is_zero()).then_some(*audit);
    }
    kernel
}

pub(super) fn tunnel(raw: &Raw, problems: &mut Problems) -> Tunnel {
    let mut tunnel = Tunnel::default();
    let Some(table) = &raw.tunnel else { return tunnel };
    if let Some(device) = table.device.value() {
        tunnel.device = device.0.clone();
    }
    tunnel.mtu = table.mtu.value().map(|mtu| mtu.0);
    tunnel.manage = table.manage.value().copied().unwrap_or(true);
    if let (false, Some(mtu)) = (tunnel.manage, table.mtu.get()) {
        problems
            .warn(mtu.at, "the mtu has no effect with manage = false")
            .hint("who manages the device sets its MTU");
    }
    tunnel
}

pub(super) fn timers(raw: &Raw, problems: &mut Problems) -> Timers {
    let mut timers = Timers::default();
    let Some(table) = &raw.timers else { return timers };
    if let Some(hold) = table.hold.get() {
        timers.hold = self::hold(hold, problems);
    }
    if let Some(retry) = table.connect_retry.get() {
        timers.connect_retry = connect_retry(retry, problems);
    }
    if let Some(settle) = table.settle.value() {
        timers.settle = *settle;
    }
    timers
}

/// A hold time, which OPEN must be able to carry.
pub(super) fn hold(hold: &Sp<Duration>, problems: &mut Problems) -> Duration {
    let second = Duration::from_secs(1);
    let expected = "0 (never) or whole seconds, 3 to 65535";
    if hold.value.subsec_nanos() != 0 {
        problems.error(hold.at, "the hold time travels in whole seconds").expected(expected);
    } else if hold.value == second || hold.value == 2 * second {
        problems
            .error(hold.at, "a hold time of 1 or 2 seconds is not allowed (RFC 4271 §4.2)")
            .expected(expected);
    } else if hold.value.as_secs() > 65535 {
        problems.error(hold.at, "the hold time is too long").expected(expected);
    } else if hold.value.is_zero() {
        problems
            .warn(hold.at, "without a hold time a silent neighbour is never given up")
            .hint("90s is usual");
    } else if hold.value < 9 * second {
        problems
            .warn(hold.at, "with less than 9s a busy host loses its sessions")
            .hint("a lost session cuts living pods off; 90s is usual");
    }
    hold.value
}

/// The mean time between attempts to connect.
pub(super) fn connect_retry(retry: &Sp<Duration>, problems: &mut Problems) -> Duration {
    let range = Duration::from_millis(100)..=Duration::from_secs(3600);
    if !range.contains(&retry.value) {
        problems
            .error(retry.at, "the time between attempts to connect is out of range")
            .expected("\"100ms\" to \"1h\"; 5s is usual");
    }
    retry.value
}

pub(super) fn http(raw: &Raw, problems: &mut Problems) -> Vec<SocketAddr> {
    let Some(table) = &raw.http else { return Vec::new() };
    let mut listen: Vec<SocketAddr> = Vec::new();
    for address in table.listen.value().into_iter().flatten() {
        if listen.contains(&address.value) {
            problems.error(address.at, format!("{} comes twice", address.value));
        }
        listen.push(address.value);
    }
    listen
}

pub(super) fn per_peer(raw: &Raw) -> PerPeer {
    let told = raw.metrics.as_ref().and_then(|table| table.per_peer.value());
    told.copied().unwrap_or_default()
}

pub(super) fn control(raw: &Raw) -> PathBuf {
    let socket = raw.control.as_ref().and_then(|table| table.socket.value());
    socket.cloned().unwrap_or_else(|| PathBuf::from(CONTROL_SOCKET))
}

pub(super) fn readers(raw: &Raw) -> Option<String> {
    let readers = raw.control.as_ref().and_then(|table| table.readers.value());
    readers.map(|group| group.0.clone())
}

pub(super) fn bird(raw: &Raw, problems: &mut Problems) -> [Option<PathBuf>; 2] {
    let Some(table) = &raw.control else { return [None, None] };
    let mut taken = vec![control(raw)];
    if table.readers.value().is_some() {
        taken.push(crate::plan::readers_socket(&control(raw)));
    }
    table.bird.each_ref().map(|field| {
        let path = field.get()?;
        if taken.contains(&path.value) {
            problems
                .error(
                    path.at,
                    format!("{} is a socket of this table already", path.value.display()),
                )
                .expected("a path of its own: each socket speaks one language");
        }
        taken.push(path.value.clone());
        Some(path.value.clone())
    })
}

pub(super) fn port(raw: &Raw) -> u16 {
    raw.bgp.as_ref().and_then(|bgp| bgp.port.value()).map_or(BGP_PORT, |port| port.0)
}

pub(super) fn listen(raw: &Raw, problems: &mut Problems) -> Listen {
    match raw.bgp.as_ref().map(|bgp| &bgp.listen) {
        None | Some(raw::Listen::All) => Listen::All,
        Some(raw::Listen::Node) => Listen::Node,
        Some(raw::Listen::On(list)) => {
            let mut addresses = Vec::new();
            for address in list {
                if addresses.contains(&address.value) {
                    problems.error(address.at, format!("{} comes twice", address.value));
                }
                addresses.push(address.value);
            }
            Listen::On(addresses)
        }
    }
}
