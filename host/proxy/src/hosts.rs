//! Under which names this server may be called. A page can have its own name resolve to this
//! machine (DNS rebinding); for the browser, what it then reads is the page's own. Only the `Host`
//! header shows it.

use std::net::IpAddr;

use hyper::{
    HeaderMap,
    header::{HOST, HeaderValue},
    http::uri::Authority,
};

use crate::settings::Hosts;

/// The last labels of names that no public name server knows.
const PRIVATE: [&str; 3] = ["internal", "local", "localhost"];

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// The client's address.
    pub(crate) peer: IpAddr,
    /// The address that the server listens on.
    pub(crate) listen: IpAddr,
}

impl Ends {
    /// Returns whether only programs on this machine can connect.
    pub(crate) fn is_local(self) -> bool {
        self.listen.to_canonical().is_loopback()
    }

    /// Returns whether every `Host` of a request is one of ours. A request without any is from no
    /// browser.
    pub(crate) fn allow(self, headers: &HeaderMap, hosts: &Hosts) -> bool {
        let mut named = headers.get_all(HOST).iter();
        named.all(|host| self.allows(host, hosts))
    }

    fn allows(self, host: &HeaderValue, hosts: &Hosts) -> bool {
        let Some(name) = name(host) else { return false };
        if hosts.allow(&name) || is_loopback(&name) {
            return true;
        }
        match name.parse::<IpAddr>() {
            // A page that was loaded from an address cannot be another one's by its name.
            Ok(address) => !self.is_local() || address.to_canonical() == self.listen.to_canonical(),
            Err(_) => !self.is_local() && is_private(&name),
        }
    }
}

/// Returns whether a `Host` header names this machine.
pub(crate) fn names_loopback(host: &HeaderValue) -> bool {
    name(host).is_some_and(|name| is_loopback(&name))
}

/// Returns the host's name or address, in lower case, without port, brackets and the root's dot.
fn name(host: &HeaderValue) -> Option<String> {
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    if authority.as_str().contains('@') {
        return None;
    }
    let name = authority.host().trim_matches(['[', ']']);
    let name = name.strip_suffix('.').unwrap_or(name);
    Some(name.to_ascii_lowercase())
}

fn is_loopback(name: &str) -> bool {
    let is_address = || {
        let address = name.parse::<IpAddr>();
        address.is_ok_and(|address| address.to_canonical().is_loopback())
    };
    name == "localhost" || name.ends_with(".localhost") || is_address()
}

/// Returns whether a name is one that containers and local networks give, and no page can have.
fn is_private(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((_, last)) => PRIVATE.contains(&last),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn allows(listen: impl Into<IpAddr>, host: &str) -> bool {
        let ends = Ends {
            peer: Ipv4Addr::LOCALHOST.into(),
            listen: listen.into(),
        };
        let hosts = Hosts::new(&["ai.example".to_owned()]);
        let host = HeaderValue::from_str(host).expect("it is text");
        ends.allow(&HeaderMap::from_iter([(HOST, host)]), &hosts)
    }

    #[test]
    fn a_local_server_has_the_names_of_this_machine_and_those_set() {
        let here = Ipv4Addr::LOCALHOST;
        for host in [
            "localhost",
            "LocalHost:8081",
            "app.localhost",
            "127.0.0.1:8081",
            "127.1.2.3",
            "[::1]:8081",
            "localhost.",
            "ai.example",
            "AI.example:443",
        ] {
            assert!(allows(here, host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "ai.example.evil",
            "10.0.0.1",
            "deja",
            "ai.example@evil.example",
            "",
            "a b",
        ] {
            assert!(!allows(here, host), "{host}");
        }
        assert!(allows(Ipv6Addr::LOCALHOST, "[::1]:8081"));
    }

    #[test]
    fn a_server_for_others_has_addresses_and_private_names_too() {
        let anywhere = Ipv4Addr::UNSPECIFIED;
        for host in [
            "localhost",
            "10.0.0.1:8081",
            "[fd00::1]",
            "deja:8081",
            "mac.local",
            "host.docker.internal",
            "ai.example",
        ] {
            assert!(allows(anywhere, host), "{host}");
        }
        for host in ["evil.example", "10.0.0.1.evil.example", "local.evil"] {
            assert!(!allows(anywhere, host), "{host}");
        }
    }

    #[test]
    fn any_name_is_ours_where_that_is_set() {
        let ends = Ends {
            peer: Ipv4Addr::LOCALHOST.into(),
            listen: Ipv4Addr::LOCALHOST.into(),
        };
        let host = HeaderValue::from_static("evil.example");
        let headers = HeaderMap::from_iter([(HOST, host)]);
        assert!(ends.allow(&headers, &Hosts::new(&["*".to_owned()])));
        assert!(!ends.allow(&headers, &Hosts::default()));
        assert!(ends.allow(&HeaderMap::new(), &Hosts::default()));
    }
}
