//! *Whose address counts against a limit?* The client's, which behind a reverse proxy is not the TCP peer's.
//!
//! Anybody can write `X-Forwarded-For`; only what a proxy of ours appended is true. So the hops are walked from the nearest
//! one outwards, for as long as each is a proxy that is trusted; the first one that is not is the client. A trusted proxy
//! must append to the header it uses, and take the other one off.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName, header};
use ipnet::{IpNet, Ipv4Net};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The reverse proxies whose word on their clients' addresses is taken. None until told otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Trusts one more network or address.
    pub(crate) fn trust(&mut self, cidr: &str) -> Result<(), String> {
        let network = cidr.parse::<IpNet>().or_else(|_| cidr.parse::<IpAddr>().map(IpNet::from));
        let no_network = |_| format!("{cidr:?} is no network: write `10.0.0.0/8`, `fd00::/8` or an address alone");
        self.0.push(unmapped(network.map_err(no_network)?));
        Ok(())
    }

    /// The client's address; `None` if the peer's is not known.
    pub(crate) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer?.to_canonical();
        for hop in hops(headers) {
            if !self.trusts(client) {
                break;
            }
            match hop {
                Some(address) => client = address,
                None => break,
            }
        }
        Some(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// What counts as one address for limits: an IPv4 address, or the /64 that one IPv6 customer has at the least.
pub(crate) fn limited_as(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            format!("{}/64", Ipv6Addr::from_bits(prefix))
        }
    }
}

/// Addresses are compared as IPv4 where they can be, so the networks of mapped addresses have to be, too.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(v4), Some(len)) => Ipv4Net::new(v4, len).map_or(network, IpNet::V4),
        (_, None) | (None, _) => network,
    }
}

/// The addresses that proxies noted, the nearest one first; `None` where something else stands.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    if headers.contains_key(X_FORWARDED_FOR) {
        lines(headers, &X_FORWARDED_FOR).flat_map(|line| line.rsplit(',')).map(node).collect()
    } else {
        lines(headers, &header::FORWARDED).flat_map(|line| unquoted(line, b',')).map(forwarded_for).collect()
    }
}

/// The lines of a list header, the last one first. One that is no text is a line of nothing.
fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().rev().map(|line| line.to_str().unwrap_or(""))
}

/// The `for` of one element of `Forwarded` (RFC 7239, section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let is_for = |pair: &str| pair.trim_start().get(..4).is_some_and(|name| name.eq_ignore_ascii_case("for="));
    let mut pairs = unquoted(element, b';').into_iter().filter(|pair| is_for(pair));
    let (Some(pair), None) = (pairs.next(), pairs.next()) else { return None };
    let value = pair.trim()[4..].trim();
    node(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// Splits at a separator outside of quotes, from the right: what a trusted proxy appended is whole, and a quote that a client
/// left open further left must not swallow it.
fn unquoted(text: &str, separator: u8) -> Vec<&str> {
    let (mut parts, mut end, mut is_quoted) = (Vec::new(), text.len(), false);
    for (at, byte) in text.bytes().enumerate().rev() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            _ if byte == separator && !is_quoted => {
                parts.push(&text[at + 1..end]);
                end = at;
            }
            _ => {}
        }
    }
    parts.push(&text[..end]);
    parts
}

/// An address as proxies write one: `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`. Not `unknown`, not `_hidden`.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn client(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut trusted = TrustedProxies::default();
        for network in ["10.0.0.0/8", "fd00::/8", "192.0.2.1", "::ffff:172.16.0.0/108"] {
            trusted.trust(network).unwrap();
        }
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        trusted.client(Some(peer.parse().unwrap()), &headers).unwrap().to_string()
    }

    #[test]
    fn the_client_is_the_nearest_hop_that_is_no_trusted_proxy() {
        for (peer, forwarded, expected) in [
            ("8.8.8.8", "1.1.1.1", "8.8.8.8"), // nobody's proxy: its word counts for nothing
            ("11.0.0.1", "1.1.1.1", "11.0.0.1"),
            (PROXY, "1.1.1.1", "1.1.1.1"),
            ("192.0.2.1", "1.1.1.1", "1.1.1.1"),
            ("172.16.9.9", "1.1.1.1", "1.1.1.1"),
            ("::ffff:10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1"),
            ("fd00::1", " 2001:db8::1 ", "2001:db8::1"),
            (PROXY, "6.6.6.6, 1.1.1.1", "1.1.1.1"), // the left one is whatever the client wrote
            (PROXY, "6.6.6.6,1.1.1.1,10.2.3.4,192.0.2.1", "1.1.1.1"),
            (PROXY, "10.9.9.9, 10.8.8.8", "10.9.9.9"), // all trusted: the outermost
            (PROXY, "1.1.1.1:4711", "1.1.1.1"),
            (PROXY, "[2001:db8::1]", "2001:db8::1"),
            (PROXY, "[2001:db8::1]:443", "2001:db8::1"),
            (PROXY, "nonsense", PROXY),
            (PROXY, "", PROXY),
            (PROXY, "unknown, 10.2.3.4", "10.2.3.4"), // the last good one
            (PROXY, "6.6.6.6, nonsense, 10.2.3.4", "10.2.3.4"),
            (PROXY, "6.6.6.6, \u{e9}", PROXY),
            (PROXY, "6.6.6.6,", PROXY),
            (PROXY, "1.1.1", PROXY),
            (PROXY, "fe80::1%eth0", PROXY),
        ] {
            assert_eq!(client(peer, &[("x-forwarded-for", forwarded)]), expected, "{peer} {forwarded:?}");
        }
        assert_eq!(client(PROXY, &[]), PROXY);
    }

    #[test]
    fn lines_of_a_header_are_one_list() {
        let lines =
            [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1, 10.2.2.2"), ("x-forwarded-for", "10.3.3.3")];
        assert_eq!(client(PROXY, &lines), "1.1.1.1");
        let lines =
            [("forwarded", "for=6.6.6.6, for=\"1.1.1.1"), ("forwarded", "for=2.2.2.2"), ("forwarded", "for=10.3.3.3")];
        assert_eq!(client(PROXY, &lines), "2.2.2.2");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        for (forwarded, expected) in [
            ("for=1.1.1.1", "1.1.1.1"),
            ("For=\"1.1.1.1:80\";proto=https;by=10.0.0.1", "1.1.1.1"),
            ("by=\"a,b;for=6.6.6.6\"; FOR=\"[2001:db8::17]:4711\" ;host=x", "2001:db8::17"),
            ("for=\"[2001:db8::17]\"", "2001:db8::17"),
            ("for=6.6.6.6, for=1.1.1.1;proto=http, for=10.1.1.1", "1.1.1.1"),
            ("for=\"6.6.6.6, for=1.1.1.1", "1.1.1.1"), // a quote left open by the client
            ("for=unknown", PROXY),
            ("for=_hidden, for=10.2.3.4", "10.2.3.4"),
            ("for=6.6.6.6, proto=https", PROXY),
            ("for=1.1.1.1;for=6.6.6.6", PROXY),
            ("for=\"1.1.1.1", PROXY),
            ("for=", PROXY),
            ("", PROXY),
            ("fo\u{e9}=1.1.1.1", PROXY),
        ] {
            assert_eq!(client(PROXY, &[("forwarded", forwarded)]), expected, "{forwarded:?}");
        }
        let both = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "1.1.1.1")];
        assert_eq!(client(PROXY, &both), "1.1.1.1");
    }

    #[test]
    fn without_a_peer_there_is_no_client() {
        assert_eq!(TrustedProxies::default().client(None, &HeaderMap::new()), None);
    }

    #[test]
    fn what_is_no_network_is_refused_with_the_fix() {
        for cidr in ["", "10.0.0.0/33", "proxy.example.com", "10.0.0", "10.0.0.1:80", " 10.0.0.1"] {
            let error = TrustedProxies::default().trust(cidr).unwrap_err();
            assert!(error.contains("10.0.0.0/8"), "{error}");
        }
    }

    #[test]
    fn one_ipv6_customer_is_one_address() {
        for (address, counted) in [
            ("1.2.3.4", "1.2.3.4"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            assert_eq!(limited_as(address.parse().unwrap()), counted);
        }
    }
}
