//! The client behind a connection or a request, for limits. Addresses are compared and counted, and never logged.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue, X_FORWARDED_FOR};

use crate::schema::{CodeList, Constraints, InvalidValue, Scalar};

/// A client, by its address. All addresses of an IPv6 network of 64 bits are one client: providers give each customer at least one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client(IpAddr);

impl Client {
    /// Returns the client with this address.
    pub fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// Shows no address.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// Number of bits that come before an IPv4 address that is mapped to IPv6 (`::ffff:0:0/96`).
const MAPPED_PREFIX_LENGTH: u32 = 96;

/// An IP address, or the addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_length: u32,
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.prefix_length,
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= self.prefix_length,
            _ => false,
        }
    }
}

impl Scalar for Network {
    const CONSTRAINTS: Constraints = Constraints::new("IP address or network, such as `10.0.0.0/8`.", "10.0.0.0/8");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const INVALID: InvalidValue = InvalidValue::new("invalid_format", "must be an IP address, or a network such as 10.0.0.0/8");
        let (address, prefix_length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| INVALID)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix_length: u32 = prefix_length.map_or(Ok(bits), str::parse).map_err(|_| INVALID)?;
        if prefix_length > bits {
            return Err(INVALID);
        }
        // Addresses are compared as IPv4 addresses if they are mapped to IPv6, so such a network must be one too.
        match address.to_canonical() {
            mapped @ IpAddr::V4(_) if address.is_ipv6() => {
                let prefix_length = prefix_length.checked_sub(MAPPED_PREFIX_LENGTH).ok_or(INVALID)?;
                Ok(Self { address: mapped, prefix_length })
            }
            _ => Ok(Self { address, prefix_length }),
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(format!("{}/{}", self.address, self.prefix_length))
    }
}

/// The header in which trusted proxies name the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, CodeList)]
#[code_list(case = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ForwardedHeader {
    const fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => X_FORWARDED_FOR,
            Self::Forwarded => FORWARDED,
        }
    }
}

/// The proxies whose header for the client's address is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    /// Their addresses.
    pub networks: Vec<Network>,
    /// Their header.
    pub header: ForwardedHeader,
}

impl TrustedProxies {
    /// Returns `true` if the address is that of a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Returns the client that a trusted proxy names: the last address that is not that of a trusted proxy. Every proxy appends the address
    /// of its own client, so addresses before it can be invented. `None` if the connection is not from a trusted proxy, or if the header
    /// names no address there.
    pub fn forwarded_client(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<Client> {
        if !self.contains(peer.ip()) {
            return None;
        }
        let values: Vec<&[u8]> = headers.get_all(self.header.name()).map(HeaderValue::as_bytes).collect();
        for element in values.iter().rev().flat_map(|value| value.rsplit(|&byte| byte == b',')) {
            // Elements before the one that counts can have any bytes: the client can have sent them.
            let element = std::str::from_utf8(element).ok()?;
            let address = match self.header {
                ForwardedHeader::XForwardedFor => parse_address(element)?,
                ForwardedHeader::Forwarded => parse_address(for_parameter(element)?)?,
            };
            if !self.contains(address) {
                return Some(Client::new(address));
            }
        }
        None
    }
}

/// Returns the parameter `for` of an element of `Forwarded`.
fn for_parameter(element: &str) -> Option<&str> {
    element
        .split(';')
        .find_map(|pair| pair.trim().split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("for")))
        .map(|(_, value)| value)
}

/// Parses an address with or without a port, in quotes or not. IPv6 addresses can have brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let without_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip())).or_else(without_brackets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(header: ForwardedHeader) -> TrustedProxies {
        TrustedProxies { networks: ["10.0.0.0/8", "2001:db8::/32"].map(|text| Network::parse(text).expect("a network")).into(), header }
    }

    fn forwarded(header: ForwardedHeader, peer: &str, values: &[&'static str]) -> Option<Client> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header.name(), HeaderValue::from_static(value));
        }
        proxies(header).forwarded_client(peer.parse().expect("an address"), &headers)
    }

    fn client(address: &str) -> Client {
        Client::new(address.parse().expect("an address"))
    }

    #[test]
    fn forwarded_client_is_the_last_address_that_no_trusted_proxy_has() {
        let header = ForwardedHeader::XForwardedFor;
        assert_eq!(forwarded(header, "10.1.2.3:4", &["192.0.2.7"]), Some(client("192.0.2.7")));
        assert_eq!(forwarded(header, "10.1.2.3:4", &["198.51.100.1, 192.0.2.7, 10.9.9.9"]), Some(client("192.0.2.7")));
        assert_eq!(forwarded(header, "10.1.2.3:4", &["198.51.100.1", "192.0.2.7:1234"]), Some(client("192.0.2.7")));
        assert_eq!(
            forwarded(header, "[2001:db8::1]:4", &["[2a00::1]:80"]),
            Some(client("2a00::ffff")),
            "one client: the same network of 64 bits"
        );
        assert_eq!(forwarded(header, "192.0.2.1:4", &["198.51.100.1"]), None, "the peer is not a trusted proxy");
        assert_eq!(forwarded(header, "10.1.2.3:4", &["192.0.2.7, unknown"]), None);
        assert_eq!(forwarded(header, "10.1.2.3:4", &[]), None);
    }

    #[test]
    fn forwarded_client_is_found_after_bytes_that_are_no_text() {
        let forwarded = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(value).expect("a header"));
            proxies(ForwardedHeader::XForwardedFor).forwarded_client("10.1.2.3:4".parse().expect("an address"), &headers)
        };
        assert_eq!(forwarded(b"\xff, 192.0.2.7"), Some(client("192.0.2.7")));
        assert_eq!(forwarded(b"\xff, 192.0.2.7, 10.9.9.9"), Some(client("192.0.2.7")));
        assert_eq!(forwarded(b"192.0.2.7, \xff"), None);
    }

    #[test]
    fn forwarded_client_is_read_from_the_for_parameter() {
        let header = ForwardedHeader::Forwarded;
        let value = "for=198.51.100.1, proto=https;For=\"[2a00::1]:443\";by=10.0.0.1, for=10.4.4.4";
        assert_eq!(forwarded(header, "10.1.2.3:4", &[value]), Some(client("2a00::2")));
        assert_eq!(forwarded(header, "10.1.2.3:4", &["for=_hidden"]), None);
    }

    #[test]
    fn network_contains_ipv4_addresses_that_are_mapped_to_ipv6() {
        assert!(proxies(ForwardedHeader::default()).contains("::ffff:10.1.2.3".parse().expect("an address")));
        for text in ["::ffff:10.0.0.0/104", "::ffff:a01:203", "::ffff:0.0.0.0/96"] {
            assert!(Network::parse(text).expect(text).contains(IpAddr::from([10, 1, 2, 3])), "{text}");
        }
        let network = Network::parse("::ffff:10.0.0.0/104").expect("a network");
        assert!(!network.contains(IpAddr::from([11, 1, 2, 3])));
        for text in ["::ffff:10.0.0.0/95", "10.0.0.0/33", "::1/129", "10.0.0/8", "proxy.example", ""] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
        assert!(!format!("{:?}", client("192.0.2.7")).contains("192"), "addresses are never logged");
    }
}
