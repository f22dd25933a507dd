//! The built `bgpctl` against a daemon in memory: output, exit codes, what it says in trouble.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::Ordering;

use starling::api::{
    Applied, Diagnosis, FibAudit, FibCoupling, FibEntry, Generation, Level, Memory, MeshRow, Plan,
    Pod, Policy, PolicyTest, Route, Summary, Terms, Version,
};
use starling_fib::types::Coupling;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::http::Daemon;
use crate::sample;

pub(crate) fn bgpctl(socket: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bgpctl"));
    command.env("STARLING_SOCKET", socket).env_remove("COLUMNS").stdin(Stdio::null());
    command.kill_on_drop(true);
    command
}

pub(crate) async fn run(socket: &Path, line: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        bgpctl(socket).args(line.split_whitespace()).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().expect("no signal"), text(stdout), text(stderr))
}

#[tokio::test]
async fn tables_are_plain_in_a_pipe_and_json_is_the_daemons() {
    let daemon = Daemon::start().await;
    let (code, out, err) = run(&daemon.socket, "sh su").await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("connection refused") && !out.contains('\x1b'), "{out}");
    for line in ["show summary", "show neighbors", "sh nei gw0", "sh no", "sh ro --detail", "sh f"]
    {
        let (code, out, err) = run(&daemon.socket, line).await;
        assert_eq!((code, err.as_str()), (0, ""), "{line}");
        assert!(out.lines().count() > 2, "{line}: {out}");
    }
    let (_, out, _) = run(&daemon.socket, "show summary --json").await;
    assert_eq!(serde_json::from_str::<Summary>(&out).unwrap(), sample::summary());
    let (_, out, _) = run(&daemon.socket, "-j show routes").await;
    let rows: Vec<Route> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(rows, sample::routes());
    let (_, out, _) = run(&daemon.socket, "--json show fib").await;
    let rows: Vec<FibEntry> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(rows, sample::fib());
    let (code, out, _) = run(&daemon.socket, "sh pods").await;
    assert!(code == 0 && out.contains("cali123") && out.contains("static"), "{out}");
    let (_, out, _) = run(&daemon.socket, "show pods --json").await;
    let rows: Vec<Pod> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(rows, sample::pods());
    let (_, out, _) = run(&daemon.socket, "version -j").await;
    assert_eq!(serde_json::from_str::<Version>(&out).unwrap(), Version::this());
}

#[tokio::test]
async fn what_a_neighbour_is_told() {
    let daemon = Daemon::start().await;
    let (code, out, err) = run(&daemon.socket, "show routes --to gw0").await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("pending") && !out.contains("withheld"), "{out}");
    let (_, out, _) = run(&daemon.socket, "sh ro --to gw0 --withheld").await;
    assert!(out.contains("withheld: rejected by to-gw0 rule 3 (no-pods)"), "{out}");
    let (_, out, _) = run(&daemon.socket, "sh ro --to gw0 10.244.1.0/26 --json").await;
    let rows: Vec<Route> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(rows, sample::advertised());
    let (code, _, err) = run(&daemon.socket, "sh ro --to server2").await;
    assert_eq!(code, 1);
    assert!(err.contains("the session is not up"), "{err}");
}

#[tokio::test]
async fn the_mesh_and_memory_are_shown() {
    let daemon = Daemon::start().await;
    let (code, out, err) = run(&daemon.socket, "show mesh").await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("1 server1") && out.contains(" .=#!-#"), "{out}");
    let (_, out, _) = run(&daemon.socket, "show mesh -j").await;
    assert_eq!(serde_json::from_str::<Vec<MeshRow>>(&out).unwrap(), sample::mesh());
    let (code, out, _) = run(&daemon.socket, "show mem").await;
    assert!(code == 0 && out.contains("117.7 MiB resident"), "{out}");
    let (_, out, _) = run(&daemon.socket, "--json show memory").await;
    assert_eq!(serde_json::from_str::<Memory>(&out).unwrap(), sample::memory());
}

#[tokio::test]
async fn a_policy_is_tested_where_it_is_asked_for() {
    let daemon = Daemon::start().await;
    let (code, out, err) = run(&daemon.socket, "show policies").await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("import from tor0, tor1"), "{out}");
    let (_, out, _) = run(&daemon.socket, "show policies --json").await;
    assert_eq!(serde_json::from_str::<Vec<Policy>>(&out).unwrap(), sample::policies());
    let test = "policy test 10.20.0.0/16 --peer tor0";
    let (code, out, err) = run(&daemon.socket, test).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("10.20.0.0/16  import from tor0: accepted"), "{out}");
    let (_, out, _) = run(&daemon.socket, &format!("-j {test} --out")).await;
    let tests: Vec<PolicyTest> = serde_json::from_str(&out).unwrap();
    assert_eq!(tests, sample::policy_tests()[1..2]);
    for line in
        ["policy test", "policy test 10.0.0.0/8 --out", "policy test 10.0.0.0/8 --in --kernel"]
    {
        let (code, ..) = run(&daemon.socket, line).await;
        assert_eq!(code, 2, "{line}");
    }
}

#[tokio::test]
async fn a_change_is_planned_made_confirmed_and_undone() {
    let daemon = Daemon::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (new, same, bad) = (file("new", "other"), file("same", "same"), file("bad", "bad"));
    // As diff(1): 0 the same, another code for a difference, a third for trouble.
    let (code, out, err) = run(&daemon.socket, &format!("plan {new}")).await;
    assert_eq!((code, err.as_str()), (4, ""), "{out}");
    let (code, out, _) = run(&daemon.socket, &format!("plan {new} --json")).await;
    assert_eq!((code, serde_json::from_str::<Plan>(&out).unwrap()), (4, sample::plan("other")));
    let (code, out, _) = run(&daemon.socket, &format!("plan {same}")).await;
    assert!(code == 0 && out.starts_with("nothing would change"), "{code} {out}");
    let (code, out, _) = run(&daemon.socket, &format!("plan {bad}")).await;
    assert!(code == 1 && out.contains("= expected: \"always\""), "{code} {out}");
    let (code, _, err) = run(&daemon.socket, "plan /nowhere/at/all").await;
    assert!(code == 1 && err.contains("cannot read /nowhere/at/all"), "{code} {err}");

    let config = folder.path().join("cluster.toml");
    let says = || std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, "before").unwrap();
    *daemon.backend.0.file.lock().unwrap() = Some(config.clone());
    let (code, out, err) = run(&daemon.socket, &format!("apply {new} --confirm 1m30s")).await;
    assert_eq!((code, err.as_str(), says().as_str()), (0, "", "before"));
    assert!(out.contains("it is undone in 1m30s unless"), "{out}");
    let (code, out, _) = run(&daemon.socket, "confirm").await;
    assert_eq!((code, says().as_str()), (0, "as it was"));
    assert!(out.contains(&format!("written to {}", config.display())), "{out}");
    let (code, _, err) = run(&daemon.socket, "confirm").await;
    assert!(code == 1 && err.contains("no change waits"), "{err}");
    let (code, out, _) = run(&daemon.socket, &format!("apply {new} --runtime -j")).await;
    let terms = Terms { runtime: true, confirm_s: None };
    let applied: Applied = serde_json::from_str(&out).unwrap();
    assert_eq!((code, applied), (0, sample::applied("other", terms)));
    assert_eq!(says(), "as it was");
    let (code, ..) = run(&daemon.socket, &format!("apply {new}")).await;
    assert_eq!((code, says().as_str()), (0, "other"));
    let (code, out, _) = run(&daemon.socket, &format!("apply {bad}")).await;
    assert!(code == 1 && out.contains("3 stays in force"), "{out}");
    assert_eq!(says(), "other");
    assert_eq!(run(&daemon.socket, &format!("apply {new} --confirm soon")).await.0, 2);

    let (code, ..) = run(&daemon.socket, "rollback 2").await;
    assert_eq!((code, says().as_str()), (0, "as it was"));
    assert_eq!(run(&daemon.socket, "rollback 99").await.0, 1);
    let (code, out, _) = run(&daemon.socket, "show generations --json").await;
    let all: Vec<Generation> = serde_json::from_str(&out).unwrap();
    assert_eq!((code, all), (0, sample::generations()));

    // A ConfigMap, as a kubelet mounts it: nothing is asked of the daemon.
    let data = folder.path().join("..data");
    std::fs::create_dir(&data).unwrap();
    std::fs::rename(&config, data.join("cluster.toml")).unwrap();
    std::os::unix::fs::symlink("..data/cluster.toml", &config).unwrap();
    let (code, out, err) = run(&daemon.socket, &format!("apply {new}")).await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("ConfigMap") && err.contains("--runtime"), "{err}");
}

#[tokio::test]
async fn a_flush_is_for_those_who_mean_it() {
    let daemon = Daemon::start().await;
    // Standard input is no terminal here: nobody can be asked.
    let (code, out, err) = run(&daemon.socket, "fib flush").await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("--yes"), "{err}");
    let (code, out, _) = run(&daemon.socket, "fib fl --yes --json").await;
    assert_eq!(code, 0);
    let stands: FibCoupling = serde_json::from_str(&out).unwrap();
    assert_eq!(stands, sample::coupling(Coupling::Flushed));
    let (_, out, _) = run(&daemon.socket, "fib audit -j").await;
    assert_eq!(serde_json::from_str::<FibAudit>(&out).unwrap(), sample::audit());
    for (line, says) in [
        ("fib audit", "repaired: 4 routes compared in 12 ms"),
        ("fib flush -y", "3 routes of ours were removed"),
        ("fib decouple", "nothing is written to the kernel any more"),
        ("fib couple", "the kernel follows"),
    ] {
        let (code, out, err) = run(&daemon.socket, line).await;
        assert_eq!((code, err.as_str()), (0, ""), "{line}");
        assert!(out.contains(says), "{line}: {out}");
    }
}

#[tokio::test]
async fn the_doctors_exit_code_is_the_worst_of_it() {
    let daemon = Daemon::start().await;
    let (code, out, err) = run(&daemon.socket, "doctor").await;
    assert_eq!((code, err.as_str()), (5, ""));
    assert!(out.contains("1 problem, 1 warning, 1 hint, 1 ok"), "{out}");
    let (code, out, _) = run(&daemon.socket, "doc --json").await;
    assert_eq!((code, serde_json::from_str::<Diagnosis>(&out).unwrap()), (5, sample::diagnosis()));
}

#[tokio::test]
async fn without_a_daemon_the_doctor_says_so_first_and_looks_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nobody.sock");
    let line = format!("doctor --json --config {}/none.toml", folder.path().display());
    let (code, out, err) = run(&socket, &line).await;
    assert_eq!((code, err.as_str()), (5, ""));
    let diagnosis: Diagnosis = serde_json::from_str(&out).unwrap();
    let first = &diagnosis.findings[0];
    assert_eq!((first.check.as_str(), first.level), ("daemon", Level::Problem));
    assert!(first.text.contains("no such file"), "{first:?}");
    let second = &diagnosis.findings[1];
    assert_eq!(second.check, "configuration");
    assert!(second.text.contains("none.toml"), "{second:?}");
    assert!(diagnosis.findings.iter().any(|f| f.check == "forwarding"), "{diagnosis:#?}");
}

#[tokio::test]
async fn the_width_of_the_page_is_kept() {
    let daemon = Daemon::start().await;
    let output = bgpctl(&daemon.socket)
        .args(["show", "routes"])
        .env("COLUMNS", "90")
        .output()
        .await
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.lines().all(|l| l.chars().count() <= 90), "{out}");
    assert!(out.contains("(!) 192.168.169.192/26 and 2 more: next hop 10.39.3.75"), "{out}");
}

#[tokio::test]
async fn a_refusal_is_exit_code_1_with_its_hint() {
    let daemon = Daemon::start().await;
    let (code, out, err) = run(&daemon.socket, "show neighbors a/b?c").await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("error: there is no neighbour `a/b?c`"), "{err}");
    assert!(err.contains("hint: known are server2 and gw0"), "{err}");
    let (code, ..) = run(&daemon.socket, "show routes --from nobody").await;
    assert_eq!(code, 1);
}

#[tokio::test]
async fn a_reload_tells_what_changed_or_what_is_wrong() {
    let daemon = Daemon::start().await;
    let (code, out, _) = run(&daemon.socket, "reload").await;
    assert_eq!(code, 0);
    assert!(out.contains("configuration 4 is in force") && out.contains("ipip never"), "{out}");
    let reason = || daemon.backend.0.reason.lock().unwrap().clone();
    assert_eq!(reason(), "");
    assert_eq!(run(&daemon.socket, "reload new rack, at last").await.0, 0);
    assert_eq!(reason(), "new rack, at last");
    assert_eq!(run(&daemon.socket, "rollback --reason no").await.0, 0);
    assert_eq!(reason(), "no");
    let (code, _, err) = run(&daemon.socket, &format!("reload {}", "x".repeat(501))).await;
    assert!(code == 1 && err.contains("500 octets at most"), "{err}");
    daemon.backend.0.bad_file.store(true, Ordering::SeqCst);
    for line in ["reload", "reload --json"] {
        let (code, out, _) = run(&daemon.socket, line).await;
        assert_eq!(code, 1);
        assert!(out.contains("cluster.toml:7:8: unknown mode"), "{out}");
    }
}

#[tokio::test]
async fn usage_is_exit_code_2() {
    for line in ["show n", "frobnicate", "show routes 10.1.1.1/24", "show", "--nonsense", ""] {
        let (code, out, err) = run(Path::new("/nonexistent"), line).await;
        assert_eq!((code, out.as_str()), (2, ""), "{line}");
        assert!(!err.is_empty());
    }
    let (code, out, err) = run(Path::new("/nonexistent"), "--help").await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("Exit codes"), "{out}");
}

#[tokio::test]
async fn where_no_daemon_is_the_reason_is_told_with_exit_code_3() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let (code, _, err) = run(&path, "show summary").await;
    assert_eq!(code, 3);
    assert!(err.contains(path.to_str().unwrap()) && err.contains("no such file"), "{err}");
    assert!(err.contains("systemctl status starlingd") && err.contains("--socket"), "{err}");

    std::fs::write(&path, "").unwrap();
    let (code, _, err) = run(&path, "show routes").await;
    assert_eq!(code, 3);
    assert!(err.contains("not a socket"), "{err}");
    std::fs::remove_file(&path).unwrap();

    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let (code, _, err) = run(&path, "reload").await;
    assert_eq!(code, 3);
    assert!(err.contains("no daemon listens behind it"), "{err}");

    // Its own version needs no daemon.
    let (code, out, _) = run(&path, "version").await;
    assert_eq!(code, 3);
    assert!(out.starts_with("bgpctl "), "{out}");
}

#[tokio::test]
async fn somebody_without_permission_is_told_whose_it_is() {
    let daemon = Daemon::start().await;
    let mut inside = daemon.socket.as_path();
    while let Some(directory) = inside.parent().filter(|d| d.starts_with(std::env::temp_dir())) {
        if directory != std::env::temp_dir() {
            std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        inside = directory;
    }
    // The build directory may be closed to others.
    let copy = daemon.socket.with_file_name("bgpctl");
    std::fs::copy(env!("CARGO_BIN_EXE_bgpctl"), &copy).unwrap();
    let mut command = Command::new(&copy);
    command.arg("--socket").arg(&daemon.socket).args(["show", "summary"]);
    if std::fs::metadata(&copy).unwrap().uid() == 0 {
        // Root may open everything, and become somebody who may not.
        command.uid(65534).gid(65534);
    } else {
        std::fs::set_permissions(&daemon.socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    // A process that another test forked just now may hold the copy open for writing, until it
    // executes what it is for.
    let output = loop {
        match command.output().await {
            Err(e) if e.kind() == ErrorKind::ExecutableFileBusy => tokio::task::yield_now().await,
            output => break output.unwrap(),
        }
    };
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(err.contains("its mode is") && err.contains("gid") && err.contains("sudo"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_big_table_begins_at_once_and_may_be_cut_short() {
    let daemon = Daemon::start().await;
    const ROWS: u64 = 10_000_000;
    daemon.backend.0.made_up.store(ROWS, Ordering::SeqCst);
    for json in [&[][..], &["--json"]] {
        daemon.backend.0.produced.store(0, Ordering::SeqCst);
        let mut child = bgpctl(&daemon.socket)
            .args(["show", "routes"])
            .args(json)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..3 {
            lines.next_line().await.unwrap().expect("a line");
        }
        let made = daemon.backend.0.produced.load(Ordering::SeqCst);
        assert!(made < ROWS / 10, "{made} rows were made before the first was written");
        // As `head` does.
        drop(lines);
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
}

#[tokio::test]
async fn a_table_that_ends_unfinished_is_an_error() {
    let daemon = Daemon::start().await;
    daemon.backend.0.made_up.store(1000, Ordering::SeqCst);
    daemon.backend.0.breaks.store(true, Ordering::SeqCst);
    for line in ["show routes", "show routes --json"] {
        let (code, out, err) = run(&daemon.socket, line).await;
        assert_eq!(code, 1, "{line}");
        assert!(err.contains("error: the daemon is stopping"), "{err}");
        assert!(!out.contains("stopping"), "{line} wrote the error among the rows");
    }
}
