//! Which routes are pods', and which of those are told.

use starling_fib::types::Announce;
use toml::de::DeValue;

use super::{one_of, unsigned};
use crate::reader::{Scalar, Wrong};
use crate::source::shown;

/// rtm_protocol of pods' routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PodProtocol {
    /// Whoever wrote them.
    Any,
    /// This one.
    Is(u8),
}

impl Scalar for PodProtocol {
    const EXPECTED: &'static str =
        "\"any\", \"boot\" (3), \"static\" (4), \"kernel\" (2) or a number from 1 to 255";
    fn read(value: &DeValue<'_>) -> Result<PodProtocol, Wrong> {
        let number = match value.as_str() {
            Some("any") => return Ok(PodProtocol::Any),
            Some("kernel") => 2,
            Some("boot") => 3,
            Some("static") => 4,
            Some(other) => return Err(Wrong::new(format!("`{}` is not known here", shown(other)))),
            None => unsigned(value, 255)?,
        };
        match u8::try_from(number) {
            Ok(number) if number > 0 => Ok(PodProtocol::Is(number)),
            _ => Err(Wrong::new("protocol 0 means \"nobody\"")),
        }
    }
}

impl Scalar for Announce {
    const EXPECTED: &'static str = "\"borrowed\", \"all\" or \"none\"";
    fn read(value: &DeValue<'_>) -> Result<Announce, Wrong> {
        one_of(
            value,
            &[
                ("borrowed", Announce::Borrowed),
                ("all", Announce::All),
                ("none", Announce::Nothing),
            ],
        )
    }
}
