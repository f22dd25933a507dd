//! `alone`, `collision`, `routes`: one peer, message by message. `codes`: what each malformed message is answered.
//! `table`: each state against each event of RFC 4271 §8.1. `restart`: what outlives a session.
//! `pair`: two peers over a simulated network. `any`: any sequence of inputs.
//! All of them check what holds always: see [`Watch`].

mod alone;
mod any;
mod codes;
mod collision;
mod damping;
mod net;
mod pair;
mod restart;
mod routes;
mod table;

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::BytesMut;

use super::*;
use crate::session::negotiate::offer;
use crate::session::{DownReason, Forwarding, IdleHold, Offer, Running, State};
use crate::types::{Asn, Families, PeerId, PeerKind};

const MS: Duration = Duration::from_millis(1);
const SEC: Duration = Duration::from_secs(1);

/// Node `us` as it configures its mesh neighbour `them`.
fn config(us: u8, them: u8) -> PeerConfig {
    PeerConfig {
        id: PeerId(them.into()),
        name: format!("server{them}"),
        kind: PeerKind::Mesh,
        address: Ipv4Addr::new(10, 0, 0, them).into(),
        local_asn: Asn(64512),
        asn: Asn(64512),
        router_id: Ipv4Addr::new(10, 0, 0, us),
        local_address: None,
        passive: false,
        families: Families::ALL,
        hold: 90 * SEC,
        connect_retry: 120 * SEC,
        idle_hold: IdleHold::default(),
        send_hold: None,
        offer: Offer::default(),
        allow_own_as: 0,
        first_as: true,
        cluster_id: None,
    }
}

fn open_of(config: &PeerConfig) -> Vec<u8> {
    let mut out = BytesMut::new();
    offer(config, Forwarding::default()).put(&mut out);
    out.to_vec()
}

fn notification(why: &Notification) -> Vec<u8> {
    let mut out = BytesMut::new();
    why.put(&mut out);
    out.to_vec()
}

fn message(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    header::put(&mut out, kind, |out| out.extend_from_slice(body));
    out.to_vec()
}

fn index(slot: Slot) -> usize {
    match slot {
        Slot::Dialled => 0,
        Slot::Accepted => 1,
    }
}

/// A tick, with nothing left unsent.
fn tick(unread: bool) -> PeerIn<'static> {
    PeerIn::Tick { unread, stalled: Duration::ZERO }
}

/// The pump's view of a peer. It panics where an output makes no sense to a pump.
#[derive(Default, Debug)]
struct Watch {
    open: [bool; 2],
    dialling: bool,
    up: Option<Slot>,
}

/// What an input means to the pump.
#[derive(Clone, Copy, PartialEq, Debug)]
enum News {
    Connected,
    Failed,
    Accepted,
    Closed(Slot),
    Tick,
    Other,
}

fn news(input: &PeerIn<'_>) -> News {
    match input {
        PeerIn::Connected { .. } => News::Connected,
        PeerIn::ConnectFailed { .. } | PeerIn::Waiting { .. } => News::Failed,
        PeerIn::Accepted { .. } => News::Accepted,
        PeerIn::Closed { slot, .. } => News::Closed(*slot),
        PeerIn::Tick { .. } => News::Tick,
        _ => News::Other,
    }
}

impl Watch {
    fn check(&mut self, now: Time, peer: &Peer, news: News, out: &[PeerOut]) {
        let mut arriving = false;
        let unasked = news == News::Connected && !self.dialling;
        match news {
            News::Connected if self.dialling => {
                self.dialling = false;
                self.open[0] = true;
            }
            News::Failed => self.dialling = false,
            News::Accepted => arriving = true,
            News::Closed(slot) => self.open[index(slot)] = false,
            _ => {}
        }
        for effect in out {
            match effect {
                PeerOut::Dial => {
                    assert!(!self.dialling && !self.open[0], "dials twice");
                    self.dialling = true;
                }
                PeerOut::Send { slot, bytes } => {
                    if *slot == Slot::Accepted && arriving && !self.open[1] {
                        (arriving, self.open[1]) = (false, true);
                    }
                    assert!(self.open[index(*slot)], "sends on {slot:?}, which is closed");
                    let mut at = 0;
                    while at < bytes.len() {
                        at += header::next(&bytes[at..]).unwrap().expect("a whole message").len();
                    }
                }
                PeerOut::Refuse(_) => {
                    assert!(arriving, "refuses what did not come");
                    arriving = false;
                }
                PeerOut::Close { slot } => {
                    let dialling = *slot == Slot::Dialled && (self.dialling || unasked);
                    assert!(self.open[index(*slot)] || dialling, "closes nothing on {slot:?}");
                    self.open[index(*slot)] = false;
                    self.dialling &= *slot != Slot::Dialled;
                }
                PeerOut::Up { slot, .. } => {
                    assert!(self.up.is_none(), "two sessions at once");
                    self.up = Some(*slot);
                }
                PeerOut::Down { .. } => assert!(self.up.take().is_some(), "down, but was not up"),
                PeerOut::Routes(_) | PeerOut::Refresh(_) => assert!(self.up.is_some()),
                PeerOut::Overdue { .. } | PeerOut::Watch => assert!(self.up.is_some()),
                PeerOut::ForwardingLost | PeerOut::Event(_) => {}
            }
        }
        if arriving {
            assert!(!self.open[1], "a new connection is neither refused nor makes room");
            self.open[1] = true;
        }
        if let Some(slot) = self.up {
            let alone = self.open[index(slot)] && !self.open[1 - index(slot)] && !self.dialling;
            assert!(alone, "a session has one connection: {self:?}");
        }
        let status = peer.status();
        assert_eq!(status.state == State::Established, self.up.is_some());
        assert_eq!(status.negotiated.is_some(), self.up.is_some());
        if news == News::Tick {
            assert!(peer.next_deadline().is_none_or(|at| at > now), "a tick leaves nothing due");
        }
    }
}

/// The events among outputs.
fn events(out: &[PeerOut]) -> Vec<PeerEvent> {
    let event = |out: &PeerOut| match out {
        PeerOut::Event(event) => Some(event.clone()),
        _ => None,
    };
    out.iter().filter_map(event).collect()
}

/// What went out on `slot`, as (kind, body).
fn sent(out: &[PeerOut], on: Slot) -> Vec<(Kind, Vec<u8>)> {
    let mut list = Vec::new();
    for effect in out {
        if let PeerOut::Send { slot, bytes } = effect
            && *slot == on
        {
            let frame = header::next(bytes).unwrap().unwrap();
            list.push((frame.kind, frame.body.to_vec()));
        }
    }
    list
}

fn kinds(out: &[PeerOut], on: Slot) -> Vec<Kind> {
    sent(out, on).into_iter().map(|(kind, _)| kind).collect()
}

/// The NOTIFICATION that went out on `slot` before it was closed.
fn ended_with(out: &[PeerOut], slot: Slot) -> Option<Notification> {
    let last = out.iter().position(|o| matches!(o, PeerOut::Close { slot: s } if *s == slot))?;
    match sent(&out[..last], slot).pop() {
        Some((Kind::Notification, body)) => Some(Notification::read(&body)),
        _ => None,
    }
}

fn downs(out: &[PeerOut]) -> Vec<DownReason> {
    let down = |out: &PeerOut| match out {
        PeerOut::Down { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    out.iter().filter_map(down).collect()
}
