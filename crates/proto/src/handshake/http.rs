//! The opening handshake over `http` types, for hyper and axum.
//!
//! ```
//! use antiphon_proto::handshake::{Acceptance, ServerPolicy, http::check};
//!
//! fn answer(request: &http::request::Parts, policy: &ServerPolicy) -> http::Response<String> {
//!     match check(request, policy) {
//!         Ok(opening) => match opening.accept_http(&Acceptance::default()) {
//!             Ok((response, _agreed)) => response.map(|()| String::new()),
//!             Err(error) => opening.refuse(500, &error.to_string()).to_http(),
//!         },
//!         Err(refusal) => refusal.to_http(),
//!     }
//! }
//! ```

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode, request};

use super::field::FieldError;
use super::host::Authority;
use super::opening::{Acceptance, Opening, RequestView, Version};
use super::refusal::Refusal;
use super::server::ServerPolicy;
use super::violation::{Rule, Violation};
use super::{Agreed, OriginPolicy, field};

/// Checks a request of HTTP/1.1 against the rules of §4.2.1.
///
/// The limits and the syntax of the head are the HTTP library's: [`HeadScanner`](super::HeadScanner) can stand before it.
///
/// # Errors
///
/// The request breaks a rule.
pub fn check(request: &request::Parts, policy: &ServerPolicy) -> Result<Opening, Refusal> {
    let version = match request.version {
        http::Version::HTTP_09 | http::Version::HTTP_10 => Version::Old,
        http::Version::HTTP_11 => Version::Http11,
        _ => Version::Multiplexed,
    };
    let target = request.uri.to_string();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), field::trim(value.as_bytes())));
    let view = RequestView { method: request.method.as_str(), version, target: &target, headers };
    Ok(Opening::check(view, policy)?)
}

/// Checks an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441 §5, RFC 9220 §3): the rules of [`check`] without Upgrade, Connection
/// and the key. `protocol` is the pseudo-header `:protocol`, which HTTP libraries keep in a type of their own.
///
/// # Errors
///
/// The request breaks a rule, or is none of this kind.
pub fn check_connect(
    request: &request::Parts,
    protocol: Option<&str>,
    policy: &ServerPolicy,
) -> Result<Opening, Refusal> {
    let target = request.uri.to_string();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), field::trim(value.as_bytes())));
    let version = Version::Multiplexed;
    let view = RequestView { method: request.method.as_str(), version, target: &target, headers };
    Opening::check_connect(view, protocol, policy).map_err(|violation| Refusal::from(violation).multiplexed())
}

/// Checks the `Origin` of a request that is no handshake by the policy for handshakes, and gives it. Without one it is not a
/// browser's, or comes from a page of the same origin that only reads.
///
/// # Errors
///
/// There are several, it is none, or the policy does not let it in.
pub fn check_origin<'r>(
    request: &'r request::Parts,
    policy: &OriginPolicy,
) -> Result<Option<&'r HeaderValue>, Refusal> {
    let mut origins = request.headers.get_all(http::header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(None) };
    if origins.next().is_some() {
        return Err(Violation::new(Rule::OriginInvalid).found(origin.as_bytes()).into());
    }
    // What stands in the target wins over the header (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
    let target = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    let host = target.or_else(|| request.headers.get(http::header::HOST).map(HeaderValue::as_bytes));
    let host = host.ok_or_else(|| Violation::new(Rule::HostMissing))?;
    let host = Authority::parse(host).ok_or_else(|| Violation::new(Rule::HostInvalid).found(host))?;
    policy.check(origin.as_bytes(), &host)?;
    Ok(Some(origin))
}

impl Opening {
    /// Accepts: the 101 to answer with, or the 200 to an extended CONNECT, and what both ends have agreed on by it.
    ///
    /// # Errors
    ///
    /// A header of the acceptance is not one, or belongs to the handshake.
    pub fn accept_http(&self, acceptance: &Acceptance<'_>) -> Result<(Response<()>, Agreed), FieldError> {
        let (headers, agreed) = self.answer(acceptance)?;
        let mut response = Response::new(());
        if self.key().is_some() {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        append(response.headers_mut(), headers.iter().map(|(name, value)| (&**name, &**value)));
        Ok((response, agreed))
    }
}

impl Refusal {
    /// The whole response.
    pub fn to_http(&self) -> Response<String> {
        let mut response = Response::new(self.body().to_owned());
        // A refusal's status is from 300 to 599.
        *response.status_mut() =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        append(response.headers_mut(), self.headers());
        response.headers_mut().insert(CONTENT_LENGTH, self.body().len().into());
        response
    }
}

/// Adds headers whose names and values have been checked, and which `http` takes therefore.
fn append<'a>(map: &mut HeaderMap, headers: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
}
