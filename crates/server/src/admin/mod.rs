//! The inspector's side of the server, at `/admin/`: who is let in, its pages, and the API that they ask.
//!
//! ```text
//!   request ─► Door: session cookie or token? ─► pages: the app's files
//!                       │                    └► routes: ROUTES ─► a function ─► Json or AdminError
//!                       └ neither: the login page, or 401
//! ```
//!
//! # A route of the API
//! It is one line in [`routes`], and a function
//! `async fn answer(worker: &Rc<Worker>, request: &AdminRequest<'_>) -> Result<Json, AdminError>`. When it is called, the caller has
//! been let in, the method fits, and the body is there. [`AdminRequest`] has what stood in the path, the query and the body;
//! [`AdminRequest::page`] and [`cursor`] are how lists are paged. What may take long does not run on the worker's thread, where
//! clients would wait for it, but in [`aside`].

mod channels;
mod config;
mod connections;
mod door;
mod nodes;
mod pages;
mod part;
mod reply;
mod request;
mod routes;
mod series;
mod stats;
mod trace;

use std::rc::Rc;
use std::time::{Duration, Instant};

use antiphon_hub::clock::{Clock as _, SystemClock};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderValue, LOCATION, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde::Deserialize;

use crate::http::Visitor;
use crate::serve::{Settings, Worker};

use door::{Caller, Shown};

pub(crate) use door::Door;
pub(crate) use pages::secure;
pub(crate) use reply::{AdminError, Json};
pub(crate) use request::{AdminRequest, Page, aside, cursor};
pub(crate) use series::{Point, Series};

/// The longest body of a request, in bytes: a message to publish, and what stands around it.
const BODY: usize = 128 * 1024;

/// And of one by somebody who has not been let in.
const LOGIN_BODY: usize = 4 * 1024;

/// How long a body may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers a request to `/admin`, or to anything below it.
pub(crate) async fn answer(
    worker: &Rc<Worker>,
    settings: &Settings,
    visitor: Visitor,
    parts: &Parts,
    body: Incoming,
) -> Response<Full<Bytes>> {
    let mut body = Some(body);
    let visit = Visit { worker, settings, visitor, parts };
    let mut response = visit.answer(&mut body).await.unwrap_or_else(AdminError::into_response);
    // What comes of a body that is not read: no other request can follow it.
    if body.is_some_and(|body| !body.is_end_stream()) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// One request, and what it is answered from.
struct Visit<'a> {
    worker: &'a Rc<Worker>,
    settings: &'a Settings,
    visitor: Visitor,
    parts: &'a Parts,
}

/// What stands in the body of a login: one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    password: Option<String>,
    token: Option<String>,
}

impl Visit<'_> {
    async fn answer(&self, body: &mut Option<Incoming>) -> Result<Response<Full<Bytes>>, AdminError> {
        match self.parts.uri.path() {
            "/admin" => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
                response.headers_mut().insert(LOCATION, HeaderValue::from_static("/admin/"));
                Ok(response)
            }
            "/admin/login" => self.login(body).await,
            "/admin/logout" => self.logout(),
            path => match path.strip_prefix("/admin/api/") {
                Some(path) => self.api(path, body).await,
                None => {
                    pages::answer(path.strip_prefix("/admin").unwrap_or(path), self.parts, || self.caller())
                }
            },
        }
    }

    async fn login(&self, body: &mut Option<Incoming>) -> Result<Response<Full<Bytes>>, AdminError> {
        self.only(&[&Method::POST])?;
        door::check_page(self.parts, false)?;
        let body = read(body, LOGIN_BODY).await?;
        let login = serde_json::from_slice(&body);
        // What is wrong with it is not said: it may be a password in the wrong place, and what is said is logged.
        let shown = match &login {
            Ok(Login { password: Some(password), token: None }) => Shown::Password(password),
            Ok(Login { password: None, token: Some(token) }) => Shown::Token(token),
            _ => {
                return Err(AdminError::bad_request(
                    "A login needs either a password or a token: send {\"password\": \"...\"} or {\"token\": \"...\"}.",
                ));
            }
        };
        let admin = &self.settings.config.admin;
        self.door().enter(admin, self.visitor.peer, Instant::now(), shown)?;
        let cookie = self.door().session(admin, SystemClock.unix_ms())?;
        self.with_cookie(&cookie)
    }

    /// Ends the session, if there is one.
    fn logout(&self) -> Result<Response<Full<Bytes>>, AdminError> {
        self.only(&[&Method::POST])?;
        door::check_page(self.parts, door::has_cookie(self.parts))?;
        self.door().end(&self.settings.config.admin, self.parts, SystemClock.unix_ms());
        self.with_cookie(&door::no_session())
    }

    fn with_cookie(&self, cookie: &str) -> Result<Response<Full<Bytes>>, AdminError> {
        let is_secure = self.visitor.is_tls || door::is_secure_page(self.parts);
        let cookie = if is_secure { format!("{cookie}; Secure") } else { cookie.to_owned() };
        let mut response = Json::nothing().into_response();
        let cookie = HeaderValue::try_from(cookie).map_err(|error| AdminError::internal(&error))?;
        response.headers_mut().insert(SET_COOKIE, cookie);
        Ok(response)
    }

    async fn api(
        &self,
        path: &str,
        body: &mut Option<Incoming>,
    ) -> Result<Response<Full<Bytes>>, AdminError> {
        let caller = self.caller()?;
        let (route, names) = routes::find(path, &self.parts.method)?;
        if self.parts.method == Method::POST {
            if caller == Caller::Session {
                door::check_page(self.parts, true)?;
            }
            tracing::info!(remote = %self.visitor.peer, path, "somebody at the inspector gives an order");
        }
        let body = match self.parts.method {
            Method::POST => read(body, BODY).await?,
            _ => Bytes::new(),
        };
        let request = AdminRequest { parts: self.parts, names, body };
        Ok((route.run)(self.worker, &request).await?.into_response())
    }

    /// Who asks.
    ///
    /// # Errors
    /// 401, or 429 for one who has tried too often.
    fn caller(&self) -> Result<Caller, AdminError> {
        let now = (Instant::now(), SystemClock.unix_ms());
        self.door().caller(&self.settings.config.admin, self.visitor.peer, self.parts, now)
    }

    fn door(&self) -> &Door {
        &self.worker.shared().door
    }

    fn only(&self, methods: &[&Method]) -> Result<(), AdminError> {
        if methods.contains(&&self.parts.method) {
            return Ok(());
        }
        Err(AdminError::not_allowed(&self.parts.method, methods))
    }
}

/// The body of a request.
///
/// # Errors
/// 413 and 408.
async fn read(body: &mut Option<Incoming>, limit: usize) -> Result<Bytes, AdminError> {
    let Some(coming) = body.take() else { return Ok(Bytes::new()) };
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(coming, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) => {
            tracing::debug!(error, "the body of a request to the inspector was not read");
            Err(AdminError::too_large(limit))
        }
        Err(_) => Err(AdminError::timeout(BODY_TIMEOUT)),
    }
}
