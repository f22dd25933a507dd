//! `bgpctl network`: what this node originates beside its configuration.
//!
//! Prefixes are words of the command line, with what they carry as options, or for `-` lines of the
//! standard input, with what they carry behind them: of either as many as wanted, and the daemon takes
//! all of them or none.

use std::io::{self, Read, Write};

use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;
use ipnet::IpNet;

use super::cli::{self, Cli};
use super::client::{self, Client, Failure};
use super::complete;
use super::render::{self, Page};
use crate::api::{ApiError, NetworkAttributes, Origin, network, query};

/// What is done about networks.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Network {
    /// Announce prefixes beside those of the file. A reload keeps them, a restart of the daemon
    /// does not. The kernel gets no route for them; other nodes take what is inside a pool. One
    /// that was added before carries what is said last.
    Add {
        /// The prefixes; `-`: those of the standard input, lines like `10.50.0.0/16 med 50
        /// local-pref 200 origin incomplete prepend 2 community 65000:1` (`#` begins a comment).
        #[arg(value_name = "PREFIX", required = true, value_parser = named)]
        prefixes: Vec<Named>,
        /// What they carry.
        #[command(flatten)]
        carries: Carries,
    },
    /// Announce prefixes no more that were added: all of them or, where one was not, none.
    Delete {
        /// The prefixes; `-`: those of the standard input, a line each (`#` begins a comment).
        #[arg(
            value_name = "PREFIX",
            required = true,
            value_parser = named,
            add = ArgValueCompleter::new(complete::added)
        )]
        prefixes: Vec<Named>,
    },
    /// Announce none any more of those that were added.
    Flush,
    /// Everything that is originated here, and on whose wish.
    Show,
}

/// What networks carry beside what all that this node originates does.
#[derive(Args, Clone, PartialEq, Eq, Default, Debug)]
pub struct Carries {
    /// Their MULTI_EXIT_DISC, to other ASes too.
    #[arg(long, value_name = "N")]
    pub med: Option<u32>,
    /// Their LOCAL_PREF, inside our AS.
    #[arg(long, value_name = "N")]
    pub local_pref: Option<u32>,
    /// Their ORIGIN: igp, egp or incomplete.
    #[arg(long, value_parser = origin, add = ArgValueCompleter::new(complete::origins))]
    pub origin: Option<Origin>,
    /// Our AS is put in front so many times more, towards other ASes.
    #[arg(long, value_name = "TIMES", value_parser = prepend)]
    pub prepend: Option<u8>,
    /// They carry this one, such as 65000:1, 65000:1:2, rt:65000:1 or no-export; may be repeated.
    #[arg(long, value_name = "COMMUNITY", value_parser = community)]
    pub community: Vec<String>,
}

impl Carries {
    fn attributes(&self) -> NetworkAttributes {
        let Carries { med, local_pref, origin, prepend, community } = self.clone();
        NetworkAttributes { origin, med, local_pref, prepend, communities: community }
    }
}

fn origin(text: &str) -> Result<Origin, String> {
    query::origin(text).map_err(cli::words)
}

fn prepend(text: &str) -> Result<u8, String> {
    network::prepend(text).map_err(cli::words)
}

fn community(text: &str) -> Result<String, String> {
    network::community(text).map_err(cli::words)
}

/// Where prefixes are named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    /// Here.
    Prefix(IpNet),
    /// In the standard input.
    Input,
}

fn named(text: &str) -> Result<Named, String> {
    match text {
        "-" => Ok(Named::Input),
        text => cli::prefix(text).map(Named::Prefix),
    }
}

/// Carries one out.
///
/// # Errors
/// As [`super::run`].
pub(super) async fn run(
    cli: &Cli,
    client: &Client,
    page: &Page,
    what: &Network,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let body = match what {
        Network::Show => client.document("/v1/networks").await?,
        Network::Add { prefixes, carries } => {
            let list = list(prefixes, &carries.attributes())?;
            client.post_text("/v1/networks/add", list).await?
        }
        Network::Delete { prefixes } => {
            let list = list(prefixes, &NetworkAttributes::default())?;
            client.post_text("/v1/networks/delete", list).await?
        }
        Network::Flush => client.post("/v1/networks/flush").await?,
    };
    let networks: Vec<crate::api::Network> = client::read(&body)?;
    if cli.json {
        out.write_all(&body).map_err(Failure::Output)?;
    } else {
        render::networks(page, &networks, out).map_err(Failure::Output)?;
    }
    Ok(0)
}

/// All of them, a line each, with what those named here carry.
fn list(prefixes: &[Named], attributes: &NetworkAttributes) -> Result<String, Failure> {
    if !attributes.is_empty() && prefixes.contains(&Named::Input) {
        let error = ApiError::new("options are for the prefixes of the command line");
        let hint = format!("in the standard input they are words of a line: PREFIX {attributes}");
        return Err(Failure::Refused(error.hint(hint)));
    }
    let (mut list, mut count, mut asked) = (String::new(), 0, false);
    for named in prefixes {
        match named {
            Named::Prefix(prefix) => {
                list += &format!("{prefix} {attributes}\n");
                count += 1;
            }
            // It has one end.
            Named::Input if asked => {}
            Named::Input => {
                asked = true;
                let mut text = String::new();
                let read = io::stdin().lock().read_to_string(&mut text);
                let unread = |error| ApiError::new(format!("cannot read standard input: {error}"));
                read.map_err(|error| Failure::Refused(unread(error)))?;
                // What is wrong with it is said by its lines, before anything is asked.
                count += network::lines(&text).map_err(Failure::Refused)?.len();
                list += &text;
                list.push('\n');
            }
        }
    }
    if count == 0 {
        return Err(Failure::Refused(ApiError::new("the standard input names no prefix")));
    }
    Ok(list)
}
