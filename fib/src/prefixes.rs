//! Prefixes as keys: a map in order, and a queue that hands out the last first.
//!
//! What is kept for every route of a full table is kept here, so the key is packed: an IPv4 prefix
//! is one number (its address, then its length), an IPv6 prefix 17 octets. Both sort as [`IpNet`]
//! does, all of IPv4 before all of IPv6, and compare several times faster. Neighbouring prefixes lie
//! side by side, which is what makes a walk in order cheap: a table of a million prefixes is larger
//! than the cache.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Bound;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

type V4 = u64;
type V6 = [u8; 17];

enum Packed {
    V4(V4),
    V6(V6),
}

fn pack(prefix: IpNet) -> Packed {
    match prefix {
        IpNet::V4(net) => {
            Packed::V4(u64::from(net.addr().to_bits()) << 8 | u64::from(net.prefix_len()))
        }
        IpNet::V6(net) => {
            let mut key = [0; 17];
            let (address, length) = key.split_at_mut(16);
            address.copy_from_slice(&net.addr().octets());
            length.fill(net.prefix_len());
            Packed::V6(key)
        }
    }
}

fn v4(key: V4) -> IpNet {
    let address = Ipv4Addr::from_bits((key >> 8) as u32);
    // The length of a prefix that was packed.
    Ipv4Net::new(address, key as u8).unwrap_or_default().into()
}

fn v6(key: V6) -> IpNet {
    let [address @ .., length] = key;
    Ipv6Net::new(Ipv6Addr::from(address), length).unwrap_or_default().into()
}

/// A map from prefixes, in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrefixMap<T> {
    v4: BTreeMap<V4, T>,
    v6: BTreeMap<V6, T>,
}

impl<T> Default for PrefixMap<T> {
    fn default() -> PrefixMap<T> {
        PrefixMap { v4: BTreeMap::new(), v6: BTreeMap::new() }
    }
}

impl<T> PrefixMap<T> {
    /// How many.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// About how many octets of memory it takes: a node of a B-tree has room for eleven, of which
    /// two thirds are taken when keys come in no order.
    pub fn bytes(&self) -> usize {
        let v4 = self.v4.len() * (size_of::<V4>() + size_of::<T>());
        let v6 = self.v6.len() * (size_of::<V6>() + size_of::<T>());
        (v4 + v6) * 3 / 2
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether there is this one.
    pub fn contains(&self, prefix: IpNet) -> bool {
        self.get(prefix).is_some()
    }

    /// What is there.
    pub fn get(&self, prefix: IpNet) -> Option<&T> {
        match pack(prefix) {
            Packed::V4(key) => self.v4.get(&key),
            Packed::V6(key) => self.v6.get(&key),
        }
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, prefix: IpNet) -> Option<&mut T> {
        match pack(prefix) {
            Packed::V4(key) => self.v4.get_mut(&key),
            Packed::V6(key) => self.v6.get_mut(&key),
        }
    }

    /// Puts `value` there; what was.
    pub fn insert(&mut self, prefix: IpNet, value: T) -> Option<T> {
        match pack(prefix) {
            Packed::V4(key) => self.v4.insert(key, value),
            Packed::V6(key) => self.v6.insert(key, value),
        }
    }

    /// Puts `value` there if nothing is; else what is there.
    pub fn insert_new(&mut self, prefix: IpNet, value: T) -> Option<&mut T> {
        fn put<K: Ord, T>(entry: Entry<'_, K, T>, value: T) -> Option<&mut T> {
            match entry {
                Entry::Occupied(there) => Some(there.into_mut()),
                Entry::Vacant(place) => {
                    place.insert(value);
                    None
                }
            }
        }
        match pack(prefix) {
            Packed::V4(key) => put(self.v4.entry(key), value),
            Packed::V6(key) => put(self.v6.entry(key), value),
        }
    }

    /// Takes away what is there.
    pub fn remove(&mut self, prefix: IpNet) -> Option<T> {
        match pack(prefix) {
            Packed::V4(key) => self.v4.remove(&key),
            Packed::V6(key) => self.v6.remove(&key),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, &T)> {
        self.after(None)
    }

    /// Those behind `after`, in order.
    pub fn after(&self, after: Option<IpNet>) -> impl Iterator<Item = (IpNet, &T)> {
        let (first, second) = match after.map(pack) {
            None => (Bound::Unbounded, Bound::Unbounded),
            Some(Packed::V4(key)) => (Bound::Excluded(key), Bound::Unbounded),
            Some(Packed::V6(key)) => (Bound::Excluded(V4::MAX), Bound::Excluded(key)),
        };
        let first = self.v4.range((first, Bound::Unbounded)).map(|(key, value)| (v4(*key), value));
        first.chain(self.v6.range((second, Bound::Unbounded)).map(|(key, value)| (v6(*key), value)))
    }
}

/// Keys in order as far as `sorted`, then as they came, some perhaps twice.
#[derive(Clone, Debug)]
struct Backlog<K> {
    keys: Vec<K>,
    sorted: usize,
}

impl<K: Ord + Copy> Backlog<K> {
    const EMPTY: Backlog<K> = Backlog { keys: Vec::new(), sorted: 0 };

    fn push(&mut self, key: K) {
        let in_order = self.sorted == self.keys.len() && self.keys.last().is_none_or(|l| *l < key);
        self.keys.push(key);
        self.sorted += usize::from(in_order);
    }

    fn pop_last(&mut self) -> Option<K> {
        if self.sorted < self.keys.len() {
            // Finds what is sorted already and merges the rest with it.
            self.keys.sort();
            self.keys.dedup();
        }
        let last = self.keys.pop();
        self.sorted = self.keys.len();
        if self.keys.is_empty() {
            // A full table leaves much room behind.
            self.keys = Vec::new();
        }
        last
    }
}

/// Prefixes that something is to be done about. Each comes out once however often it went in,
/// the last in order first.
#[derive(Clone, Debug)]
pub struct PrefixQueue {
    v4: Backlog<V4>,
    v6: Backlog<V6>,
}

impl Default for PrefixQueue {
    fn default() -> PrefixQueue {
        PrefixQueue { v4: Backlog::EMPTY, v6: Backlog::EMPTY }
    }
}

impl PrefixQueue {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.keys.is_empty() && self.v6.keys.is_empty()
    }

    /// One more.
    pub fn push(&mut self, prefix: IpNet) {
        match pack(prefix) {
            Packed::V4(key) => self.v4.push(key),
            Packed::V6(key) => self.v6.push(key),
        }
    }

    /// The last of them, which is then no more among them.
    pub fn pop_last(&mut self) -> Option<IpNet> {
        match self.v6.pop_last() {
            Some(key) => Some(v6(key)),
            None => self.v4.pop_last().map(v4),
        }
    }

    /// All of them in order, each once.
    pub fn to_vec(&self) -> Vec<IpNet> {
        fn distinct<K: Ord + Copy>(heap: &Backlog<K>) -> Vec<K> {
            let mut keys = heap.keys.clone();
            keys.sort();
            keys.dedup();
            keys
        }
        let first = distinct(&self.v4).into_iter().map(v4);
        first.chain(distinct(&self.v6).into_iter().map(v6)).collect()
    }
}

impl Extend<IpNet> for PrefixQueue {
    fn extend<I: IntoIterator<Item = IpNet>>(&mut self, prefixes: I) {
        prefixes.into_iter().for_each(|prefix| self.push(prefix));
    }
}

#[cfg(test)]
mod tests;
