//! Listening addresses: one or several, IPv4 and IPv6.

use std::net::SocketAddr;

use super::{UNREACHABLE_LRS, assert_live, connect, start_program};
use crate::support::program::{ConfigDirectory, run, stderr};

/// Starts the program with these addresses, as TOML writes them. Returns the program and its addresses of the API and of the admin listener.
fn start(listen: &str, admin_listen: &str) -> (crate::support::program::TestProgram, [Vec<SocketAddr>; 2]) {
    let config = ConfigDirectory::new(UNREACHABLE_LRS);
    config.configure(|text| {
        text.replace(
            "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"",
            &format!("listen = {listen}\nadmin_listen = {admin_listen}"),
        )
    });
    let (program, event) = start_program(&config);
    let addresses = ["api", "admin"].map(|name| {
        let list = event[name].as_str().expect("the event has the addresses");
        list.split(", ").map(|address| address.parse().expect("an address")).collect()
    });
    (program, addresses)
}

#[test]
fn listen_accepts_several_addresses_of_both_families() {
    let (_program, [api, admin]) = start("[\"127.0.0.1:0\", \"[::1]:0\"]", "[\"[::1]:0\", \"127.0.0.1:0\"]");
    assert_eq!(api.iter().chain(&admin).map(SocketAddr::is_ipv6).collect::<Vec<_>>(), [false, true, true, false]);
    for address in api.into_iter().chain(admin) {
        assert_live(&mut connect(address));
    }
}

#[test]
fn listen_accepts_one_address_without_a_list() {
    let (_program, [api, admin]) = start("\"[::1]:0\"", "\"127.0.0.1:0\"");
    assert_live(&mut connect(api[0]));
    assert_live(&mut connect(admin[0]));
}

#[test]
fn listen_invalid_is_a_configuration_error() {
    let config = ConfigDirectory::new(UNREACHABLE_LRS);
    config.configure(|text| {
        text.replace(
            "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"",
            "listen = [\"127.0.0.1:8080\", \"localhost\"]\nadmin_listen = []",
        )
    });
    let text = stderr(&run(&["check-config", "--config", &config.config_path()]));
    assert!(text.contains("server.listen.1: must be an IP address and a port"), "{text}");
    assert!(text.contains("server.admin_listen: must not be an empty list"), "{text}");
    config.configure(|text| text.replace("\"localhost\"]", "\"[::1]:8080\"]").replace("= []", "= [\"[::1]:9090\", \"[::1]:8080\"]"));
    let text = stderr(&run(&["check-config", "--config", &config.config_path()]));
    assert!(text.contains("server.admin_listen: must not be an address of server.listen"), "{text}");
}

#[test]
fn address_in_use_is_named_in_the_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("the listener is bound").to_string();
    let config = ConfigDirectory::new(UNREACHABLE_LRS);
    config.configure(|text| text.replace("listen = \"127.0.0.1:0\"\nadmin", &format!("listen = [\"127.0.0.1:0\", \"{address}\"]\nadmin")));
    let text = stderr(&run(&["serve", "--config", &config.config_path()]));
    assert!(text.contains(&format!("{address}: ")), "{text}");
}
