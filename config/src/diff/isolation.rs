//! What changes in when this node is taken to be cut off.

use starling_bgp::msg::IsolationRule;

use super::Compare;

pub(super) fn isolation(
    all: &mut Compare,
    from: &Option<IsolationRule>,
    to: &Option<IsolationRule>,
) {
    all.put("[isolation]", (from, to), false, |rule| match rule {
        None => "off".to_owned(),
        Some(IsolationRule { keep, percent, peers }) => {
            format!("{keep:?} when more than {percent} % of {peers} or more are silent")
        }
    });
}
