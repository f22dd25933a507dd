//! All threads of the daemon share one heap: what one frees another takes. With a heap for each,
//! which is the C library's own way, routes that come and go leave holes (src/daemon/memory.rs).

use anyhow::ensure;
use starling_lab::Result;

use crate::support::{cluster, established};

/// What the C library reserves for each heap beside the first one, at a multiple of that: some of it
/// in use, the rest out of bounds.
const RESERVED: u64 = 64 << 20;

/// How many heaps there are beside the first one, by what `/proc` says of a process.
fn further_heaps(maps: &str) -> usize {
    let range = |line: &str| -> Option<(u64, u64)> {
        let (begin, end) = line.split(' ').next()?.split_once('-')?;
        Some((u64::from_str_radix(begin, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
    };
    let lines: Vec<&str> = maps.lines().collect();
    let is_heap = |pair: &&[&str]| {
        let Some(((begin, used), (free, end))) = range(pair[0]).zip(range(pair[1])) else {
            return false;
        };
        let are_neighbours = used == free && pair[0].contains("rw-p") && pair[1].contains("---p");
        are_neighbours && begin % RESERVED == 0 && end == begin + RESERVED
    };
    lines.windows(2).filter(is_heap).count()
}

#[test]
fn the_daemons_threads_have_one_heap() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    let pid = cluster.node(1)?.daemon()?.proc().pid();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    ensure!(maps.contains("[heap]") && further_heaps(&maps) == 0, "{maps}");
    // A program that says nothing of it, as this one: else this would show nothing.
    let others = std::thread::spawn(|| {
        let kept = vec![1_u8; 1000];
        let maps = std::fs::read_to_string("/proc/self/maps");
        drop(kept);
        maps
    });
    let maps = others.join().expect("no panic")?;
    ensure!(further_heaps(&maps) > 0, "{maps}");
    Ok(())
}
