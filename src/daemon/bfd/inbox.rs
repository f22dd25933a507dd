//! The thread's inbox: a channel, and a descriptor that is readable while something may be in it, so
//! that the thread waits for commands, packets and time in one place.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, mpsc};

use rustix::event::{EventfdFlags, eventfd};

use super::Command;

/// Where commands are put in.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    commands: mpsc::Sender<Command>,
    bell: Arc<OwnedFd>,
}

/// Where they are taken out.
#[derive(Debug)]
pub(super) struct Inside {
    commands: mpsc::Receiver<Command>,
    bell: Arc<OwnedFd>,
}

/// Both ends. Without a bound, so that nobody waits who tells something: a few commands for each
/// change of a session or of the configuration.
///
/// # Errors
/// When there is no descriptor left.
pub(super) fn open() -> io::Result<(Outside, Inside)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (commands, inbox) = mpsc::channel();
    Ok((Outside { commands, bell: Arc::clone(&bell) }, Inside { commands: inbox, bell }))
}

impl Outside {
    /// Puts a command in, if the thread still runs.
    pub(super) fn tell(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            // It only fails where it has rung 2^64 - 2 times unheard.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }
}

impl Inside {
    /// All that is in it, in order.
    pub(super) fn take(&self) -> impl Iterator<Item = Command> + '_ {
        // Before the look: what comes after it rings again.
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        self.commands.try_iter()
    }
}

impl AsFd for Inside {
    /// Readable while it was told something that was not taken.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
