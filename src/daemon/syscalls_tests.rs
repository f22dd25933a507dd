//! What is closed in one thread: refused there, and everything else goes on.

use socket2::{Domain, Socket, Type};

use super::*;

/// What comes of a socket that hosts and their guests talk by, which no right keeps anybody from.
fn vsock() -> Option<i32> {
    Socket::new(Domain::VSOCK, Type::STREAM, None).err().and_then(|error| error.raw_os_error())
}

#[test]
fn who_closed_them_is_refused_them_and_nobody_else() {
    let closed = std::thread::spawn(|| {
        rustix::thread::set_no_new_privs(true).unwrap();
        close().unwrap();
        // What it starts has it too, and can be started: a thread, a program.
        let below = std::thread::spawn(vsock).join().unwrap();
        let status = std::process::Command::new("true").status().unwrap();
        assert!(status.success(), "{status}");
        for family in [Domain::IPV4, Domain::IPV6, Domain::UNIX] {
            if let Err(error) = Socket::new(family, Type::STREAM, None) {
                assert_eq!(error.raw_os_error(), Some(libc::EAFNOSUPPORT), "{family:?}");
            }
        }
        (vsock(), below)
    });
    assert_eq!(closed.join().unwrap(), (Some(libc::EPERM), Some(libc::EPERM)));
    assert_ne!(vsock(), Some(libc::EPERM), "in this thread nothing was closed");
}

#[test]
fn nothing_is_refused_twice() {
    let mut numbers = NEVER.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), NEVER.len());
    for used in [libc::SYS_execve, libc::SYS_seccomp, libc::SYS_socket, libc::SYS_clone] {
        assert!(!numbers.contains(&used), "{used}");
    }
}
