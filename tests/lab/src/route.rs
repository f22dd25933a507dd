//! The kernel's routes, read back from `ip -j route` and said in the words of `ip route`.
//!
//! [`Route`]'s `Display` is the line that a person sees (`10.244.2.0/26 via 10.1.5.11 dev
//! net0 proto bird`), so that an expectation can be copied from a page and compared.

use crate::{Netns, Result};
use anyhow::{Context, bail};
use serde::Deserialize;
use std::fmt;

/// Address family of a routing table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// One next hop of a multipath route.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Nexthop {
    /// The router, unless the destination is on the link.
    pub gateway: Option<String>,
    /// The interface.
    pub dev: Option<String>,
    /// Flags such as `onlink`.
    #[serde(default)]
    pub flags: Vec<String>,
}

/// A router of another family than the route's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Via {
    /// `inet6`.
    pub family: String,
    /// Its address.
    pub host: String,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.host)
    }
}

/// One route, as `ip` names its parts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Route {
    /// The destination: `default`, an address, or a prefix.
    pub dst: String,
    /// `None` for unicast, else e.g. `blackhole`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The router, unless the destination is on the link.
    pub gateway: Option<String>,
    /// The same where it is of the other family.
    pub via: Option<Via>,
    /// The interface.
    pub dev: Option<String>,
    /// Who wrote it: `kernel`, `bird`, `static`, …, or a number.
    pub protocol: Option<String>,
    /// `link` for a destination on the link.
    pub scope: Option<String>,
    /// The source address for connections from this host.
    pub prefsrc: Option<String>,
    /// The metric; 0 is left out by `ip` for IPv4.
    pub metric: Option<u32>,
    /// The routing table when it is not the one that was asked for.
    pub table: Option<String>,
    /// Flags such as `onlink`, `linkdown`.
    #[serde(default)]
    pub flags: Vec<String>,
    /// The next hops of a multipath route; empty for a single one.
    #[serde(default)]
    pub nexthops: Vec<Nexthop>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind.as_deref().filter(|kind| *kind != "unicast") {
            write!(f, "{kind} ")?;
        }
        f.write_str(&self.dst)?;
        let via = self.via.as_ref().map(Via::to_string);
        let parts = [
            ("via", &self.gateway),
            ("via", &via),
            ("dev", &self.dev),
            ("table", &self.table),
            ("proto", &self.protocol),
            ("scope", &self.scope),
            ("src", &self.prefsrc),
        ];
        for (word, value) in parts {
            if let Some(value) = value {
                write!(f, " {word} {value}")?;
            }
        }
        if let Some(metric) = self.metric {
            write!(f, " metric {metric}")?;
        }
        for flag in &self.flags {
            write!(f, " {flag}")?;
        }
        for nexthop in &self.nexthops {
            f.write_str(" nexthop")?;
            for (word, value) in [("via", &nexthop.gateway), ("dev", &nexthop.dev)] {
                if let Some(value) = value {
                    write!(f, " {word} {value}")?;
                }
            }
            for flag in &nexthop.flags {
                write!(f, " {flag}")?;
            }
        }
        Ok(())
    }
}

/// The routes in a namespace that `selector` picks, in `ip`'s own words: `table 254`,
/// `proto bird`, `10.244.0.0/16`; empty for the whole main table.
///
/// # Errors
/// When `ip` fails or prints what it should not.
pub fn routes(netns: &Netns, family: Family, selector: &str) -> Result<Vec<Route>> {
    let version = match family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    };
    let mut arguments = vec!["-j", version, "route", "show"];
    arguments.extend(selector.split_whitespace());
    parse(&netns.ip(&arguments)?, asked_protocol(selector))
        .with_context(|| format!("reading the routes of {}", netns.name()))
}

/// `ip` leaves out of its answer what the question already fixed.
fn asked_protocol(selector: &str) -> Option<&str> {
    let mut words = selector.split_whitespace();
    words.find(|word| ["proto", "protocol"].contains(word)).and_then(|_| words.next())
}

fn parse(json: &str, protocol: Option<&str>) -> Result<Vec<Route>> {
    let json = if json.trim().is_empty() { "[]" } else { json };
    let mut routes: Vec<Route> = match serde_json::from_str(json) {
        Ok(routes) => routes,
        Err(error) => bail!("`ip -j route` said {json:?}: {error}"),
    };
    for route in &mut routes {
        if route.protocol.is_none() {
            route.protocol = protocol.map(str::to_owned);
        }
    }
    Ok(routes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_read_as_ip_prints_them() {
        let json = r#"[
            {"dst":"default","gateway":"10.1.5.1","dev":"net0","flags":[]},
            {"type":"blackhole","dst":"10.244.1.0/26","protocol":"bird","flags":[]},
            {"dst":"10.244.3.0/26","gateway":"10.1.8.10","dev":"tunl0","protocol":"bird","flags":["onlink"]},
            {"dst":"10.1.5.0/24","dev":"net0","protocol":"kernel","scope":"link","prefsrc":"10.1.5.10","flags":[]},
            {"dst":"10.8.0.0/16","via":{"family":"inet6","host":"fd50::1"},"dev":"net0","flags":[]},
            {"dst":"10.9.0.0/16","protocol":"bird","metric":32,"flags":[],"nexthops":[
              {"gateway":"10.1.5.11","dev":"net0","weight":1,"flags":[]},
              {"gateway":"10.1.8.11","dev":"tunl0","weight":1,"flags":["onlink"]}]}]"#;
        let lines: Vec<String> =
            parse(json, None).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "default via 10.1.5.1 dev net0",
                "blackhole 10.244.1.0/26 proto bird",
                "10.244.3.0/26 via 10.1.8.10 dev tunl0 proto bird onlink",
                "10.1.5.0/24 dev net0 proto kernel scope link src 10.1.5.10",
                "10.8.0.0/16 via inet6 fd50::1 dev net0",
                "10.9.0.0/16 proto bird metric 32 nexthop via 10.1.5.11 dev net0 \
                 nexthop via 10.1.8.11 dev tunl0 onlink",
            ]
        );
    }

    #[test]
    fn a_protocol_that_was_asked_for_is_said_again() {
        assert_eq!(asked_protocol("table 254 proto bird"), Some("bird"));
        let routes = parse(r#"[{"dst":"10.0.0.0/8","dev":"net0"}]"#, Some("bird")).unwrap();
        assert_eq!(routes.first().unwrap().to_string(), "10.0.0.0/8 dev net0 proto bird");
        assert!(parse("", None).unwrap().is_empty());
        assert!(parse("nonsense", None).is_err());
    }
}
