//! Local pods in the control API.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An address with a route of its own out of an interface that leads to pods.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pod {
    /// The pod's address.
    pub address: IpAddr,
    /// The interface that leads to it.
    pub interface: String,
    /// Who wrote the route (rtm_protocol).
    pub protocol: u8,
    /// Neighbours are told of it, beside the block that it may lie in.
    pub announced: bool,
    /// Why they are, or why not.
    pub why: String,
}

impl Pod {
    /// The protocol's name, or its number where it has none that is well known.
    pub fn protocol_name(&self) -> String {
        match self.protocol {
            2 => "kernel".to_owned(),
            3 => "boot".to_owned(),
            4 => "static".to_owned(),
            number => number.to_string(),
        }
    }
}
