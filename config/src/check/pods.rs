//! Local pods: which routes are theirs, and what is filled in.

use starling_fib::types::PodConfig;

use crate::model::Kernel;
use crate::raw::Raw;
use crate::source::Problems;
use crate::value::PodProtocol;

pub(super) fn check(raw: &Raw, kernel: &Kernel, problems: &mut Problems) -> PodConfig {
    let mut pods = PodConfig::default();
    let Some(table) = &raw.pods else { return pods };
    if let Some(patterns) = table.interfaces.value() {
        pods.interfaces = patterns.iter().map(|pattern| pattern.value.0.clone()).collect();
    }
    if let Some(protocols) = table.protocols.value() {
        let mut learned = Vec::new();
        let mut any = false;
        for protocol in protocols {
            match protocol.value {
                PodProtocol::Any => any = true,
                PodProtocol::Is(number) if number == kernel.protocol => {
                    let message = format!("routes of protocol {number} are our own");
                    problems
                        .error(protocol.at, message)
                        .expected("the protocols with which others write pods' routes");
                }
                PodProtocol::Is(number) if learned.contains(&number) => {
                    problems.error(protocol.at, format!("protocol {number} comes twice"));
                }
                PodProtocol::Is(number) => learned.push(number),
            }
        }
        learned.sort_unstable();
        pods.protocols = (!any).then_some(learned);
    }
    if let Some(announce) = table.announce.value() {
        pods.announce = *announce;
    }
    pods
}
