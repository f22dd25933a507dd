//! Whether metrics are told neighbour by neighbour: `[metrics]`.
//!
//! A mesh of n nodes has n² sessions, and a series or two dozen for each end of each is more than a
//! Prometheus wants to have.

use std::fmt;

use toml::de::DeValue;

use crate::reader::{Scalar, Wrong};
use crate::value::one_of;

/// One by one, or added up by kind of neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum PerPeer {
    /// One by one where there are at most [`PerPeer::MANY`].
    #[default]
    Auto,
    /// One by one.
    Always,
    /// Added up.
    Never,
}

impl PerPeer {
    /// So many are told one by one.
    pub const MANY: usize = 100;

    /// Whether those of so many neighbours are told one by one.
    pub fn is_for(self, neighbours: usize) -> bool {
        match self {
            PerPeer::Auto => neighbours <= PerPeer::MANY,
            PerPeer::Always => true,
            PerPeer::Never => false,
        }
    }
}

/// As the file says it.
impl fmt::Display for PerPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PerPeer::Auto => "auto",
            PerPeer::Always => "true",
            PerPeer::Never => "false",
        })
    }
}

impl Scalar for PerPeer {
    const EXPECTED: &'static str = "true, false or \"auto\"";
    fn read(value: &DeValue<'_>) -> Result<PerPeer, Wrong> {
        match value.as_bool() {
            Some(true) => Ok(PerPeer::Always),
            Some(false) => Ok(PerPeer::Never),
            None => one_of(value, &[("auto", PerPeer::Auto)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_mesh_is_added_up_unless_told_otherwise() {
        let told = |per_peer: PerPeer| [100, 101].map(|neighbours| per_peer.is_for(neighbours));
        assert_eq!(told(PerPeer::Auto), [true, false]);
        assert_eq!(told(PerPeer::Always), [true, true]);
        assert_eq!(told(PerPeer::Never), [false, false]);
    }
}
