//! `bgpctl why ADDR`: one question, whose answer is also in the exit code.

use std::io::Write;

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::cli::{Cli, lookup};
use super::client::{self, Client, Failure};
use super::complete;
use super::render::{self, Page};
use crate::api::{Lookup, Outcome, Why, WhyQuery};

/// What is asked about an address.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct WhyArgs {
    /// An address, or a prefix.
    #[arg(
        value_name = "ADDR|PREFIX",
        value_parser = lookup,
        add = ArgValueCompleter::new(complete::prefixes)
    )]
    pub target: Lookup,
    /// Ask the node at the other end for the way back, too.
    #[arg(long)]
    pub both: bool,
    /// The address here that the way back leads to; by default this node's first block.
    #[arg(long, value_name = "ADDR|PREFIX", value_parser = lookup, requires = "both")]
    pub from: Option<Lookup>,
}

/// Asks, and tells.
///
/// # Errors
/// As [`super::run`].
pub(super) async fn run(
    cli: &Cli,
    client: &Client,
    page: &Page,
    args: &WhyArgs,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let query = WhyQuery { target: args.target, both: args.both, from: args.from };
    let body = client.document(&client::with_query("/v1/why", &query.to_pairs())).await?;
    let why: Why = client::read(&body)?;
    if cli.json {
        out.write_all(&body).map_err(Failure::Output)?;
    } else {
        render::why(page, &why, out).map_err(Failure::Output)?;
    }
    Ok(exit_code(&why))
}

/// The worse of the two ways: dropped, astray, and a way back that nobody could be asked about.
/// What stays on this node has no way back.
fn exit_code(why: &Why) -> u8 {
    let code = |outcome| match outcome {
        Outcome::Local | Outcome::Reached => 0,
        Outcome::Astray => 5,
        Outcome::Unreached => 4,
    };
    let there = code(why.outcome);
    let back = match &why.back {
        Some(back) if why.outcome != Outcome::Local => {
            back.why.as_ref().map_or(6, |why| code(why.outcome))
        }
        _ => 0,
    };
    [4, 5, 6].into_iter().find(|bad| there == *bad || back == *bad).unwrap_or(0)
}
