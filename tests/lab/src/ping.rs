//! One host calling another.

use crate::{Netns, Result, run};
use anyhow::{Context, bail};
use std::net::IpAddr;
use std::time::Duration;

/// What came of some echo requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Requests sent.
    pub sent: u32,
    /// Replies received.
    pub received: u32,
    /// What `ping` printed.
    pub text: String,
}

impl Ping {
    /// # Errors
    /// When a reply is missing.
    pub fn complete(self) -> Result<Self> {
        if self.received == self.sent {
            return Ok(self);
        }
        bail!("{} of {} echo requests were answered", self.received, self.sent)
    }
}

/// Sends `count` echo requests of 56 bytes from `from` to `to`, five a second; waits up
/// to five seconds for the last reply.
///
/// # Errors
/// When `ping` can't be run or its summary not be read; lost replies are no error here.
pub fn ping(from: &Netns, to: IpAddr, count: u32) -> Result<Ping> {
    echo(from, None, to, count)
}

/// The same from one of the addresses of `from`: a reply has to find its way back to it.
///
/// # Errors
/// As [`ping`], and when `from` has no such address.
pub fn ping_as(from: &Netns, source: IpAddr, to: IpAddr, count: u32) -> Result<Ping> {
    echo(from, Some(source), to, count)
}

fn echo(from: &Netns, source: Option<IpAddr>, to: IpAddr, count: u32) -> Result<Ping> {
    let count_text = count.to_string();
    let limit = Duration::from_millis(200) * count + Duration::from_secs(60);
    let mut command = from.command("ping");
    command.args(["-n", "-c", &count_text, "-i", "0.2", "-W", "5"]);
    if let Some(source) = source {
        command.args(["-I", &source.to_string()]);
    }
    let output = run(command.arg(to.to_string()), limit)?;
    // "3 packets transmitted, 2 received, 33% packet loss, time 402ms"
    let summary =
        output.stdout.lines().find(|line| line.contains("packets transmitted")).with_context(
            || format!("ping {to} in {} said: {}", from.name(), output.stderr.trim()),
        )?;
    let number = |word: &str| {
        summary
            .split(',')
            .find(|part| part.contains(word))
            .and_then(|part| part.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("cannot read ping's summary: {summary}"))
    };
    let (sent, received) = (number("transmitted")?, number("received")?);
    Ok(Ping { sent, received, text: output.stdout })
}
