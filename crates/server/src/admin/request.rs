//! What the API is asked.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::AdminError;
use crate::http;

/// Entries of a list where nobody says how many.
const LIMIT: usize = 50;

/// Entries of a list at most.
const LIMIT_MAX: usize = 500;

/// A request to a route of the API, by somebody who has been let in.
#[derive(Debug)]
pub(crate) struct AdminRequest<'a> {
    pub(crate) parts: &'a Parts,
    /// What stands in the gaps of the route's path, in their order, decoded.
    pub(crate) names: Vec<String>,
    /// Empty but for a POST.
    pub(crate) body: Bytes,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page<C> {
    /// At most so many entries, at least one.
    pub(crate) limit: usize,
    /// Those after this; from the first on without it.
    pub(crate) after: Option<C>,
}

impl AdminRequest<'_> {
    /// What stands in the gap of the route's path that is counted from 0.
    pub(crate) fn name(&self, gap: usize) -> &str {
        self.names.get(gap).map_or("", String::as_str)
    }

    /// A parameter of the query; none where it is empty.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        http::query(self.parts.uri.query(), name).filter(|value| !value.is_empty())
    }

    /// A parameter of the query that is a whole number.
    ///
    /// # Errors
    /// 400 for what is none.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, AdminError> {
        let parse = |text: String| {
            text.parse()
                .map_err(|_| AdminError::bad_request(format!("{name} is {text:?}; write a whole number.")))
        };
        self.query(name).map(parse).transpose()
    }

    /// How many entries are asked for.
    ///
    /// # Errors
    /// 400 for none, and for more than there may be.
    pub(crate) fn limit(&self) -> Result<usize, AdminError> {
        let limit = self.number("limit")?.map_or(LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        if (1..=LIMIT_MAX).contains(&limit) {
            return Ok(limit);
        }
        Err(AdminError::bad_request(format!(
            "limit is {limit}; write a number from 1 to {LIMIT_MAX}, and ask for the rest with after."
        )))
    }

    /// Which part of a list is asked for, by `limit` and `after`.
    ///
    /// # Errors
    /// 400 for a limit that is none, and for what no answer had as `next`.
    pub(crate) fn page<C: DeserializeOwned>(&self) -> Result<Page<C>, AdminError> {
        let read = |text: String| {
            let json = URL_SAFE_NO_PAD.decode(&text).ok();
            json.and_then(|json| serde_json::from_slice(&json).ok()).ok_or_else(|| {
                AdminError::bad_request(format!(
                    "after is {text:?}, which no answer had as next; leave it out to begin with the first."
                ))
            })
        };
        Ok(Page { limit: self.limit()?, after: self.query("after").map(read).transpose()? })
    }

    /// What the body says.
    ///
    /// # Errors
    /// 400 for what is not that.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, AdminError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            AdminError::bad_request(format!("The body is not the JSON that this route takes: {error}."))
        })
    }
}

/// Where the next part of a list begins, for [`AdminRequest::page`]: nothing that a caller need understand.
pub(crate) fn cursor(place: &impl Serialize) -> Result<String, AdminError> {
    let json = serde_json::to_vec(place).map_err(|error| AdminError::internal(&error))?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// Does what takes long on another thread. So much is done at once, and the rest waits: whoever watches must not be what slows
/// the server down.
///
/// # Errors
/// 500, when it ended without an answer.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AdminError> {
    static TURNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));
    let _turn = TURNS.acquire().await.map_err(|error| AdminError::internal(&error))?;
    tokio::task::spawn_blocking(work).await.map_err(|error| AdminError::internal(&error))
}
