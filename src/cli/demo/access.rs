//! What programs and people need to call a demonstration: its addresses and tokens, as JSON and as variables of a shell.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::file_watch;
use crate::simulator;

/// Addresses and tokens of a demonstration.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// URL of the gateway.
    pub gateway: String,
    /// URL of the simulated LRS.
    pub lrs: String,
    /// URL of the simulator's control endpoints.
    lrs_control: String,
    #[serde(flatten)]
    pub tokens: Tokens,
}

/// The tokens of a demonstration.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// For a person of a learning provider. It has every scope but the one for achievements, which awarding organisations submit.
    pub learning_provider: String,
    /// For a person of an awarding organisation.
    pub awarding_organisation: String,
}

impl Access {
    pub fn new(gateway: SocketAddr, lrs: SocketAddr, tokens: Tokens) -> Self {
        let (gateway, lrs) = (format!("http://{}", reachable(gateway)), format!("http://{lrs}"));
        Self { gateway, lrs_control: format!("{lrs}{}", simulator::CONTROL_PATH), lrs, tokens }
    }

    /// Writes the token file: one JSON object.
    pub fn write_json(&self, file: &Path) -> Result<(), String> {
        let json = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        write_secret(file, &json)
    }

    /// Writes the file of variables for a shell.
    pub fn write_environment(&self, file: &Path) -> Result<(), String> {
        write_secret(file, &self.environment())
    }

    fn environment(&self) -> String {
        let Self { gateway, lrs, lrs_control, tokens: Tokens { learning_provider, awarding_organisation } } = self;
        let variables = [
            ("GATEWAY", gateway),
            ("TOKEN", learning_provider),
            ("AWARDING_TOKEN", awarding_organisation),
            ("SIMULATOR", lrs),
            ("CONTROL", lrs_control),
        ];
        let lines = variables.map(|(name, value)| format!("{name}={}\n", shell_quoted(value)));
        format!("# Addresses and tokens of the demonstration of lrs-gateway that wrote this file.\n{}", lines.concat())
    }
}

/// Returns a text as one word of a POSIX shell, which replaces nothing within single quotes.
pub fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Returns the address with which programs of this machine reach a listener: one that listens on every address is reached on loopback.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = if listener.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    if listener.ip().is_unspecified() { SocketAddr::new(loopback, listener.port()) } else { listener }
}

/// Writes a file that only its owner can read, also if a file with this name and other permissions exists.
fn write_secret(file: &Path, text: &str) -> Result<(), String> {
    let write = || {
        let mut open = file_watch::owner_only_options().write(true).create(true).truncate(true).open(file)?;
        file_watch::restrict_to_owner(&open)?;
        open.write_all(text.as_bytes())
    };
    write().map_err(|error: std::io::Error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_quoted_text_is_one_word_without_expansions() {
        assert_eq!(shell_quoted("http://127.0.0.1:8080"), "'http://127.0.0.1:8080'");
        assert_eq!(shell_quoted("a'b $HOME `id`"), r"'a'\''b $HOME `id`'");
    }
}
