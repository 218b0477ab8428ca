//! Answers that are there at once, or come later.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An answer that is there at once, or comes later.
///
/// An engine in memory answers at once and costs no allocation; one on a network answers later. Both are awaited alike.
pub enum Deferred<T> {
    /// It is there. `None` once it has been taken.
    Now(Option<T>),
    /// It comes.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Deferred<T> {
    /// An answer that is there.
    pub fn now(value: T) -> Self {
        Self::Now(Some(value))
    }

    /// An answer that comes.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }
}

impl<T: Unpin> Future for Deferred<T> {
    type Output = T;

    /// # Panics
    /// When it is polled after it has answered, as every future may.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match &mut *self {
            Self::Now(value) => Poll::Ready(value.take().expect("an answer is given once")),
            Self::Later(future) => future.as_mut().poll(cx),
        }
    }
}

impl<T> fmt::Debug for Deferred<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Deferred::Now",
            Self::Later(_) => "Deferred::Later",
        })
    }
}
