//! Requests that a development server does not answer: those that came by another's name.

use std::net::IpAddr;

use hyper::Version;
use hyper::header::HOST;
use hyper::http::request;
use hyper::http::uri::Authority;

/// The hosts that a request names, or why it cannot be served.
///
/// # Errors
/// Status and sentence: 400 without exactly one valid Host (RFC 9112 §3.2), 403 where only this machine's names are allowed and it is
/// another.
pub(super) fn check(request: &request::Parts, loopback_only: bool) -> Result<(), (u16, String)> {
    let mut hosts = request.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next(), request.uri.authority()) {
        (Some(host), None, _) => host,
        // In HTTP/2 `:authority` stands for it (RFC 9113 §8.3.1).
        (None, None, Some(authority)) if request.version >= Version::HTTP_2 => {
            return only_loopback(authority.host(), loopback_only);
        }
        _ => return Err((400, "A request needs one Host header, no more and no less.".into())),
    };
    let invalid = || (400, format!("The Host header is not a host: {host:?}."));
    let authority: Authority = host.to_str().ok().and_then(|host| host.parse().ok()).ok_or_else(invalid)?;
    // The type of a URL's authority lets more in than RFC 9110 §7.2 does: a user, and a port that is no number.
    let port = authority.port_u16().map_or(String::new(), |port| format!(":{port}"));
    if authority.as_str() != format!("{}{port}", authority.host()) {
        return Err(invalid());
    }
    // An absolute target overrides the header (RFC 9112 §3.2.2).
    only_loopback(request.uri.host().unwrap_or(authority.host()), loopback_only)
}

fn only_loopback(host: &str, loopback_only: bool) -> Result<(), (u16, String)> {
    if loopback_only && !is_loopback(host) {
        return Err((
            403,
            format!(
                "This server runs in development mode and answers only to localhost, 127.0.0.1 and [::1], not to {host}: \
                 else any web page could reach it by a name that leads here. Use one of these, or start it with --config FILE."
            ),
        ));
    }
    Ok(())
}

/// Whether a host can only be this machine. A name other than localhost may be anybody's, whatever it resolves to.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn status(target: &str, hosts: &[&str]) -> u16 {
        let request = hosts.iter().fold(Request::get(target), |request, host| request.header(HOST, *host));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, true).map_or_else(|(status, _)| status, |()| 200)
    }

    #[test]
    fn only_names_of_this_machine_pass() {
        for (host, expected) in [
            ("localhost", 200),
            ("LocalHost:8000", 200),
            ("127.0.0.1:1", 200),
            ("127.0.0.2", 200),
            ("[::1]:8000", 200),
            ("[::1]", 200),
            ("example.com", 403),
            ("localhost.example.com", 403),
            ("127.0.0.1.example.com", 403),
            ("10.0.0.1", 403),
            ("0.0.0.0", 403),
            ("[::]", 403),
            ("localhost.", 403),
            ("", 400),
            ("a b", 400),
            ("evil@localhost", 400),
            ("evil@localhost:80", 400),
            ("localhost:x", 400),
        ] {
            assert_eq!(status("/", &[host]), expected, "{host:?}");
        }
        assert_eq!(status("/", &[]), 400);
        assert_eq!(status("http://localhost/", &[]), 400);
        for (target, expected) in [("https://localhost/", 200), ("https://example.com/", 403), ("/", 400)] {
            let (mut parts, ()) = Request::get(target).body(()).unwrap().into_parts();
            parts.version = Version::HTTP_2;
            assert_eq!(check(&parts, true).map_or_else(|(status, _)| status, |()| 200), expected, "{target}");
        }
        assert_eq!(status("/", &["localhost", "localhost"]), 400);
        assert_eq!(status("http://example.com/", &["localhost"]), 403);
        assert_eq!(status("http://localhost/", &["example.com"]), 200);
    }
}
