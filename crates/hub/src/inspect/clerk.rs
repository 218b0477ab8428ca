//! One worker's answers to what is asked of its connections.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::Moment;
use super::inquiry::{Inquiry, Part, Question};
use super::scan::Scan;
use crate::channels::Local;

/// So many connections are looked at in one turn. That takes well below a millisecond; then others have theirs.
pub(super) const LOOKS: usize = 1000;

/// The lists that one worker is making.
#[derive(Default)]
pub(crate) struct Clerk(RefCell<VecDeque<Scan>>);

impl Local {
    /// Ready when the inspector asks something of this worker, and [`answer`](Self::answer) has something to do.
    pub fn poll_asked(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.clerk().0.borrow().is_empty() { self.tray().poll_some(cx) } else { Poll::Ready(()) }
    }

    /// Answers for one turn what the inspector asks. `now` and `unix_ms`, in milliseconds since 1970, are the same moment. What it
    /// gives is how many connections were looked at: no more than a thousand, however many there are.
    pub fn answer(&self, now: Instant, unix_ms: u64) -> usize {
        let moment = Moment { now, unix_ms };
        for inquiry in self.tray().take() {
            self.begin(inquiry, moment);
        }
        // It is put back behind the others.
        let scan = self.clerk().0.borrow_mut().pop_front();
        let Some(mut scan) = scan.filter(|scan| !scan.inquiry().is_dropped()) else { return 0 };
        let looks = scan.go_on(self);
        if scan.is_done() {
            scan.answer();
        } else {
            self.clerk().0.borrow_mut().push_back(scan);
        }
        looks
    }

    fn begin(&self, inquiry: Arc<Inquiry>, moment: Moment) {
        let client = |id: &str| self.clients().key(id).and_then(|key| self.clients().at(key));
        match &inquiry.question {
            Question::List(_) => {
                if let Some(scan) = Scan::new(self, inquiry) {
                    self.clerk().0.borrow_mut().push_back(scan);
                }
            }
            Question::Look(id) => {
                let detail = client(id).and_then(|(_, member)| {
                    let load = member.load();
                    member.session().map(|session| session.exhibit().detail(load, moment))
                });
                inquiry.answer(detail.map(|detail| Part::Looked(Box::new(detail))));
            }
            Question::Trace(id, trace) => {
                let found = client(id).filter(|(_, member)| {
                    let session = member.session();
                    let found = session.is_some_and(|session| session.exhibit().trace(trace.as_ref()));
                    member.trace(found && trace.as_ref().is_some_and(|trace| trace.is_on()));
                    found
                });
                inquiry.answer(found.map(|_| Part::Traced));
            }
        }
    }
}
