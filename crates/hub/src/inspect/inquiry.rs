//! A question to all workers, and its way.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::scan::Listed;
use super::{ConnectionDetail, Filter, Trace};
use crate::channels::Hub;

/// What is asked.
#[derive(Debug)]
pub(super) enum Question {
    List(Box<Filter>),
    /// One connection, by its id.
    Look(Box<str>),
    /// Write down what passes on a connection, or no more.
    Trace(Box<str>, Option<Arc<Trace>>),
}

/// What one worker has to say.
#[derive(Debug)]
pub(super) enum Part {
    Listed(Listed),
    Looked(Box<ConnectionDetail>),
    /// The connection is there, and does it.
    Traced,
}

/// A question to all workers.
#[derive(Debug)]
pub(super) struct Inquiry {
    pub(super) question: Question,
    answers: Mutex<Answers>,
    /// Nobody waits for the answer any more.
    is_dropped: AtomicBool,
}

#[derive(Debug, Default)]
struct Answers {
    parts: Vec<Part>,
    /// How many workers have not answered.
    missing: usize,
    asker: Option<Waker>,
}

impl Inquiry {
    /// Whether nobody waits for the answer any more.
    pub(super) fn is_dropped(&self) -> bool {
        self.is_dropped.load(Ordering::Relaxed)
    }

    /// A worker answers. Each does so once, if only that it has nothing to say.
    pub(super) fn answer(&self, part: Option<Part>) {
        let mut answers = lock(&self.answers);
        answers.parts.extend(part);
        answers.missing -= 1;
        let asker = if answers.missing == 0 { answers.asker.take() } else { None };
        drop(answers);
        if let Some(asker) = asker {
            asker.wake();
        }
    }
}

/// Asks all workers.
pub(super) fn ask(hub: &Hub, question: Question) -> Asked {
    let trays = hub.trays();
    let answers = Mutex::new(Answers { missing: trays.len(), ..Answers::default() });
    let inquiry = Arc::new(Inquiry { question, answers, is_dropped: AtomicBool::new(false) });
    trays.iter().for_each(|tray| tray.put(Arc::clone(&inquiry)));
    Asked(inquiry)
}

/// The answers of all workers, when the last of them is there.
#[derive(Debug)]
pub(super) struct Asked(Arc<Inquiry>);

impl Future for Asked {
    type Output = Vec<Part>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut answers = lock(&self.0.answers);
        if answers.missing > 0 {
            answers.asker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut answers.parts))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.is_dropped.store(true, Ordering::Relaxed);
    }
}

/// The questions that wait for one worker.
#[derive(Debug, Default)]
pub(crate) struct Tray(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    inquiries: Vec<Arc<Inquiry>>,
    /// The worker's task that answers them.
    reader: Option<Waker>,
}

impl Tray {
    fn put(&self, inquiry: Arc<Inquiry>) {
        let mut waiting = lock(&self.0);
        waiting.inquiries.push(inquiry);
        let reader = waiting.reader.take();
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub(super) fn take(&self) -> Vec<Arc<Inquiry>> {
        std::mem::take(&mut lock(&self.0).inquiries)
    }

    /// Ready when there is something to take.
    pub(super) fn poll_some(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = lock(&self.0);
        if waiting.inquiries.is_empty() {
            waiting.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under the locks leaves them half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
