//! `bgpctl network`: what this node originates beside its configuration.
//!
//! Prefixes are words of the command line or, for `-`, lines of the standard input: of either as many
//! as wanted, and the daemon takes all of them or none.

use std::io::{self, Read, Write};

use clap::Subcommand;
use clap_complete::ArgValueCompleter;
use ipnet::IpNet;

use super::cli::{self, Cli};
use super::client::{self, Client, Failure};
use super::complete;
use super::render::{self, Page};
use crate::api::{ApiError, network};

/// What is done about networks.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Network {
    /// Announce prefixes beside those of the file. A reload keeps them, a restart of the daemon
    /// does not. The kernel gets no route for them; other nodes take what is inside a pool.
    Add {
        /// The prefixes; `-`: those of the standard input, a line each (`#` begins a comment).
        #[arg(value_name = "PREFIX", required = true, value_parser = named)]
        prefixes: Vec<Named>,
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
        Network::Add { prefixes } => client.post_text("/v1/networks/add", list(prefixes)?).await?,
        Network::Delete { prefixes } => {
            client.post_text("/v1/networks/delete", list(prefixes)?).await?
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

/// All of them, a line each.
fn list(prefixes: &[Named]) -> Result<String, Failure> {
    let mut list = String::new();
    let mut asked = false;
    for named in prefixes {
        match named {
            Named::Prefix(prefix) => list += &format!("{prefix}\n"),
            // It has one end.
            Named::Input if asked => {}
            Named::Input => {
                asked = true;
                let mut text = String::new();
                let read = io::stdin().lock().read_to_string(&mut text);
                let unread = |error| ApiError::new(format!("cannot read standard input: {error}"));
                read.map_err(|error| Failure::Refused(unread(error)))?;
                // What is wrong with it is said by its lines, before anything is asked.
                network::lines(&text).map_err(Failure::Refused)?;
                list += &text;
                list.push('\n');
            }
        }
    }
    if network::lines(&list).is_ok_and(|prefixes| prefixes.is_empty()) {
        return Err(Failure::Refused(ApiError::new("the standard input names no prefix")));
    }
    Ok(list)
}
