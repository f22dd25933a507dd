//! What a rule changes on a route that it accepts.

use std::fmt;
use std::net::IpAddr;

use super::communities::{AnyCommunity, CommunityPattern};
use crate::attrs::AttrSet;
use crate::msg::Encapsulation;
use crate::types::Asn;
use crate::wire::attr::code;

/// The NEXT_HOP with which a route goes on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NextHopChange {
    /// Ours.
    Own,
    /// The one it has.
    Keep,
    /// This one.
    Is(IpAddr),
}

/// What becomes of MULTI_EXIT_DISC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MedChange {
    /// It is taken away.
    Remove,
    /// It is this.
    Is(u32),
}

/// Changes of a route. Nothing set: none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Changes {
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<MedChange>,
    /// Communities taken away, before others are added.
    pub remove: Vec<CommunityPattern>,
    /// Communities added, where they are not there already.
    pub add: Vec<AnyCommunity>,
    /// AS numbers put in front of AS_PATH, in this order.
    pub prepend: Vec<Asn>,
    /// NEXT_HOP. Only [`NextHopChange::Is`] is in the attributes; the others are for whoever
    /// sends the route on.
    pub next_hop: Option<NextHopChange>,
    /// The kernel's metric; not an attribute.
    pub metric: Option<u32>,
    /// Whether the kernel's route is tunnelled; not an attribute.
    pub encapsulation: Option<Encapsulation>,
}

impl Changes {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }

    /// Whether an attribute is: if not, [`Changes::apply`] gives what it gets.
    pub fn touch_attributes(&self) -> bool {
        self.local_pref.is_some()
            || self.med.is_some()
            || !self.remove.is_empty()
            || !self.add.is_empty()
            || !self.prepend.is_empty()
            || matches!(self.next_hop, Some(NextHopChange::Is(_)))
    }

    /// The attributes with which a route goes on that came with `attrs`. On the way out this
    /// comes before our own AS is put in front and NEXT_HOP is set ([`AttrSet::exported_external`]
    /// and its kin), [`Changes::after_export`] behind it.
    pub fn apply(&self, attrs: &AttrSet) -> AttrSet {
        let mut edits: Vec<(u8, Vec<u8>)> = Vec::new();
        if !self.prepend.is_empty() {
            edits.push((code::AS_PATH, attrs.as_path().prepended(&self.prepend)));
        }
        match self.med {
            Some(MedChange::Is(med)) => {
                edits.push((code::MULTI_EXIT_DISC, med.to_be_bytes().to_vec()));
            }
            Some(MedChange::Remove) => edits.push((code::MULTI_EXIT_DISC, Vec::new())),
            None => {}
        }
        if let Some(local_pref) = self.local_pref {
            edits.push((code::LOCAL_PREF, local_pref.to_be_bytes().to_vec()));
        }
        if !(self.remove.is_empty() && self.add.is_empty()) {
            edits.extend(self.communities(attrs));
        }
        let next_hop = match self.next_hop {
            Some(NextHopChange::Is(address)) => address.into(),
            _ => attrs.next_hop(),
        };
        attrs.edited(next_hop, &edits)
    }

    /// MULTI_EXIT_DISC in what goes to another AS: one that was received does not (RFC 4271
    /// §5.1.4), one that we set here does.
    pub fn after_export(&self, exported: AttrSet) -> AttrSet {
        match self.med {
            Some(MedChange::Is(med)) if exported.med() != Some(med) => {
                let edit = (code::MULTI_EXIT_DISC, med.to_be_bytes().to_vec());
                exported.edited(exported.next_hop(), &[edit])
            }
            _ => exported,
        }
    }

    /// The new values of the three attributes that hold communities, where they change.
    fn communities(&self, attrs: &AttrSet) -> Vec<(u8, Vec<u8>)> {
        let gone = |one: AnyCommunity| {
            self.remove.iter().any(|pattern| match one {
                AnyCommunity::Standard(c) => pattern.standard(c),
                AnyCommunity::Large(c) => pattern.large(c),
                AnyCommunity::Extended(c) => pattern.extended(c),
            })
        };
        let standard = attrs.communities().iter().map(AnyCommunity::Standard);
        let extended = attrs.extended_communities().iter().map(AnyCommunity::Extended);
        let large = attrs.large_communities().iter().map(AnyCommunity::Large);
        let had: Vec<AnyCommunity> = standard.chain(extended).chain(large).collect();
        let mut has: Vec<AnyCommunity> = had.iter().copied().filter(|c| !gone(*c)).collect();
        for new in &self.add {
            if !has.contains(new) {
                has.push(*new);
            }
        }
        let value = |of: &[AnyCommunity], code: u8| {
            let mine = of.iter().filter(|c| c.attribute() == code);
            mine.flat_map(|c| c.octets()).collect::<Vec<u8>>()
        };
        let codes = [code::COMMUNITIES, code::EXTENDED_COMMUNITIES, code::LARGE_COMMUNITIES];
        let edits = codes.into_iter().map(|code| (code, value(&had, code), value(&has, code)));
        edits.filter(|(_, had, has)| had != has).map(|(code, _, has)| (code, has)).collect()
    }
}

impl AnyCommunity {
    /// The attribute that holds such ones.
    fn attribute(&self) -> u8 {
        match self {
            AnyCommunity::Standard(_) => code::COMMUNITIES,
            AnyCommunity::Large(_) => code::LARGE_COMMUNITIES,
            AnyCommunity::Extended(_) => code::EXTENDED_COMMUNITIES,
        }
    }

    /// It on the wire.
    fn octets(&self) -> Vec<u8> {
        match self {
            AnyCommunity::Standard(c) => c.0.to_be_bytes().to_vec(),
            AnyCommunity::Large(c) => {
                [c.global, c.data1, c.data2].iter().flat_map(|n| n.to_be_bytes()).collect()
            }
            AnyCommunity::Extended(c) => c.0.to_vec(),
        }
    }
}

/// In the words of the file: `local-pref 200, add-community no-export`; empty for none.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said: Vec<String> = Vec::new();
        said.extend(self.local_pref.map(|n| format!("local-pref {n}")));
        said.extend(self.med.map(|med| match med {
            MedChange::Remove => "med none".to_owned(),
            MedChange::Is(n) => format!("med {n}"),
        }));
        said.extend(self.remove.iter().map(|c| format!("remove-community {c}")));
        said.extend(self.add.iter().map(|c| format!("add-community {c}")));
        if !self.prepend.is_empty() {
            let asns: Vec<String> = self.prepend.iter().map(|asn| asn.to_string()).collect();
            said.push(format!("prepend {}", asns.join(" ")));
        }
        said.extend(self.next_hop.map(|next_hop| match next_hop {
            NextHopChange::Own => "next-hop self".to_owned(),
            NextHopChange::Keep => "next-hop keep".to_owned(),
            NextHopChange::Is(address) => format!("next-hop {address}"),
        }));
        said.extend(self.metric.map(|n| format!("metric {n}")));
        said.extend(self.encapsulation.map(|mode| match mode {
            Encapsulation::ByPool => "encapsulation by-pool".to_owned(),
            Encapsulation::Never => "encapsulation never".to_owned(),
            Encapsulation::Always => "encapsulation always".to_owned(),
        }));
        f.write_str(&said.join(", "))
    }
}

#[cfg(test)]
mod tests;
