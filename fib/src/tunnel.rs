//! The tunnel device: whether one is needed, as what, and whether routes may use it.
//!
//! In: the configuration, the device and its underlay as the kernel shows them, and what became
//! of the last request. Out: `FibOut::Tunnel`, one at a time, and [`Device`] for whoever resolves
//! next hops. A device that no pool needs is neither made nor touched. RFC 2003: the outer header
//! takes 20 bytes of the underlay's MTU.
//!
//! What somebody does to the device is put right as soon as it is heard, a few times; who keeps
//! doing it is met with growing waits. A device that is not to be ours (another kind, or a far end
//! of its own) is let alone, at the start and when it takes the place of ours later; when it
//! changes or goes, ours is tried for again at once.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::learn::World;
use crate::types::{FibConfig, FibOut, Link, Mode, Report, TunnelConfig, TunnelError, TunnelSpec};

/// What IP in IP adds (RFC 2003 §3).
const OUTER_HEADER: u32 = 20;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Changes by others that are put right at once, within [`DRIFT_WINDOW`].
const DRIFTS_AT_ONCE: u32 = 5;
const DRIFT_WINDOW: Duration = Duration::from_secs(10);

/// Whether routes may use the tunnel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Device {
    /// They may.
    Ready {
        /// The interface's index.
        index: u32,
        /// Its name.
        name: String,
    },
    /// Not yet; why.
    Pending(String),
    /// It cannot be had; why.
    Failed(String),
}

/// The tunnel device's state, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TunnelState {
    /// No pool asks for one.
    Unneeded,
    /// Asked for, or waiting for something that is said.
    Pending(String),
    /// Up, as this.
    Ready(TunnelSpec),
    /// It cannot be had.
    Failed(TunnelError),
}

/// The tunnel device.
#[derive(Clone, Default, Debug)]
pub struct Tunnel {
    needed: bool,
    /// What it shall be; `None`: it was never needed, or its MTU was never known.
    spec: Option<TunnelSpec>,
    /// What was asked for and not answered.
    asked: Option<TunnelSpec>,
    /// What was made.
    made: Option<TunnelSpec>,
    failed: Option<TunnelError>,
    reported: Option<TunnelError>,
    /// Not before then again.
    not_before: Duration,
    wait: Duration,
    /// What bears its name: index, kind, far end.
    bearer: Option<Bearer>,
    /// The index of the device that was seen to be as it should be.
    seen: Option<u32>,
    /// It was so when it was looked at last.
    well: bool,
    /// How often somebody changed it since then.
    drifts: (u32, Duration),
}

type Bearer = (u32, Option<String>, Option<Ipv4Addr>);

/// Whether some pool asks for encapsulation.
pub fn is_needed(config: &FibConfig) -> bool {
    config.pools.iter().any(|pool| pool.mode != Mode::Never && pool.cidr.addr().is_ipv4())
}

/// The device as it shall be; `None`: the underlay is not known.
fn spec_of(config: &FibConfig, world: &World) -> Option<TunnelSpec> {
    let mtu = match config.tunnel.mtu {
        Some(mtu) => mtu,
        None => {
            let own = *config.addresses.iter().find(|own| own.is_ipv4())?;
            let (link, _) = world.own(own, config)?;
            link.mtu.saturating_sub(OUTER_HEADER)
        }
    };
    let TunnelConfig { device, address, manage, .. } = &config.tunnel;
    // What comes out of the tunnel is looked up where the device is.
    let vrf = world.vrf();
    Some(TunnelSpec { device: device.clone(), mtu, address: *address, vrf, manage: *manage })
}

impl Tunnel {
    /// Looks at what shall be and what is, and asks for what is missing. `demanded`: routes are to
    /// be encapsulated, whatever the pools say. `fresh`: the configuration was given anew, so an
    /// earlier refusal does not count.
    pub fn review(
        &mut self,
        config: &FibConfig,
        world: &World,
        demanded: bool,
        fresh: bool,
        now: Duration,
        out: &mut Vec<FibOut>,
    ) {
        if !world.read && config.tunnel.mtu.is_none() {
            return;
        }
        self.needed = demanded || is_needed(config);
        // An underlay that is gone for now does not change what the device is.
        let named = |spec: &TunnelSpec| spec.device == config.tunnel.device;
        let spec = self.needed.then(|| spec_of(config, world)).flatten();
        let spec = spec.or_else(|| self.spec.clone().filter(named));
        let changed = spec != self.spec;
        let bearer = world.link_named(&config.tunnel.device);
        let bearer = bearer.map(|link| (link.index, link.kind.clone(), link.remote));
        // What stood in the way may be gone, and where nothing was, something may be.
        let turned = self.failed.is_some() && bearer != self.bearer;
        self.bearer = bearer;
        if changed || fresh || turned {
            self.wait = Duration::ZERO;
            self.not_before = now;
        }
        if fresh {
            self.reported = None;
        }
        if spec.as_ref().map(|spec| &spec.device) != self.spec.as_ref().map(|spec| &spec.device) {
            self.made = None;
            self.failed = None;
            self.seen = None;
        }
        self.spec = spec;
        let Some(spec) = self.spec.clone().filter(|_| self.needed) else { return };
        let as_made = self.made.as_ref() == Some(&spec) && self.failed.is_none();
        let amiss = amiss(&spec, world);
        let good = as_made && (!world.read || amiss.is_none());
        if good && now >= self.not_before.saturating_add(LONGEST_WAIT) {
            self.wait = Duration::ZERO;
        }
        if good && world.read {
            self.seen = world.link_named(&spec.device).map(|link| link.index);
        }
        let was_well = std::mem::replace(&mut self.well, good);
        if let (true, true, Some(what)) = (was_well, as_made, amiss) {
            self.drifted(&spec, what, now, out);
        }
        if good || self.asked.is_some() || now < self.not_before {
            return;
        }
        // The device's own news may lag behind the answer: ask again only after a while.
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        self.not_before = now.saturating_add(self.wait);
        self.asked = Some(spec.clone());
        out.push(FibOut::Tunnel(spec));
    }

    /// Somebody changed what was well.
    fn drifted(&mut self, spec: &TunnelSpec, what: String, now: Duration, out: &mut Vec<FibOut>) {
        let (times, since) = &mut self.drifts;
        if now.saturating_sub(*since) >= DRIFT_WINDOW {
            (*times, *since) = (0, now);
        }
        *times = times.saturating_add(1);
        if *times <= DRIFTS_AT_ONCE {
            self.wait = Duration::ZERO;
            self.not_before = now;
        }
        let device = spec.device.clone();
        out.push(FibOut::Report(Report::TunnelDrift { device, what }));
    }

    /// What became of the request.
    pub fn done(&mut self, result: Result<(), TunnelError>, out: &mut Vec<FibOut>) {
        let asked = self.asked.take();
        match result {
            Ok(()) => {
                self.made = asked;
                self.seen = None;
                self.failed = None;
                self.reported = None;
            }
            Err(error) => {
                if self.reported.as_ref() != Some(&error) {
                    self.reported = Some(error.clone());
                    out.push(FibOut::Report(Report::Tunnel(error.clone())));
                }
                self.failed = Some(error);
            }
        }
    }

    /// Whether routes may use it.
    pub fn device(&self, config: &FibConfig, world: &World) -> Device {
        let name = &config.tunnel.device;
        let link = world.link_named(name);
        // What was well once and cannot be put right altogether is used as it is.
        let works =
            |link: &&Link| self.seen == Some(link.index) && link.up && link.remote.is_none();
        if let Some(error) = self.failed.as_ref().filter(|_| link.filter(works).is_none()) {
            return Device::Failed(error.to_string());
        }
        match link {
            // Set up once, it stays in use while only its MTU or address is being changed.
            // Under its name there may be another one by now.
            Some(link) if self.seen.is_some_and(|seen| seen != link.index) => {
                Device::Pending(format!("{name} is another device than before"))
            }
            Some(link) if link.remote.is_some() => {
                Device::Pending(format!("{name} leads to one far end only"))
            }
            Some(link) if self.made.is_some() && link.up => {
                Device::Ready { index: link.index, name: name.clone() }
            }
            Some(link) if self.made.is_some() => Device::Pending(format!("{} is down", link.name)),
            _ if self.spec.is_none() => Device::Failed(format!(
                "{name} waits for the MTU of the interface that carries this node's address"
            )),
            _ => Device::Pending(format!("{name} is being set up")),
        }
    }

    /// Whether the device of `config` was asked for and cannot be had.
    pub fn is_refused(&self, config: &FibConfig) -> bool {
        let named = |spec: &TunnelSpec| spec.device == config.tunnel.device;
        self.failed.is_some() && self.spec.as_ref().is_some_and(named)
    }

    /// For people.
    pub fn state(&self, config: &FibConfig, world: &World) -> TunnelState {
        if !self.needed && !is_needed(config) {
            return TunnelState::Unneeded;
        }
        if let Some(error) = &self.failed {
            return TunnelState::Failed(error.clone());
        }
        match (self.device(config, world), &self.made) {
            (Device::Ready { .. }, Some(made)) => TunnelState::Ready(made.clone()),
            (Device::Pending(why) | Device::Failed(why), _) => TunnelState::Pending(why),
            (Device::Ready { name, .. }, None) => TunnelState::Pending(name),
        }
    }

    /// When to look again; `None`: only when something changes.
    pub fn deadline(&self, world: &World) -> Option<Duration> {
        let spec = self.spec.as_ref().filter(|_| self.needed)?;
        let as_made = self.made.as_ref() == Some(spec) && self.failed.is_none();
        let good = as_made && amiss(spec, world).is_none();
        (!good && self.asked.is_none()).then_some(self.not_before)
    }
}

/// What of the device is not as it shall be, in words.
fn amiss(spec: &TunnelSpec, world: &World) -> Option<String> {
    let Some(link) = world.link_named(&spec.device) else { return Some("gone".to_owned()) };
    if let Some(remote) = link.remote {
        return Some(format!("leads to {remote} only"));
    }
    if !link.up {
        return Some("down".to_owned());
    }
    if !spec.manage {
        return None;
    }
    if link.mtu != spec.mtu {
        return Some(format!("mtu {}", link.mtu));
    }
    if link.pmtudisc {
        return Some("pmtudisc".to_owned());
    }
    if let Some(vrf) = spec.vrf.filter(|vrf| link.master != Some(*vrf)) {
        return Some(format!("outside {}", world.name_of(vrf)));
    }
    let wanted = spec.address?;
    let mut places = world.addresses.get(IpAddr::V4(wanted));
    let there = places.any(|place| place.device == link.index);
    (!there).then(|| format!("without {wanted}"))
}

#[cfg(test)]
mod tests;
