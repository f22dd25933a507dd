//! The ways to BGP peers, as the kernel shows them: what a session should know at once and would
//! else learn from a timer.
//!
//! In: whose sessions there are ([`Ends`]), and the world when it changes. Out: a session's [`Way`]
//! whenever it changes, and the peers that an address concerns which the kernel could not resolve.
//!
//! * *Cut* is definite: the peer was directly connected, its interface has lost its carrier, is
//!   down or gone, and no other interface is on its subnet. A peer behind a gateway is never cut:
//!   the kernel may know another way.
//! * *Waiting* is for our own address of the session, or for the interface of a link-local one.
//! * That the kernel asked for a neighbour's link-layer address in vain says less: a busy or
//!   filtered neighbour may answer nothing and yet read. It is passed on, for a closer look.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::IpNet;

use crate::learn::{News, World};
use crate::types::{Address, Ends, FibConfig, NextHop, Way};
use crate::underlay::{Reach, is_link_local};

#[derive(Clone, Default, Debug)]
struct Watched {
    /// The interface that it was connected on last.
    home: Option<u32>,
    told: Way,
}

/// All of them.
#[derive(Clone, Default, Debug)]
pub struct Ways {
    all: BTreeMap<Ends, Watched>,
}

impl Ways {
    /// Looks at every session's way; those that changed. One that was never told is as
    /// [`Way::default`].
    pub fn review(&mut self, world: &World, config: &FibConfig) -> Vec<(Ends, Way)> {
        self.all.retain(|ends, _| config.sessions.contains(ends));
        let mut news = Vec::new();
        for ends in &config.sessions {
            if !self.all.contains_key(ends) {
                self.all.insert(ends.clone(), Watched::default());
            }
            let Some(watched) = self.all.get_mut(ends) else { continue };
            let way = watched.look(ends, world, config);
            if way != watched.told {
                watched.told.clone_from(&way);
                news.push((ends.clone(), way));
            }
        }
        news
    }

    /// Whether news may change some session's way. That of a local pod does not.
    pub fn concerns(&self, news: &News, world: &World) -> bool {
        let is_wide = |net: &&IpNet| net.prefix_len() < net.max_prefix_len();
        self.all.iter().any(|(ends, watched)| {
            let is_local = |own: &Address| Some(own.address.addr()) == ends.local;
            let is_bound = |device: &u32| {
                let name = world.link(*device).map(|link| &link.name);
                name.is_some() && name == ends.interface.as_ref()
            };
            watched.home.is_some_and(|home| news.links.contains(&home))
                || news.links.iter().any(is_bound)
                || news.addresses.iter().any(is_local)
                || news.others.iter().filter(is_wide).any(|net| net.contains(&ends.peer))
        })
    }

    /// The interface on which a directly connected peer is, or was when that was alive.
    pub(crate) fn home(&self, ends: &Ends) -> Option<u32> {
        self.all.get(ends)?.home
    }

    /// The peers with this address that are directly connected on that interface.
    pub fn behind(&self, address: IpAddr, device: u32) -> Vec<Ends> {
        let concerned = self
            .all
            .iter()
            .filter(|(ends, watched)| ends.peer == address && watched.home == Some(device));
        concerned.map(|(ends, _)| ends.clone()).collect()
    }
}

impl Watched {
    fn look(&mut self, ends: &Ends, world: &World, config: &FibConfig) -> Way {
        let link = ends.interface.as_deref().filter(|_| is_link_local(ends.peer));
        let scope = link.and_then(|name| world.link_named(name)).map(|link| link.index);
        let reach = match (link, scope) {
            (Some(_), None) => Reach::Unreachable(String::new()),
            _ => {
                let scope = scope.and_then(NonZeroU32::new);
                world.reach(NextHop { address: ends.peer, scope }, config)
            }
        };
        let cut = self.home.and_then(|device| world.dead(device));
        match reach {
            Reach::Same { device, .. } | Reach::Connected { device } => {
                self.home = Some(device);
                return Way { cut: None, waits: waits(ends, world, scope) };
            }
            // Its interface is well: it is not there any more.
            Reach::Via { .. } if cut.is_none() => self.home = None,
            _ => {}
        }
        Way { cut, waits: waits(ends, world, scope) }
    }
}

/// What a call to the peer needs and is not there.
fn waits(ends: &Ends, world: &World, scope: Option<u32>) -> bool {
    let homeless = ends.local.is_some_and(|local| !world.carries(local));
    let linkless = is_link_local(ends.peer) && ends.interface.is_some() && scope.is_none();
    homeless || linkless
}

#[cfg(test)]
mod tests;
