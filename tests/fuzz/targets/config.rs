//! The configuration file (`starling_config`): any text is a plan for each of its nodes, or
//! errors that say something.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling_config::{diff, parse};

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(config) => {
            for node in &config.nodes {
                let plan = config.plan(node);
                assert!(diff(&plan, &plan).is_empty());
            }
        }
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
});
