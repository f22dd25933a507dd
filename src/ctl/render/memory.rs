//! `bgpctl show memory`: what it is used for, the most first.

use std::io::{self, Write};

use super::table::{Cell, Column, Table};
use super::text::paragraph;
use super::{PLAIN, Page};
use crate::api::{Memory, MemoryKind};

/// Memory by kind, and as a whole.
///
/// # Errors
/// Those of `out`.
pub fn memory(page: &Page, memory: &Memory, out: &mut impl Write) -> io::Result<()> {
    let columns = vec![
        Column::left("KIND"),
        Column::right("COUNT"),
        Column::right("BYTES"),
        Column::right("EACH"),
        Column::sentence("WHAT"),
    ];
    let mut kinds: Vec<&MemoryKind> = memory.kinds.iter().collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.bytes));
    let row = |kind: &&MemoryKind| {
        let about = if kind.reckoned { "~" } else { "" };
        let each = kind.bytes.checked_div(kind.count).filter(|_| kind.bytes > 0);
        vec![
            Cell::new(&kind.kind),
            Cell::of(kind.count),
            Cell::new(format!("{about}{}", octets(kind.bytes))),
            Cell::new(each.map_or_else(|| "-".to_owned(), octets)),
            Cell::new(&kind.what),
        ]
    };
    let rows: Vec<Vec<Cell>> = kinds.iter().map(row).collect();
    Table::new(page, columns).rows(&rows, out)?;
    writeln!(out)?;
    let counted: u64 = memory.kinds.iter().map(|kind| kind.bytes).sum();
    let mut whole = format!("{} counted", octets(counted));
    if let (Some(used), Some(free)) = (memory.used_bytes, memory.free_bytes) {
        let (used, free) = (octets(used), octets(free));
        whole += &format!(" of {used} in use, {free} free in the allocator");
    }
    whole += &format!("; {} resident", octets(memory.resident_bytes));
    paragraph(page, "", &whole, PLAIN, out)
}

/// `812 B`, `3.4 KiB`, `12.0 MiB`.
fn octets(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes * 10 / 1024, "KiB");
    for next in UNITS.into_iter().skip(1) {
        if tenths < 10240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, next);
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::octets;

    #[test]
    fn octets_in_the_unit_that_is_read() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1023.9 KiB"),
            (1024 * 1024, "1.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (3000 << 40, "3000.0 TiB"),
        ] {
            assert_eq!(octets(bytes), text);
        }
    }
}
