//! Who a client is.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use crate::protocol::ClientInfo;

/// Shared by all who name none: each map of its own would be memory for nothing.
pub(super) static NO_HEADERS: LazyLock<Arc<BTreeMap<String, String>>> = LazyLock::new(Arc::default);

/// Who the client is. Before `connect` it is nobody.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) user: Arc<str>,
    /// What others see of it.
    pub(super) info: Arc<ClientInfo>,
    pub(super) meta: Bytes,
    pub(super) emulated_headers: Arc<BTreeMap<String, String>>,
    /// Of its token.
    pub(super) token: Token,
}

impl Default for Who {
    fn default() -> Self {
        Self {
            user: Arc::default(),
            info: Arc::default(),
            meta: Bytes::new(),
            emulated_headers: Arc::clone(&NO_HEADERS),
            token: Token::default(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Token {
    pub(super) id: Box<str>,
    pub(super) issued_at: u64,
}
