//! The clients of one worker, by id and by user.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::{Control, Member};

/// Which clients an order is for. All conditions must hold; at least one must be named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whom {
    /// The connections of this user.
    pub user: Option<String>,
    /// This connection.
    pub client: Option<String>,
    /// Not these connections.
    pub except: Vec<String>,
    /// Only connections whose token was issued at or before this, in seconds since 1970, or with this id.
    pub token: Option<TokenWhom>,
    /// Only connections that came to this node before the one with this number.
    pub before: Option<u64>,
}

/// Which tokens an order is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenWhom {
    /// Those issued until then, in seconds since 1970.
    IssuedUntil(u64),
    /// That with this id.
    Id(String),
}

/// The clients that have connected.
#[derive(Default)]
pub(super) struct Clients {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    by_id: HashMap<Arc<str>, Entry>,
    by_user: HashMap<Arc<str>, Vec<Arc<str>>>,
}

struct Entry {
    member: Rc<dyn Member>,
    user: Arc<str>,
}

impl Clients {
    pub(super) fn add(&self, id: &Arc<str>, user: &Arc<str>, member: Rc<dyn Member>) {
        let mut inner = self.inner.borrow_mut();
        inner.by_id.insert(Arc::clone(id), Entry { member, user: Arc::clone(user) });
        // All anonymous clients would be one long list.
        if !user.is_empty() {
            inner.by_user.entry(Arc::clone(user)).or_default().push(Arc::clone(id));
        }
    }

    pub(super) fn remove(&self, id: &str) {
        let inner = &mut *self.inner.borrow_mut();
        let Some(entry) = inner.by_id.remove(id) else { return };
        if let Some(ids) = inner.by_user.get_mut(&entry.user) {
            ids.retain(|other| **other != *id);
            if ids.is_empty() {
                inner.by_user.remove(&entry.user);
            }
        }
    }

    /// Hands an order to those it is for.
    pub(super) fn order(&self, control: &Arc<Control>) {
        for member in self.matching(&control.whom) {
            member.order(control);
        }
    }

    fn matching(&self, whom: &Whom) -> Vec<Rc<dyn Member>> {
        let inner = self.inner.borrow();
        let member = |id: &str| {
            let entry = inner.by_id.get(id)?;
            let is_meant = whom.user.as_deref().is_none_or(|user| *user == *entry.user);
            (is_meant && !whom.except.iter().any(|except| except == id)).then(|| Rc::clone(&entry.member))
        };
        match (&whom.client, &whom.user) {
            (Some(client), _) => member(client).into_iter().collect(),
            (None, Some(user)) if user.is_empty() => inner.by_id.keys().filter_map(|id| member(id)).collect(),
            (None, Some(user)) => {
                inner.by_user.get(user.as_str()).into_iter().flatten().filter_map(|id| member(id)).collect()
            }
            // Tokens are looked at by the sessions themselves.
            (None, None) if whom.token.is_some() => inner.by_id.keys().filter_map(|id| member(id)).collect(),
            (None, None) => Vec::new(),
        }
    }
}
