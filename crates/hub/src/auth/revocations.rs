//! Tokens that are not taken any more, though their signature is good and their time is not over.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::clock::Clock;

/// The tokens of users, and single tokens, that have been revoked. Each revocation is kept until it expires.
#[derive(Debug)]
pub struct Revocations {
    limit: usize,
    clock: Arc<dyn Clock>,
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    users: HashMap<Box<str>, UserRevocation>,
    /// When the revocation of a token expires, by the token's id.
    ids: HashMap<Box<str>, u64>,
}

#[derive(Debug, Clone, Copy)]
struct UserRevocation {
    issued_until: u64,
    expire_at: u64,
}

impl Revocations {
    /// None so far, and never more than `limit`, which counts users and tokens alike.
    pub fn new(limit: usize, clock: Arc<dyn Clock>) -> Self {
        Self { limit, clock, kept: RwLock::default() }
    }

    /// Revokes the tokens of `user` that were issued at `issued_until` or before, and those that do not say when. Times are in
    /// seconds since 1970. For a user whose tokens have been revoked before, the later of each time holds for both revocations.
    ///
    /// # Errors
    /// When `user` is empty, `expire_at` is past, or no more revocations can be kept.
    pub fn revoke_user(&self, user: &str, issued_until: u64, expire_at: u64) -> Result<(), String> {
        self.check("user", user, expire_at)?;
        let now = self.clock.unix();
        let mut kept = self.write();
        if let Some(before) = kept.users.get_mut(user).filter(|before| before.expire_at > now) {
            before.issued_until = before.issued_until.max(issued_until);
            before.expire_at = before.expire_at.max(expire_at);
            return Ok(());
        }
        self.make_room(&mut kept)?;
        kept.users.insert(user.into(), UserRevocation { issued_until, expire_at });
        Ok(())
    }

    /// Revokes the token with the id `id` (`jti`), until `expire_at`, in seconds since 1970: when the token itself expires is
    /// late enough.
    ///
    /// # Errors
    /// When `id` is empty, `expire_at` is past, or no more revocations can be kept.
    pub fn revoke_id(&self, id: &str, expire_at: u64) -> Result<(), String> {
        self.check("token's id", id, expire_at)?;
        let mut kept = self.write();
        if let Some(before) = kept.ids.get_mut(id) {
            *before = expire_at.max(*before);
            return Ok(());
        }
        self.make_room(&mut kept)?;
        kept.ids.insert(id.into(), expire_at);
        Ok(())
    }

    /// Whether a token is revoked that was issued to `user` as `id` at `issued_at`: empty and 0 where it does not say.
    pub fn is_revoked(&self, user: &str, id: &str, issued_at: u64) -> bool {
        let kept = self.read();
        if kept.is_empty() {
            return false;
        }
        let now = self.clock.unix();
        let by_user =
            || kept.users.get(user).is_some_and(|it| it.expire_at > now && issued_at <= it.issued_until);
        let by_id = || kept.ids.get(id).is_some_and(|expire_at| *expire_at > now);
        by_user() || by_id()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// Forgets those that have expired. To be called now and then.
    pub fn tick(&self) {
        if !self.is_empty() {
            self.write().sweep(self.clock.unix());
        }
    }

    fn check(&self, what: &str, name: &str, expire_at: u64) -> Result<(), String> {
        let now = self.clock.unix();
        if name.is_empty() {
            return Err(format!("a revocation needs a {what}; the one given is empty"));
        }
        if expire_at <= now {
            return Err(format!(
                "a revocation expires in the future; {expire_at} is not after {now}, which is now"
            ));
        }
        Ok(())
    }

    fn make_room(&self, kept: &mut Kept) -> Result<(), String> {
        if kept.len() >= self.limit {
            kept.sweep(self.clock.unix());
        }
        if kept.len() >= self.limit {
            let limit = self.limit;
            return Err(format!(
                "{limit} revocations are kept, which is the limit: let them expire sooner, or change the key"
            ));
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn len(&self) -> usize {
        self.users.len() + self.ids.len()
    }

    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.ids.is_empty()
    }

    fn sweep(&mut self, now: u64) {
        self.users.retain(|_, revocation| revocation.expire_at > now);
        self.ids.retain(|_, expire_at| *expire_at > now);
    }
}
