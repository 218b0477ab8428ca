//! The run loop: the one place that reads, writes, and keeps the time.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use antiphon_proto::{Connection, Delivery, Eof, Event, Input, Prepared, SendError};
use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until};
use tokio_util::io::poll_read_buf;

use super::{Failure, Stash, WebSocket, buffers};

/// So many chunks go into one vectored write.
const WRITE_CHUNKS: usize = 32;

/// After so many reads in one poll, other tasks have their turn.
const READS_PER_POLL: u32 = 32;

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The handler broke off. What it has not seen is kept.
    Paused,
    /// The connection has ended, and the transport can be dropped.
    Done,
}

/// What a flush came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// All has been handed to the operating system.
    Complete,
    /// The peer does not read fast enough. The task that drives the socket must be woken: it waits for the stream from then on.
    Blocked,
}

/// What a turn leaves of its input.
struct Left {
    count: usize,
    plain: usize,
    unpolled: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Drives the connection: hands everything that comes to `handler`, as long as it does not break off, and writes what it
    /// queues, once for all that one read brought.
    ///
    /// While more than half of [`Limits::outbox`](antiphon_proto::Limits::outbox) waits to be written nothing is read: a peer
    /// that does not take its answers cannot ask for more. Nor is `handler` called: one answer to each event always finds room.
    pub fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        handler: &mut dyn FnMut(&mut Connection, Event<'_>) -> ControlFlow<()>,
    ) -> Poll<Turn> {
        let mut armed = false;
        self.state.told = false;
        for _ in 0..READS_PER_POLL {
            let written = self.poll_write(cx);
            if self.connection.is_closed() {
                // Told here, since nothing more may come.
                if self.handle(cx, &mut [], handler).is_break() {
                    return Poll::Ready(Turn::Paused);
                }
                // What this end said last may still have to be flushed.
                if self.connection.is_done() && (written.is_ready() || self.is_cut_off()) {
                    self.timer = None;
                    if !self.state.shut_down {
                        // The peer need not wait for the end of the stream until this socket is dropped.
                        let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
                        self.state.shut_down = true;
                    }
                    return Poll::Ready(Turn::Done);
                }
            }
            let due = (!armed || self.is_timer_late()) && self.poll_timer(cx).is_ready();
            armed = !due;
            let blocked = written.is_pending() && self.is_congested();
            let input = if blocked { Poll::Pending } else { self.poll_input(cx, handler) };
            // After the input: what has come by now counts, though nobody was there to read it.
            if due {
                self.handle_due();
            }
            match input {
                // What was queued goes out with what is queued until the next turn, or with the next flush.
                Poll::Ready(ControlFlow::Break(())) => return Poll::Ready(Turn::Paused),
                Poll::Pending if !due => {
                    self.connection.outbox().release();
                    return Poll::Pending;
                }
                _ => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Queues a message that was made into a frame once for many connections; [`try_flush`](Self::try_flush) writes it.
    pub fn queue(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        self.connection.send_prepared(prepared)
    }

    /// Writes what waits, as far as the operating system takes it at once. Meant for the turn of another connection: no task
    /// is woken for this one unless it is needed.
    pub fn try_flush(&mut self) -> Flush {
        // The budget of tokio's tasks is for what a task does for itself. Whoever writes to a thousand others in its turn would
        // have used it up after a few of them, and the rest would look blocked.
        let write = unconstrained(poll_fn(|cx| self.poll_write(cx)));
        match pin!(write).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(()) => Flush::Complete,
            Poll::Pending => Flush::Blocked,
        }
    }

    /// From now on a turn that has told of something pauses before the peer's Close: whoever answers messages after the turn, not
    /// in the handler, still can. After the Close nothing can be sent.
    pub fn pause_before_close(&mut self) {
        self.state.pauses = true;
    }

    /// Ready when nothing waits to be written. Timers are kept meanwhile, but no message is received.
    pub fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_write_in_time(cx)
    }

    /// Whether so much waits that nothing more should be asked of the peer.
    pub(super) fn is_congested(&mut self) -> bool {
        let limit = self.connection.config().limits.outbox;
        self.connection.outbox().len() > limit / 2
    }

    /// Writes what waits, and shuts this side down when all has been said. Ready when nothing waits any more.
    ///
    /// When writing fails, what had come before is still read: the engine hears of the failure when that is over.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.failure.is_none() {
            match ready!(self.try_poll_write(cx)) {
                Ok(()) => return Poll::Ready(()),
                Err(error) => self.fail(error),
            }
        }
        let outbox = self.connection.outbox();
        outbox.advance(outbox.len());
        Poll::Ready(())
    }

    /// [`poll_write`](Self::poll_write) for one who does not receive meanwhile: deadlines are kept.
    pub(super) fn poll_write_in_time(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.poll_write(cx).is_pending() && !self.is_cut_off() {
            ready!(self.poll_timer(cx));
            self.listen(cx);
            self.handle_due();
        }
        Poll::Ready(())
    }

    /// Whether the connection has ended before all was written, and nothing will be any more.
    pub(super) fn is_cut_off(&self) -> bool {
        self.connection.is_done() && self.connection.poll_timeout().is_none()
    }

    fn fail(&mut self, error: io::Error) {
        // The reading side tells soon as a rule; the budget of a close is for a stream that does not.
        let until = (Instant::now() + self.connection.config().close.0).into_std();
        self.failure = Some(Box::new(Failure { error: Some(error), until }));
    }

    fn try_poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.connection.outbox().is_empty() {
            let outbox = self.connection.outbox();
            let stream = Pin::new(&mut self.stream);
            let written = if outbox.is_contiguous() {
                stream.poll_write(cx, outbox.chunk())
            } else {
                let mut chunks = [IoSlice::new(&[]); WRITE_CHUNKS];
                let used = outbox.chunks_vectored(&mut chunks);
                stream.poll_write_vectored(cx, chunks.get(..used).unwrap_or_default())
            };
            let was_blocked = std::mem::replace(&mut self.state.blocked, written.is_pending());
            let written = ready!(written)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            outbox.advance(written);
            self.state.unflushed = true;
            if was_blocked {
                self.connection.handle_progress();
            }
        }
        if self.state.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.state.unflushed = false;
        }
        if self.connection.wants_shutdown() && !self.state.shut_down {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.state.shut_down = true;
        }
        Poll::Ready(Ok(()))
    }

    /// When something is to be done though nothing happens.
    fn deadline(&self) -> Option<std::time::Instant> {
        let deadline = self.connection.poll_timeout();
        match &self.failure {
            Some(failure) if !self.state.eof => {
                Some(deadline.map_or(failure.until, |deadline| deadline.min(failure.until)))
            }
            _ => deadline,
        }
    }

    /// Whether the timer would fire after the deadline.
    fn is_timer_late(&self) -> bool {
        let Some(deadline) = self.deadline() else { return false };
        self.timer.as_ref().is_none_or(|timer| timer.deadline().into_std() > deadline)
    }

    /// Ready when a deadline has passed: [`handle_due`](Self::handle_due) is to be called, which moves the timer on.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline().map(Instant::from_std) else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        // Deadlines move back with everything that is heard; the timer follows only when it fires.
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }

    /// Tells the engine that a deadline has passed.
    fn handle_due(&mut self) {
        let now = Instant::now().into_std();
        self.connection.handle_timeout(now);
        if !self.state.eof && self.failure.as_ref().is_some_and(|failure| failure.until <= now) {
            self.end_of_stream(Ok(()));
        }
        match (self.deadline(), &mut self.timer) {
            (Some(next), Some(timer)) => timer.as_mut().reset(Instant::from_std(next)),
            _ => self.timer = None,
        }
    }

    /// Reads once for one who does not receive, so that what the peer has said by now is known, and keeps it.
    fn listen(&mut self, cx: &mut Context<'_>) {
        if !self.stash.is_empty() || self.state.eof {
            return;
        }
        buffers::with_input(|buffer| {
            let mut read = ReadBuf::new(buffer);
            let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, &mut read) else { return };
            if result.is_err() || read.filled().is_empty() {
                self.end_of_stream(result);
            } else {
                self.stash = Stash { bytes: read.filled().to_vec(), ..Stash::default() };
                self.connection.handle_progress();
            }
        });
    }

    /// Hands what was kept, or what one read brings, to the handler.
    fn poll_input(
        &mut self,
        cx: &mut Context<'_>,
        handler: &mut dyn FnMut(&mut Connection, Event<'_>) -> ControlFlow<()>,
    ) -> Poll<ControlFlow<()>> {
        if !self.stash.is_empty() {
            let Stash { mut bytes, start, plain, .. } = std::mem::take(&mut self.stash);
            let rest = bytes.get_mut(start..).unwrap_or_default();
            let length = rest.len();
            let (flow, left) = self.handle_input(cx, Input::resume(rest, plain), handler);
            if let Some(Left { count, plain, unpolled }) = left {
                self.stash = Stash { start: start + length - count, bytes, plain, unpolled };
            }
            return Poll::Ready(flow);
        }
        if self.state.eof {
            return Poll::Pending;
        }
        let direct = self.connection.payload_buffer();
        let direct = direct.map(|mut payload| poll_read_buf(Pin::new(&mut self.stream), cx, &mut payload));
        if let Some(read) = direct {
            match ready!(read) {
                Ok(count) if count > 0 => {
                    self.connection.handle_payload(count);
                    return Poll::Ready(self.handle(cx, &mut [], handler));
                }
                result => self.end_of_stream(result.map(|_| ())),
            }
            return Poll::Ready(ControlFlow::Continue(()));
        }
        buffers::with_input(|buffer| {
            let mut read = ReadBuf::new(buffer);
            let result = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read));
            let length = read.filled().len();
            match result {
                Err(error) => self.end_of_stream(Err(error)),
                Ok(()) if length == 0 => self.end_of_stream(Ok(())),
                Ok(()) => {
                    let input = buffer.get_mut(..length).unwrap_or_default();
                    return Poll::Ready(self.handle(cx, input, handler));
                }
            }
            Poll::Ready(ControlFlow::Continue(()))
        })
    }

    /// Hands fresh input to the handler, with the thread's output buffer for what it queues, and keeps what it leaves.
    fn handle(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut [u8],
        handler: &mut dyn FnMut(&mut Connection, Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let length = input.len();
        let (flow, left) = self.handle_input(cx, Input::new(input), handler);
        if let Some(Left { count, plain, unpolled }) = left {
            let bytes = input.get(length - count..).unwrap_or_default().to_vec();
            self.stash = Stash { bytes, start: 0, plain, unpolled };
        }
        flow
    }

    /// Answers whether the handler broke off, and what is left for the next turn.
    fn handle_input(
        &mut self,
        cx: &mut Context<'_>,
        mut input: Input<'_>,
        handler: &mut dyn FnMut(&mut Connection, Event<'_>) -> ControlFlow<()>,
    ) -> (ControlFlow<()>, Option<Left>) {
        let now = Instant::now().into_std();
        let lent = self.connection.outbox().lend(buffers::take_output());
        let mut flow = ControlFlow::Continue(());
        let mut unpolled = true;
        while flow.is_continue()
            && (!self.is_congested() || self.poll_write(cx).is_ready() || !self.is_congested())
        {
            if self.state.pauses && self.state.told && is_close_next(&input) {
                flow = ControlFlow::Break(());
                break;
            }
            let Some(event) = self.connection.poll(now, &mut input) else {
                unpolled = false;
                break;
            };
            flow = handler(&mut self.connection, event);
            self.state.told = true;
        }
        // What the operating system does not take now is written when it asks for more.
        let _ = self.poll_write(cx);
        match lent {
            Some(buffer) => buffers::give_output(buffer),
            None => buffers::give_output(self.connection.outbox().reclaim()),
        }
        // A whole message is told with the last of its bytes; what is streamed may have a part or an end to come.
        unpolled &= self.connection.config().delivery == Delivery::Streamed;
        let (rest, plain) = input.rest();
        let left = Left { count: rest.len(), plain, unpolled };
        (flow, (left.count > 0 || unpolled).then_some(left))
    }

    fn end_of_stream(&mut self, result: io::Result<()>) {
        let now = Instant::now().into_std();
        self.state.eof = true;
        match (result, &self.failure) {
            (Ok(()), None) => self.connection.handle_eof(now, Eof::Clean),
            (Err(error), None) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.connection.handle_eof(now, Eof::Truncated);
            }
            (Err(error), None) => {
                self.fail(error);
                self.connection.handle_reset(now);
            }
            (_, Some(_)) => self.connection.handle_reset(now),
        }
    }
}

/// Whether the next frame is a Close (§5.5.1), as far as its first byte tells.
fn is_close_next(input: &Input<'_>) -> bool {
    const CLOSE: u8 = 0x8;
    matches!(input.rest(), ([first, ..], 0) if first & 0x0f == CLOSE)
}
