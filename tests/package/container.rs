//! The image, the Containerfile and the DaemonSet, as far as that goes without a cluster and a registry.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::slice::from_ref;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use starling::api::{Diagnosis, Finding};
use starling_config::{Config, Identity};
use starling_lab::{Binaries, Cluster, Family, Lab, Result, must, run, wait_for};

use crate::{PACKING, SOON, binaries, file};

/// The documents of the manifest, as they are written.
fn documents() -> Result<Vec<(String, Value)>> {
    let text = std::fs::read_to_string(file("dist/daemonset.yaml"))?;
    text.split("\n---\n")
        .map(|part| Ok((part.to_owned(), kubectl(part, &["annotate", "a=b"])?)))
        .collect()
}

/// What kubectl makes of a document, without a cluster.
fn kubectl(document: &str, arguments: &[&str]) -> Result<Value> {
    let lab = Lab::unique()?;
    let path = lab.dir().join("document.yaml");
    std::fs::write(&path, document)?;
    let mut command = Command::new("kubectl");
    let (verb, rest) = arguments.split_at(arguments.len() - 1);
    command.args(verb).args(["--local", "-o", "json", "-f"]).arg(&path).args(rest);
    let said = run(&mut command, SOON)?;
    ensure!(said.status.success(), "{said:?}");
    serde_json::from_str(&said.stdout).with_context(|| format!("kubectl said {said:?}"))
}

/// Every value of `written`, by its path, is in `read`.
fn same(written: &Value, read: &Value, path: &str) -> Result {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            written.iter().try_for_each(|(key, value)| {
                let path = format!("{path}.{key}");
                let read =
                    read.get(key).with_context(|| format!("{path} is no field that there is"))?;
                same(value, read, &path)
            })
        }
        (Value::Array(written), Value::Array(read)) if written.len() == read.len() => {
            let pairs = written.iter().zip(read).enumerate();
            pairs.into_iter().try_for_each(|(at, (w, r))| same(w, r, &format!("{path}[{at}]")))
        }
        (written, read) if written == read => Ok(()),
        (written, read) => bail!("{path} is {written}, and read as {read}"),
    }
}

fn daemon_set() -> Result<(String, Value)> {
    let is = |(_, value): &(String, Value)| value["kind"] == "DaemonSet";
    documents()?.into_iter().find(is).context("no DaemonSet")
}

#[test]
fn kubernetes_knows_every_field_of_the_daemon_set() -> Result {
    // A field that its types do not have is lost when kubectl reads a document by them.
    let typed = |text: &str| kubectl(text, &["set", "image", "starlingd=elsewhere/starling:2"]);
    let checked = |text: &str, written: &Value| {
        let (mut written, mut read) = (written.clone(), typed(text)?);
        for value in [&mut written, &mut read] {
            value["metadata"]["annotations"] = Value::Null;
            value["spec"]["template"]["spec"]["containers"][0]["image"] = Value::Null;
        }
        same(&written, &read, "")
    };
    let (text, written) = daemon_set()?;
    checked(&text, &written)?;
    let wrong = text.replace("readOnlyRootFilesystem", "readOnlyRootFs");
    let error = checked(&wrong, &kubectl(&wrong, &["annotate", "a=b"])?).unwrap_err().to_string();
    ensure!(error.contains("readOnlyRootFs is no field"), "{error}");

    // What the manifest's own parts call each other by.
    let pod = &written["spec"]["template"];
    assert_eq!(written["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]);
    let names = |kind: &str| -> Result<Vec<Value>> {
        let all = documents()?.into_iter().map(|(_, value)| value);
        Ok(all.filter(|v| v["kind"] == kind).map(|v| v["metadata"]["name"].clone()).collect())
    };
    assert_eq!(names("ServiceAccount")?, from_ref(&pod["spec"]["serviceAccountName"]));
    let map = &pod["spec"]["volumes"][0]["projected"]["sources"][0]["configMap"]["name"];
    assert_eq!(names("ConfigMap")?, from_ref(map));
    ensure!(names("ClusterRole")?.is_empty() && names("Role")?.is_empty());
    Ok(())
}

/// The ConfigMap is a configuration, and its listener is where the probes look.
#[test]
fn the_file_in_the_config_map_is_read_and_the_probes_find_its_listener() -> Result {
    let (_, map) =
        documents()?.into_iter().find(|(_, v)| v["kind"] == "ConfigMap").context("none")?;
    let text = map["data"]["cluster.toml"].as_str().context("no file in it")?;
    let config =
        Config::parse(&[("cluster.toml", text)]).unwrap_or_else(|errors| panic!("{errors}"));
    ensure!(config.warnings.is_empty(), "{:?}", config.warnings);
    let name = config.nodes[0].name.clone();
    let plan = config.plan(config.node(&Identity { node: Some(name), ..Identity::default() })?);
    let (_, set) = daemon_set()?;
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    for (probe, path) in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
        let get = &container[probe]["httpGet"];
        let asked = format!("{}:{}", get["host"].as_str().unwrap_or_default(), get["port"]);
        ensure!(plan.http.iter().any(|listen| listen.to_string() == asked), "{asked}");
        assert_eq!(get["path"], path);
    }
    let mounts = container["volumeMounts"].as_array().context("no mounts")?;
    for path in ["/etc/starling", "/run/starling"] {
        ensure!(mounts.iter().any(|mount| mount["mountPath"] == path), "{path}: {mounts:?}");
    }
    Ok(())
}

/// Without CAP_SYS_NICE BFD waits its turn as any program does: here it is given the time.
const PATIENT: &str = "[bfd]\nmultiplier = 20\n";

/// Nothing was wrong but that the neighbour was not there yet.
fn no_complaint(log: &str) -> Result {
    let complains = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    let early = |line: &&str| line.contains("no session: cannot connect: connection refused");
    let found = log.lines().filter(complains).find(|line| !early(line));
    ensure!(found.is_none(), "{log}");
    Ok(())
}

/// Root without what root can do, but for what the manifest adds.
#[test]
fn with_the_capabilities_of_the_container_a_node_works_and_answers_its_probes() -> Result {
    let (_, set) = daemon_set()?;
    let context = &set["spec"]["template"]["spec"]["containers"][0]["securityContext"];
    assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
    let added = context["capabilities"]["add"].as_array().context("nothing is added")?;
    let added: String = added
        .iter()
        .filter_map(Value::as_str)
        .map(|name| format!(",+{}", name.to_lowercase()))
        .collect();

    let lab = Lab::unique()?;
    let script = lab.dir().join("starlingd");
    let real = binaries();
    let text = format!(
        "#!/bin/sh\nexec setpriv --no-new-privs --bounding-set=-all{added} --inh-caps=-all {} \"$@\"\n",
        real.starlingd.display()
    );
    std::fs::write(&script, text)?;
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755))?;
    let mut cluster = Cluster::new(Binaries { starlingd: script, ..real }, &[0, 0])?;
    let more = format!("[http]\nlisten = [\"127.0.0.1:9179\"]\n{PATIENT}");
    cluster.configure(&cluster.toml("never", &more))?;
    cluster.start_all()?;
    cluster.nodes()[0].holds(
        Family::V4,
        &["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird"],
        SOON,
    )?;
    cluster.ping_all(Family::V4)?;
    for path in ["/livez", "/readyz"] {
        let netns = cluster.nodes()[0].netns();
        wait_for(path, SOON, || {
            let answer = netns.inside(|| -> Result<String> {
                use std::io::{Read, Write};
                let mut stream = std::net::TcpStream::connect("127.0.0.1:9179")?;
                write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\n\r\n")?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer)?;
                Ok(answer)
            })??;
            ensure!(answer.starts_with("HTTP/1.0 200"), "{path}: {answer}");
            Ok(())
        })?;
    }
    no_complaint(&cluster.node(1)?.daemon()?.log())?;
    Ok(())
}

/// A program inside the image: its root file system, which nobody writes to, what a runtime mounts
/// into it, and of this machine's files only the lab's folder, in the place of ConfigMap and /run.
const INSIDE: &str = r#"#!/bin/sh
exec unshare --mount sh -ec '
    root=$1 lab=$2 path=$3 program=$4; shift 4
    mount --bind "$root" "$root"
    mount -o remount,bind,ro "$root"
    mount --bind "$lab" "$root$lab"
    mount --bind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    exec env -i PATH="$path" chroot "$root" "$program" "$@"' sh ROOT LAB PATH PROGRAM "$@"
"#;

/// Its archive as somebody else's tool takes it, unpacked in `lab`: the root, and its configuration.
fn unpacked(lab: &Lab) -> Result<(PathBuf, Value)> {
    let programs = binaries().starlingd;
    let mut command = Command::new(file("dist/image"));
    command.arg(programs.parent().context("no folder")?).arg(lab.dir());
    let said = run(command.env("IMAGE_COMPRESSION", "1"), PACKING)?;
    ensure!(said.status.success(), "{said:?}");
    let (taken, root) = (lab.subdir("taken")?, lab.subdir("root")?);
    let text = |path: PathBuf| path.display().to_string();
    let (from, to) =
        (format!("oci-archive:{}", said.stdout.trim()), format!("dir:{}", taken.display()));
    // It compares every digest and size.
    must(&["skopeo", "--insecure-policy", "copy", &from, &to])?;
    let read = |name: &str| -> Result<Value> {
        Ok(serde_json::from_str(&std::fs::read_to_string(taken.join(name))?)?)
    };
    let manifest = read("manifest.json")?;
    let blob = |value: &Value| {
        let digest = value["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        digest.map(str::to_owned).context("no digest")
    };
    ensure!(manifest["layers"].as_array().is_some_and(|layers| layers.len() == 1), "{manifest}");
    let layer = taken.join(blob(&manifest["layers"][0])?);
    must(&["tar", "-xzf", &text(layer), "-C", &text(root.clone())])?;
    Ok((root, read(&blob(&manifest["config"])?)?))
}

#[test]
fn the_image_is_one_for_others_and_a_node_that_runs_in_it_lacks_nothing() -> Result {
    let lab = Lab::unique()?;
    let (root, config) = unpacked(&lab)?;
    let set = config["config"].clone();
    let starlingd = set["Entrypoint"][0].as_str().context("no program")?.to_owned();
    assert_eq!(set["Cmd"], serde_json::json!(["run"]), "what the lab calls it with");
    let path = set["Env"][0].as_str().and_then(|v| v.strip_prefix("PATH=")).context("no PATH")?;
    let here = lab.dir().display().to_string();
    std::fs::create_dir_all(format!("{}{here}", root.display()))?;
    let inside = |program: &str| -> Result<PathBuf> {
        let script = lab.dir().join(format!("inside-{}", program.replace('/', "-")));
        let words = [root.display().to_string(), here.clone(), path.to_owned(), program.to_owned()];
        std::fs::write(&script, INSIDE.replace("ROOT LAB PATH PROGRAM", &words.join(" ")))?;
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755))?;
        Ok(script)
    };
    for tool in ["ip", "nft", "iptables-nft-save", "ip6tables-legacy-save"] {
        must(&[inside(tool)?.display().to_string(), "-V".to_owned()])?;
    }
    let programs = Binaries { starlingd: inside(&starlingd)?, bgpctl: inside("bgpctl")? };

    let mut cluster = Cluster::new_in(lab, programs, &[0, 0])?;
    cluster.configure(&cluster.toml("never", PATIENT))?;
    cluster.start_all()?;
    cluster.nodes()[0].holds(
        Family::V4,
        &["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird"],
        SOON,
    )?;
    cluster.ping_all(Family::V4)?;
    no_complaint(&cluster.node(1)?.daemon()?.log())?;
    // Its tools read a rule that is written with a library of theirs.
    let rule = ["-A", "INPUT", "-p", "udp", "--dport", "4784", "-m", "comment", "--comment", "x"];
    let mut iptables = cluster.nodes()[0].netns().command("iptables-nft");
    let said = run(iptables.args(rule).args(["-j", "DROP"]), SOON)?;
    ensure!(said.status.success(), "{said:?}");
    // Where one takes too long, the doctor says so, and can be asked again.
    wait_for("the doctor's word", SOON, || {
        let said = cluster.node(1)?.daemon()?.try_bgpctl(&["--json", "doctor"])?;
        let diagnosis: Diagnosis = serde_json::from_str(&said.stdout)?;
        let found =
            |f: &Finding| f.check == "filter" && f.text.contains("UDP 4784) from n2 is dropped");
        ensure!(diagnosis.findings.iter().any(found), "{diagnosis:#?}");
        let is_seen = diagnosis.unchecked.iter().all(|unseen| unseen.check != "filter");
        ensure!(is_seen, "{diagnosis:#?}");
        Ok(())
    })
}

/// It makes the same root, and starts the same in it.
#[test]
fn the_container_file_makes_the_image_that_was_tried() -> Result {
    let text = std::fs::read_to_string(file("dist/Containerfile"))?;
    let last = |word: &str| {
        let found = text.lines().rev().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
        found.with_context(|| format!("no {word}"))
    };
    assert_eq!(last("FROM")?, "scratch");
    let (from, to) = last("COPY --from=build")?.split_once(' ').context("from where to where")?;
    ensure!(
        last("RUN")?.ends_with(&format!("dist/root target/release {}", from.trim_end_matches('/')))
    );
    assert_eq!(to, "/");
    let image = std::fs::read_to_string(file("dist/image"))?;
    for part in [
        format!("\"Env\":[\"{}\"]", last("ENV")?),
        format!("\"Entrypoint\":{}", last("ENTRYPOINT")?),
        format!("\"Cmd\":{}", last("CMD")?),
    ] {
        ensure!(image.contains(&part), "dist/image says nothing of {part}");
    }
    // What it builds with is of the Debian that all of this was tried on.
    for from in text.lines().filter_map(|line| line.strip_prefix("FROM ")) {
        ensure!(from == "scratch" || from.contains("bookworm"), "{from}");
    }
    Ok(())
}
