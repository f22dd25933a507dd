//! A Unix socket's place in the file system.
//!
//! The socket file appears in one step with its final permissions (bound beside its place, then
//! renamed), never under a running daemon, and is removed at the end unless it has become
//! another's by then.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody answers there.
    #[error(
        "another daemon answers on {path}: stop it first, or give this one a socket of its own"
    )]
    AnotherDaemon {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is not a socket is there.
    #[error("{path} exists and is not a socket; it is left alone: remove it or name another path")]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// Nobody knows the group.
    #[error("there is no group {group} here ([control] readers): groupadd --system {group}")]
    NoGroup {
        /// Its name.
        group: String,
    },
    /// A step failed.
    #[error("cannot {step} {place}: {source}")]
    Failed {
        /// What was tried.
        step: &'static str,
        /// On what.
        place: String,
        /// The system's words.
        source: io::Error,
    },
}

/// Binds the Unix socket `path`, mode 0660 and of `group`, if it is to be another's than ours; makes
/// its directory, replaces a socket on which nobody
/// answers any more. Two daemons that start within the same millisecond may both succeed, the
/// later one having the path; the BGP port then tells them apart.
///
/// # Errors
/// Where another daemon answers, where `path` is no socket, and where the system refuses.
pub(crate) async fn bind(
    path: &Path,
    group: Option<u32>,
) -> Result<(UnixListener, SocketFile), ListenError> {
    let failed = |step| {
        move |source| ListenError::Failed { step, place: path.display().to_string(), source }
    };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed("make the directory of"))?;
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ListenError::NotASocket { path: path.to_owned() });
        }
        Ok(_) if tokio::net::UnixStream::connect(path).await.is_ok() => {
            return Err(ListenError::AnotherDaemon { path: path.to_owned() });
        }
        _ => {}
    }
    // Beside its place: until the mode is right nobody finds it.
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let _ = std::fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside).map_err(failed("bind"))?;
    let placed = group
        .map_or(Ok(()), |group| std::os::unix::fs::chown(&beside, None, Some(group)))
        .and_then(|()| std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o660)))
        .and_then(|()| std::fs::symlink_metadata(&beside))
        .and_then(|meta| std::fs::rename(&beside, path).map(|()| meta));
    match placed {
        Ok(meta) => {
            let inode = (meta.dev(), meta.ino());
            Ok((listener, SocketFile { path: path.to_owned(), inode }))
        }
        Err(e) => {
            let _ = std::fs::remove_file(&beside);
            Err(failed("put in place")(e))
        }
    }
}

/// A socket's file; dropping it unlinks it, if it is still ours.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode that we bound.
    inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == self.inode);
        if ours && let Err(e) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), "cannot remove the control socket: {e}");
        }
    }
}
