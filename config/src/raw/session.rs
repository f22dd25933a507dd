//! What `[cluster]` and `[[peer]]` say of sessions.

use std::time::Duration;

use starling_bgp::types::Role;

use crate::reader::{Field, Section};
use crate::value::{AddPathLimit, AddPaths, AllowOwnAs, GracefulRestart};

/// Settings of a session, each said or not.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) graceful_restart: Field<GracefulRestart>,
    pub(crate) restart_time: Field<Duration>,
    pub(crate) long_lived: Field<Duration>,
    pub(crate) extended_messages: Field<bool>,
    pub(crate) extended_next_hop: Field<bool>,
    pub(crate) add_paths: Field<AddPaths>,
    pub(crate) add_path_limit: Field<AddPathLimit>,
    pub(crate) allow_own_as: Field<AllowOwnAs>,
    pub(crate) first_as: Field<bool>,
    pub(crate) idle_hold: Field<Duration>,
    pub(crate) idle_hold_max: Field<Duration>,
    pub(crate) send_hold: Field<Duration>,
}

pub(super) fn session(s: &mut Section<'_, '_>) -> Session {
    Session {
        graceful_restart: s.one("graceful-restart"),
        restart_time: s.one("restart-time"),
        long_lived: s.one("long-lived"),
        extended_messages: s.one("extended-messages"),
        extended_next_hop: s.one("extended-next-hop"),
        add_paths: s.one("add-paths"),
        add_path_limit: s.one("add-path-limit"),
        allow_own_as: s.one("allow-own-as"),
        first_as: s.one("first-as"),
        idle_hold: s.one("idle-hold"),
        idle_hold_max: s.one("idle-hold-max"),
        send_hold: s.one("send-hold"),
    }
}

/// What a router is to us; the nodes are nothing of the kind to each other.
#[derive(Debug)]
pub(crate) struct OwnRole {
    pub(crate) role: Field<Role>,
    pub(crate) strict: Field<bool>,
}

pub(super) fn own_role(s: &mut Section<'_, '_>) -> OwnRole {
    OwnRole { role: s.one("role"), strict: s.one("strict-role") }
}
