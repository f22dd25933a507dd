//! Whether this node forwards packets at all: without it every route is right and no pod is
//! reached.
//!
//! In: what the Fib is told, watched in passing. Out: [`Report::ForwardingOff`] when the node
//! starts, is reconfigured or gets its first IPv6 route while forwarding of that family is off;
//! once until it was seen on again. A kernel whose /proc/sys does not say is believed to forward.

use std::fs;

use ipnet::IpNet;

use crate::types::{FibIn, Report};

struct Switch {
    /// Its sysctl name.
    name: &'static str,
    /// Its file.
    path: &'static str,
    said: bool,
}

impl Switch {
    const fn new(name: &'static str, path: &'static str) -> Switch {
        Switch { name, path, said: false }
    }

    fn check(&mut self) -> Option<Report> {
        let off = fs::read_to_string(self.path).is_ok_and(|value| value.trim() == "0");
        let news = off && !self.said;
        self.said = off;
        news.then_some(Report::ForwardingOff(self.name))
    }
}

/// The kernel's two switches, and whether the second concerns us.
pub(super) struct Forwarding {
    v4: Switch,
    v6: Switch,
    uses_v6: bool,
}

impl Forwarding {
    pub(super) const fn new() -> Forwarding {
        Forwarding {
            v4: Switch::new("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
            v6: Switch::new(
                "net.ipv6.conf.all.forwarding",
                "/proc/sys/net/ipv6/conf/all/forwarding",
            ),
            uses_v6: false,
        }
    }

    /// Looks at the switches if `input` gives a reason to.
    pub(super) fn heed(&mut self, input: &FibIn) -> Vec<Report> {
        let is_v6 = |net: &IpNet| matches!(net, IpNet::V6(_));
        let first_v6 = !self.uses_v6
            && match input {
                FibIn::Configure(config) => config.pools.iter().any(|pool| is_v6(&pool.cidr)),
                FibIn::Routes(changes) => changes.iter().any(|change| is_v6(&change.prefix)),
                _ => false,
            };
        self.uses_v6 |= first_v6;
        let (v4, v6) = match input {
            FibIn::Configure(_) => (true, self.uses_v6),
            _ => (false, first_v6),
        };
        let v4 = v4.then(|| self.v4.check()).flatten();
        let v6 = v6.then(|| self.v6.check()).flatten();
        v4.into_iter().chain(v6).collect()
    }
}
