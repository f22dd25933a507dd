use super::super::neighbors::Neighbors;
use super::super::network::{Carries, Named};
use super::super::routes::Routes;
use super::super::show::{Kernel, Sessions, Standing};
use super::*;

fn parsed(line: &str) -> Result<Cli, clap::Error> {
    let words: Vec<OsString> =
        std::iter::once("bgpctl").chain(line.split_whitespace()).map(OsString::from).collect();
    parse(&words)
}

fn command(line: &str) -> Command {
    parsed(line).unwrap_or_else(|e| panic!("{line}: {e}")).command
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_unambiguous_prefix_is_the_command() {
    for (full, shortest, meant) in [
        ("summary", 1, Show::Summary(Sessions { state: None, asn: None })),
        ("neighbors", 3, Show::Neighbors(Neighbors { words: vec![] })),
        ("neighbours", 3, Show::Neighbors(Neighbors { words: vec![] })),
        ("interfaces", 1, Show::Interfaces { name: None }),
        ("routes", 1, Show::Routes(Box::default())),
        ("nodes", 2, Show::Nodes),
        ("fib", 1, Show::Fib(Kernel { lookup: None, state: vec![] })),
        ("nexthops", 3, Show::Nexthops { address: None }),
        ("metrics", 3, Show::Metrics),
        ("policies", 3, Show::Policies),
        ("pods", 3, Show::Pods),
        ("bfd", 1, Show::Bfd),
        ("mesh", 3, Show::Mesh),
        ("memory", 3, Show::Memory),
        ("generations", 1, Show::Generations),
    ] {
        for n in shortest..=full.len() {
            for show in ["s", "sh", "sho", "show"] {
                assert_eq!(
                    command(&format!("{show} {}", &full[..n])),
                    Command::Show(meant.clone()),
                    "{show} {}",
                    &full[..n]
                );
            }
        }
    }
    assert_eq!(command("re"), Command::Reload { reason: vec![] });
    let reason = ["new", "rack"].map(str::to_owned).to_vec();
    assert_eq!(command("rel new rack"), Command::Reload { reason });
    assert_eq!(command("c"), Command::Change(Change::Confirm));
    assert_eq!(command("v"), Command::Version);
}

#[test]
fn an_ambiguous_prefix_names_what_it_could_be() {
    for line in ["show n", "--socket /show sh n", "--json sh n"] {
        let error = parsed(line).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(
            text.contains("`bgpctl show n` is ambiguous")
                && text.contains("`bgpctl show neighbors` or `bgpctl show nexthops` or"),
            "{text}"
        );
    }
    let unknown = parsed("show xyz").unwrap_err().to_string();
    assert!(!unknown.contains("ambiguous") && unknown.contains("xyz"), "{unknown}");
}

#[test]
fn routes_are_asked_for_by_prefix_or_address_anywhere_on_the_line() {
    let Command::Show(Show::Routes(which)) = command("sh ro 10.244.1.0/26 --from gw0 --detail")
    else {
        panic!("not routes");
    };
    let Routes { lookup, from, detail, .. } = *which;
    assert_eq!(lookup, Some(Lookup::Prefix("10.244.1.0/26".parse().unwrap())));
    assert_eq!(from.as_deref(), Some("gw0"));
    assert!(detail);
    let cli = parsed("show routes --json fd00::1 --socket /tmp/x").unwrap();
    assert!(cli.json);
    assert_eq!(cli.socket, PathBuf::from("/tmp/x"));
}

#[test]
fn conditions_on_routes_are_read_and_checked() {
    let line = "show routes --to gw0 --withheld --community 65000:* --community rt:65000:1 --as 1 \
                --as 2 --origin igp --family ipv6 --state best --state stale";
    let Command::Show(Show::Routes(which)) = command(line) else { panic!("not routes") };
    let query = which.query();
    assert_eq!(query.to_pairs().len(), 10, "{query:?}");
    for line in [
        "show routes --longer",
        "show routes --shorter",
        "show routes --withheld",
        "show routes --state good",
        "show routes --community 65000",
        "show routes --as-path 65000_",
        "show routes --as x",
        "show routes --origin IGP",
        "show routes --family ipv5",
    ] {
        assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn a_prefix_with_host_bits_is_a_usage_error_that_helps() {
    let error = parsed("show routes 10.244.1.7/26").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("10.244.1.0/26"), "{error}");
}

#[test]
fn networks_are_prefixes_one_or_more() {
    let nets =
        |text: &str| text.split(' ').map(|net| Named::Prefix(net.parse().unwrap())).collect();
    let both = "10.50.0.0/16 fd00:50::/64";
    assert_eq!(
        command(&format!("net a {both}")),
        Command::Network(Network::Add { prefixes: nets(both), carries: Carries::default() })
    );
    assert_eq!(
        command("network delete 10.50.0.0/16"),
        Command::Network(Network::Delete { prefixes: nets("10.50.0.0/16") })
    );
    assert_eq!(command("network show"), Command::Network(Network::Show));
    assert_eq!(command("net fl"), Command::Network(Network::Flush));
    assert_eq!(
        command("network add -"),
        Command::Network(Network::Add {
            prefixes: vec![Named::Input],
            carries: Carries::default()
        })
    );
    let carries = Carries {
        prepend: Some(2),
        community: vec!["no-export".to_owned(), "64512:1:2".to_owned()],
        ..Carries::default()
    };
    assert_eq!(
        command("net add --prepend 2 fd00::/8 --community no-export --community 64512:1:2"),
        Command::Network(Network::Add { prefixes: nets("fd00::/8"), carries })
    );
    for bad in ["network add", "network add 10.50.0.1/16", "network add 10.50.0.0"] {
        assert_eq!(parsed(bad).unwrap_err().exit_code(), 2, "{bad}");
    }
}

#[test]
fn a_policy_test_becomes_its_question() {
    let Command::Policy(Policy::Test(test)) = command(
        "pol te 10.0.0.0/8 --peer gw0 --in --community 65000:1 --community no-export \
         --as-path 65001 --next-hop 10.1.5.1 --local-pref 200 --med 5 --interface eth0",
    ) else {
        panic!("another command");
    };
    let query = test.query();
    let pairs: Vec<(String, String)> =
        query.to_pairs().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    assert_eq!(PolicyQuery::from_pairs(&pairs).unwrap(), query);
    assert!(query.is_hypothetical() && query.place == Some(Place::Import));
    assert_eq!(query.communities, ["65000:1", "no-export"]);
    let spaced = parse(
        &["bgpctl", "policy", "test", "10.0.0.0/8", "--as-path", "65001 65002"].map(OsString::from),
    );
    let Command::Policy(Policy::Test(test)) = spaced.unwrap().command else {
        panic!("another command")
    };
    assert_eq!(test.as_path, Some(Asns(vec![65001, 65002])));
    assert!(parsed("policy test 10.0.0.0/8 --as-path x").is_err());
}

#[test]
fn sessions_and_the_kernels_routes_are_chosen() {
    let sessions = |state, asn| Command::Show(Show::Summary(Sessions { state, asn }));
    assert_eq!(command("sh su failed"), sessions(Some(Standing::Failed), None));
    assert_eq!(command("sh su up --as 65000"), sessions(Some(Standing::Established), Some(65000)));
    let Command::Show(Show::Fib(which)) = command("sh f 10.0.0.1 --state stale --state out") else {
        panic!("another command")
    };
    assert_eq!((which.lookup.is_some(), which.state.len()), (true, 2));
}

#[test]
fn only_what_shows_is_watched() {
    let every = |line: &str| parsed(line).map(|cli| cli.watch);
    for (line, seconds) in [
        ("show summary", None),
        ("show summary --watch", Some(2)),
        ("--watch=5s show routes", Some(5)),
        ("why 10.0.0.1 --watch=1m", Some(60)),
        ("doctor --watch", Some(2)),
        ("network show --watch", Some(2)),
        ("policy test 10.0.0.0/8 --watch", Some(2)),
        // The time is never a word of its own.
        ("--watch show fib", Some(2)),
    ] {
        assert_eq!(every(line).unwrap(), seconds.map(Duration::from_secs), "{line}");
    }
    for line in ["reload", "top", "monitor", "log debug", "fib flush -y", "confirm", "version"] {
        let error = every(&format!("{line} --watch")).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("for commands that show"), "{error}");
    }
    assert!(every("show summary --watch=0s").is_err());
}
