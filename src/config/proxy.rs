//! The forward proxy, from `lrs.proxy_url` and the settings beside it.

use std::net::IpAddr;
use std::path::Path;

use reqwest::Url;

use crate::config::file::LrsSection;
use crate::config::read::{read_file, read_secret};
use crate::lrs::http_client::ForwardProxy;

/// The variables in which other programs look for a proxy.
const VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Returns the proxy of the configuration; `None` if it has none.
///
/// # Errors
/// Returns the setting and its error.
pub(super) fn forward_proxy(section: &LrsSection, base: &Path) -> Result<Option<ForwardProxy>, String> {
    let Some(text) = &section.proxy_url else {
        let dependent =
            [("proxy_password_file", section.proxy_password_file.is_some()), ("proxy_bypass", !section.proxy_bypass.is_empty())];
        return match dependent.iter().find(|(_, is_set)| *is_set) {
            Some((name, _)) => Err(format!("lrs.{name}: is allowed with proxy_url only")),
            None => Ok(None),
        };
    };
    let mut url = proxy_url(text).map_err(|error| format!("lrs.proxy_url: {error}"))?;
    if let Some(file) = &section.proxy_password_file {
        if url.username().is_empty() {
            return Err("lrs.proxy_password_file: needs the user name in proxy_url, such as http://gateway@proxy.example:3128".into());
        }
        let password = read_secret(&base.join(file)).map_err(|error| format!("lrs.proxy_password_file: {error}"))?;
        if password.is_empty() {
            return Err(format!("lrs.proxy_password_file: {}: is empty", file.display()));
        }
        let password = String::from_utf8(password).map_err(|_| "lrs.proxy_password_file: must be UTF-8".to_owned())?;
        // A URL would take a percent sign for the start of an encoded character.
        url.set_password(Some(&password.replace('%', "%25"))).map_err(|()| "lrs.proxy_url: cannot have a password".to_owned())?;
    }
    if let Some(host) = section.proxy_bypass.iter().find(|host| !is_host(host)) {
        return Err(format!("lrs.proxy_bypass: {host:?} must be a host name or an IP address, without scheme and port"));
    }
    ForwardProxy::new(url, &section.proxy_bypass).map(Some).map_err(|error| format!("lrs.proxy_url: {error}"))
}

fn proxy_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address such as http://proxy.example:3128")?;
    if url.scheme() != "http" {
        return Err("must be an http address: the connection to LRS inside is encrypted in any case");
    }
    if url.password().is_some() {
        return Err("must not have a password in it: write the password to a file, and set proxy_password_file");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a path, query or fragment");
    }
    Ok(url)
}

/// Returns `true` for a host name, an IP address and a network such as `10.0.0.0/8`.
fn is_host(text: &str) -> bool {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    match address.parse::<IpAddr>() {
        Ok(ip) => prefix.is_none_or(|prefix| prefix.parse::<u8>().is_ok_and(|bits| bits <= if ip.is_ipv4() { 32 } else { 128 })),
        Err(_) => !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')),
    }
}

/// Returns the proxy for traces, which are set up before the configuration is checked. Errors are reported with the others, by that check.
pub fn trace_proxy(config: &Path) -> Option<reqwest::Proxy> {
    let file = read_file(config).ok()?;
    forward_proxy(&file.settings.lrs, &file.base).ok()??.for_traces().ok()
}

/// Returns a remark for each variable of the environment that names a proxy: the gateway does not use it.
pub fn unused_proxy_variables() -> Vec<String> {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let remark =
        |name: &str| format!("environment: {name} is set, but the gateway does not use it: set lrs.proxy_url to connect through a proxy");
    VARIABLES.iter().filter(|name| is_set(name)).map(|name| remark(name)).collect()
}
