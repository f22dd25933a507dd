//! What the daemon keeps to itself and what it gives up, also where nothing but itself sees to it:
//! started by hand, as root.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use starling_lab::{Binaries, Cluster, Netns, Output, Result, Signal, must, run, wait_for};

use crate::support::{SOON, binaries, cluster, established};

/// CAP_NET_ADMIN and CAP_NET_RAW, as `/proc` has them.
const KEPT: u64 = 1 << 12 | 1 << 13;

#[test]
fn once_it_runs_no_thread_can_do_more_than_routes_take() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    let pid = cluster.node(1)?.daemon()?.proc().pid();
    let mut threads = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.map(|line| line.trim_start_matches(':').trim().to_owned()).unwrap_or_default()
        };
        for set in ["CapEff", "CapPrm", "CapBnd"] {
            let held = u64::from_str_radix(&value(set), 16)?;
            assert_eq!(held & !KEPT, 0, "{set} of {}: {held:x}", value("Name"));
        }
        assert_eq!(value("NoNewPrivs"), "1", "{}", value("Name"));
        assert_eq!(value("Seccomp"), "2", "{} may make any system call", value("Name"));
        threads += 1;
    }
    ensure!(threads >= 5, "{threads} threads");
    Ok(())
}

/// Makes the calls that the file `calls` beside it lists, and notes what came of each.
const CALLER: &str = r#"#!/usr/bin/perl
my $folder = $0 =~ s|/[^/]*$||r;
open(my $calls, '<', "$folder/calls") or die;
open(my $said, '>', "$folder/said.$$") or die;
while (<$calls>) {
    chomp;
    my ($name, $number, @arguments) = split /\t/;
    $! = 0;
    my $result = syscall($number + 0, map { $_ + 0 } @arguments);
    printf $said "%s\t%d\n", $name, $result == -1 ? $! : 0;
}
close $said;
rename "$folder/said.$$", "$folder/said";
"#;

/// What the daemon starts has its filter. So `nft`, which it starts for `bgpctl doctor`, is here a
/// program that makes calls by their numbers.
#[test]
fn what_a_route_daemon_never_calls_fails_unless_it_is_told_to_close_nothing() -> Result {
    let calls = [
        ("getpid", libc::SYS_getpid, 0, 0, 0),
        ("an IPv4 socket", libc::SYS_socket, 2, 1, 0),
        ("ptrace", libc::SYS_ptrace, 0, 0, libc::EPERM),
        ("unshare", libc::SYS_unshare, 0, 0, libc::EPERM),
        ("setns", libc::SYS_setns, -1, 0, libc::EPERM),
        ("keyctl", libc::SYS_keyctl, -1, 0, libc::EPERM),
        ("io_uring_setup", libc::SYS_io_uring_setup, 0, 0, libc::EPERM),
        ("a vsock", libc::SYS_socket, 40, 1, libc::EPERM),
        ("clone3", libc::SYS_clone3, 0, 0, libc::ENOSYS),
    ];
    let lab = starling_lab::Lab::unique()?;
    let file = |name: &str| lab.dir().join(name).display().to_string();
    let lines = calls.map(|(name, number, first, second, _)| {
        format!("{name}\t{number}\t{first}\t{second}\t0\t0\t0\n")
    });
    std::fs::write(file("calls"), lines.concat())?;
    std::fs::write(file("nft"), CALLER)?;
    let real = binaries();
    let script = format!(
        "#!/bin/sh\nPATH={}:$PATH exec {} \"$@\"\n",
        lab.dir().display(),
        real.starlingd.display()
    );
    std::fs::write(file("starlingd"), script)?;
    must(&["chmod", "+x", &file("nft"), &file("starlingd")])?;
    let mut cluster = Cluster::new(Binaries { starlingd: file("starlingd").into(), ..real }, &[0])?;
    let mut came_of_it = |arguments: &[&str]| -> Result<BTreeMap<String, i32>> {
        std::fs::remove_file(file("said")).ok();
        cluster.start_with(1, arguments)?;
        cluster.node(1)?.daemon()?.try_bgpctl(&["doctor"])?;
        let log = cluster.node(1)?.daemon()?.log();
        ensure!(!log.contains("system calls"), "{log}");
        cluster.node(1)?.take_daemon()?.into_proc().stop(SOON)?;
        let text = std::fs::read_to_string(file("said")).context("nft was not run")?;
        let line = |line: &str| -> Result<(String, i32)> {
            let (name, errno) = line.split_once('\t').context("no tab")?;
            Ok((name.to_owned(), errno.parse()?))
        };
        text.lines().map(line).collect()
    };
    let expected = calls.map(|(name, .., errno)| (name.to_owned(), errno));
    assert_eq!(came_of_it(&[])?, BTreeMap::from(expected));
    let open = came_of_it(&["--all-system-calls"])?;
    for name in ["ptrace", "unshare"] {
        assert_eq!(open.get(name), Some(&0), "{open:?}");
    }
    Ok(())
}

/// A cluster whose nodes sign with this key, which is nowhere but in its file.
fn signed(key: &str) -> Result<Cluster> {
    let mut cluster = cluster(&[0, 0])?;
    let folder = cluster.config().parent().context("no folder")?.to_owned();
    std::fs::write(folder.join("mesh.key"), key)?;
    let text = cluster.toml("never", "[http]\nlisten = [\"127.0.0.1:9179\"]\n");
    cluster
        .configure(&text.replace("asn = 64512\n", "asn = 64512\npassword-file = \"mesh.key\"\n"))?;
    for i in [1, 2] {
        cluster.start_with(i, &["--log", "trace"])?;
    }
    established(cluster.node(1)?, "n2")?;
    Ok(cluster)
}

#[test]
fn a_key_is_in_nothing_that_is_shown_logged_or_dumped() -> Result {
    let (old, new) = ("correct-horse-battery", "staple-of-another-kind");
    let mut cluster = signed(old)?;
    let folder = cluster.config().parent().context("no folder")?.to_owned();
    let mut shown = String::new();
    let mut add = |what: &str, text: &str| {
        shown.push_str(&format!("== {what}\n{text}\n"));
    };
    // It changes, is broken, and is right again: all of that is told.
    for key in [new, &"x".repeat(81).replace("xx", old), old, new] {
        std::fs::write(folder.join("mesh.key"), key)?;
        let said = cluster.node(1)?.daemon()?.try_bgpctl(&["reload"])?;
        add("reload", &format!("{}{}", said.stdout, said.stderr));
    }
    let commands: &[&[&str]] = &[
        &["show", "summary"],
        &["show", "neighbors"],
        &["show", "neighbors", "n2"],
        &["show", "routes", "--detail"],
        &["show", "nodes"],
        &["show", "policies"],
        &["show", "fib"],
        &["show", "bfd"],
        &["doctor"],
        &["why", "10.244.2.1"],
    ];
    for command in commands {
        for json in [&[][..], &["--json"]] {
            let said = cluster.node(1)?.daemon()?.try_bgpctl(&[command, json].concat())?;
            add(&command.join(" "), &format!("{}{}", said.stdout, said.stderr));
        }
    }
    let check = |json: &[&str]| -> Result<Output> {
        let mut command = cluster.nodes()[0].netns().command(binaries().starlingd);
        run(command.arg("check").arg(cluster.config()).args(["--node", "n1"]).args(json), SOON)
    };
    for json in [&[][..], &["--json"]] {
        let said = check(json)?;
        add("check", &format!("{}{}", said.stdout, said.stderr));
    }
    let metrics = cluster.nodes()[0].netns().inside(|| get("/metrics"))??;
    ensure!(metrics.contains("starling_"), "{metrics}");
    add("metrics", &metrics);
    for i in [1, 2] {
        add("log", &cluster.node(i)?.daemon()?.log());
    }
    ensure!(
        shown.len() > 10_000 && shown.contains("TRACE") && shown.contains("mesh.key"),
        "{shown}"
    );
    for key in [old, new] {
        let found = shown.lines().find(|line| line.contains(key));
        assert_eq!(found, None, "the key is told");
    }
    Ok(())
}

fn get(path: &str) -> Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect("127.0.0.1:9179")?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A program in `netns` and `folder` that may dump its core there.
fn dumper(netns: &Netns, folder: &Path, argv: &[&str]) -> std::process::Command {
    let mut command = netns.command("prlimit");
    command.arg("--core=unlimited").args(argv).current_dir(folder);
    command
}

#[test]
fn no_core_is_dumped_of_a_daemon_that_aborts() -> Result {
    let mut cluster = cluster(&[0])?;
    let dir = cluster.lab().subdir("cores")?;
    let (config, starlingd) = (cluster.config().display().to_string(), binaries().starlingd);
    let (starlingd, socket) =
        (starlingd.display().to_string(), dir.join("control.sock").display().to_string());
    let argv =
        [starlingd.as_str(), "run", "--config", &config, "--node", "n1", "--control", &socket];
    let mut command = dumper(cluster.nodes()[0].netns(), &dir, &argv);
    let mut proc = starling_lab::Proc::spawn("starlingd", &mut command, &dir.join("log"))?;
    wait_for("it to answer", SOON, || {
        ensure!(binaries().bgpctl(Path::new(&socket), &["version"])?.status.success());
        Ok(())
    })?;
    proc.signal(Signal::ABORT)?;
    let status = proc.ended(SOON)?;
    ensure!(format!("{status}").contains("SIGABRT"), "{status}");
    ensure!(!format!("{status}").contains("core dumped"), "{status}");
    // The same of a program that does nothing about it: else this would show nothing.
    let mut command = dumper(cluster.node(1)?.netns(), &dir, &["sh", "-c", "kill -ABRT $$"]);
    let other = run(&mut command, SOON)?.status;
    ensure!(format!("{other}").contains("core dumped"), "{other}");
    Ok(())
}

/// A daemon whose service manager is `manager`, with a watchdog of so many microseconds.
fn watched(cluster: &Cluster, watchdog: &str) -> Result<(UnixDatagram, Binaries)> {
    let path = cluster.lab().dir().join("notify.sock");
    let manager = UnixDatagram::bind(&path)?;
    manager.set_read_timeout(Some(Duration::from_millis(100)))?;
    let script = cluster.lab().dir().join("starlingd");
    let text = format!(
        "#!/bin/sh\nexport NOTIFY_SOCKET={} WATCHDOG_USEC={watchdog}\nexec {} \"$@\"\n",
        path.display(),
        binaries().starlingd.display()
    );
    std::fs::write(&script, text)?;
    must(&["chmod", "+x", &script.display().to_string()])?;
    Ok((manager, Binaries { starlingd: script, ..binaries() }))
}

#[test]
fn the_watchdog_hears_of_it_while_everybody_answers() -> Result {
    let cluster = cluster(&[0])?;
    let (manager, programs) = watched(&cluster, "800000")?;
    let dir = cluster.lab().subdir("n1")?;
    let node = &cluster.nodes()[0];
    let mut daemon =
        starling_lab::Starling::start(&programs, node.netns(), "n1", cluster.config(), &dir)?;
    daemon.wait_ready()?;
    // Whether the next message is one; none comes within the socket's 100 ms.
    let next = || -> bool {
        let mut message = [0; 512];
        let Ok(length) = manager.recv(&mut message) else { return false };
        String::from_utf8_lossy(&message[..length]).lines().any(|line| line == "WATCHDOG=1")
    };
    let is_heard_of = |times: usize| -> Result {
        let mut count = 0;
        wait_for("word of it", SOON, || {
            count += usize::from(next());
            ensure!(count >= times, "{count} times, not {times}");
            Ok(())
        })
    };
    let heard = |within: Duration| -> usize {
        let (begun, mut count) = (Instant::now(), 0);
        while begun.elapsed() < within {
            count += usize::from(next());
        }
        count
    };
    is_heard_of(3)?;
    // One thread hangs; all others go on, and yet nothing is heard. The supervisor has the first.
    let pid = daemon.proc().pid();
    for (name, words) in
        [("starlingd", "the supervisor has not answered"), ("bfd", "BFD has not answered")]
    {
        let hung = Hung::thread(pid, name)?;
        wait_for("words about it", SOON, || {
            ensure!(daemon.log().contains(words), "{words:?} is not in:\n{}", daemon.log());
            Ok(())
        })?;
        // What was said before.
        heard(Duration::from_millis(300));
        assert_eq!(heard(Duration::from_secs(1)), 0, "it is heard of without {name}");
        drop(hung);
        is_heard_of(1).context("it does not come back")?;
    }
    daemon.into_proc().stop(SOON).map(drop)
}

/// A thread that is held by its tracer, as a debugger would, until this value is dropped.
struct Hung(Pid);

impl Hung {
    fn thread(process: u32, name: &str) -> Result<Hung> {
        for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
            let task = task?;
            if std::fs::read_to_string(task.path().join("comm"))?.trim() == name {
                let id = Pid::from_raw(task.file_name().to_string_lossy().parse()?);
                ptrace::attach(id)?;
                waitpid(id, Some(WaitPidFlag::__WALL))?;
                return Ok(Hung(id));
            }
        }
        bail!("no thread {name}")
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        ptrace::detach(self.0, None).ok();
    }
}
