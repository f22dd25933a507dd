//! Callers that are no neighbours: how many of them have our attention at a time.
//!
//! Anybody can connect, thousands of times a second. Each caller that is given time costs a task
//! and a descriptor; so there are few places, and few of them for one address. Who finds none is
//! dealt with at once or not at all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Callers at a time.
const PLACES: usize = 64;
/// Of one address.
const EACH: usize = 8;

/// The places that are taken, by address.
#[derive(Clone, Debug, Default)]
pub struct Crowd(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Crowd {
    /// A place for a caller from `address`, until it is dropped; `None`: there is none.
    pub fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= PLACES {
            return None;
        }
        let own = taken.entry(address).or_default();
        if *own >= EACH {
            return None;
        }
        *own += 1;
        drop(taken);
        Some(Place { crowd: self.clone(), address })
    }

    fn leave(&self, address: IpAddr) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&address);
            }
        }
    }
}

/// A taken place.
#[derive(Debug)]
pub struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.leave(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_few_places_and_all_together_have_no_more_than_there_are() {
        let crowd = Crowd::default();
        let address = |n: usize| IpAddr::from([10, 0, 0, n as u8]);
        let one: Vec<_> = (0..2 * EACH).filter_map(|_| crowd.enter(address(1))).collect();
        assert_eq!(one.len(), EACH);
        let others: Vec<_> =
            (0..4 * PLACES).filter_map(|n| crowd.enter(address(2 + n % 250))).collect();
        assert_eq!(others.len(), PLACES - EACH, "somebody else is still let in, up to all places");
        drop(others);
        assert!(crowd.enter(address(1)).is_none(), "places of others are not its own");
        drop(one);
        assert!(crowd.0.lock().unwrap().is_empty(), "nothing is kept of who has gone");
        assert!(crowd.enter(address(1)).is_some());
    }
}
