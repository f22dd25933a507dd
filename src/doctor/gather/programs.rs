//! Programs of this network namespace that write routes, and who listens for BGP.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::doctor::facts::{Host, Program};

/// Names (of at most 15 octets, as the kernel keeps them) of programs that write routes.
const WRITERS: [&str; 10] = [
    "bird",
    "bird6",
    "zebra",
    "bgpd",
    "gobgpd",
    "starlingd",
    "calico-felix",
    "kube-router",
    "cilium-agent",
    "flanneld",
];

pub fn look(host: &mut Host, port: u16) {
    let processes = neighbours();
    host.programs = processes.as_ref().map(|all| {
        let writers = all.iter().filter(|(_, program)| WRITERS.contains(&program.name.as_str()));
        writers.map(|(_, program)| program.clone()).collect()
    });
    let Some(inode) = listener(port) else { return };
    let holds = |(path, _): &&(PathBuf, Program)| holds_socket(path, inode);
    let all = processes.unwrap_or_default();
    // Our own process is not among them: then nobody else listens.
    let ours = holds_socket(Path::new("/proc/self"), inode);
    let named = all.iter().find(holds).map(|(_, program)| program.name.clone());
    host.listener = (!ours).then(|| named.unwrap_or_default());
}

/// The other processes of this network namespace; `None`: theirs are not to be seen.
fn neighbours() -> Option<Vec<(PathBuf, Program)>> {
    // The files below net/ are those of the process's namespace, and unlike ns/net anybody may ask
    // which they are.
    let namespace = |path: &Path| fs::metadata(path.join("net/dev")).ok().map(|meta| meta.ino());
    let own = namespace(Path::new("/proc/self"))?;
    let mut found = Vec::new();
    let mut refused = true;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let path = entry.path();
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        let Some(theirs) = namespace(&path) else { continue };
        refused = false;
        if theirs != own {
            continue;
        }
        let Ok(name) = fs::read_to_string(path.join("comm")) else { continue };
        found.push((path, Program { pid, name: program(name.trim(), &entry.path()) }));
    }
    // Alone in a namespace of processes there is nobody to see, and nobody refused.
    (!refused || found.is_empty() && rustix::process::geteuid().is_root()).then_some(found)
}

/// Felix is one of the things that `calico-node` can be.
fn program(name: &str, path: &Path) -> String {
    let line = || fs::read(path.join("cmdline")).unwrap_or_default();
    let felix = |line: Vec<u8>| line.split(|byte| *byte == 0).any(|word| word == b"-felix");
    match name {
        "calico-node" if felix(line()) => "calico-felix".to_owned(),
        other => other.to_owned(),
    }
}

/// The socket that listens on a TCP port.
fn listener(port: u16) -> Option<u64> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let mut lines = tables.map(|path| fs::read_to_string(path).unwrap_or_default());
    lines.iter_mut().find_map(|text| text.lines().find_map(|line| listens(line, port)))
}

/// `sl local_address rem_address st … inode`: state 0A is LISTEN.
fn listens(line: &str, port: u16) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (_, number) = words.get(1)?.rsplit_once(':')?;
    let is_it = u16::from_str_radix(number, 16).ok()? == port && *words.get(3)? == "0A";
    is_it.then(|| words.get(9)?.parse().ok()).flatten()
}

fn holds_socket(path: &Path, inode: u64) -> bool {
    let wanted = format!("socket:[{inode}]");
    let Ok(open) = fs::read_dir(path.join("fd")) else { return false };
    open.flatten().any(|entry| {
        fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_found_by_its_port() {
        let line = "   0: 00000000:00B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     \
                    0        0 12345 1 0000000000000000 100 0 0 10 0";
        assert_eq!(listens(line, 179), Some(12345));
        assert_eq!(listens(line, 180), None);
        assert_eq!(
            listens(&line.replace(" 0A ", " 01 "), 179),
            None,
            "a connection is no listener"
        );
        assert_eq!(listens("  sl  local_address rem_address   st", 179), None);
    }
}
