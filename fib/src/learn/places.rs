//! Interfaces and addresses, each found by either of its two names: interfaces by number and by
//! name, addresses by themselves and by the interface that they are on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::types::{Address, Link};

/// Interfaces.
#[derive(Clone, Default, Debug)]
pub struct Links {
    by_index: BTreeMap<u32, Link>,
    /// Two may seem to have one name while news of a change is on its way.
    by_name: BTreeSet<(String, u32)>,
}

impl Links {
    /// By ifindex.
    pub fn get(&self, index: u32) -> Option<&Link> {
        self.by_index.get(&index)
    }

    /// By name.
    pub fn named(&self, name: &str) -> Option<&Link> {
        let (_, index) = self.by_name.range((name.to_owned(), 0)..).next()?;
        self.get(*index).filter(|link| link.name == name)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.by_index.len()
    }

    /// All, in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.by_index.values()
    }

    /// It is like this from now on; how it was before.
    pub fn insert(&mut self, link: Link) -> Option<Link> {
        let before = self.remove(link.index);
        self.by_name.insert((link.name.clone(), link.index));
        self.by_index.insert(link.index, link);
        before
    }

    /// It is gone; how it was.
    pub fn remove(&mut self, index: u32) -> Option<Link> {
        let link = self.by_index.remove(&index)?;
        self.by_name.remove(&(link.name.clone(), index));
        Some(link)
    }
}

/// Addresses; one may be on several interfaces.
#[derive(Clone, Default, Debug)]
pub struct Addresses {
    by_address: BTreeMap<IpAddr, BTreeSet<Address>>,
    by_device: BTreeMap<u32, BTreeSet<Address>>,
}

impl Addresses {
    /// Where an address is.
    pub fn get(&self, address: IpAddr) -> impl Iterator<Item = &Address> {
        self.by_address.get(&address).into_iter().flatten()
    }

    /// What is on an interface.
    pub fn on(&self, device: u32) -> impl Iterator<Item = &Address> {
        self.by_device.get(&device).into_iter().flatten()
    }

    /// How many, each for every interface that it is on.
    pub fn len(&self) -> usize {
        self.by_device.values().map(BTreeSet::len).sum()
    }

    /// Whether exactly this one is there.
    pub fn contains(&self, address: &Address) -> bool {
        self.by_device.get(&address.device).is_some_and(|there| there.contains(address))
    }

    /// One more; whether that is news.
    pub fn insert(&mut self, address: Address) -> bool {
        self.by_device.entry(address.device).or_default().insert(address);
        self.by_address.entry(address.address.addr()).or_default().insert(address)
    }

    /// One less; whether it was there.
    pub fn remove(&mut self, address: &Address) -> bool {
        let was_there = take(&mut self.by_device, &address.device, address);
        take(&mut self.by_address, &address.address.addr(), address);
        was_there
    }
}

fn take<K: Ord>(map: &mut BTreeMap<K, BTreeSet<Address>>, key: &K, address: &Address) -> bool {
    let Some(places) = map.get_mut(key) else { return false };
    let was_there = places.remove(address);
    if places.is_empty() {
        map.remove(key);
    }
    was_there
}
