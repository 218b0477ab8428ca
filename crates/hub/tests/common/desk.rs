//! Answers that come when the test says so.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll};

use antiphon_hub::Deferred;

/// Keeps what it is asked, until it is told to do it and, in a step of its own, to hand out the answer.
///
/// What is asked about one subject is done in the order in which it was asked, whether or not anybody still waits for the
/// answer: that is how a connection to another server behaves.
#[derive(Default)]
pub(crate) struct Desk {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Kinds of questions that are not answered at once.
    slow: Vec<&'static str>,
    next: u64,
    asked: BTreeMap<String, VecDeque<Job>>,
    /// Answers that nobody has been given yet.
    served: BTreeMap<u64, Weak<dyn Slot>>,
}

struct Job {
    kind: &'static str,
    number: u64,
    act: Box<dyn FnOnce() -> Option<Weak<dyn Slot>> + Send>,
}

trait Slot: Send + Sync {
    fn hand_out(&self);
}

struct Answer<T>(Mutex<(Option<T>, bool)>);

impl<T: Send> Slot for Answer<T> {
    fn hand_out(&self) {
        self.0.lock().unwrap().1 = true;
    }
}

/// Who waits for an answer.
struct Waiting<T>(Arc<Answer<T>>);

impl<T> Future for Waiting<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let mut answer = self.0.0.lock().unwrap();
        if !answer.1 {
            return Poll::Pending;
        }
        answer.0.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Answers these kinds of questions when it is told to, and all others at once.
    pub(crate) fn slow_down(&self, kinds: &[&'static str]) {
        self.lock().slow = kinds.to_vec();
    }

    /// Has `act` done: now, or when it is told to.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        kind: &'static str,
        subject: &str,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> Deferred<T> {
        let mut state = self.lock();
        // Who is answered at once must not overtake.
        let is_slow = state.slow.contains(&kind) || state.asked.contains_key(subject);
        if !is_slow {
            drop(state);
            return Deferred::now(act());
        }
        let answer = Arc::new(Answer(Mutex::new((None, false))));
        let kept = Arc::downgrade(&answer);
        let act = move || {
            let value = act();
            let answer = kept.upgrade()?;
            answer.0.lock().unwrap().0 = Some(value);
            Some(kept as Weak<dyn Slot>)
        };
        let number = state.next;
        state.next += 1;
        let job = Job { kind, number, act: Box::new(act) };
        state.asked.entry(subject.to_owned()).or_default().push_back(job);
        Deferred::later(Waiting(answer))
    }

    /// The subjects that something was asked about which is not done yet.
    pub(crate) fn subjects(&self) -> Vec<String> {
        self.lock().asked.keys().cloned().collect()
    }

    /// Whether something was asked about `subject` that is not done yet.
    pub(crate) fn is_asked_about(&self, subject: &str) -> bool {
        self.lock().asked.contains_key(subject)
    }

    /// Does the first thing that was asked about `subject`. What it was, and the number of its answer.
    pub(crate) fn serve(&self, subject: &str) -> (&'static str, u64) {
        let mut state = self.lock();
        let jobs = state.asked.get_mut(subject).unwrap();
        let job = jobs.pop_front().unwrap();
        if jobs.is_empty() {
            state.asked.remove(subject);
        }
        drop(state);
        if let Some(slot) = (job.act)() {
            self.lock().served.insert(job.number, slot);
        }
        (job.kind, job.number)
    }

    /// The answers that somebody still waits for.
    pub(crate) fn served(&self) -> Vec<u64> {
        let mut state = self.lock();
        state.served.retain(|_, slot| slot.strong_count() > 0);
        state.served.keys().copied().collect()
    }

    /// Hands out an answer. Whoever waits for it has it with its next turn.
    pub(crate) fn hand_out(&self, number: u64) {
        let slot = self.lock().served.remove(&number);
        if let Some(slot) = slot.and_then(|slot| slot.upgrade()) {
            slot.hand_out();
        }
    }

    /// Does the next thing that was asked about any subject and hands out the answer. Nothing where there is none.
    pub(crate) fn do_next(&self) -> Option<&'static str> {
        let subject = self.subjects().into_iter().next()?;
        let (kind, number) = self.serve(&subject);
        self.hand_out(number);
        Some(kind)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}
