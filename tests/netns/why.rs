//! `bgpctl why` on real kernels: each kind of answer, from the packet to the cause, with the exit
//! code that goes with it.

use anyhow::{Context, ensure};
use starling::api::{About, Cause, KernelResult, Outcome, Tone, Why};
use starling_lab::{Cluster, Family, Node, Result, wait_for};

use crate::support::{SOON, cluster, established};
use crate::tunnel::stand_in;
use crate::whole::watches;

/// The answer, once its sentence holds `words`; bgpctl exits as documented.
fn why(node: &mut Node, target: &str, words: &str) -> Result<Why> {
    once(node, target, words, |_| Ok(()))
}

/// The same once that is how it ends: the kernel may still be on its way there when the cause is
/// known.
fn told(
    node: &mut Node,
    target: &str,
    words: &str,
    outcome: Outcome,
    cause: impl Into<Option<Cause>>,
) -> Result<Why> {
    let wanted = (outcome, cause.into());
    once(node, target, words, |why| {
        ensure!((why.outcome, why.cause) == wanted, "{wanted:?} wanted: {why:#?}");
        Ok(())
    })
}

fn once(node: &mut Node, target: &str, words: &str, good: impl Fn(&Why) -> Result) -> Result<Why> {
    wait_for("the verdict", SOON, || {
        let output = node.daemon()?.try_bgpctl(&["why", target, "--json"])?;
        let why: Why = serde_json::from_str(&output.stdout)
            .with_context(|| format!("why {target}: {output:?}"))?;
        ensure!(why.verdict.contains(words), "{words:?} is not in {why:#?}");
        good(&why)?;
        let code = match why.outcome {
            Outcome::Local | Outcome::Reached => 0,
            Outcome::Astray => 5,
            Outcome::Unreached => 4,
        };
        ensure!(output.status.code() == Some(code), "{code} wanted: {output:?}");
        Ok(why)
    })
}

fn is(why: &Why, outcome: Outcome, cause: impl Into<Option<Cause>>) {
    assert_eq!((why.outcome, why.cause), (outcome, cause.into()), "{why:#?}");
}

/// That a fact holds all of these words.
fn says(why: &Why, about: About, words: &[&str]) {
    let told = |text: &str| words.iter().all(|word| text.contains(word));
    let found = why.facts.iter().any(|fact| fact.about == about && told(&fact.text));
    assert!(found, "no {about} with {words:?} in {why:#?}");
}

/// A cluster whose daemons run and have sessions with node 1; tunnels are only programmed.
fn running(racks: &[u8], mode: &str, extra: &str) -> Result<Cluster> {
    let mut cluster = cluster(racks)?;
    cluster.configure(&cluster.toml(mode, extra))?;
    for i in 1..=racks.len() {
        stand_in(cluster.node(i)?.netns())?;
        cluster.start_with(i, &["--tunnel-stand-in"])?;
    }
    for i in 2..=racks.len() {
        established(cluster.node(1)?, &format!("n{i}"))?;
    }
    if !extra.contains("[bfd]") {
        watches(cluster.node(1)?, racks.len() - 1)?;
    }
    Ok(cluster)
}

#[test]
fn direct_tunnelled_and_own() -> Result {
    let mut cluster = running(&[0, 0, 1], "cross-subnet", "")?;
    let node = cluster.node(1)?;
    let direct = told(
        node,
        "10.244.2.1",
        "10.244.2.1 is reached through 10.50.0.2 on net0",
        Outcome::Reached,
        None,
    )?;
    says(&direct, About::Kernel, &["10.244.2.0/26 via 10.50.0.2 dev net0", "our route"]);
    says(&direct, About::Best, &["from n2", "the only usable path"]);
    let test = "10.50.0.2 is in 10.50.0.0/24 of net0, pool 10.244.0.0/16 is cross-subnet: direct";
    says(&direct, About::NextHop, &[test]);
    says(&direct, About::Neighbour, &["10.50.0.2 on net0"]);
    says(&direct, About::Session, &["n2 (10.50.0.2): Established"]);
    says(&direct, About::Owner, &["n2 has 10.244.2.0/26"]);
    assert!(direct.facts.iter().all(|fact| fact.tone == Tone::Plain), "{direct:#?}");

    let far = told(
        node,
        "10.244.3.1",
        "10.244.3.1 is reached through 10.50.1.3 by tunl0",
        Outcome::Reached,
        None,
    )?;
    let test =
        "10.50.1.3 is outside 10.50.0.0/24 of net0, pool 10.244.0.0/16 is cross-subnet: tunnelled";
    says(&far, About::NextHop, &[test]);
    says(&far, About::Tunnel, &["tunl0: tun, up, mtu 1480"]);
    // The outer packet's way, and who is next on it.
    says(&far, About::Underlay, &["packets to 10.50.1.3 take 0.0.0.0/0 via 10.50.0.254 dev net0"]);
    says(&far, About::Neighbour, &["10.50.0.254 on net0"]);
    says(&far, About::Bfd, &["n3: Up"]);

    let v6 = told(
        node,
        "fd00:244:2::/64",
        "fd00:244:2::/64 is reached through fd50::2 on net0",
        Outcome::Reached,
        None,
    )?;
    says(&v6, About::Kernel, &["for fd00:244:2::1: fd00:244:2::/64 via fd50::2"]);
    told(node, "10.50.0.2", "is the node n2, reached directly on net0", Outcome::Reached, None)?;

    let lines = [
        "link add cali1 type veth peer name pod1",
        "link set cali1 up",
        "link set pod1 up",
        "route add 10.244.1.10 dev cali1 scope link",
    ];
    for line in lines {
        node.netns().ip_line(line)?;
    }
    told(node, "10.244.1.10", "is a pod of this node, on cali1", Outcome::Local, None)?;
    told(node, "10.50.0.1", "is this node's own address, on net0", Outcome::Local, None)?;
    told(node, "10.244.1.0/26", "the pods' own routes lead on", Outcome::Local, None)?;
    for (address, block) in
        [("10.244.1.20", "10.244.1.0/26"), ("fd00:244:1::20", "fd00:244:1::/64")]
    {
        let nobody =
            told(node, address, "and no pod here has it", Outcome::Unreached, Cause::NoSuchPod)?;
        assert_eq!(nobody.kernel.result, KernelResult::Blackhole);
        says(&nobody, About::Kernel, &[&format!("{block} blackhole"), "our route"]);
    }
    Ok(())
}

#[test]
fn a_session_that_is_down_a_pool_without_owner_and_no_pool_at_all() -> Result {
    let mut cluster = running(&[0, 0], "never", "[bfd]\nenabled = false\n")?;
    // For good: its routes are not kept.
    cluster.node(1)?.daemon()?.bgpctl(&["neighbor", "n2", "down"])?;
    let words = "nothing leads to 10.244.2.1: node n2 owns the block, its session is held down";
    told(cluster.node(1)?, "10.244.2.1", words, Outcome::Unreached, Cause::NoSession)?;
    let words = "nothing leads to 10.244.1.1: node n1 owns the block, its session is down since";
    let down = told(cluster.node(2)?, "10.244.1.1", words, Outcome::Unreached, Cause::NoSession)?;
    ensure!(down.verdict.contains("the neighbour closed it"), "{}", down.verdict);
    let session = down.facts.iter().find(|fact| fact.about == About::Session);
    assert_eq!(session.map(|fact| fact.tone), Some(Tone::Bad), "{down:#?}");

    let node = cluster.node(1)?;
    let words = "it is in the pool 10.244.0.0/16, and no node has a block there";
    told(node, "10.244.9.1", words, Outcome::Unreached, Cause::NoOwner)?;
    let words = "nothing leads to 192.0.2.1: it is in no pool, nobody announced it";
    let strange = told(node, "192.0.2.1", words, Outcome::Unreached, Cause::NoPool)?;
    assert_eq!(strange.kernel.result, KernelResult::NoRoute);
    node.netns().ip_line("route add default via 10.50.0.2 proto static")?;
    let words = "the kernel sends it to 10.50.0.2 on net0 by its default route (proto static)";
    told(node, "192.0.2.1", words, Outcome::Astray, Cause::NoPool)?;
    // A pod's packet that leaves by the default route is lost all the same.
    told(node, "10.244.2.1", "nothing leads to", Outcome::Unreached, Cause::NoSession)?;
    Ok(())
}

#[test]
fn a_rule_that_rejects_and_one_that_keeps_out_of_the_kernel() -> Result {
    let rules = "[[policy]]\nname = \"from-nodes\"\nrules = [{ prefix = \"10.244.2.0/26\", \
                 then = \"reject\" }]\n[[policy]]\nname = \"into-kernel\"\nrules = [{ prefix = \
                 \"10.244.3.0/26\", then = \"reject\" }]\n[kernel]\npolicy = \"into-kernel\"\n";
    let mut cluster = cluster(&[0, 0, 0])?;
    let text = cluster.toml("never", rules);
    let text = text.replace("asn = 64512\n", "asn = 64512\nimport-policy = \"from-nodes\"\n");
    cluster.configure(&text)?;
    cluster.start_all()?;
    let node = cluster.node(1)?;
    let words = "nothing leads to 10.244.2.1: n2 announced 10.244.2.0/26, and it was rejected: ";
    let rejected = told(node, "10.244.2.1", words, Outcome::Unreached, Cause::Rejected)?;
    ensure!(rejected.verdict.contains("from-nodes"), "{}", rejected.verdict);
    says(&rejected, About::Filtered, &["10.244.2.0/26 from n2", "from-nodes"]);
    says(&rejected, About::Session, &["n2 (10.50.0.2): Established"]);
    let kept = told(
        node,
        "10.244.3.1",
        "is kept out of the kernel by",
        Outcome::Unreached,
        Cause::KeptOut,
    )?;
    ensure!(kept.verdict.contains("into-kernel"), "{}", kept.verdict);
    says(&kept, About::Wanted, &["10.244.3.0/26", "not there", "out"]);
    Ok(())
}

#[test]
fn a_loop() -> Result {
    let rules = "[[policy]]\nname = \"loops\"\nrules = [{ prefix = \"own-blocks\", then = \
                 \"accept\", set = { prepend = 1 } }]\n";
    let mut cluster = cluster(&[0, 0])?;
    let text = cluster.toml("never", rules);
    cluster
        .configure(&text.replace("asn = 64512\n", "asn = 64512\nexport-policy = \"loops\"\n"))?;
    cluster.start_all()?;
    let words = "nothing leads to 10.244.2.1: n2 announced 10.244.2.0/26";
    let looped = told(cluster.node(1)?, "10.244.2.1", words, Outcome::Unreached, Cause::Loop)?;
    ensure!(looped.verdict.ends_with("our own AS is in AS_PATH"), "{}", looped.verdict);
    Ok(())
}

#[test]
fn a_foreign_route_in_the_way() -> Result {
    let mut cluster = running(&[0, 0], "never", "")?;
    let node = cluster.node(1)?;
    why(node, "10.244.2.1", "is reached through 10.50.0.2 on net0")?;
    // Longer than ours: the kernel follows it, and ours is there.
    node.netns().ip_line("route add 10.244.2.1/32 via 10.50.0.77 proto static")?;
    let words = "the kernel sends it to 10.50.0.77 on net0 by 10.244.2.1/32 (proto static)";
    let longer = told(node, "10.244.2.1", words, Outcome::Astray, Cause::ForeignRoute)?;
    says(&longer, About::Kernel, &["10.244.2.1/32 via 10.50.0.77", "not ours (proto static)"]);
    says(&longer, About::Wanted, &["10.244.2.0/26 via 10.50.0.2 dev net0", "it is there"]);
    node.netns().ip_line("route del 10.244.2.1/32 via 10.50.0.77")?;
    why(node, "10.244.2.1", "is reached through 10.50.0.2 on net0")?;

    // Under our key: ours has no place.
    node.daemon()?.bgpctl(&["neighbor", "n2", "down"])?;
    node.holds(Family::V4, &["blackhole 10.244.1.0/26 proto bird"], SOON)?;
    node.netns().ip_line("route add 10.244.2.0/26 via 10.50.0.77 proto static")?;
    node.daemon()?.bgpctl(&["neighbor", "n2", "up"])?;
    let words = "10.244.2.1 does not go by the route 10.244.2.0/26 from n2";
    let occupied = told(node, "10.244.2.1", words, Outcome::Astray, Cause::ForeignRoute)?;
    says(&occupied, About::Wanted, &["10.244.2.0/26 via 10.50.0.2", "not there", "occupied"]);
    Ok(())
}

#[test]
fn a_next_hop_that_cannot_be_reached_and_a_machine_that_is_silent() -> Result {
    let mut cluster = running(&[0, 0], "never", "[bfd]\nenabled = false\n")?;
    let node = cluster.node(1)?;
    why(node, "10.244.2.1", "is reached through 10.50.0.2 on net0")?;
    let silent = wait_for("a neighbour that fails", SOON, || {
        // Until the session's own packets find it again.
        node.netns().ip_line("neigh replace 10.50.0.2 dev net0 nud failed")?;
        let output = node.daemon()?.try_bgpctl(&["why", "10.244.2.1", "--json"])?;
        let why: Why = serde_json::from_str(&output.stdout)?;
        ensure!(why.outcome == Outcome::Unreached, "{why:#?}");
        Ok(why)
    })?;
    is(&silent, Outcome::Unreached, Cause::Neighbour);
    says(&silent, About::Neighbour, &["10.50.0.2 on net0: FAILED"]);
    ensure!(silent.verdict.contains("does not answer ARP there"), "{}", silent.verdict);

    // The session lives on, over an address that another interface carries as well.
    let netns = node.netns();
    netns.ip_line("route add unreachable 10.50.0.2/32 proto static")?;
    netns.ip_line("address del 10.50.0.1/24 dev net0")?;
    netns.ip_line("address add 10.50.0.1/32 dev net0")?;
    let words = "the next hop 10.50.0.2 of 10.244.2.0/26 from n2 cannot be reached";
    let unreachable = told(node, "10.244.2.1", words, Outcome::Unreached, Cause::NextHop)?;
    ensure!(unreachable.verdict.contains("rejects traffic to 10.50.0.2"), "{unreachable:#?}");
    Ok(())
}

#[test]
fn a_table_that_the_kernel_does_not_look_in() -> Result {
    let mut cluster = running(&[0, 0], "never", "[kernel]\ntable = 100\n")?;
    let node = cluster.node(1)?;
    told(node, "10.244.2.1", "does not look where it is", Outcome::Unreached, Cause::NotConsulted)?;
    node.netns().ip_line("rule add to 10.244.0.0/16 table 100")?;
    let used = why(node, "10.244.2.1", "is reached through 10.50.0.2 on net0")?;
    assert_eq!(used.kernel.table, Some(100));
    says(&used, About::Kernel, &["table 100", "our route"]);
    Ok(())
}

#[test]
fn the_way_back_is_asked_of_the_other_node() -> Result {
    let http = "[http]\nlisten = \"0.0.0.0:9179\"\n";
    let mut cluster = running(&[0, 1], "cross-subnet", http)?;
    let both = |node: &mut Node, arguments: &[&str]| -> Result<(Option<i32>, Why)> {
        let mut all = vec!["why", "10.244.2.1", "--both", "--json"];
        all.extend_from_slice(arguments);
        let output = node.daemon()?.try_bgpctl(&all)?;
        let why = serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
        Ok((output.status.code(), why))
    };
    why(cluster.node(1)?, "10.244.2.1", "is reached through 10.50.1.2 by tunl0")?;
    why(cluster.node(2)?, "10.244.1.1", "is reached through 10.50.0.1 by tunl0")?;
    let (code, there) = both(cluster.node(1)?, &[])?;
    let back = there.back.context("no way back")?;
    assert_eq!(back.node.as_deref(), Some("n2"));
    assert_eq!(back.at.map(|at| at.to_string()).as_deref(), Some("10.50.1.2:9179"));
    let answer = back.why.context("no answer")?;
    assert_eq!((code, answer.node.as_str()), (Some(0), "n2"));
    assert_eq!(answer.verdict, "10.244.1.0/26 is reached through 10.50.0.1 by tunl0");

    // Something wrong with the way back alone is seen from here.
    cluster.node(2)?.netns().ip_line("route add blackhole 10.244.1.1/32 proto static")?;
    let (code, there) = both(cluster.node(1)?, &["--from", "10.244.1.1"])?;
    is(&there, Outcome::Reached, None);
    let answer = there.back.and_then(|back| back.why).context("no answer")?;
    is(&answer, Outcome::Unreached, Cause::ForeignRoute);
    assert_eq!(code, Some(4));
    assert_eq!(answer.kernel.result, KernelResult::Blackhole);

    // Nobody answers there any more; the routes are kept for now.
    cluster.node(2)?.take_daemon()?.into_proc().crash();
    let words = "its session has ended, the route is kept for";
    told(cluster.node(1)?, "10.244.2.1", words, Outcome::Reached, None)?;
    let (code, there) = both(cluster.node(1)?, &[])?;
    let words = there.back.and_then(|back| back.unasked).context("it was asked")?;
    ensure!(words.contains("n2 could not be asked: cannot connect to 10.50.1.2:9179"), "{words}");
    assert_eq!(code, Some(6));
    Ok(())
}

#[test]
fn without_a_listener_the_other_node_cannot_be_asked() -> Result {
    let mut cluster = running(&[0, 0], "never", "")?;
    let node = cluster.node(1)?;
    why(node, "10.244.2.1", "is reached through 10.50.0.2 on net0")?;
    let output = node.daemon()?.try_bgpctl(&["why", "10.244.2.1", "--both"])?;
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    ensure!(output.stdout.contains("no [http] listen is configured"), "{output:?}");
    Ok(())
}
