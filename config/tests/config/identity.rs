//! Which of the nodes a host is.

use std::net::IpAddr;

use starling_config::{Chosen, Config, Identity, IdentityError};

use super::good;

fn who(config: &Config, identity: Identity) -> Result<(String, Chosen), IdentityError> {
    config.identify(&identity).map(|(node, chosen)| (node.name.clone(), chosen))
}

fn here(addresses: &[&str]) -> Vec<IpAddr> {
    addresses.iter().map(|a| a.parse().unwrap()).collect()
}

#[test]
fn the_command_line_beats_the_environment_beats_the_host_name_beats_addresses() {
    let config = good("network-b");
    let mut identity = Identity {
        node: Some("server1".into()),
        env: Some("server2".into()),
        hostname: Some("server3".into()),
        addresses: here(&["127.0.0.1", "10.1.8.10", "10.1.8.11"]),
    };
    let (name, chosen) = who(&config, identity.clone()).unwrap();
    assert_eq!((name.as_str(), chosen.to_string().as_str()), ("server1", "--node server1"));
    identity.node = None;
    let (name, chosen) = who(&config, identity.clone()).unwrap();
    assert_eq!((name.as_str(), chosen.to_string().as_str()), ("server2", "$NODE_NAME is server2"));
    identity.env = Some(String::new());
    let (name, chosen) = who(&config, identity.clone()).unwrap();
    assert_eq!((name.as_str(), chosen), ("server3", Chosen::Hostname("server3".into())));
    identity.hostname = Some("localhost".into());
    assert!(
        matches!(who(&config, identity.clone()), Err(IdentityError::Several { found }) if found.len() == 2)
    );
    identity.addresses.pop();
    let (name, chosen) = who(&config, identity).unwrap();
    assert_eq!(name, "server3");
    assert_eq!(chosen.to_string(), "10.1.8.10 is on this host");
}

#[test]
fn a_host_name_may_be_qualified_and_knows_no_case() {
    let config = good("network-b");
    for hostname in ["server1", "SERVER1", "server1.example.com"] {
        let identity = Identity { hostname: Some(hostname.into()), ..Identity::default() };
        assert_eq!(config.node(&identity).unwrap().name, "server1");
    }
}

#[test]
fn several_addresses_of_one_node_are_one_node() {
    let config = good("everything");
    let addresses = here(&["fd00:5::10", "10.1.5.10"]);
    let identity = Identity { addresses, ..Identity::default() };
    assert_eq!(config.node(&identity).unwrap().name, "server1");
}

#[test]
fn what_is_said_when_nobody_fits() {
    let config = good("network-b");
    let unknown = Identity { node: Some("sever1".into()), ..Identity::default() };
    let nobody = Identity {
        hostname: Some("laptop".into()),
        addresses: here(&["127.0.0.1", "192.0.2.7"]),
        ..Identity::default()
    };
    let several = Identity { addresses: here(&["10.1.5.10", "10.1.8.10"]), ..Identity::default() };
    let contradiction = Identity {
        hostname: Some("server1".into()),
        addresses: here(&["10.1.8.10"]),
        ..Identity::default()
    };
    let said: Vec<String> = [unknown, nobody, Identity::default(), several, contradiction]
        .iter()
        .map(|identity| config.node(identity).unwrap_err().to_string())
        .collect();
    insta::assert_snapshot!("identity", said.join("\n\n"));
}
