//! The proxy that the environment names.

use super::Proxy;
use super::bypass::Bypass;
use crate::connect::error::EnvironmentFault;
use crate::connect::target::Target;

/// The variables for `wss`, the first that is set and not empty counts.
const SECURE: &[&str] = &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// The variables for `ws`. `HTTP_PROXY` is missing on purpose: under CGI it holds a request's `Proxy` header, so that whoever sends
/// the request would choose the proxy ("httpoxy").
const PLAIN: &[&str] = &["http_proxy", "all_proxy", "ALL_PROXY"];
const BYPASS: &[&str] = &["no_proxy", "NO_PROXY"];

/// The proxy on the way to `target`, in an environment that `read` reads.
pub(super) fn route(
    target: &Target,
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, EnvironmentFault> {
    // What stays on this machine has no use for a proxy, which would look for it on its own.
    if target.host.is_loopback() {
        return Ok(None);
    }
    let first = |names: &[&'static str]| {
        names.iter().find_map(|name| Some((*name, read(name).filter(|value| !value.trim().is_empty())?)))
    };
    let Some((name, value)) = first(if target.is_secure() { SECURE } else { PLAIN }) else {
        return Ok(None);
    };
    if first(BYPASS).is_some_and(|(_, list)| Bypass::new(&list).covers(&target.host, target.port)) {
        return Ok(None);
    }
    value.trim().parse().map(Some).map_err(|source| EnvironmentFault::ProxyVariable { name, source })
}
