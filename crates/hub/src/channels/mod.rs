//! Channels: who is in them, and how an event gets there.
//!
//! ```text
//!   publisher ─► Engine: the channel, locked ─► Hub ─► the mailbox of every worker with members
//!                (here publications get their order)          │
//!                                                             ▼
//!                                       Fanout (one a worker): queue to every member, then flush each once
//! ```
//!
//! An event is put in the mailboxes while its channel is locked, and each worker empties its own in order: so all members of a
//! channel see its events in one order. Nothing is locked while sockets are written to.

mod clients;
mod control;
mod fanout;
mod hub;
mod mailbox;
mod pace;
mod place;
mod post;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use antiphon_proto::Prepared;

use crate::inspect::Load;
use crate::session::Session;

pub(crate) use clients::ClientKey;
pub use clients::{TokenWhom, Whom};
pub use control::{Control, Order};
pub use fanout::Local;
pub(crate) use fanout::Membership;
pub use hub::{Activity, Hub, WorkerId};
pub(crate) use place::Wants;
pub(crate) use post::{Post, patched, whole};

/// Somebody who may be in channels: a connection of this worker. Its methods must not come back to [`Local`].
pub trait Member {
    /// Takes a frame to be written. True if it is the first since the last flush.
    fn queue(&self, frame: &Prepared) -> bool;

    /// Writes what was queued.
    fn flush(&self);

    /// Something of a channel was missed; nothing more of it comes.
    fn lost(&self, channel: &str);

    /// Takes an order of the server's; it is carried out later.
    fn order(&self, control: &Arc<Control>);

    /// The session behind it, where there is one, for the inspector.
    fn session(&self) -> Option<&Session> {
        None
    }

    /// What waits for the client, and what it was sent, for the inspector.
    fn load(&self) -> Load {
        Load::default()
    }

    /// Whether what is queued is to be shown to [`Tie::trace`](crate::Tie::trace) as well, from now on.
    fn trace(&self, _is_on: bool) {}
}

/// What waits in a mailbox.
#[derive(Debug, Clone)]
pub(crate) enum Mail {
    Post(Arc<Post>),
    Control(Arc<Control>),
}

impl Mail {
    fn post(&self) -> Option<&Arc<Post>> {
        match self {
            Self::Post(post) => Some(post),
            Self::Control(_) => None,
        }
    }

    fn is_of_one_channel(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Post(one), Self::Post(other)) if one.channel == other.channel)
    }

    fn weight(&self) -> usize {
        match self {
            Self::Post(post) => post.weight(),
            Self::Control(_) => size_of::<Control>(),
        }
    }
}
