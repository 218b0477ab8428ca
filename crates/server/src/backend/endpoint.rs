//! Where the application is.

use std::fmt;

use http::Uri;
use http::uri::Scheme;

/// A URL of the application, `http` or `https`. It is shown without its query, which may hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Uri);

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// When it is none, has another scheme, no host, or a user and a password. The sentence does not repeat a password.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        if url.split_once("://").is_some_and(|(_, rest)| authority(rest).contains('@')) {
            return Err("an endpoint holds a user and a password, which would show in logs; take them out and set the \
                        header Authorization in static_headers"
                .into());
        }
        let uri: Uri = url.parse().map_err(|e| format!("endpoint {url:?} is not a URL: {e}"))?;
        if !matches!(uri.scheme(), Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS) {
            return Err(format!(
                "endpoint {url:?} cannot be asked; write a URL that begins with http:// or https://"
            ));
        }
        match uri.host() {
            Some(host) if !host.is_empty() => Ok(Self(uri)),
            _ => Err(format!("endpoint {url:?} names no host")),
        }
    }

    /// The URL, to call.
    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }
}

/// The part of a URL before its path.
fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map(|authority| authority.as_str()).unwrap_or_default();
        write!(f, "{scheme}://{authority}{}", self.0.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_that_can_be_asked() {
        for (url, shown) in [
            ("http://localhost:3000/centrifugo/connect", Ok("http://localhost:3000/centrifugo/connect")),
            ("https://app.example", Ok("https://app.example/")),
            ("http://[::1]:80/a@b?key=secret", Ok("http://[::1]:80/a@b")),
            ("HTTP://a/b", Ok("http://a/b")),
            ("", Err("is not a URL")),
            ("/connect", Err("begins with http://")),
            ("localhost:3000", Err("begins with http://")),
            ("grpc://localhost:3000", Err("begins with http://")),
            ("http:///connect", Err("is not a URL")),
            ("http://a b/", Err("is not a URL")),
            ("http://me:s3cret@app.example/", Err("static_headers")),
        ] {
            match (Endpoint::parse(url), shown) {
                (Ok(endpoint), Ok(shown)) => assert_eq!(endpoint.to_string(), shown),
                (Err(said), Err(part)) => {
                    assert!(said.contains(part), "{url}: {said}");
                    assert!(!said.contains("s3cret"), "{said}");
                }
                (got, wanted) => panic!("{url}: {got:?} instead of {wanted:?}"),
            }
        }
    }
}
