//! One socket for two tasks.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use antiphon_proto::{CloseCode, End, InvalidClose};
use tokio::io::{AsyncRead, AsyncWrite};

use super::WebSocket;
use crate::error::Error;
use crate::message::Message;

/// The half that receives, and drives the connection.
#[derive(Debug)]
pub struct Receiver<S>(Arc<Shared<S>>);

/// The half that sends.
#[derive(Debug)]
pub struct Sender<S>(Arc<Shared<S>>);

#[derive(Debug)]
struct Shared<S> {
    socket: Mutex<WebSocket<S>>,
    wakers: Arc<Wakers>,
}

/// A stream keeps one waker for each direction, and either half may wait for either. So both wait with this one, which wakes
/// both.
#[derive(Debug, Default)]
struct Wakers {
    receiver: Mutex<Option<Waker>>,
    sender: Mutex<Option<Waker>>,
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        for slot in [&self.receiver, &self.sender] {
            if let Some(waker) = lock(slot).take() {
                waker.wake();
            }
        }
    }
}

/// No code that holds a lock here panics but by a bug of a stream; then the other half goes on as far as it can.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Splits the socket, so that one task receives while another sends.
    ///
    /// The receiver answers Pings and Close frames; it must be polled for the connection to live.
    pub fn split(self) -> (Sender<S>, Receiver<S>) {
        let shared = Arc::new(Shared { socket: Mutex::new(self), wakers: Arc::default() });
        (Sender(Arc::clone(&shared)), Receiver(shared))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    fn poll<T>(
        &self,
        slot: &Mutex<Option<Waker>>,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut WebSocket<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        *lock(slot) = Some(cx.waker().clone());
        let both = Waker::from(Arc::clone(&self.wakers));
        poll(&mut lock(&self.socket), &mut Context::from_waker(&both))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// The next message, as [`WebSocket::recv`].
    ///
    /// # Errors
    ///
    /// The connection ended otherwise than by the closing handshake.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.0.poll(&self.0.wakers.receiver, cx, WebSocket::poll_recv)).await
    }

    /// How the connection ended, once it has.
    pub fn end(&self) -> Option<End> {
        lock(&self.0.socket).end()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// Sends a message, as [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// The message cannot be sent, or the connection has ended.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a message, as [`WebSocket::feed`].
    ///
    /// # Errors
    ///
    /// The message cannot be sent, or the connection has ended.
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        poll_fn(|cx| self.0.poll(&self.0.wakers.sender, cx, WebSocket::poll_room)).await;
        lock(&self.0.socket).start_send(message.into())
    }

    /// Waits until all that was sent has been handed to the operating system.
    ///
    /// # Errors
    ///
    /// The connection has ended.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.0.poll(&self.0.wakers.sender, cx, WebSocket::poll_flush_all)).await
    }

    /// Sends a Close frame. The receiver goes on until the end.
    ///
    /// # Errors
    ///
    /// A Close frame cannot say this.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), InvalidClose> {
        let result = lock(&self.0.socket).start_close(code, reason);
        // The receiver writes it, and keeps the time of the closing handshake from now on.
        Arc::clone(&self.0.wakers).wake();
        result
    }
}
