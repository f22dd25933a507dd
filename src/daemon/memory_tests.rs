//! When memory goes back, and that it can.

use super::*;

#[test]
fn memory_goes_back_once_a_table_has_halved() {
    let mut water = HighWater::default();
    water.see(1_000_000, Time(1));
    water.see(500_000, Time(2));
    assert_eq!(water.next_deadline(), None);
    water.see(499_999, Time(3));
    let due = Time(3).after(PATIENCE);
    water.see(200_000, Time(4));
    assert_eq!(water.next_deadline(), Some(due), "of the first fall");
    water.begin_again(17_000);
    assert_eq!(water.next_deadline(), None);
    water.see(0, Time(5));
    assert_eq!(water.next_deadline(), Some(Time(5).after(PATIENCE)));
    water.begin_again(0);
    water.see(10_000, Time(6));
    water.see(0, Time(7));
    assert_eq!(water.next_deadline(), None, "too small to matter");
}

/// Does `body` in a process that does nothing else: what is counted here is a whole process's.
#[cfg(target_env = "gnu")]
fn alone(test: &str, body: impl FnOnce()) {
    const INNER: &str = "STARLING_ALONE";
    let name = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
    if std::env::var(INNER).as_deref() == Ok(test) {
        return body();
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args([&name, "--exact", "--nocapture"]).env(INNER, test).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

/// Pieces that are freed but for every hundredth: the allocator keeps all of that by itself.
#[test]
#[cfg(target_env = "gnu")]
fn what_is_free_between_things_in_use_is_returned() {
    alone("what_is_free_between_things_in_use_is_returned", returns_what_is_free);
}

#[cfg(target_env = "gnu")]
fn returns_what_is_free() {
    let resident = || resident() / 1024;
    let mut pieces: Vec<Option<Vec<u8>>> = (0..20_000).map(|_| Some(vec![1; 4000])).collect();
    for (at, piece) in pieces.iter_mut().enumerate() {
        if at % 100 != 0 {
            *piece = None;
        }
    }
    let before = resident();
    give_back();
    let after = resident();
    assert!(before - after > 40_000, "{before} kB before, {after} kB after");
    assert_eq!(pieces.iter().flatten().count(), 200);
    let (used, _) = allocated().unwrap();
    let large = vec![1_u8; 64 << 20];
    let (now, _) = allocated().unwrap();
    assert!(now >= used + (60 << 20), "{used}, then {now}");
    drop(large);
}

/// Where a block of its own mapping begins in its first page, which is of 4096 octets or a multiple of
/// that: behind two words of the allocator.
#[cfg(target_env = "gnu")]
const BEHIND: usize = 2 * size_of::<usize>();

#[cfg(target_env = "gnu")]
#[test]
fn a_large_block_is_mapped_by_itself_whatever_was_freed_before() {
    keep_one_small_heap();
    let block = |octets: usize| std::hint::black_box(vec![1_u8; octets]);
    // By itself the C library learns from each of these that such blocks come and go …
    (0..4).for_each(|n| drop(block((n + 1) << 20)));
    // … and takes these from its heap, one behind the other.
    let sizes: Vec<usize> = (0..8).map(|n| (1 << 20) - 1000 * n).collect();
    let kept: Vec<Vec<u8>> = sizes.iter().map(|size| block(*size)).collect();
    let places: Vec<usize> = kept.iter().map(|block| block.as_ptr() as usize % 4096).collect();
    assert_eq!(places, [BEHIND; 8]);
}
