//! The clients of one worker, by id and by user.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use slab::Slab;

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
///
/// Each keeps its place for as long as it is there: whoever looks at all of them can do so a part at a time, and misses none that
/// was there throughout.
#[derive(Default)]
pub(crate) struct Clients {
    inner: RefCell<Inner>,
}

/// So many places are looked at in one go at most, though most of them be empty.
pub(super) const STRIDE: usize = 16 * 1024;

/// Where a client stands among the clients of its worker.
pub(crate) type ClientKey = u32;

#[derive(Default)]
struct Inner {
    entries: Slab<Entry>,
    by_id: HashMap<Arc<str>, ClientKey>,
    /// All but the anonymous ones, who would be one long list.
    by_user: HashMap<Arc<str>, Vec<ClientKey>>,
}

struct Entry {
    member: Rc<dyn Member>,
    /// Its number among the connections of this node, in the order in which they came.
    arrival: u64,
}

impl Clients {
    pub(super) fn add(&self, id: &Arc<str>, user: &Arc<str>, arrival: u64, member: Rc<dyn Member>) {
        let inner = &mut *self.inner.borrow_mut();
        let key = inner.entries.insert(Entry { member, arrival });
        let key = ClientKey::try_from(key).unwrap_or(ClientKey::MAX);
        inner.by_id.insert(Arc::clone(id), key);
        if !user.is_empty() {
            inner.by_user.entry(Arc::clone(user)).or_default().push(key);
        }
    }

    /// The member that it gives back is to be dropped when nothing is borrowed.
    pub(super) fn remove(&self, id: &str, user: &str) -> Option<Rc<dyn Member>> {
        let inner = &mut *self.inner.borrow_mut();
        let key = inner.by_id.remove(id)?;
        if let Some(keys) = inner.by_user.get_mut(user) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                inner.by_user.remove(user);
            }
        }
        inner.entries.try_remove(key as usize).map(|entry| entry.member)
    }

    /// Shows the clients at the keys below `end` from the highest on, with their numbers, until `visit` has seen enough, or so many
    /// keys were looked at. What it gives is the `end` for the rest; nothing where that was all.
    ///
    /// `visit` must not come back here.
    pub(crate) fn visit(
        &self,
        end: usize,
        visit: &mut dyn FnMut(ClientKey, u64, &dyn Member) -> ControlFlow<()>,
    ) -> Option<usize> {
        let inner = self.inner.borrow();
        let end = end.min(inner.entries.capacity());
        let floor = end.saturating_sub(STRIDE);
        for key in (floor..end).rev() {
            if let Some(Entry { member, arrival }) = inner.entries.get(key)
                && visit(key as ClientKey, *arrival, &**member).is_break()
            {
                return (key > 0).then_some(key);
            }
        }
        (floor > 0).then_some(floor)
    }

    /// The client at a key, with its number among those that came to the node.
    pub(crate) fn at(&self, key: ClientKey) -> Option<(u64, Rc<dyn Member>)> {
        let inner = self.inner.borrow();
        inner.entries.get(key as usize).map(|entry| (entry.arrival, Rc::clone(&entry.member)))
    }

    /// Where a connection stands.
    pub(crate) fn key(&self, id: &str) -> Option<ClientKey> {
        self.inner.borrow().by_id.get(id).copied()
    }

    /// Where the connections of a user stand, who is not anonymous.
    pub(crate) fn keys_of(&self, user: &str) -> Vec<ClientKey> {
        self.inner.borrow().by_user.get(user).cloned().unwrap_or_default()
    }

    /// Hands an order to those it is for.
    pub(super) fn order(&self, control: &Arc<Control>) {
        for member in self.matching(&control.whom) {
            member.order(control);
        }
    }

    fn matching(&self, whom: &Whom) -> Vec<Rc<dyn Member>> {
        let inner = self.inner.borrow();
        let excepted: Vec<_> = whom.except.iter().filter_map(|id| inner.by_id.get(id.as_str())).collect();
        let keys: Vec<ClientKey> = match (&whom.client, &whom.user) {
            (Some(client), user) => {
                let key = inner.by_id.get(client.as_str()).copied();
                key.filter(|key| user.as_ref().is_none_or(|user| inner.is_of(*key, user)))
                    .into_iter()
                    .collect()
            }
            (None, Some(user)) if user.is_empty() => inner.anonymous(),
            (None, Some(user)) => inner.by_user.get(user.as_str()).cloned().unwrap_or_default(),
            // Tokens are looked at by the sessions themselves.
            (None, None) if whom.token.is_some() => inner.by_id.values().copied().collect(),
            (None, None) => Vec::new(),
        };
        let entries =
            keys.iter().filter(|key| !excepted.contains(key)).map(|key| &inner.entries[*key as usize]);
        let meant = entries.filter(|entry| whom.before.is_none_or(|before| entry.arrival < before));
        meant.map(|entry| Rc::clone(&entry.member)).collect()
    }
}

impl Inner {
    fn is_of(&self, key: ClientKey, user: &str) -> bool {
        match user {
            "" => !self.by_user.values().flatten().any(|other| *other == key),
            user => self.by_user.get(user).is_some_and(|keys| keys.contains(&key)),
        }
    }

    /// Those that are in nobody's list.
    fn anonymous(&self) -> Vec<ClientKey> {
        let named: HashSet<ClientKey> = self.by_user.values().flatten().copied().collect();
        self.by_id.values().filter(|key| !named.contains(key)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There is one for each connection: see `docs/design/inspector.md`.
    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Slab<Entry>>(), size_of::<Slab<u64>>());
        assert_eq!(size_of::<Option<Entry>>(), 24);
    }
}
