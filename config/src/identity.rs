//! "Which of the nodes am I?"
//!
//! The file is the same on every node, so each has to find itself: `--node`, else `$NODE_NAME`,
//! else the host name, else an address that is found on this host. The first two are commands and
//! must be right. The others are guesses and must not contradict each other: a node that takes
//! itself for another announces the other's pods.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use crate::model::{Config, Node};
use crate::reader::nearest;
use crate::source::shown;

/// What is known about this host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// `--node`.
    pub node: Option<String>,
    /// `$NODE_NAME`. An empty one counts as not set.
    pub env: Option<String>,
    /// The host name.
    pub hostname: Option<String>,
    /// The addresses on this host's interfaces.
    pub addresses: Vec<IpAddr>,
}

/// What decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by", content = "value")]
pub enum Chosen {
    /// `--node`.
    Node(String),
    /// `$NODE_NAME`.
    Env(String),
    /// The host name.
    Hostname(String),
    /// An address on this host.
    Address(IpAddr),
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Chosen::Node(name) => write!(f, "--node {name}"),
            Chosen::Env(name) => write!(f, "$NODE_NAME is {name}"),
            Chosen::Hostname(name) => write!(f, "the host name is {name}"),
            Chosen::Address(address) => write!(f, "{address} is on this host"),
        }
    }
}

/// Why this host is none of the nodes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum IdentityError {
    /// `--node` or `$NODE_NAME` names a node that is not in the file.
    Unknown {
        /// Which of the two.
        by: String,
        /// What it says.
        name: String,
        /// The nearest name that is in the file.
        nearest: Option<String>,
        /// All names in the file.
        names: Vec<String>,
    },
    /// Nothing fits.
    Nobody {
        /// The host name.
        hostname: Option<String>,
        /// The addresses looked for.
        addresses: Vec<IpAddr>,
        /// All names in the file.
        names: Vec<String>,
    },
    /// Addresses of several nodes are on this host.
    Several {
        /// The nodes and their addresses.
        found: Vec<(String, IpAddr)>,
    },
    /// The host name is one node's, an address on this host another's.
    Contradiction {
        /// The node that the host name names.
        named: String,
        /// The node whose address is here.
        addressed: String,
        /// The address.
        address: IpAddr,
    },
}

/// How many names a message lists.
const NAMES_SHOWN: usize = 12;

fn listed<T: fmt::Display>(items: &[T]) -> String {
    let mut text: Vec<String> = items.iter().take(NAMES_SHOWN).map(|i| i.to_string()).collect();
    if let Some(more) = items.len().checked_sub(NAMES_SHOWN).filter(|more| *more > 0) {
        text.push(format!("… and {more} more"));
    }
    match text.is_empty() {
        true => "none".to_owned(),
        false => text.join(", "),
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentityError::Unknown { by, name, nearest, names } => {
                write!(f, "{by} says this is node {}, which is not in the file", shown(name))?;
                if let Some(near) = nearest {
                    write!(f, "; did you mean {near}?")?;
                }
                write!(f, "\n  nodes in the file: {}", listed(names))
            }
            IdentityError::Nobody { hostname, addresses, names } => {
                writeln!(f, "this host is none of the nodes in the file")?;
                writeln!(f, "  nodes in the file: {}", listed(names))?;
                let hostname = hostname.as_deref().map_or("unknown".to_owned(), shown);
                writeln!(f, "  host name: {hostname}")?;
                writeln!(f, "  addresses on this host: {}", listed(addresses))?;
                write!(
                    f,
                    "  a node is found by --node, else $NODE_NAME, else the host name, else an \
                     address of this host"
                )
            }
            IdentityError::Several { found } => {
                write!(f, "addresses of several nodes are on this host:")?;
                for (name, address) in found.iter().take(NAMES_SHOWN) {
                    write!(f, "\n  {address} of {name}")?;
                }
                write!(f, "\n  say which one it is with --node NAME or $NODE_NAME")
            }
            IdentityError::Contradiction { named, addressed, address } => write!(
                f,
                "by its host name this is {named}, but {address} of {addressed} is on this host \
                 and no address of {named}\n  say which one it is with --node NAME or $NODE_NAME"
            ),
        }
    }
}

impl std::error::Error for IdentityError {}

impl Config {
    /// The node that this host is.
    ///
    /// # Errors
    /// When it is none, or could be several.
    pub fn node(&self, identity: &Identity) -> Result<&Node, IdentityError> {
        self.identify(identity).map(|(node, _)| node)
    }

    /// The node that this host is, and what says so.
    ///
    /// # Errors
    /// When it is none, or could be several.
    pub fn identify(&self, identity: &Identity) -> Result<(&Node, Chosen), IdentityError> {
        let env = identity.env.as_ref().filter(|name| !name.is_empty());
        if let Some(name) = &identity.node {
            return self.commanded("--node", name).map(|node| (node, Chosen::Node(name.clone())));
        }
        if let Some(name) = env {
            return self.commanded("$NODE_NAME", name).map(|n| (n, Chosen::Env(name.clone())));
        }
        let here: Vec<(&Node, IpAddr)> = self.at_addresses(&identity.addresses);
        if let Some(hostname) = &identity.hostname
            && let Some(node) = self.by_hostname(hostname)
        {
            // None of its addresses here, but another node's: a copied image, a stale name.
            return match here.first() {
                Some((other, address)) if !here.iter().any(|(n, _)| n.name == node.name) => {
                    Err(IdentityError::Contradiction {
                        named: node.name.clone(),
                        addressed: other.name.clone(),
                        address: *address,
                    })
                }
                _ => Ok((node, Chosen::Hostname(hostname.clone()))),
            };
        }
        match here.split_first() {
            Some(((node, address), rest)) if rest.iter().all(|(n, _)| n.name == node.name) => {
                Ok((node, Chosen::Address(*address)))
            }
            Some(_) => {
                let found = here.iter().map(|(node, a)| (node.name.clone(), *a)).collect();
                Err(IdentityError::Several { found })
            }
            None => Err(IdentityError::Nobody {
                hostname: identity.hostname.clone(),
                addresses: identity.addresses.clone(),
                names: self.names(),
            }),
        }
    }

    fn names(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }

    fn commanded(&self, by: &str, name: &str) -> Result<&Node, IdentityError> {
        self.named(name).ok_or_else(|| IdentityError::Unknown {
            by: by.to_owned(),
            name: name.to_owned(),
            nearest: nearest(name, self.nodes.iter().map(|n| n.name.as_str())).map(str::to_owned),
            names: self.names(),
        })
    }

    fn named(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name.eq_ignore_ascii_case(name))
    }

    /// By the whole host name, else by what is before its first dot.
    fn by_hostname(&self, hostname: &str) -> Option<&Node> {
        let short = hostname.split('.').next().unwrap_or(hostname);
        self.named(hostname).or_else(|| self.named(short))
    }

    fn at_addresses(&self, addresses: &[IpAddr]) -> Vec<(&Node, IpAddr)> {
        let mut here = Vec::new();
        for node in &self.nodes {
            for own in &node.addresses {
                if addresses.contains(&own.address) {
                    here.push((node, own.address));
                }
            }
        }
        here
    }
}
