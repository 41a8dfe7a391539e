//! Rules for addresses in the configuration.

use reqwest::Url;

/// Returns `true` if the address is one of this machine, so that requests to it do not leave the machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}

/// Checks that an address contains no user name and no password.
///
/// # Errors
/// Returns the error if it contains one.
pub fn check_no_credentials(url: &Url) -> Result<(), &'static str> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err("must not have a user name or password in it")
}
