//! Ordered rules: the first that matches decides.

/// Rules of an operator, in order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Policy {}
