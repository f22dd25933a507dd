//! Adj-RIB-Out: as what a neighbour is told of each path to a destination, or why it is not.
//!
//! What a group holds is found again among the destination's paths; why a path is not there, is
//! asked in the order in which it was decided: may anybody use it, do RFCs keep it from there, do
//! the operator's rules, and is it the one that is chosen.

use super::views::SentView;
use crate::export::{Known, Told};
use crate::policy::Subject;
use crate::rib::Rib;
use crate::rib::change::Ranking;
use crate::table::{Best, Keyed, Path};
use crate::types::PeerId;

/// What a neighbour is told of a destination.
#[derive(Default)]
pub(super) struct Outgoing {
    /// By position of the path.
    pub(super) told: Vec<(usize, SentView)>,
    /// A default route of ours.
    pub(super) default: Option<SentView>,
}

impl Outgoing {
    pub(super) fn of(&self, position: usize) -> Option<&SentView> {
        self.told.iter().find(|(at, _)| *at == position).map(|(_, sent)| sent)
    }
}

impl Rib {
    /// Whether there is a session with `peer` over which it is told of routes.
    pub fn tells(&self, peer: PeerId) -> bool {
        self.exports.has_reader(peer)
    }

    /// What `to` is told of a destination with these paths.
    pub(super) fn outgoing<P: Keyed>(
        &self,
        to: PeerId,
        id: u32,
        paths: &[Path],
        best: Option<Best>,
    ) -> Outgoing {
        let mut outgoing = Outgoing::default();
        for told in self.exports.told::<P>(to, id, &self.sets) {
            let position = self.position(&told, paths, best);
            let Told { attrs, path_id, pending, default, .. } = told;
            let sent = SentView { attrs, path_id, pending };
            match position {
                _ if default => outgoing.default = Some(sent),
                Some(position) => outgoing.told.push((position, sent)),
                None => {}
            }
        }
        outgoing
    }

    /// Which of a destination's paths it is that goes out.
    fn position(&self, told: &Told, paths: &[Path], best: Option<Best>) -> Option<usize> {
        if let Some(source) = told.source {
            return paths.iter().position(|path| path.source() == source);
        }
        let is_from = |path: &&(usize, &Path)| {
            path.1.is_accepted() && self.sources.peer(path.1.source()) == told.from
        };
        let from: Vec<(usize, &Path)> = paths.iter().enumerate().filter(|p| is_from(&p)).collect();
        // Of several paths of one neighbour mostly the best here goes; where that may not, one that
        // still has what was chosen.
        let is_best = |path: &Path| best.is_some_and(|best| best.source == path.source());
        let best = from.iter().find(|(_, path)| is_best(path));
        let same = || from.iter().find(|(_, path)| path.used == told.entry);
        best.or_else(same).or_else(|| from.first()).map(|(at, _)| *at)
    }

    /// Why `to` is not told of a path.
    pub(super) fn withheld<P: Keyed>(
        &self,
        (to, id): (PeerId, u32),
        prefix: P,
        path: &Path,
        best: Option<Best>,
    ) -> String {
        let from = self.sources.peer(path.source());
        let own = path.source().is_own();
        let Some(attrs) = self.sets.get(path.used).filter(|_| path.is_accepted()) else {
            return "import dropped it".to_owned();
        };
        if !own && self.nexthops.metric(path.used).is_none() {
            return format!("its next hop {} cannot be reached", attrs.next_hop());
        }
        if !path.source().is_announced() {
            return "nobody is told of it".to_owned();
        }
        if self.exports.is_default(to, P::FAMILY, id) {
            return "`default-route` has a default route of our own go in its place".to_owned();
        }
        let sending = self.sending(to, from, prefix.net(), attrs);
        if let Some(why) = sending.forbidden {
            return why.to_owned();
        }
        let Some(config) = &self.config else { return "nothing is configured".to_owned() };
        let Rib { peers, nexthops, sources, .. } = self;
        let ranking = Ranking { config, peers, nexthops, sources };
        let next_hop = attrs.next_hop();
        let interface = ranking.interface(next_hop);
        let subject = Subject { attrs, source: ranking.source(from), interface };
        if let Some(why) = self.exports.refusal(to, &subject, prefix, sending.by_default) {
            return why;
        }
        let is_best = best.is_some_and(|best| best.source == path.source());
        match self.exports.choice(to, P::FAMILY) {
            _ if is_best => format!("{next_hop} cannot be said as its next hop there"),
            (2.., _) => "as many better paths go as may".to_owned(),
            (_, true) => "a better path goes".to_owned(),
            (_, false) => "only the best path goes".to_owned(),
        }
    }
}
