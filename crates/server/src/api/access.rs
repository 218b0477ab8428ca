//! Who may call the server API.

use std::fmt;

use antiphon_proto::handshake::OriginPolicy;
use antiphon_proto::handshake::http::check_origin;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, ORIGIN};
use hyper::http::request;
use subtle::ConstantTimeEq as _;

use super::reply::Refusal;
use crate::http::percent_decode;

/// Who may call the server API: whoever shows the key.
pub(crate) struct Access {
    key: String,
    insecure: bool,
}

impl Access {
    /// With the key that must be shown. Without one nobody is let in, unless it is `insecure`: then everybody is who is no web page
    /// of another origin.
    pub(crate) fn new(key: &str, insecure: bool) -> Self {
        Self { key: key.to_owned(), insecure }
    }

    /// # Errors
    /// 401, or 403 for a page of another origin.
    pub(crate) fn check(&self, parts: &request::Parts) -> Result<(), Refusal> {
        if self.insecure {
            return check_page(parts);
        }
        if self.key.is_empty() {
            return Err(unauthorized(
                "This server API lets nobody in, because http_api.key is not set. Set it, and send it in the X-API-Key header.",
            ));
        }
        let keys = shown(parts);
        if keys.is_empty() {
            return Err(unauthorized("The server API needs a key: send it in the X-API-Key header."));
        }
        if keys.iter().any(|shown| bool::from(shown.as_bytes().ct_eq(self.key.as_bytes()))) {
            return Ok(());
        }
        Err(unauthorized("The key that was sent is not the one in http_api.key."))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("insecure", &self.insecure).finish_non_exhaustive()
    }
}

/// Every key that a request shows.
fn shown(parts: &request::Parts) -> Vec<String> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let own = parts.headers.get_all("x-api-key").iter().filter_map(text);
    let authorization = parts.headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, key) = value.to_str().ok()?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("apikey").then(|| key.trim().to_owned())
    });
    let query = parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| {
        let value = pair.strip_prefix("api_key=")?;
        percent_decode(&value.replace('+', " "))
    });
    own.chain(authorization).chain(query).filter(|key| !key.is_empty()).collect()
}

/// A browser sends what any page asks it to, but says which page it was.
fn check_page(parts: &request::Parts) -> Result<(), Refusal> {
    if check_origin(parts, &OriginPolicy::same_host()).is_ok() {
        return Ok(());
    }
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let origin = text(ORIGIN);
    // In HTTP/2 `:authority` stands for the header (RFC 9113 §8.3.1).
    let host = parts.uri.authority().map_or_else(|| text(HOST), |authority| authority.as_str());
    let sentence = format!(
        "The server API needs no key here, so it is not for web pages of other origins, and {origin:?} is not of {host:?}."
    );
    Err(Refusal::new(StatusCode::FORBIDDEN, sentence))
}

fn unauthorized(sentence: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, sentence)
}
