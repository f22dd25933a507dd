//! `bgpctl show neighbors`: of whom, and how much of it.
//!
//! Words stand where people who know OpenBGPD's bgpctl put them: `show neighbors gw0 timers`,
//! `show neighbors group rack=rack0 terse`. With `--json` there is one answer, which has it all.

use std::io::Write;

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::cli::Cli;
use super::client::{self, Client, Failure};
use super::render::{self, Page};
use super::{complete, document};
use crate::api::{Neighbor, NeighborQuery};

/// What can stand last, for completion too.
pub(super) const VIEWS: [(&str, View); 3] =
    [("terse", View::Terse), ("timers", View::Timers), ("messages", View::Messages)];

/// Which neighbours, and what of them.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Neighbors {
    /// A neighbour's name or address; or `group` and the name of a group, or `group` alone for the
    /// groups that there are. Behind that `terse` (a line each: name, address, AS, kind, state,
    /// seconds in it, prefixes received, accepted and sent, cause), `timers` or `messages`.
    #[arg(
        value_name = "NAME|VIEW",
        add = ArgValueCompleter::new(complete::neighbours_and_views)
    )]
    pub words: Vec<String>,
}

/// Of whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Of {
    All,
    One(String),
    Group(String),
    /// Of the groups themselves.
    Groups,
}

/// How much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum View {
    Everything,
    Terse,
    Timers,
    Messages,
}

impl Neighbors {
    /// What the words mean. Only what stands last is a view: a neighbour may be called `terse`.
    ///
    /// # Errors
    /// What is wrong with them, for people.
    pub(super) fn meant(&self) -> Result<(Of, View), String> {
        let (mut words, mut view) = (self.words.as_slice(), View::Everything);
        if let [before @ .., last] = words
            && let Some((_, named)) = VIEWS.iter().find(|(word, _)| *word == last.as_str())
        {
            (words, view) = (before, *named);
        }
        let of = match words {
            [] => Of::All,
            [group] if group == "group" && view == View::Everything => Of::Groups,
            [group] if group == "group" => return Err("`group` takes the name of one".to_owned()),
            [group, name] if group == "group" => Of::Group(name.clone()),
            [name] => Of::One(name.clone()),
            [.., odd] => {
                return Err(format!(
                    "`{odd}` is no way to show a neighbour: `terse`, `timers` or `messages`"
                ));
            }
        };
        Ok((of, view))
    }
}

/// Shows them.
///
/// # Errors
/// As [`super::run`].
pub(super) async fn run<W: Write>(
    cli: &Cli,
    client: &Client,
    page: &Page,
    (of, view): (Of, View),
    out: &mut W,
) -> Result<(), Failure> {
    if let Of::One(name) = &of {
        let path = format!("/v1/neighbors/{}", client::escaped(name));
        return document::<Neighbor, _>(cli, client, &path, out, |one, out| {
            shown(page, view, std::slice::from_ref(one), out)
        })
        .await;
    }
    let group = if let Of::Group(name) = &of { Some(name.clone()) } else { None };
    let path = client::with_query("/v1/neighbors", &NeighborQuery { group }.to_pairs());
    document::<Vec<Neighbor>, _>(cli, client, &path, out, |all, out| match of {
        Of::Groups => render::neighbor_groups(page, all, out),
        _ => shown(page, view, all, out),
    })
    .await
}

fn shown(
    page: &Page,
    view: View,
    neighbors: &[Neighbor],
    out: &mut impl Write,
) -> std::io::Result<()> {
    match view {
        View::Everything => render::neighbors(page, neighbors, out),
        View::Terse => render::neighbors_terse(neighbors, out),
        View::Timers => render::neighbor_timers(page, neighbors, out),
        View::Messages => render::neighbor_messages(page, neighbors, out),
    }
}

#[cfg(test)]
#[path = "neighbors_tests.rs"]
mod tests;
