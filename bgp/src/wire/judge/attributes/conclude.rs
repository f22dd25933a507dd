//! What only all attributes together tell: whether those that must be there are, the true path of
//! a two-octet session (RFC 6793), and the canonical bytes.

use std::net::{IpAddr, Ipv4Addr};

use super::{Attributes, flags, with};
use crate::attrs::canonical::{Canonical, Octets};
use crate::types::{Asn, NextHop};
use crate::wire::attr::{self, Attr, Attrs, code};
use crate::wire::judge::mp::{self, NoHop, Reach};
use crate::wire::{Notification, as_path, as4};

impl Attributes<'_> {
    /// What can only be judged together, for an UPDATE that announces: are those there that have
    /// to be (RFC 7606 §3 d), the true path (RFC 6793), the AS it begins with, the next hops.
    /// `nlri`: the NLRI field is not empty. Returns its next hop.
    pub(in crate::wire::judge) fn conclude(&mut self, nlri: bool) -> Option<NextHop> {
        self.four_octets();
        for mandatory in [code::ORIGIN, code::AS_PATH] {
            if !self.seen.contains(mandatory) {
                self.missing(mandatory);
            }
        }
        let peer_asn = self.context.peer_asn;
        if self.context.first_as
            && !self.context.kind.is_internal()
            && self.kept.contains(code::AS_PATH)
            && self.rank.neighbor_as != Some(peer_asn)
        {
            self.withdraw(
                format!("AS_PATH: it does not begin with the neighbour's AS {peer_asn}"),
                Notification::MALFORMED_AS_PATH,
            );
        }
        if let Some(Reach { next_hop: Err(NoHop { address, why }), .. }) = self.reach {
            self.withdraw(
                format!("MP_REACH_NLRI: {address} {why}"),
                Notification::INVALID_NEXT_HOP,
            );
        }
        if nlri { self.next_hop() } else { None }
    }

    fn next_hop(&mut self) -> Option<NextHop> {
        let Some(attr) = self.next_hop else {
            if !self.seen.contains(code::NEXT_HOP) {
                self.missing(code::NEXT_HOP);
            }
            return None;
        };
        let Some(address) = attr.u32().map(|bits| IpAddr::V4(Ipv4Addr::from(bits))) else {
            let notification = with(Notification::ATTRIBUTE_LENGTH, attr);
            self.withdraw(format!("NEXT_HOP: length {}", attr.value.len()), notification);
            return None;
        };
        if !mp::is_host(address) {
            let notification = with(Notification::INVALID_NEXT_HOP, attr);
            self.withdraw(format!("NEXT_HOP: {address} is no next hop"), notification);
        }
        Some(address.into())
    }

    #[cold]
    fn missing(&mut self, code: u8) {
        let name = attr::spec(code).map_or("", |spec| spec.name);
        let notification =
            Notification { data: vec![code].into(), ..Notification::MISSING_WELL_KNOWN };
        self.withdraw(format!("{name}: it is missing"), notification);
    }

    /// Gives path and aggregator four octets a number (RFC 6793 §4.2.3).
    fn four_octets(&mut self) {
        if self.context.as4 {
            return;
        }
        // An aggregator that is not AS_TRANS: somebody behind it who knows two octets only has
        // aggregated anew, and what AS4_* says is of before.
        let trans = Asn::TRANS.two_octets().to_be_bytes();
        let stale = self.as4_aggregator.is_some()
            && self.aggregator.is_some_and(|a| !a.starts_with(&trans));
        if stale {
            self.as4_aggregator = None;
        }
        let Some(mut path) = self.path.take() else { return };
        if let Some(as4_path) = self.as4_path.filter(|_| !stale) {
            match as4::without_confederations(as4_path) {
                Some(as4_path) => path = as4::merge(path, &as4_path),
                None => {
                    self.judgement.discarded.push("AS4_PATH: it is malformed".to_owned());
                }
            }
        }
        match as_path::check::<4>(&path, self.context.local_asn) {
            Ok(shape) => self.shape(shape, &path),
            Err(why) => {
                self.withdraw(format!("AS4_PATH: {why}"), Notification::MALFORMED_AS_PATH);
            }
        }
        self.path = Some(path);
    }

    /// The canonical bytes.
    pub(in crate::wire::judge) fn canonical(&self) -> Octets {
        let mut out = Canonical::with_capacity(self.octets);
        let kept = Attrs::new(self.raw).filter(|attr| self.kept.contains(attr.code));
        if self.ascending && self.verbatim {
            self.copy(&mut out);
        } else if self.ascending {
            kept.for_each(|attr| self.write(attr, &mut out));
        } else {
            let mut kept: Vec<Attr<'_>> = kept.collect();
            kept.sort_by_key(|attr| attr.code);
            kept.dedup_by_key(|attr| attr.code);
            kept.into_iter().for_each(|attr| self.write(attr, &mut out));
        }
        out.finish()
    }

    /// Copies what is kept, in as few pieces as what is not leaves: mostly the two sides of
    /// NEXT_HOP.
    fn copy(&self, out: &mut Canonical) {
        let mut piece = self.raw;
        let mut walk = Attrs::new(self.raw);
        loop {
            let before = walk.rest();
            let attr = walk.next();
            if attr.is_some_and(|attr| self.kept.contains(attr.code)) {
                continue;
            }
            out.verbatim(piece.get(..piece.len() - before.len()).unwrap_or(&[]));
            piece = walk.rest();
            if attr.is_none() {
                break;
            }
        }
    }

    fn write(&self, attr: Attr<'_>, out: &mut Canonical) {
        let flags = flags(attr);
        match (attr.code, &self.path, self.context.as4) {
            (code::AS_PATH, Some(path), _) => out.attr(flags, attr.code, path),
            (code::AGGREGATOR, _, false) => {
                let value = out.begin(flags, attr.code, 8);
                match (self.as4_aggregator, attr.value) {
                    (Some(whole), _) => value.extend_from_slice(whole),
                    (None, two) => {
                        value.extend_from_slice(&[0, 0]);
                        value.extend_from_slice(two);
                    }
                }
            }
            _ => out.attr(flags, attr.code, attr.value),
        }
    }
}
