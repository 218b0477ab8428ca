//! The routes of the API.

use std::pin::Pin;
use std::rc::Rc;

use hyper::Method;

use super::{AdminError, AdminRequest, Json, channels, config, connections, nodes, stats, trace};
use crate::http::percent_decode;
use crate::serve::Worker;

/// An answer that comes.
type Coming<'a> = Pin<Box<dyn Future<Output = Result<Json, AdminError>> + 'a>>;

type Run = for<'a> fn(&'a Rc<Worker>, &'a AdminRequest<'a>) -> Coming<'a>;

/// One route of the API.
pub(super) struct Route {
    method: Method,
    /// Below `/admin/api/`. What is in braces is a gap: any one segment.
    path: &'static str,
    pub(super) run: Run,
}

/// Every route. Which methods a path has follows from it.
const ROUTES: &[Route] = &[
    get("channels", |worker, request| Box::pin(channels::list(worker, request))),
    get("channels/{channel}", |worker, request| Box::pin(channels::one(worker, request))),
    get("channels/{channel}/history", |worker, request| Box::pin(channels::history(worker, request))),
    get("channels/{channel}/members", |worker, request| Box::pin(channels::members(worker, request))),
    post("channels/{channel}/publish", |worker, request| Box::pin(channels::publish(worker, request))),
    get("config", |worker, request| Box::pin(config::answer(worker, request))),
    get("connections", |worker, request| Box::pin(connections::list(worker, request))),
    get("connections/{client}", |worker, request| Box::pin(connections::one(worker, request))),
    post("connections/{client}/disconnect", |worker, request| {
        Box::pin(connections::disconnect(worker, request))
    }),
    get("connections/{client}/trace", |worker, request| Box::pin(trace::read(worker, request))),
    post("connections/{client}/trace", |worker, request| Box::pin(trace::switch(worker, request))),
    get("nodes", |worker, request| Box::pin(nodes::answer(worker, request))),
    get("stats", |worker, request| Box::pin(stats::answer(worker, request))),
];

const fn get(path: &'static str, run: Run) -> Route {
    Route { method: Method::GET, path, run }
}

const fn post(path: &'static str, run: Run) -> Route {
    Route { method: Method::POST, path, run }
}

/// The route of a path, and what stands in its gaps.
///
/// # Errors
/// 404, 405, and 400 for a segment that is not percent-encoded.
pub(super) fn find(path: &str, method: &Method) -> Result<(&'static Route, Vec<String>), AdminError> {
    // What is asked with HEAD is asked as with GET; the body is left out when it is sent.
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let routes: Vec<_> = ROUTES.iter().filter(|route| fits(route.path, path)).collect();
    if routes.is_empty() {
        return Err(AdminError::not_found(format!("There is nothing at /admin/api/{path}.")));
    }
    let Some(route) = routes.iter().find(|route| route.method == *wanted) else {
        let methods: Vec<_> = routes.iter().map(|route| &route.method).collect();
        return Err(AdminError::not_allowed(method, &methods));
    };
    let gaps = route.path.split('/').zip(path.split('/')).filter(|(pattern, _)| pattern.starts_with('{'));
    let names = gaps.map(|(_, segment)| {
        percent_decode(segment).ok_or_else(|| {
            AdminError::bad_request(format!(
                "{segment:?} is not percent-encoded UTF-8; write % as %25 and other bytes as %XX."
            ))
        })
    });
    Ok((route, names.collect::<Result<_, _>>()?))
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(gap), Some(segment)) if gap.starts_with('{') && !segment.is_empty() => {}
            (Some(word), Some(segment)) if word == segment => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_routes_are_the_same() {
        for (index, route) in ROUTES.iter().enumerate() {
            for other in &ROUTES[index + 1..] {
                let is_same = fits(route.path, other.path) || fits(other.path, route.path);
                assert!(!is_same || route.method != other.method, "{} and {}", route.path, other.path);
            }
        }
    }

    #[test]
    fn gaps_take_one_decoded_segment() {
        let names = |path: &str| find(path, &Method::GET).map(|(route, names)| (route.path, names)).ok();
        assert_eq!(names("channels/a%2Fb"), Some(("channels/{channel}", vec!["a/b".to_owned()])));
        assert_eq!(
            names("channels/%C3%A9/history"),
            Some(("channels/{channel}/history", vec!["é".to_owned()]))
        );
        for path in
            ["", "channels/", "channels/a/", "channels//history", "channels/a/b", "/channels", "stats/"]
        {
            assert_eq!(names(path), None, "{path}");
        }
    }
}
