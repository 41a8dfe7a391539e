//! TOML files: the gateway's configuration, organisations, maintenance windows, the simulator and its scenarios.
//!
//! Input: the kind of file, and its text. Files that a text names are not read.
//!
//! A file is either accepted or has errors, and each error names the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrs_gateway::config::{ConfigFile, MaintenanceFile};
use lrs_gateway::organisations::OrganisationFile;
use lrs_gateway::schema::deserialize::FromDocument;
use lrs_gateway::schema::toml::{from_table, from_table_partial, parse_content};
use lrs_gateway::simulator::{Scenario, SimulatorSettings};
use lrs_gateway_fuzz::{choose, file};

const CHECKS: [fn(&[u8]); 5] =
    [read::<ConfigFile>, read::<OrganisationFile>, read::<MaintenanceFile>, read::<SimulatorSettings>, read::<Scenario>];

fn read<T: FromDocument>(content: &[u8]) {
    let table = match parse_content(file(), Ok(content.to_vec())) {
        Ok(table) => table,
        Err(errors) => return check_errors(&errors),
    };
    let (partial, errors) = from_table_partial::<T>(file(), table.clone());
    match from_table::<T>(file(), table) {
        Ok(_) => assert!(partial.is_some() && errors.is_empty(), "{errors:?}"),
        Err(all) => {
            assert_eq!(all, errors);
            check_errors(&errors);
        }
    }
}

fn check_errors(errors: &[String]) {
    assert!(!errors.is_empty());
    assert!(errors.iter().all(|error| error.starts_with("fuzzed.toml: ")), "{errors:?}");
}

fuzz_target!(|input: &[u8]| {
    if let Some((check, content)) = choose(&CHECKS, input) {
        check(content);
    }
});
