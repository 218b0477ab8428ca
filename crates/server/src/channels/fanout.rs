//! The channels of one worker: its members, and the delivery to them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use antiphon_proto::Prepared;
use slab::Slab;

use super::{Encoding, Hub, Publication, WorkerId};

/// Somebody in a channel: a socket of this worker. Its methods must not come back to the [`Fanout`].
pub(crate) trait Member {
    fn encoding(&self) -> Encoding;
    /// Takes a frame to be written. True if it is the first since the last flush.
    fn queue(&self, frame: &Prepared) -> bool;
    /// Writes what was queued.
    fn flush(&self);
}

/// The members of one channel on one worker, each under the key that ends its membership.
type Members = Slab<Rc<dyn Member>>;

/// The channels of one worker.
pub(crate) struct Fanout {
    hub: Arc<Hub>,
    worker: WorkerId,
    /// Each channel with its members on this worker, never none.
    channels: RefCell<HashMap<Box<str>, Members>>,
    scratch: RefCell<Scratch>,
}

/// What a delivery needs, kept so that it need not be allocated each time.
#[derive(Default)]
struct Scratch {
    posts: Vec<Arc<Publication>>,
    queued: Vec<Rc<dyn Member>>,
}

impl Fanout {
    pub(crate) fn new(hub: Arc<Hub>, worker: WorkerId) -> Self {
        Self { hub, worker, channels: RefCell::default(), scratch: RefCell::default() }
    }

    /// Adds a member to a channel. What it gives ends the membership.
    pub(crate) fn join(&self, channel: &str, member: Rc<dyn Member>) -> usize {
        let mut channels = self.channels.borrow_mut();
        if let Some(members) = channels.get_mut(channel) {
            return members.insert(member);
        }
        let mut members = Members::with_capacity(1);
        let key = members.insert(member);
        channels.insert(channel.into(), members);
        self.hub.watch(channel, self.worker);
        key
    }

    /// Takes a member out of a channel.
    pub(crate) fn leave(&self, channel: &str, key: usize) {
        let mut channels = self.channels.borrow_mut();
        let Some(members) = channels.get_mut(channel) else { return };
        members.try_remove(key);
        if members.is_empty() {
            channels.remove(channel);
            self.hub.unwatch(channel, self.worker);
        }
    }

    /// Publishes; [`deliver`](Self::deliver) must follow before the caller's turn ends.
    pub(crate) fn publish(&self, publication: Publication) {
        self.hub.publish(publication, self.worker);
    }

    /// Delivers all that waits for this worker: first every frame to every member, then one flush for each of them.
    pub(crate) fn deliver(&self) {
        let mut scratch = self.scratch.borrow_mut();
        let Scratch { posts, queued } = &mut *scratch;
        self.hub.take(self.worker, posts);
        let channels = self.channels.borrow();
        for publication in posts.drain(..) {
            for (_, member) in channels.get(&publication.channel).into_iter().flatten() {
                if member.queue(publication.frame(member.encoding())) {
                    queued.push(Rc::clone(member));
                }
            }
        }
        drop(channels);
        for member in queued.drain(..) {
            member.flush();
        }
    }
}
