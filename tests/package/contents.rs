//! What is in the package, as Debian's and systemd's own checks see it.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use starling_lab::{Lab, Result, must, run};

use crate::{PACKING, SOON, file, package};

#[test]
fn lintian_has_nothing_to_say_and_every_page_and_completion_is_there() -> Result {
    let lab = Lab::unique()?;
    // Fast, and compressed: lintian wants both archives to be.
    let deb = package(lab.dir(), "gzip")?;
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0"]);
    let said = run(lintian.arg(&deb), PACKING)?;
    ensure!(said.status.success(), "{}{}", said.stdout, said.stderr);

    let root = lab.dir().join("root");
    must(&["dpkg-deb", "-x", &deb.display().to_string(), &root.display().to_string()])?;
    pages(&root)?;
    monitoring(&root)?;
    completions(&root)
}

/// A page for each program and each command, which man's own formatter takes without a word.
fn pages(root: &Path) -> Result {
    let man = root.join("usr/share/man/man8");
    for page in ["starlingd", "starlingd-run", "bgpctl", "bgpctl-show-routes", "bgpctl-doctor"] {
        let path = man.join(format!("{page}.8.gz"));
        let text = must(&["zcat", &path.display().to_string()])?;
        ensure!(text.contains(&format!(".TH {} 8", page.to_uppercase())), "{text}");
        ensure!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    let text = must(&["zcat", &man.join("starlingd-run.8.gz").display().to_string()])?;
    ensure!(text.contains("STARLING_CONFIG") && !text.contains("stand\\-in"), "{text}");
    // And one for the file, with what its keys are; for editors the same as a schema.
    let share = root.join("usr/share");
    let page = share.join("man/man5/cluster.toml.5.gz").display().to_string();
    let text = must(&["zcat", &page])?;
    ensure!(text.contains(".TH CLUSTER.TOML 5") && text.contains("hold\\-pools"), "{text}");
    let schema = std::fs::read_to_string(share.join("starling/schema.json"))?;
    ensure!(serde_json::from_str::<serde_json::Value>(&schema)?["properties"]["node"].is_object());
    Ok(())
}

/// The dashboard and the alerts, as they are here: for rule_files to name.
fn monitoring(root: &Path) -> Result {
    for name in ["grafana.json", "alerts.yaml", "alerts.test.yaml"] {
        let packaged = std::fs::read(root.join("usr/share/starling").join(name))?;
        ensure!(packaged == std::fs::read(file(&format!("dist/{name}")))?, "{name}");
    }
    Ok(())
}

/// Shells read them, and bash offers what there is.
fn completions(root: &Path) -> Result {
    let share = root.join("usr/share");
    let bash = share.join("bash-completion/completions");
    for program in ["starlingd", "bgpctl"] {
        for (folder, name) in [
            ("zsh/vendor-completions", format!("_{program}")),
            ("fish/vendor_completions.d", format!("{program}.fish")),
        ] {
            let text = std::fs::read_to_string(share.join(folder).join(&name))?;
            ensure!(text.contains(program), "{name}: {text}");
        }
        must(&["bash", "-n", &bash.join(program).display().to_string()])?;
    }
    let offered = |script: &Path, words: &str, function: &str| {
        let ask = format!(
            "PATH={}:$PATH; source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             COMP_LINE='{words}' COMP_POINT=${{#COMP_LINE}} COMP_TYPE=9 {function} {} \"${{COMP_WORDS[-1]}}\" x; \
             echo \"${{COMPREPLY[@]}}\"",
            root.join("usr/bin").display(),
            script.display(),
            words.split(' ').next().unwrap_or_default(),
        );
        must(&["bash", "-c", &ask])
    };
    let said = offered(&bash.join("starlingd"), "starlingd ch", "_starlingd")?;
    ensure!(said.contains("check"), "{said}");
    let said = offered(&bash.join("bgpctl"), "bgpctl show n", "_clap_complete_bgpctl")?;
    ensure!(said.contains("neighbors") && said.contains("nodes"), "{said}");
    Ok(())
}

#[test]
fn systemd_takes_the_unit_and_finds_little_exposed() -> Result {
    let lab = Lab::unique()?;
    // Its programs are where they were built.
    let unit = std::fs::read_to_string(file("dist/starlingd.service"))?;
    let built = crate::binaries();
    let unit = unit
        .replace("/usr/sbin/starlingd", &built.starlingd.display().to_string())
        .replace("/usr/bin/bgpctl", &built.bgpctl.display().to_string())
        // No manual page is installed here.
        .replace("Documentation=", "#");
    let path = lab.dir().join("starlingd.service");
    std::fs::write(&path, &unit)?;
    let path = path.display().to_string();
    let said = run(
        Command::new("systemd-analyze").args(["verify", "--recursive-errors=no", &path]),
        SOON,
    )?;
    ensure!(said.status.success(), "{said:?}");
    assert_eq!(format!("{}{}", said.stdout, said.stderr), "");
    // Ten times what it prints; what is left is what a router takes.
    let security = ["security", "--offline=yes", "--threshold=22", "--no-pager", &path];
    let said = run(Command::new("systemd-analyze").args(security), SOON)?;
    ensure!(said.status.success(), "{}", said.stdout);
    Ok(())
}
