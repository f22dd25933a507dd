//! Where routes lead, by number: a route is kept with the number of its target.
//!
//! In: a [`Via`] that a route leads by; routes that come and go (counted by [`super::Wants`]). Out:
//! its number, and back. Vias are few where prefixes are many, and one that no route leads by any
//! more is forgotten.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use slab::Slab;

use crate::resolve::Class;
use crate::types::{Target, Via};

/// A target, and who leads there.
#[derive(Clone, Debug)]
pub(super) struct Users {
    pub(super) via: Arc<Via>,
    /// The same, to be shown.
    target: Target,
    /// How many routes do.
    pub(super) routes: usize,
    /// How many of them are of each class.
    pub(super) classes: BTreeMap<Class, usize>,
}

/// The numbers of the targets that are no [`Via`]; those of vias come behind.
pub(super) const OWN: u32 = 0;
pub(super) const UNREACHABLE: u32 = 1;
const FIRST_VIA: u32 = 2;

/// The vias in use, by number.
#[derive(Clone, Default, Debug)]
pub(super) struct Vias {
    all: Slab<Users>,
    numbers: BTreeMap<Arc<Via>, u32>,
    /// The last one asked for: what comes in one batch often leads alike.
    last: u32,
}

impl Vias {
    pub(super) fn get(&self, number: u32) -> Option<&Users> {
        self.all.get(number.checked_sub(FIRST_VIA)? as usize)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Users> {
        self.all.get_mut(number.checked_sub(FIRST_VIA)? as usize)
    }

    pub(super) fn target(&self, number: u32) -> Option<&Target> {
        match number {
            OWN => Some(&Target::Own),
            UNREACHABLE => Some(&Target::Unreachable),
            via => Some(&self.get(via)?.target),
        }
    }

    /// The number of a via; of a new one that nobody uses yet.
    pub(super) fn number_of(&mut self, via: Arc<Via>) -> u32 {
        if self.get(self.last).is_some_and(|users| Arc::ptr_eq(&users.via, &via)) {
            return self.last;
        }
        let number = match self.numbers.get(&via) {
            Some(&known) => {
                // Whoever asks next asks with the same one: then they are seen to be the same.
                if let Some(users) = self.get_mut(known) {
                    users.target = Target::Via(via.clone());
                    users.via = via;
                }
                known
            }
            None => self.add(via),
        };
        self.last = number;
        number
    }

    fn add(&mut self, via: Arc<Via>) -> u32 {
        let (target, classes) = (Target::Via(via.clone()), BTreeMap::new());
        let users = Users { via: via.clone(), target, routes: 0, classes };
        let number = self.all.insert(users) as u32 + FIRST_VIA;
        self.numbers.insert(via, number);
        number
    }

    pub(super) fn forget(&mut self, number: u32) {
        let Some(place) = number.checked_sub(FIRST_VIA) else { return };
        if let Some(users) = self.all.try_remove(place as usize) {
            self.numbers.remove(&users.via);
        }
    }

    /// The numbers of `vias`, of those in use.
    pub(super) fn numbers_of<'a, I, V>(&self, vias: I) -> impl Iterator<Item = u32>
    where
        I: IntoIterator<Item = &'a V>,
        V: Borrow<Via> + 'a,
    {
        vias.into_iter().filter_map(|via| self.numbers.get(via.borrow())).copied()
    }

    /// All in use.
    pub(super) fn users_mut(&mut self) -> impl Iterator<Item = &mut Users> {
        self.all.iter_mut().map(|(_, users)| users)
    }
}

/// A set of numbers.
#[derive(Default)]
pub(super) struct Marks(Vec<bool>);

impl Marks {
    pub(super) fn add(&mut self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            let place = number as usize;
            if self.0.len() <= place {
                self.0.resize(place + 1, false);
            }
            if let Some(mark) = self.0.get_mut(place) {
                *mark = true;
            }
        }
    }

    pub(super) fn has(&self, number: u32) -> bool {
        self.0.get(number as usize).is_some_and(|mark| *mark)
    }
}
