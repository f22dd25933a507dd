//! What `[cluster]` and `[[peer]]` say of sessions.

use starling_bgp::types::Role;
use toml::de::DeValue;

use super::{one_of, unsigned};
use crate::reader::{Scalar, Wrong};

/// `graceful-restart`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GracefulRestart {
    Off,
    Helper,
    On,
}

impl Scalar for GracefulRestart {
    const EXPECTED: &'static str = "true, false or \"helper\"";
    fn read(value: &DeValue<'_>) -> Result<GracefulRestart, Wrong> {
        match value.as_bool() {
            Some(true) => Ok(GracefulRestart::On),
            Some(false) => Ok(GracefulRestart::Off),
            None => one_of(value, &[("helper", GracefulRestart::Helper)]),
        }
    }
}

/// `add-paths`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AddPaths {
    pub(crate) receive: bool,
    pub(crate) send: bool,
}

impl Scalar for AddPaths {
    const EXPECTED: &'static str = "\"none\", \"receive\", \"send\" or \"both\"";
    fn read(value: &DeValue<'_>) -> Result<AddPaths, Wrong> {
        one_of(
            value,
            &[
                ("none", AddPaths { receive: false, send: false }),
                ("receive", AddPaths { receive: true, send: false }),
                ("send", AddPaths { receive: false, send: true }),
                ("both", AddPaths { receive: true, send: true }),
            ],
        )
    }
}

/// `add-path-limit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AddPathLimit(pub(crate) u16);

impl Scalar for AddPathLimit {
    const EXPECTED: &'static str = "how many paths for a prefix are sent at most, 1 to 65535";
    fn read(value: &DeValue<'_>) -> Result<AddPathLimit, Wrong> {
        match u16::try_from(unsigned(value, u64::from(u16::MAX))?) {
            Ok(limit) if limit > 0 => Ok(AddPathLimit(limit)),
            _ => Err(Wrong::new("with no path nothing would be sent")
                .hint("to a neighbour that is told nothing: an export-policy that rejects")),
        }
    }
}

/// `allow-own-as`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AllowOwnAs(pub(crate) u8);

impl Scalar for AllowOwnAs {
    const EXPECTED: &'static str = "how often the own AS may be in AS_PATH, 0 to 255";
    fn read(value: &DeValue<'_>) -> Result<AllowOwnAs, Wrong> {
        let times = unsigned(value, 255)?;
        u8::try_from(times).map(AllowOwnAs).map_err(|_| Wrong::new("it is too large"))
    }
}

impl Scalar for Role {
    const EXPECTED: &'static str = "what we are to the router: \"provider\", \"customer\", \
                                    \"peer\", \"rs-server\" or \"rs-client\"";
    fn read(value: &DeValue<'_>) -> Result<Role, Wrong> {
        one_of(
            value,
            &[
                ("provider", Role::Provider),
                ("customer", Role::Customer),
                ("peer", Role::Peer),
                ("rs-server", Role::RouteServer),
                ("rs-client", Role::RouteServerClient),
            ],
        )
    }
}
