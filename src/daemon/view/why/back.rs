//! The way back: the node at the other end is asked over its read-only HTTP listener.
//!
//! Where that is says the same file for every node, `[http] listen`: all addresses of a host are
//! the node's own too, any other address must be the node's to be meant. What is asked is the
//! same question, one way, so that two nodes never ask each other in turns.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use starling_config::Node;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::api::{ApiError, Why, WhyQuery};

/// To connect.
const CONNECT: Duration = Duration::from_secs(2);
/// For the whole answer, after that.
const ANSWER: Duration = Duration::from_secs(5);
/// A longer answer is none.
const LONGEST: usize = 4 << 20;

/// Where `node` can be asked, by the listeners that every node has; or why it cannot, in words.
pub fn place(node: &Node, listeners: &[SocketAddr]) -> Result<SocketAddr, String> {
    let addresses = || node.addresses.iter().map(|own| own.address);
    let place = |listener: &SocketAddr| {
        let is = |address: &IpAddr| match listener.ip() {
            // [::] hears IPv4 too.
            IpAddr::V6(any) if any.is_unspecified() => true,
            IpAddr::V4(any) if any.is_unspecified() => address.is_ipv4(),
            listens => listens == *address,
        };
        Some(SocketAddr::new(addresses().find(is)?, listener.port()))
    };
    listeners.iter().find_map(place).ok_or_else(|| {
        let name = &node.name;
        match listeners {
            [] => format!(
                "{name} cannot be asked: no [http] listen is configured; with \
                           listen = \"0.0.0.0:9179\" nodes answer each other"
            ),
            [one, ..] => format!(
                "{name} cannot be asked: [http] listen is {one}, which other \
                                  hosts do not reach; \"0.0.0.0:9179\" would be"
            ),
        }
    })
}

/// Asks the daemon at `place`; or why there is no answer, in words.
///
/// # Errors
/// Nobody listens there, or says something else than an answer.
pub async fn ask(place: SocketAddr, query: &WhyQuery) -> Result<Why, String> {
    let pairs = query.to_pairs();
    let pairs: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{key}={}", value.replace('/', "%2F"))).collect();
    get(place, &format!("/v1/why?{}", pairs.join("&"))).await
}

/// The answer of the daemon at `place` to `GET path`; or why there is none, in words.
///
/// # Errors
/// As [`ask`].
pub async fn get<T: DeserializeOwned>(place: SocketAddr, path: &str) -> Result<T, String> {
    let connected = timeout(CONNECT, TcpStream::connect(place)).await;
    let stream = connected
        .map_err(|_| format!("no answer from {place} within {} s", CONNECT.as_secs()))?
        .map_err(|error| format!("cannot connect to {place}: {error}"))?;
    timeout(ANSWER, exchange(stream, place, path)).await.map_err(|_| {
        format!("{place} took the question and did not answer within {} s", ANSWER.as_secs())
    })?
}

async fn exchange<T: DeserializeOwned>(
    stream: TcpStream,
    place: SocketAddr,
    path: &str,
) -> Result<T, String> {
    let broken = |error: hyper::Error| format!("the connection to {place} broke: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(broken)?;
    // Its errors reach us through the answer or its body.
    tokio::spawn(connection);
    let request = Request::builder()
        .uri(path)
        .header(header::HOST, place.to_string())
        .body(Empty::new())
        .map_err(|error| format!("cannot ask {place}: {error}"))?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    let body =
        body.map_err(|error| format!("the answer of {place} broke off: {error}"))?.to_bytes();
    if status.is_success() {
        let unreadable = |error| format!("the answer of {place} cannot be read: {error}");
        return serde_json::from_slice(&body).map_err(unreadable);
    }
    Err(match serde_json::from_slice::<ApiError>(&body) {
        Ok(refusal) => format!("{place} refuses: {}", refusal.error),
        Err(_) => format!("{place} answers {status}: is it starlingd, and of this release?"),
    })
}

#[cfg(test)]
mod tests;
