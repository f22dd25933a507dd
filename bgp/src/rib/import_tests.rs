//! What import makes of a route, rule by rule.
