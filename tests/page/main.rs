//! The node's page as a person sees it: in headless Chromium, inside the namespace of a node of a small
//! mesh; and the same page with a mesh of 500, whose answers are put in its daemon's mouth.
//!
//! Needs root, iproute2 and chromium. The browser runs in the node's namespace: there is nowhere else
//! that it could go.

// clippy.toml lets tests panic, but knows only the functions marked as tests, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;

use std::time::Duration;

use anyhow::ensure;
use browser::{Browser, Page};
use serde_json::json;
use starling_lab::{Binaries, Cluster, Family, Result, wait_for};

const SOON: Duration = Duration::from_secs(60);
const PAGE: &str = "http://127.0.0.1:9179/";

fn cluster() -> Result<Cluster> {
    let binaries = Binaries {
        starlingd: env!("CARGO_BIN_EXE_starlingd").into(),
        bgpctl: env!("CARGO_BIN_EXE_bgpctl").into(),
    };
    let cluster = Cluster::new(binaries, &[0, 0, 1])?;
    let toml = cluster.toml("never", "[http]\nlisten = \"127.0.0.1:9179\"\n");
    let toml = toml.replacen("name = \"n3\"", "name = \"n3\"\nlabels = { rack = \"attic\" }", 1);
    cluster.configure(&toml)?;
    Ok(cluster)
}

/// Waits until an expression of the page is true.
fn becomes(page: &mut Page<'_>, what: &str, expression: &str) -> Result {
    wait_for(what, SOON, || {
        let seen = page.ask(expression)?;
        ensure!(seen == json!(true), "{expression} is {seen}");
        Ok(())
    })
}

#[test]
fn a_person_sees_the_mesh_asks_why_and_is_told_what_happens() -> Result {
    let mut cluster = cluster()?;
    for node in [1, 2] {
        cluster.start(node)?;
    }
    let other = "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird";
    let own = "blackhole 10.244.1.0/26 proto bird";
    cluster.node(1)?.holds(Family::V4, &[own, other], SOON)?;
    let dir = cluster.lab().subdir("browser")?;
    let mut browser = Browser::start(cluster.node(1)?.netns(), &dir)?;
    let mut page = browser.open(PAGE, (1280, 900))?;

    // Who this is, whom it knows, and how they are.
    becomes(&mut page, "the node's name", "document.querySelector('h1').innerText == 'n1'")?;
    becomes(&mut page, "live", "document.querySelector('#live').innerText == 'live'")?;
    let row = |name: &str| {
        format!(
            "[...document.querySelectorAll('#peers tbody tr')].find(r => r.innerText.includes('{name}')).innerText"
        )
    };
    becomes(&mut page, "n2", &format!("{}.includes('Established')", row("n2")))?;
    becomes(&mut page, "n3", &format!("!{}.includes('Established')", row("n3")))?;
    let tile = |name: &str| format!("document.querySelector('.node[aria-label^=\"{name},\"]')");
    becomes(&mut page, "n2's tile", &format!("{}.matches('.is-up')", tile("n2")))?;
    becomes(&mut page, "n3's tile", &format!("!{}.matches('.is-up')", tile("n3")))?;
    becomes(
        &mut page,
        "racks",
        "['attic', '10.50.0.0/24'].every(r => [...document.querySelectorAll('.rack-name')].some(t => t.textContent == r))",
    )?;
    becomes(&mut page, "lines", "document.querySelectorAll('#picture .edge').length == 2")?;

    page.screenshot("light")?;

    // By the keyboard alone: to the field, a question, an answer.
    page.ask("document.querySelector('#target').focus()")?;
    page.type_text("10.244.2.7\n")?;
    let answer = "document.querySelector('#why').innerText";
    becomes(&mut page, "an answer", &format!("{answer}.includes('10.244.2.0/26')"))?;
    becomes(&mut page, "facts", &format!("{answer}.includes('n2')"))?;
    page.ask("document.querySelector('#target').select()")?;
    page.type_text("10.244.300.1\n")?;
    becomes(&mut page, "a refusal", &format!("{answer}.includes('not an address')"))?;
    page.ask("document.querySelector('.node[tabindex=\"0\"]').focus()")?;
    page.key("End")?;
    let last = page.ask("document.activeElement.getAttribute('aria-label')")?;
    ensure!(last.as_str().is_some_and(|label| label.starts_with("n3,")), "{last}");
    page.key("Home")?;
    page.key("ArrowRight")?;
    page.key("Enter")?;
    becomes(
        &mut page,
        "about n2",
        "document.querySelector('#about').innerText.includes('10.244.2.0/26')",
    )?;

    // What happens arrives by itself.
    cluster.node(1)?.daemon()?.bgpctl(&["neighbor", "n2", "down", "--reason", "<b>lunch</b>"])?;
    let events = "document.querySelector('#events').innerText";
    becomes(&mut page, "an event", &format!("{events}.includes('was Established: we closed it')"))?;
    becomes(&mut page, "words as they are", &format!("{events}.includes('<b>lunch</b>')"))?;
    becomes(
        &mut page,
        "the kernel's",
        &format!("{events}.includes('deleted: via 10.50.0.2 dev net0')"),
    )?;
    becomes(&mut page, "n2 down", &format!("{}.matches('.is-down')", tile("n2")))?;
    page.ask("document.querySelector('[data-kind=session]').click()")?;
    becomes(&mut page, "a filter", &format!("!{events}.includes('was Established')"))?;

    // The dark.
    let background = "getComputedStyle(document.body).backgroundColor";
    becomes(&mut page, "light", &format!("{background} == 'rgb(246, 245, 241)'"))?;
    page.dark(true)?;
    becomes(&mut page, "dark", &format!("{background} == 'rgb(20, 23, 26)'"))?;
    page.screenshot("dark")?;

    // Nothing of it broke a rule of the page's policy, nor failed.
    ensure!(page.complaints().is_empty(), "{:#?}", page.complaints());
    // The daemon ends; the page says so.
    cluster.node(1)?.take_daemon()?.into_proc().stop(SOON)?;
    becomes(&mut page, "the end", "document.querySelector('#live').innerText != 'live'")
}

/// 500 nodes in 20 racks, of which some are down, with names that would be markup.
fn crowd() -> (serde_json::Value, serde_json::Value) {
    let name = |i: u32| match i {
        7 => "<img src=x onerror=\"document.title='owned'\">".to_owned(),
        i => format!("node-{i:03}"),
    };
    let address = |i: u32| format!("10.{}.{}.1", i / 25, i % 25);
    let state = |i: u32| if i % 40 == 3 { "idle" } else { "established" };
    let reason = |i: u32| (i % 40 == 3).then_some("cannot connect: </script><b>no route</b>");
    let peers: Vec<_> = (1..500)
        .map(|i| {
            json!({"name": name(i), "address": address(i), "asn": 64512, "kind": "mesh",
                "state": state(i), "since_s": 90, "received": 1, "accepted": 1, "sent": 1,
                "reason": reason(i)})
        })
        .collect();
    let nodes: Vec<_> = (0..500)
        .map(|i| {
            let reach = match i {
                0 => "local",
                1..25 => "direct",
                _ => "tunnel",
            };
            let session = (i > 0).then(|| state(i));
            json!({"name": name(i), "address": address(i), "reach": reach, "through": "net0",
                "why": "because", "session": session, "since_s": session.map(|_| 90),
                "reason": reason(i), "labels": {"rack": format!("rack{}", i / 25)},
                "blocks": [format!("10.244.{}.0/26", i % 256)], "warning": null})
        })
        .collect();
    let summary = json!({"node": name(0), "asn": 64512, "router_id": "10.0.0.1", "uptime_s": 3700,
        "generation": 4, "ready": {"ready": true, "reasons": []}, "peers": peers});
    (summary, json!(nodes))
}

#[test]
fn five_hundred_nodes_fit_and_their_names_are_only_text() -> Result {
    let mut cluster = cluster()?;
    cluster.start(1)?;
    cluster.node(1)?.daemon()?.wait_ready()?;
    let dir = cluster.lab().subdir("browser")?;
    let mut browser = Browser::start(cluster.node(1)?.netns(), &dir)?;
    let (summary, nodes) = crowd();
    browser.pretend("/v1/summary", summary);
    browser.pretend("/v1/nodes", nodes);
    for size in [(1280, 800), (1920, 1080), (600, 900)] {
        let mut page = browser.open(PAGE, size)?;
        becomes(
            &mut page,
            "all nodes",
            "document.querySelectorAll('#picture .node').length == 500",
        )?;
        let (width, height) = size;
        let inside = format!(
            "(() => {{ const p = document.querySelector('#picture'); p.scrollIntoView(); \
             return [...p.querySelectorAll('.node')].every(n => {{ const r = n.getBoundingClientRect(); \
             return r.width >= 4 && r.left >= 0 && r.right <= {width} && r.top >= -1 && r.bottom <= {height}; }}) }})()"
        );
        becomes(&mut page, "all nodes inside the window", &inside)?;
        let narrow = "document.documentElement.scrollWidth <= innerWidth";
        becomes(&mut page, "no scrolling sideways", narrow)?;
        becomes(
            &mut page,
            "those that are down",
            "document.querySelectorAll('#picture .node.is-down').length == 13",
        )?;
        becomes(
            &mut page,
            "their rows first",
            "document.querySelector('#peers tbody .more').innerText.includes('</script><b>no route</b>')",
        )?;
        becomes(
            &mut page,
            "names as text",
            "document.querySelectorAll('main img, main b').length == 0 && document.title == 'node-000 · Starling'",
        )?;
        page.screenshot(&format!("crowd-{width}"))?;
        ensure!(page.complaints().is_empty(), "{:#?}", page.complaints());
    }
    Ok(())
}

#[test]
fn the_policy_of_the_page_lets_nothing_in() -> Result {
    let mut cluster = cluster()?;
    cluster.start(1)?;
    cluster.node(1)?.daemon()?.wait_ready()?;
    let answer = cluster.node(1)?.netns().inside(|| -> Result<String> {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect("127.0.0.1:9179")?;
        write!(stream, "GET / HTTP/1.0\r\nhost: x\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })??;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let policy = head.lines().find_map(|l| l.strip_prefix("content-security-policy: "));
    let policy = policy.expect("a policy");
    ensure!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    ensure!(body.matches(&format!("nonce=\"{nonce}\"")).count() == 2, "{policy}");
    // Nothing but the daemon's own.
    for foreign in ["http://", "https://", "//cdn", "@import", "innerHTML"] {
        let body = body.replace("http://www.w3.org/2000/svg", "");
        ensure!(!body.contains(foreign), "{foreign} in the page");
    }
    Ok(())
}
