//! The pages of the inspector, and what browsers are told about all that stands below `/admin`.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Method, Response};
use ring::digest;

use super::AdminError;
use super::door::Caller;
use crate::assets::{self, Asset};
use crate::http;

/// What stands before the app, and is for everybody.
const LOGIN: &str = "/login.html";

/// What pages of the inspector may do.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let pages = ["/", LOGIN].into_iter().filter_map(assets::inspector);
    let hashes: String = pages
        .flat_map(|page| inline_scripts(page.body))
        .map(|script| format!(" 'sha256-{}'", sha256(script)))
        .collect();
    let policy = format!(
        "default-src 'self'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(STRICT))
});

/// What everything else may do: nothing.
const STRICT: &str = "default-src 'none'; frame-ancestors 'none'";

/// Answers a request for the file at `path` below `/admin`. The app and all that belongs to it is for those who have been let in;
/// others get the login page in its place.
///
/// # Errors
/// 401, 404, 405.
pub(super) fn answer(
    path: &str,
    parts: &Parts,
    caller: impl Fn() -> Result<Caller, AdminError>,
) -> Result<Response<Full<Bytes>>, AdminError> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(AdminError::not_allowed(&parts.method, &[&Method::GET, &Method::HEAD]));
    }
    let login = || assets::inspector(LOGIN).map(|page| file(page, parts)).ok_or_else(no_login);
    match path {
        LOGIN => login(),
        "/" if caller().is_err() => login(),
        "/" => assets::inspector(path).map(|page| file(page, parts)).ok_or_else(|| nothing(path)),
        _ => {
            caller()?;
            assets::inspector(path).map(|page| file(page, parts)).ok_or_else(|| nothing(path))
        }
    }
}

fn file(asset: Asset, parts: &Parts) -> Response<Full<Bytes>> {
    let is_page = asset.content_type.starts_with("text/html");
    let mut response = http::file(&asset, &parts.headers);
    let headers = response.headers_mut();
    if is_page {
        headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    } else if asset.cache_control.contains("immutable") {
        // It is not for what stands between: that would give it to others.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    } else {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    response
}

fn nothing(path: &str) -> AdminError {
    AdminError::not_found(format!("There is nothing at /admin{path}."))
}

fn no_login() -> AdminError {
    AdminError::not_found(
        "This binary was built without the inspector's pages; its API takes the token: Authorization: Bearer TOKEN.",
    )
}

/// Says to browsers what holds for everything below `/admin`, unless the response says otherwise.
pub(crate) fn secure(response: &mut Response<Full<Bytes>>) {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, STRICT),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// The texts of the scripts that stand in a page itself.
fn inline_scripts(page: &[u8]) -> Vec<&str> {
    let page = std::str::from_utf8(page).unwrap_or_default();
    let scripts = page.split("<script").skip(1).filter_map(|rest| rest.split_once('>'));
    let inline = scripts.filter(|(attributes, _)| !attributes.contains("src="));
    inline.filter_map(|(_, rest)| rest.split_once("</script>")).map(|(script, _)| script).collect()
}

fn sha256(text: &str) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_in_a_page_are_found_and_hashed_as_browsers_do() {
        let page = b"<script src=\"/a.js\"></script><script>alert('Hello, world.');</script><script type=\"module\">\n1\n</script>";
        assert_eq!(inline_scripts(page), ["alert('Hello, world.');", "\n1\n"]);
        // The example of CSP Level 3, section 2.3.1.
        assert_eq!(sha256("alert('Hello, world.');"), "qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=");
    }

    #[test]
    fn the_policy_lets_the_login_page_run() {
        let page = assets::inspector(LOGIN).expect("the login page needs no build");
        let policy = POLICY.to_str().expect("text");
        let scripts = inline_scripts(page.body);
        assert!(!scripts.is_empty());
        for script in scripts {
            assert!(policy.contains(&sha256(script)), "{policy}");
        }
        assert!(!policy.contains("script-src 'self' 'unsafe"), "{policy}");
    }
}
