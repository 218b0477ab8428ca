//! A member's place in a channel: what it takes of what happens there, and where in the stream it is.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::Member;
use super::post::{Form, Post};
use crate::engine::Event;
use crate::filter::FilterNode;
use crate::protocol::{Encoding, Position};

/// What a member wants of a channel.
#[derive(Debug, Clone)]
pub(crate) struct Wants {
    /// How it takes publications; `None` takes the bare data.
    pub(crate) encoding: Option<Encoding>,
    /// Whether it takes joins and leaves.
    pub(crate) join_leave: bool,
    /// Whether it takes differences.
    pub(crate) delta: bool,
    /// Which publications it takes; all without one.
    pub(crate) filter: Option<Box<FilterNode>>,
}

/// Bytes that may be kept for a member that is held, before it counts as lost.
const HELD_BYTES: usize = 1024 * 1024;

/// A member in a channel.
pub(super) struct Place {
    pub(super) member: Rc<dyn Member>,
    wants: Wants,
    /// The offset of the publication that was taken last: only to that one may a difference come. 0 where it has none, or none
    /// was taken.
    base: Cell<u64>,
    stage: RefCell<Stage>,
}

/// ```text
///   Held ── release ──► Live ── gap, other epoch ──► Lost
///     │ too much held                                 ▲
///     └───────────────────────────────────────────────┘
/// ```
enum Stage {
    /// The subscription is not answered yet: what comes is kept.
    Held {
        posts: Vec<Arc<Post>>,
        bytes: usize,
    },
    Live,
    /// Each publication must follow the one before it.
    Positioned {
        offset: u64,
        epoch: Arc<str>,
    },
    /// Something was missed: nothing more is taken.
    Lost,
}

/// What a member makes of a post.
pub(super) enum Taken {
    Frame(Form),
    Nothing,
    /// The member has missed something: it must be told.
    Lost,
}

impl Place {
    pub(super) fn new(member: Rc<dyn Member>, wants: Wants, is_held: bool) -> Self {
        let stage = if is_held { Stage::Held { posts: Vec::new(), bytes: 0 } } else { Stage::Live };
        Self { member, wants, base: Cell::new(0), stage: RefCell::new(stage) }
    }

    /// Ends the holding at a position, where the subscription has one. What was kept is to be taken now.
    /// `has_base` says that the member has the publication at the position.
    pub(super) fn release(&self, position: Option<Position>, has_base: bool) -> Vec<Arc<Post>> {
        let mut stage = self.stage.borrow_mut();
        self.base.set(position.as_ref().filter(|_| has_base).map_or(0, |position| position.offset));
        let next = match position {
            Some(Position { offset, epoch }) => Stage::Positioned { offset, epoch: epoch.into() },
            None => Stage::Live,
        };
        match std::mem::replace(&mut *stage, next) {
            Stage::Held { posts, .. } => posts,
            Stage::Lost => {
                *stage = Stage::Lost;
                Vec::new()
            }
            Stage::Live | Stage::Positioned { .. } => Vec::new(),
        }
    }

    /// Whether something was missed.
    pub(super) fn is_lost(&self) -> bool {
        matches!(&*self.stage.borrow(), Stage::Lost)
    }

    /// Where it is in the stream.
    pub(super) fn position(&self) -> Option<Position> {
        match &*self.stage.borrow() {
            Stage::Positioned { offset, epoch } => {
                Some(Position { offset: *offset, epoch: epoch.to_string() })
            }
            Stage::Held { .. } | Stage::Live | Stage::Lost => None,
        }
    }

    /// Whether the member takes joins and leaves.
    pub(super) fn sees_joins(&self) -> bool {
        self.wants.join_leave
    }

    pub(super) fn take(&self, post: &Arc<Post>) -> Taken {
        let mut stage = self.stage.borrow_mut();
        match &mut *stage {
            Stage::Lost => return Taken::Nothing,
            Stage::Held { posts, bytes } => {
                *bytes += post.weight();
                if *bytes <= HELD_BYTES {
                    posts.push(Arc::clone(post));
                    return Taken::Nothing;
                }
                *stage = Stage::Lost;
                return Taken::Lost;
            }
            Stage::Live | Stage::Positioned { .. } => {}
        }
        let (publication, previous, epoch) = match &post.event {
            Event::Publication { publication, previous, epoch } => (publication, previous, epoch),
            Event::Join(_) | Event::Leave(_) => return self.take_presence(),
        };
        if let Stage::Positioned { offset, epoch: known } = &mut *stage
            && publication.offset > 0
        {
            if !Arc::ptr_eq(known, epoch) {
                // Before there was a publication the stream may have had no epoch. From now on the two are the same memory.
                if !known.is_empty() && known != epoch {
                    *stage = Stage::Lost;
                    return Taken::Lost;
                }
                *known = Arc::clone(epoch);
            }
            if publication.offset > *offset + 1 {
                *stage = Stage::Lost;
                return Taken::Lost;
            }
            if publication.offset <= *offset {
                return Taken::Nothing;
            }
            *offset = publication.offset;
        }
        drop(stage);
        if self.wants.filter.as_ref().is_some_and(|filter| !filter.matches(&publication.tags)) {
            return Taken::Nothing;
        }
        let base = self.base.replace(publication.offset);
        let is_to_base =
            previous.as_ref().is_some_and(|previous| previous.offset > 0 && previous.offset == base);
        let patch = self.wants.delta && is_to_base;
        Taken::Frame(match (self.wants.encoding, patch) {
            (None, _) => Form::Raw,
            (Some(Encoding::Json), true) => Form::JsonPatch,
            (Some(Encoding::Json), false) if self.wants.delta => Form::JsonWhole,
            (Some(Encoding::Json), false) => Form::Json,
            (Some(Encoding::Protobuf), true) => Form::ProtobufPatch,
            (Some(Encoding::Protobuf), false) => Form::Protobuf,
        })
    }

    fn take_presence(&self) -> Taken {
        match self.wants.encoding {
            Some(Encoding::Json) if self.wants.join_leave => Taken::Frame(Form::Json),
            Some(Encoding::Protobuf) if self.wants.join_leave => Taken::Frame(Form::Protobuf),
            _ => Taken::Nothing,
        }
    }
}
