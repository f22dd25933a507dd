//! A neighbour that takes leave, and one that is given it: GRACEFUL_SHUTDOWN (RFC 8326) in both
//! directions.

use anyhow::ensure;
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Network, Software};
use starling_lab::{Result, wait_for};

use crate::beside::{Beside, NODE, networks, toml};
use crate::sessions::used;
use crate::support::SOON;

#[test]
fn a_neighbour_that_is_drained_is_avoided_in_both_directions() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        router.networks.push(Network::new(&networks(software)[0])?);
        router.neighbors[0].communities.push("65535:0".to_owned());
        Ok(toml(software, "drain = true"))
    })?;
    beside.each(Feature::GracefulShutdown, |cluster, peer| {
        wait_for("its route", SOON, || {
            let path = used(cluster, &networks(peer.software)[0])?;
            ensure!(path.local_pref == Some(0), "{path:#?}");
            Ok(())
        })?;
        peer.hears(NODE.into(), "10.244.1.0/26", |heard| {
            ensure!(heard.communities.contains("65535:0"), "no mark");
            Ok(())
        })?;
        Ok(())
    })
}
