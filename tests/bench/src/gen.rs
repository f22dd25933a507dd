//! Deterministic workloads: prefixes, attribute sets, pre-built UPDATE streams.
use std::collections::HashSet;
use std::net::Ipv4Addr;

/// splitmix64: small, fast, deterministic.
pub struct Rng(pub u64);
impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        ((self.next() as u128 * n as u128) >> 64) as u64
    }
    /// Picks a value from (weight, value) pairs whose weights sum to 1000.
    pub fn pick<T: Copy>(&mut self, table: &[(u64, T)]) -> T {
        let mut r = self.below(1000);
        for &(w, v) in table {
            if r < w {
                return v;
            }
            r -= w;
        }
        table[table.len() - 1].1
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mix {
    /// Prefix lengths as in the IPv4 default-free zone (60% /24), ~3 NLRI a message.
    Internet,
    /// Consecutive /26 blocks from 10.0.0.0, as Calico's IPAM hands them to nodes.
    Pods,
}

#[derive(Clone, Copy)]
pub struct Group {
    pub start: u32,
    pub len: u32,
    pub set: u32,
}

pub struct Workload {
    pub prefixes: Vec<(u32, u8)>,
    pub groups: Vec<Group>,
    pub sets: u32,
    /// Attribute set of each prefix, by its number in the index.
    pub set_of: Vec<u32>,
    pub index: Index,
    pub mix: Mix,
    seed: u64,
}

/// Prefix -> number in (length, address) order: one bitmap with running counts a length.
/// Small enough to stay in the cache, so that counting costs little beside the DUT.
pub struct Index {
    levels: Vec<Level>,
}
#[derive(Default)]
struct Level {
    min: u32,
    words: Vec<(u64, u32)>,
}
impl Index {
    fn key(a: u32, l: u8) -> u64 {
        ((a as u64) << 8) | (l as u64 + 1)
    }
    #[inline]
    fn net(a: u32, l: u8) -> u32 {
        ((a as u64) >> (32 - l)) as u32
    }
    fn build(p: &[(u32, u8)]) -> Index {
        let mut levels = Vec::new();
        let mut rank = 0u32;
        for l in 0..=32u8 {
            let mut v: Vec<u32> =
                p.iter().filter(|x| x.1 == l).map(|x| Self::net(x.0, l)).collect();
            v.sort_unstable();
            let mut lv = Level::default();
            if let (Some(&min), Some(&max)) = (v.first(), v.last()) {
                lv.min = min & !63;
                lv.words = vec![(0, 0); ((max - lv.min) / 64 + 1) as usize];
                for n in v {
                    lv.words[((n - lv.min) / 64) as usize].0 |= 1 << (n % 64);
                }
                for w in &mut lv.words {
                    w.1 = rank;
                    rank += w.0.count_ones();
                }
            }
            levels.push(lv);
        }
        Index { levels }
    }
    #[inline]
    pub fn get(&self, a: u32, l: u8) -> Option<u32> {
        let lv = &self.levels[l as usize];
        let n = Self::net(a, l).wrapping_sub(lv.min);
        let w = lv.words.get((n / 64) as usize)?;
        let bit = 1u64 << (n % 64);
        (w.0 & bit != 0).then(|| w.1 + (w.0 & (bit - 1)).count_ones())
    }
}

const LENGTHS: &[(u64, u8)] = &[
    (600, 24),
    (100, 23),
    (110, 22),
    (50, 21),
    (45, 20),
    (30, 19),
    (18, 18),
    (12, 17),
    (20, 16),
    (5, 15),
    (4, 14),
    (3, 13),
    (2, 12),
    (1, 11),
];
const GROUP: &[(u64, u32)] = &[(450, 1), (200, 2), (100, 3), (80, 4), (70, 6), (60, 10), (40, 20)];
const PATHLEN: &[(u64, u8)] = &[(80, 2), (300, 3), (300, 4), (200, 5), (80, 6), (40, 7)];

fn usable(a: u32, len: u8) -> bool {
    let last = a | ((!0u32) >> len);
    let hit = |b: u32, l: u8| {
        let m = !0u32 << (32 - l);
        (a & m) == (b & m) || (b >= a && b <= last)
    };
    a >> 24 >= 1
        && (last >> 24) < 224
        && !hit(0x0A00_0000, 8)
        && !hit(0x7F00_0000, 8)
        && !hit(0xA9FE_0000, 16)
        && !hit(0xAC10_0000, 12)
        && !hit(0xC0A8_0000, 16)
}

impl Workload {
    pub fn new(mix: Mix, count: usize, sets_wanted: usize, seed: u64) -> Workload {
        let mut r = Rng(seed);
        let mut prefixes: Vec<(u32, u8)> = Vec::with_capacity(count);
        let mut groups = Vec::new();
        let mut set_of = Vec::with_capacity(count);
        let mut sets = 0u32;
        let mut seen: HashSet<u64> = HashSet::with_capacity(count * 2);
        let sets_wanted = sets_wanted.max(1);
        let mean = if mix == Mix::Internet { 3.29 } else { 4.0 };
        let p_new = ((sets_wanted as f64) / (count as f64 / mean) * 1000.0).min(1000.0) as u64;
        while prefixes.len() < count {
            let left = count - prefixes.len();
            let start = prefixes.len();
            match mix {
                Mix::Internet => {
                    // A group is one origin's cluster: addresses near each other.
                    let g = (r.pick(GROUP) as usize).min(left);
                    let mut cursor = (r.next() >> 32) as u32;
                    let mut tries = 0;
                    while prefixes.len() < start + g {
                        let len = r.pick(LENGTHS);
                        let a = cursor & (!0u32 << (32 - len));
                        cursor = a.wrapping_add(1u32 << (32 - len));
                        tries += 1;
                        if tries > 64 {
                            cursor = (r.next() >> 32) as u32;
                            tries = 0;
                        }
                        if usable(a, len) && seen.insert(Index::key(a, len)) {
                            prefixes.push((a, len));
                        } else {
                            cursor = (r.next() >> 32) as u32;
                        }
                    }
                }
                Mix::Pods => {
                    let g = 4usize.min(left);
                    for _ in 0..g {
                        let a = 0x0A00_0000u32 + (prefixes.len() as u32) * 64;
                        assert!(a < 0x0AFF_0000, "too many pod blocks");
                        prefixes.push((a, 26));
                    }
                }
            }
            let set = if sets == 0 || ((sets as usize) < sets_wanted && r.below(1000) < p_new) {
                sets += 1;
                sets - 1
            } else {
                r.below(sets as u64) as u32
            };
            let len = (prefixes.len() - start) as u32;
            groups.push(Group { start: start as u32, len, set });
            for _ in 0..len {
                set_of.push(set);
            }
        }
        let index = Index::build(&prefixes);
        let mut by_number = vec![0; count];
        for (&(a, l), &set) in prefixes.iter().zip(&set_of) {
            by_number[index.get(a, l).unwrap() as usize] = set;
        }
        let set_of = by_number;
        Workload { prefixes, groups, sets, set_of, index, mix, seed }
    }

    fn set_rng(&self, inj: u32, set: u32, version: u32) -> Rng {
        let mut r = Rng(self.seed ^ ((inj as u64) << 48) ^ ((version as u64) << 36) ^ set as u64);
        r.next();
        r
    }

    /// AS_PATH length of an attribute set, the injector's own AS included.
    pub fn path_len(&self, inj: u32, set: u32, version: u32) -> u8 {
        self.set_rng(inj, set, version).pick(PATHLEN)
    }

    /// Path attributes as they stand in an UPDATE.
    pub fn attrs(
        &self,
        inj: u32,
        inj_as: u32,
        nh: Ipv4Addr,
        set: u32,
        version: u32,
        ibgp: bool,
        out: &mut Vec<u8>,
    ) {
        let mut r = self.set_rng(inj, set, version);
        let plen = r.pick(PATHLEN);
        let internet = self.mix == Mix::Internet;
        let incomplete = internet && r.below(4) == 0;
        out.extend_from_slice(&[0x40, 1, 1, if incomplete { 2 } else { 0 }]);
        out.extend_from_slice(&[0x40, 2, 2 + 4 * plen, 2, plen]);
        let mut prev = inj_as;
        for i in 0..plen {
            let asn = if i == 0 {
                inj_as
            } else if r.below(100) < 8 {
                prev
            } else if r.below(100) < 15 {
                131_072 + r.below(270_000) as u32
            } else {
                1000 + r.below(59_000) as u32
            };
            prev = asn;
            out.extend_from_slice(&asn.to_be_bytes());
        }
        out.extend_from_slice(&[0x40, 3, 4]);
        out.extend_from_slice(&nh.octets());
        if internet && r.below(5) == 0 {
            out.extend_from_slice(&[0x80, 4, 4]);
            out.extend_from_slice(&(r.below(200) as u32).to_be_bytes());
        }
        if ibgp {
            out.extend_from_slice(&[0x40, 5, 4, 0, 0, 0, 100]);
        }
        if internet && r.below(20) == 0 {
            out.extend_from_slice(&[0xC0, 7, 8]);
            out.extend_from_slice(&prev.to_be_bytes());
            out.extend_from_slice(&(0x0100_0000u32 + r.below(0x7000_0000) as u32).to_be_bytes());
        }
        if r.below(100) < 60 {
            let n = if internet { 1 + r.below(8) as usize } else { 1 };
            let mut cs: Vec<u32> = (0..n)
                .map(|_| ((1000 + r.below(59_000) as u32) << 16) | r.below(4000) as u32)
                .collect();
            cs.sort_unstable();
            cs.dedup();
            out.extend_from_slice(&[0xC0, 8, 4 * cs.len() as u8]);
            for c in cs {
                out.extend_from_slice(&c.to_be_bytes());
            }
        }
        if internet && r.below(100) < 15 {
            let n = 1 + r.below(3);
            out.extend_from_slice(&[0xC0, 32, 12 * n as u8]);
            for k in 0..n {
                out.extend_from_slice(&(131_072 + r.below(9) as u32).to_be_bytes());
                out.extend_from_slice(&(k as u32).to_be_bytes());
                out.extend_from_slice(&(r.below(5000) as u32).to_be_bytes());
            }
        }
    }

    /// How many prefixes have other attributes in one version than in the other: a few sets are
    /// short enough to come out the same twice, and what is the same is not announced again.
    pub fn differing(&self, inj: u32, inj_as: u32, nh: Ipv4Addr, versions: [u32; 2]) -> u64 {
        let mut at = [Vec::new(), Vec::new()];
        let mut differs = vec![None; self.sets as usize];
        let mut count = 0;
        for &set in &self.set_of {
            let differs = differs[set as usize].get_or_insert_with(|| {
                for (at, version) in at.iter_mut().zip(versions) {
                    at.clear();
                    self.attrs(inj, inj_as, nh, set, version, false, at);
                }
                at[0] != at[1]
            });
            count += u64::from(*differs);
        }
        count
    }

    /// Announcements of every group `keep` accepts; ends with End-of-RIB if asked.
    pub fn announce(
        &self,
        inj: u32,
        inj_as: u32,
        nh: Ipv4Addr,
        version: u32,
        ibgp: bool,
        eor: bool,
        keep: impl Fn(usize) -> bool,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.prefixes.len() * 36);
        let mut at = Vec::new();
        for (gi, g) in self.groups.iter().enumerate() {
            if !keep(gi) {
                continue;
            }
            at.clear();
            self.attrs(inj, inj_as, nh, g.set, version, ibgp, &mut at);
            let h = out.len();
            out.extend_from_slice(&[0xFF; 16]);
            out.extend_from_slice(&[0, 0, 2, 0, 0]);
            out.extend_from_slice(&(at.len() as u16).to_be_bytes());
            out.extend_from_slice(&at);
            for &(a, l) in &self.prefixes[g.start as usize..(g.start + g.len) as usize] {
                put_nlri(&mut out, a, l);
            }
            let len = (out.len() - h) as u16;
            assert!(len <= 4096);
            out[h + 16..h + 18].copy_from_slice(&len.to_be_bytes());
        }
        if eor {
            out.extend_from_slice(&[0xFF; 16]);
            out.extend_from_slice(&[0, 23, 2, 0, 0, 0, 0]);
        }
        out
    }

    /// Whether group `g` is one of about `percent` of all, always the same ones.
    pub fn picked(g: usize, percent: u64) -> bool {
        (g as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 & 0xFFFF_FFFF < (percent << 32) / 100
    }

    /// How many prefixes these groups have.
    pub fn count(&self, keep: impl Fn(usize) -> bool) -> u64 {
        self.groups.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, g)| g.len as u64).sum()
    }

    /// Withdrawals of every group `keep` accepts, packed into full messages.
    pub fn withdraw(&self, keep: impl Fn(usize) -> bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.prefixes.len() * 5);
        let kept = self.groups.iter().enumerate().filter(|(i, _)| keep(*i));
        let of = |g: &Group| &self.prefixes[g.start as usize..(g.start + g.len) as usize];
        let mut it = kept.flat_map(|(_, g)| of(g)).peekable();
        while it.peek().is_some() {
            let h = out.len();
            out.extend_from_slice(&[0xFF; 16]);
            out.extend_from_slice(&[0, 0, 2, 0, 0]);
            while out.len() - h + 5 + 2 <= 4096 {
                match it.next() {
                    Some(&(a, l)) => put_nlri(&mut out, a, l),
                    None => break,
                }
            }
            let wl = (out.len() - h - 21) as u16;
            out[h + 19..h + 21].copy_from_slice(&wl.to_be_bytes());
            out.extend_from_slice(&[0, 0]);
            let len = (out.len() - h) as u16;
            out[h + 16..h + 18].copy_from_slice(&len.to_be_bytes());
        }
        out
    }
}

fn put_nlri(out: &mut Vec<u8>, a: u32, l: u8) {
    out.push(l);
    out.extend_from_slice(&a.to_be_bytes()[..(l as usize).div_ceil(8)]);
}
