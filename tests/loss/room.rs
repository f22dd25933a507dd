//! Room in the kernel's tables of neighbours (ARP, NDP).
//!
//! Their limits are for all namespaces of the host together, 1024 entries by default: two
//! softwares with fifty peers each, side by side, come near that, and then packets are lost that
//! no route lost.

use std::path::PathBuf;

/// As many entries as any scene could want.
const ENTRIES: &str = "65536";

/// The limits that were; dropping it puts them back.
pub struct Room(Vec<(PathBuf, String)>);

impl Room {
    /// Raises the limits that can be raised: a host that does not let us keeps its own, and
    /// [`times_full`] tells where that mattered.
    pub fn make() -> Room {
        let mut before = Vec::new();
        for family in ["ipv4", "ipv6"] {
            // The highest first: they must stay in order.
            for limit in ["gc_thresh3", "gc_thresh2", "gc_thresh1"] {
                let path = PathBuf::from(format!("/proc/sys/net/{family}/neigh/default/{limit}"));
                if let Ok(was) = std::fs::read_to_string(&path)
                    && std::fs::write(&path, ENTRIES).is_ok()
                {
                    before.push((path, was));
                }
            }
        }
        Room(before)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for (path, was) in self.0.iter().rev() {
            if let Err(error) = std::fs::write(path, was) {
                eprintln!("cannot put {} back to {}: {error}", path.display(), was.trim());
            }
        }
    }
}

/// How often the kernel had no room for another entry.
pub fn times_full() -> u64 {
    let of = |table: &str| {
        let text = std::fs::read_to_string(format!("/proc/net/stat/{table}")).unwrap_or_default();
        let last = |line: &str| u64::from_str_radix(line.split_whitespace().last()?, 16).ok();
        text.lines().skip(1).filter_map(last).sum::<u64>()
    };
    of("arp_cache") + of("ndisc_cache")
}
