//! Settings, counters and modules, from /proc and /sys. What /proc/sys/net and /proc/net say is of
//! the reader's network namespace.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::doctor::facts::{Host, Module};

/// Settings that are not an interface's.
const SETTINGS: [&str; 9] = [
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "net/ipv4/conf/all/rp_filter",
    "net/ipv4/fib_multipath_hash_policy",
    "net/ipv4/neigh/default/gc_thresh2",
    "net/ipv4/neigh/default/gc_thresh3",
    "net/ipv6/route/max_size",
    "net/netfilter/nf_conntrack_count",
    "net/netfilter/nf_conntrack_max",
];
/// Those that are.
const OF_INTERFACES: [&str; 3] = ["rp_filter", "forwarding", "proxy_arp"];

pub fn look(host: &mut Host, tunnel: &str) {
    let of_interfaces = host.links.iter().flat_map(|link| {
        OF_INTERFACES.iter().map(|leaf| format!("net/ipv4/conf/{}/{leaf}", link.name))
    });
    let paths: Vec<String> =
        SETTINGS.iter().map(|path| (*path).to_owned()).chain(of_interfaces).collect();
    for path in paths {
        if let Ok(value) = fs::read_to_string(Path::new("/proc/sys").join(&path)) {
            host.settings.insert(path, value.trim().to_owned());
        }
    }
    for file in ["/proc/net/snmp", "/proc/net/netstat"] {
        host.counters.extend(counters(&fs::read_to_string(file).unwrap_or_default()));
    }
    host.tunnel = traffic(&fs::read_to_string("/proc/net/dev").unwrap_or_default(), tunnel);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    host.kernel = version(&release);
    host.ipip = ipip(host, release.trim());
}

/// Pairs of lines: names, then values, both behind the same word.
fn counters(text: &str) -> BTreeMap<String, u64> {
    let mut counters = BTreeMap::new();
    let mut names: Vec<&str> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(group) = words.next() else { continue };
        let rest: Vec<&str> = words.collect();
        if rest.first().is_some_and(|first| first.parse::<i64>().is_err()) {
            names = rest;
            continue;
        }
        let group = group.trim_end_matches(':');
        let values = names
            .iter()
            .zip(&rest)
            .filter_map(|(name, value)| Some((format!("{group}.{name}"), value.parse().ok()?)));
        counters.extend(values);
    }
    counters
}

/// Packets received and sent: the second and the tenth number behind the name.
fn traffic(text: &str, device: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(device)?.strip_prefix(':'))?;
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    Some((*numbers.get(1)?, *numbers.get(9)?))
}

fn version(release: &str) -> (u32, u32) {
    let number = |part: &str| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    let mut parts = release.split('.');
    (parts.next().map_or(0, number), parts.next().map_or(0, number))
}

fn ipip(host: &Host, release: &str) -> Module {
    let is_there = host.links.iter().any(|link| link.kind.as_deref() == Some("ipip"));
    if is_there || Path::new("/sys/module/ipip").exists() {
        return Module::Present;
    }
    let folder = Path::new("/lib/modules").join(release);
    let mut seen = false;
    for (file, found) in [("modules.builtin", Module::Present), ("modules.dep", Module::Loadable)] {
        let Ok(list) = fs::read_to_string(folder.join(file)) else { continue };
        seen = true;
        let named =
            |line: &str| line.split(':').next().is_some_and(|path| path.contains("/ipip.ko"));
        if list.lines().any(named) {
            return found;
        }
    }
    // Without the lists (in a container, mostly) it may be there all the same.
    if seen { Module::Absent } else { Module::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_their_group_and_name() {
        let text = "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 1 42\n\
                    IpExt: InNoRoutes\nIpExt: 7\nIp: Forwarding X\nIp: -1 3\n";
        let counters = counters(text);
        assert_eq!(counters.get("TcpExt.IPReversePathFilter"), Some(&42));
        assert_eq!(counters.get("IpExt.InNoRoutes"), Some(&7));
        assert_eq!(counters.get("Ip.X"), Some(&3));
        assert_eq!(counters.len(), 4);
    }

    #[test]
    fn traffic_is_packets_in_and_out_of_one_device() {
        let text = "Inter-|   Receive\n face |bytes    packets errs\n    lo: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n\
                    tunl0: 8400 100 0 0 0 0 0 0 1680 20 0 0 0 0 0 0\n tunl01: 1 1 0 0 0 0 0 0 1 1 0\n";
        assert_eq!(traffic(text, "tunl0"), Some((100, 20)));
        assert_eq!(traffic(text, "tunl1"), None);
        assert_eq!(version("6.1.0-56-amd64"), (6, 1));
        assert_eq!(version("5.15-rc1"), (5, 15));
    }
}
