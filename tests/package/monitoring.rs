//! What the package has for Prometheus and Grafana, held against Prometheus' own tools and against
//! what a daemon really tells.
//!
//! ```text
//!   grafana.json ──expressions──► promtool (as recording rules) ──┐
//!   alerts.yaml ──► promtool check, test ─────────────────────────┼─names─► /metrics of a daemon
//!   /metrics ──► promtool check; a Prometheus scrapes it ◄────────┘
//! ```
//!
//! Grafana itself is not in Debian: the dashboard is checked by what it consists of.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use starling_lab::{Cluster, Family, Lab, Netns, Proc, Result, must, run, wait_for};

use crate::{SOON, binaries, file};

/// Where the node's listener and the Prometheus of the test are, in the node's namespace.
const NODE: &str = "127.0.0.1:9179";
const PROMETHEUS: &str = "127.0.0.1:9090";

fn dashboard() -> Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(file("dist/grafana.json"))?)?)
}

/// The panels that show something.
fn panels(dashboard: &Value) -> Result<Vec<&Value>> {
    let all = dashboard["panels"].as_array().context("no panels")?;
    Ok(all.iter().filter(|panel| panel["type"] != "row").collect())
}

/// The expressions of the panels, with what Grafana puts in for its variables.
fn expressions(dashboard: &Value) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for panel in panels(dashboard)? {
        let targets = panel["targets"].as_array().context("no targets")?;
        ensure!(!targets.is_empty(), "nothing is asked for {}", panel["title"]);
        for target in targets {
            let expression = target["expr"].as_str().context("no expression")?;
            let whole = expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
            ensure!(!whole.contains('$'), "{expression}");
            all.push(whole);
        }
    }
    Ok(all)
}

/// The rules of alerts.yaml, as promtool understands them: its expressions on one line each.
fn alerts() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file("dist/alerts.yaml"))?;
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let all: Vec<String> = lines.map(str::to_owned).collect();
    let alerts = text.lines().filter(|line| line.trim().starts_with("- alert: ")).count();
    ensure!(alerts >= 12 && all.len() == alerts, "{alerts} alerts, {all:#?}");
    Ok(all)
}

/// Metrics of ours that an expression names.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
    words.filter(|word| word.starts_with("starling_")).map(str::to_owned).collect()
}

#[test]
fn every_panel_of_the_dashboard_is_whole_and_has_its_own_place() -> Result {
    let dashboard = dashboard()?;
    let all = dashboard["panels"].as_array().context("no panels")?;
    let mut ids = BTreeSet::new();
    let mut titles = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in all {
        let title = panel["title"].as_str().unwrap_or_default();
        ensure!(!title.is_empty(), "{panel}");
        ensure!(ids.insert(panel["id"].as_u64().context("no id")?), "{title}: its id is another's");
        let place = &panel["gridPos"];
        let of = |key: &str| place[key].as_u64().with_context(|| format!("{title}: no {key}"));
        let (x, y, w, h) = (of("x")?, of("y")?, of("w")?, of("h")?);
        ensure!(w > 0 && h > 0 && x + w <= 24, "{title}: {place}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            ensure!(taken.insert(cell), "{title} lies over another one at {cell:?}");
        }
        if panel["type"] == "row" {
            continue;
        }
        ensure!(titles.insert((title, y)), "{title} comes twice");
        ensure!(
            panel["description"].as_str().is_some_and(|d| !d.is_empty()),
            "{title}: what is it?"
        );
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
        ensure!(!unit.is_empty(), "{title} has no unit");
        let kind = panel["type"].as_str().unwrap_or_default();
        ensure!(["stat", "table", "timeseries"].contains(&kind), "{title}: {kind}");
        let asked = panel["targets"].as_array().into_iter().flatten();
        for source in asked.map(|target| &target["datasource"]).chain([&panel["datasource"]]) {
            ensure!(source["uid"] == "${datasource}", "{title}: {source}");
        }
    }
    ensure!(titles.len() >= 20, "{titles:?}");
    let variables = dashboard["templating"]["list"].as_array().context("no variables")?;
    let known: Vec<&Value> = variables.iter().map(|variable| &variable["name"]).collect();
    assert_eq!(known, ["datasource", "instance"]);
    assert_eq!(variables[0]["type"], "datasource");
    Ok(())
}

#[test]
fn prometheus_understands_every_expression_of_the_dashboard() -> Result {
    let lab = Lab::unique()?;
    let path = lab.dir().join("dashboard.yaml");
    let checked = |expressions: &[String]| {
        let rule =
            |(n, expr): (usize, &String)| json!({"record": format!("panel:{n}"), "expr": expr});
        let rules: Vec<Value> = expressions.iter().enumerate().map(rule).collect();
        // JSON is YAML.
        let group = json!({"groups": [{"name": "dashboard", "rules": rules}]});
        std::fs::write(&path, group.to_string())?;
        must(&["promtool", "check", "rules", &path.display().to_string()])
    };
    let expressions = expressions(&dashboard()?)?;
    let said = checked(&expressions)?;
    ensure!(said.contains(&format!("{} rules found", expressions.len())), "{said}");
    let error = checked(&["sum by (kind (starling_ready)".to_owned()]).unwrap_err().to_string();
    ensure!(error.contains("could not parse expression"), "{error}");
    Ok(())
}

#[test]
fn every_alert_fires_on_its_condition_and_not_otherwise() -> Result {
    must(&["promtool", "check", "rules", &file("dist/alerts.yaml").display().to_string()])?;
    must(&["promtool", "test", "rules", &file("dist/alerts.test.yaml").display().to_string()])?;
    // Each is seen to fire, and to be silent.
    let rules = std::fs::read_to_string(file("dist/alerts.yaml"))?;
    let tests = std::fs::read_to_string(file("dist/alerts.test.yaml"))?;
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let asked = tests
            .split("- eval_time:")
            .filter(|part| part.lines().any(|line| line.trim() == format!("alertname: {alert}")));
        let fires = asked.clone().any(|part| part.contains("exp_labels"));
        ensure!(fires, "{alert} is not seen to fire");
        // Either at another time, or for other series at the same.
        let is_silent = asked.clone().any(|part| part.contains("exp_alerts: []"));
        let spares = asked.clone().all(|part| part.matches("exp_labels").count() < 2);
        ensure!(is_silent || spares, "{alert} is not seen to be silent");
    }
    Ok(())
}

/// What a node says to `GET path`: the head and the body.
fn get(netns: &Netns, address: &str, path: &str, accept: &str) -> Result<(String, String)> {
    let answer = netns.inside(|| -> Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOON))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\nAccept: {accept}\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })??;
    let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
    ensure!(head.contains(" 200 "), "{path}: {answer}");
    Ok((head.to_owned(), body.to_owned()))
}

/// Two nodes with everything that there may be series for: a neighbour that is not there, a prefix
/// limit, a policy, a route that somebody took away.
fn network() -> Result<Cluster> {
    let mut cluster = Cluster::new(binaries(), &[0, 0])?;
    let more = format!(
        "[http]\nlisten = [\"{NODE}\"]\n[[peer]]\nname = \"absent\"\naddress = \"10.50.0.99\"\nasn = 65000\n\
         [[policy]]\nname = \"all\"\nrules = [{{ then = \"accept\" }}]\n"
    );
    let text = cluster.toml("never", &more);
    let mesh = "[cluster]\nmax-prefixes = 100\nimport-policy = \"all\"\n";
    cluster.configure(&text.replace("[cluster]\n", mesh))?;
    cluster.start_all()?;
    let route = "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird";
    let wanted = ["blackhole 10.244.1.0/26 proto bird", route];
    let node = &cluster.nodes()[0];
    node.holds(Family::V4, &wanted, SOON)?;
    let wanted6 = [
        "blackhole fd00:244:1::/64 dev lo proto bird metric 1024",
        "fd00:244:2::/64 via fd50::2 dev net0 proto bird metric 1024",
    ];
    node.holds(Family::V6, &wanted6, SOON)?;
    node.netns().ip_line("route delete 10.244.2.0/26 proto bird")?;
    node.holds(Family::V4, &wanted, SOON)?;
    Ok(cluster)
}

/// A Prometheus with the package's rules, in the node's namespace and for the test alone.
fn prometheus(netns: &Netns, dir: &Path) -> Result<Proc> {
    let config = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [file("dist/alerts.yaml")],
        "scrape_configs": [{"job_name": "starling", "static_configs": [{"targets": [NODE]}]}],
    });
    let path = dir.join("prometheus.yaml");
    std::fs::write(&path, config.to_string())?;
    // It does not outlive the test, however that ends.
    let mut command = netns.command("setpriv");
    command.args(["--pdeathsig", "KILL", "prometheus"]);
    command.arg(format!("--config.file={}", path.display()));
    command.arg(format!("--storage.tsdb.path={}", dir.join("tsdb").display()));
    command.arg(format!("--web.listen-address={PROMETHEUS}"));
    Proc::spawn("prometheus", &mut command, &dir.join("prometheus.log"))
}

#[test]
fn prometheus_scrapes_a_daemon_that_has_whatever_the_dashboard_and_the_alerts_name() -> Result {
    let mut cluster = network()?;
    let dir = cluster.lab().subdir("prometheus")?;
    let netns = cluster.nodes()[0].netns();
    let _prometheus = prometheus(netns, &dir)?;

    let told = wait_for("the repair in the metrics", SOON, || {
        let (head, text) = get(netns, NODE, "/metrics", "application/openmetrics-text")?;
        ensure!(head.contains("application/openmetrics-text"), "{head}");
        ensure!(text.contains("\nstarling_fib_drift_repaired_total 1\n"), "{text}");
        ensure!(text.contains("\nstarling_fib_routes{state=\"installed\"} 4\n"), "{text}");
        Ok(text)
    })?;
    let samples = told.lines().filter(|line| !line.starts_with('#'));
    let known: BTreeSet<&str> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
    for expression in expressions(&dashboard()?)?.into_iter().chain(alerts()?) {
        let named = names(&expression);
        ensure!(!named.is_empty() || expression.contains("up{"), "{expression}");
        for name in named {
            ensure!(known.contains(name.as_str()), "{expression}: no {name} in\n{told}");
        }
    }
    // What a neighbour is told when its session begins is no convergence; what comes later is.
    let tellings = |text: &str| -> Result<f64> {
        let series = "starling_convergence_neighbors_seconds_count ";
        let count = text.lines().find_map(|line| line.strip_prefix(series));
        Ok(count.with_context(|| format!("no {series} in\n{text}"))?.parse()?)
    };
    assert_eq!(tellings(&told)?, 0.0);
    cluster.node(1)?.daemon()?.bgpctl(&["network", "add", "10.244.1.128/26"])?;
    let netns = cluster.nodes()[0].netns();
    let told = wait_for("the neighbour to be told", SOON, || {
        let (_, text) = get(netns, NODE, "/metrics", "application/openmetrics-text")?;
        ensure!(tellings(&text)? == 1.0, "{text}");
        Ok(text)
    })?;

    // What was done shows.
    let value = |series: &str| -> Result<f64> {
        let line = told.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no {series} in\n{told}"))?.parse()?)
    };
    assert_eq!(value("starling_fib_routes_changed_by_others_total{protocol=\"unknown\"}")?, 1.0);
    assert_eq!(value("starling_fib_routes{state=\"installed\"}")?, 4.0);
    assert_eq!(
        value("starling_peer_prefixes_received{peer=\"n2\",kind=\"mesh\",family=\"ipv4\"}")?,
        1.0
    );
    assert_eq!(
        value("starling_peer_prefix_limit_ratio{peer=\"n2\",kind=\"mesh\",family=\"ipv4\"}")?,
        0.01
    );
    for series in [
        "starling_decision_seconds_count",
        "starling_convergence_kernel_seconds_count",
        "starling_fib_writes_total{operation=\"add\"}",
        "starling_peer_announcements_received_total{peer=\"n2\",kind=\"mesh\"}",
        "starling_peer_messages_total{peer=\"n2\",kind=\"mesh\",direction=\"sent\",type=\"update\"}",
        "starling_memory_kind_bytes{kind=\"attributes\"}",
    ] {
        ensure!(value(series)? > 0.0, "{series} in\n{told}");
    }
    let down = told.lines().find(|line| line.starts_with("starling_sessions_down{")).unwrap_or("");
    ensure!(down.contains("kind=\"eBGP\"") && down.ends_with(" 1"), "{down:?} in\n{told}");

    // The older form, by its own judge.
    let (head, older) = get(netns, NODE, "/metrics", "*/*")?;
    ensure!(head.contains("text/plain; version=0.0.4"), "{head}");
    let path = dir.join("metrics.txt");
    std::fs::write(&path, older)?;
    let mut judge = Command::new("sh");
    judge.args(["-c", "exec promtool check metrics <\"$1\"", "sh"]).arg(&path);
    let said = run(&mut judge, SOON)?;
    ensure!(said.status.success(), "{}{}", said.stdout, said.stderr);

    // A Prometheus takes all of it, and its rules find that the node works.
    let asked = |path: &str| -> Result<Value> {
        let (_, body) = get(netns, PROMETHEUS, path, "application/json")?;
        Ok(serde_json::from_str(&body)?)
    };
    wait_for("the scrape", SOON, || {
        let targets = asked("/api/v1/targets")?;
        let target = &targets["data"]["activeTargets"][0];
        ensure!(target["health"] == "up" && target["lastError"] == "", "{target}");
        for (query, wanted) in
            [("up", "1"), ("starling_ready", "1"), ("count(starling_peer_info)", "2")]
        {
            let answer = asked(&format!("/api/v1/query?query={query}"))?;
            let value = &answer["data"]["result"][0]["value"][1];
            ensure!(value == wanted, "{query}: {answer}");
        }
        let rules = asked("/api/v1/rules")?;
        let rules = rules["data"]["groups"][0]["rules"].as_array().context("no rules")?;
        if let Some(ill) = rules.iter().find(|rule| rule["health"] != "ok") {
            bail!("{ill}");
        }
        Ok(())
    })
}
