//! The network namespace that the daemon works in.
//!
//! A namespace belongs to a thread, and those that a thread starts are born into it. So the daemon
//! moves before it starts any: sessions, BFD, kernel routes, interfaces and sysctls are then all of
//! one namespace. Its control socket is a file and stays where it is.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Moves the calling thread; call it while there is no other.
///
/// # Errors
/// The namespace does not exist, or may not be entered; in words.
pub fn enter(path: &Path) -> Result<(), String> {
    let entered = File::open(path).and_then(|namespace| {
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), kind).map_err(std::io::Error::from)
    });
    entered.map_err(|error| {
        let place = path.display();
        let cure = match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                format!("; without root, leave it to the unit: NetworkNamespacePath={place}")
            }
            _ => String::new(),
        };
        format!("cannot enter the network namespace {place} ([kernel] netns): {error}{cure}")
    })
}
