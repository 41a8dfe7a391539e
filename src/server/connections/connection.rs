//! One client connection: what it does now, how much of it may be read, and when it is closed.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::server::connection_limits::{ConnectionLimits, READ_AHEAD_BYTES, WANTED_BODY_BYTES};
use crate::server::connections::room::Room;

/// Time for which a new connection is not closed for another one: its first request can be on its way.
const FIRST_REQUEST_TIME: Duration = Duration::from_secs(1);

/// The state of a connection. The task that serves it changes the phase; any thread can close it.
#[derive(Debug)]
pub struct Connection {
    limits: ConnectionLimits,
    room: Arc<Room>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// When the connection is closed. `None` while the client waits for the gateway.
    deadline: Option<Instant>,
    closed: Option<Closing>,
    /// `true` until the first request.
    is_new: bool,
    /// Wakes the task that serves the connection.
    waker: Option<Waker>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Idle: no request is being answered. `rest_of_body`: the last request was answered before its body was complete.
    Idle { since: Instant, rest_of_body: bool },
    /// A request is being answered.
    Answering(RequestBody),
    /// The answer is complete, but not all of it is with the system.
    Sending { rest_of_body: bool },
}

/// The unread part of a request's body.
#[derive(Debug, Clone, Copy)]
pub struct RequestBody {
    unread: Unread,
    /// Number of bytes that may be read now.
    allowance: u64,
}

#[derive(Debug, Clone, Copy)]
enum Unread {
    /// This number of bytes.
    Bytes(u64),
    /// An unknown number of bytes.
    Chunks,
}

impl RequestBody {
    /// Returns the body of a request with this length. A small body is read at once, a larger one when the handler asks for it.
    pub const fn sized(length: u64) -> Self {
        Self { unread: Unread::Bytes(length), allowance: if length <= READ_AHEAD_BYTES { length } else { 0 } }
    }

    /// Returns the body of a request with `Transfer-Encoding: chunked`.
    pub const fn chunked() -> Self {
        Self { unread: Unread::Chunks, allowance: 0 }
    }

    const fn is_unread(self) -> bool {
        !matches!(self.unread, Unread::Bytes(0))
    }
}

/// What happens to the bytes that the client of a closed connection has not taken yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The system sends them.
    Send,
    /// The system discards them.
    Discard,
}

/// The rank of a connection among those that can be closed for a new one: idle connections first, and the longest time first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClosingRank {
    /// No request is being answered since this time.
    Idle(Instant),
    /// The client has not taken the current chunk of its answer since this time.
    Stalled(Instant),
}

impl ClosingRank {
    /// Returns how the connection is closed. An idle one can just have been answered.
    pub(super) const fn closing(self) -> Closing {
        match self {
            Self::Idle(_) => Closing::Send,
            Self::Stalled(_) => Closing::Discard,
        }
    }
}

/// What may be read from a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// The next request's head.
    Head,
    /// The rest of a body that is ignored, and then the next request's head.
    RestOfBody,
    /// At most this number of bytes of the body.
    Body(u64),
    /// Bytes of a body in chunks, which can be followed by the next request.
    Chunks(u64),
    /// Nothing until the answer has been sent, or the handler asks for more of the body.
    Nothing,
}

impl Connection {
    /// Creates the state of a connection that has just been accepted. `room` is notified when it is idle.
    pub(super) fn new(limits: ConnectionLimits, room: Arc<Room>) -> Self {
        let now = Instant::now();
        let phase = Phase::Idle { since: now, rest_of_body: false };
        let state = State { phase, deadline: Some(now + limits.header_timeout), closed: None, is_new: true, waker: None };
        Self { limits, room, state: Mutex::new(state) }
    }

    /// Starts the answer to a request: the client waits for the gateway.
    pub(super) fn start_answer(&self, body: RequestBody) {
        let mut state = self.state.lock();
        state.phase = Phase::Answering(body);
        state.is_new = false;
        state.deadline = None;
    }

    /// Ends the answer: the framework has all of it in its buffer.
    pub(super) fn end_answer(&self) {
        let mut state = self.state.lock();
        if let Phase::Answering(body) = state.phase {
            state.phase = Phase::Sending { rest_of_body: body.is_unread() };
        }
        state.deadline = Some(Instant::now() + self.limits.chunk_timeout);
    }

    /// Records that the buffers are empty. If that ends an answer, the connection is idle; returns `true` then.
    pub(super) fn flushed(&self) -> bool {
        let mut state = self.state.lock();
        let Phase::Sending { rest_of_body } = state.phase else { return false };
        let since = Instant::now();
        state.phase = Phase::Idle { since, rest_of_body };
        state.deadline = Some(since + self.limits.keep_alive + self.limits.header_timeout);
        drop(state);
        self.room.announce();
        true
    }

    /// Removes the deadline: the client waits for the gateway.
    pub(super) fn clear_deadline(&self) {
        self.state.lock().deadline = None;
    }

    /// Sets the deadline for the client to take the next [`CHUNK_BYTES`](crate::server::connection_limits::CHUNK_BYTES).
    pub(super) fn expect_chunk_read(&self) {
        self.state.lock().deadline = Some(Instant::now() + self.limits.chunk_timeout);
    }

    /// Allows the connection to read more of the body: the handler waits for it.
    pub(super) fn want_body(&self) {
        let mut state = self.state.lock();
        let Phase::Answering(body) = &mut state.phase else { return };
        body.allowance = WANTED_BODY_BYTES;
        if let Some(waker) = &state.waker {
            waker.wake_by_ref();
        }
    }

    /// Records that the handler has read the body to its end.
    pub(super) fn body_complete(&self) {
        if let Phase::Answering(body) = &mut self.state.lock().phase {
            body.unread = Unread::Bytes(0);
        }
    }

    /// Returns what may be read now.
    pub(super) fn readable(&self) -> Readable {
        match self.state.lock().phase {
            Phase::Idle { rest_of_body: false, .. } => Readable::Head,
            Phase::Idle { rest_of_body: true, .. } => Readable::RestOfBody,
            Phase::Answering(RequestBody { allowance: 0, .. } | RequestBody { unread: Unread::Bytes(0), .. }) | Phase::Sending { .. } => {
                Readable::Nothing
            }
            Phase::Answering(RequestBody { unread: Unread::Bytes(unread), allowance }) => Readable::Body(unread.min(allowance)),
            Phase::Answering(RequestBody { unread: Unread::Chunks, allowance }) => Readable::Chunks(allowance),
        }
    }

    /// Records that bytes of the body have been read.
    pub(super) fn body_read(&self, bytes: u64) {
        let mut state = self.state.lock();
        let Phase::Answering(body) = &mut state.phase else { return };
        body.allowance = body.allowance.saturating_sub(bytes);
        if let Unread::Bytes(unread) = &mut body.unread {
            *unread = unread.saturating_sub(bytes);
        }
    }

    /// Returns `true` if no request is being answered.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Idle { .. })
    }

    /// Returns the rank of the connection among those that can be closed for a new one; the lowest is closed first. `None` if it cannot be
    /// closed.
    pub(super) fn closing_rank(&self, now: Instant) -> Option<ClosingRank> {
        let state = self.state.lock();
        if let Phase::Idle { since, .. } = state.phase {
            let is_closable = !state.is_new || now.saturating_duration_since(since) >= FIRST_REQUEST_TIME;
            return is_closable.then_some(ClosingRank::Idle(since));
        }
        // The client does not take its answer if the answer has a deadline.
        let since = state.deadline?.checked_sub(self.limits.chunk_timeout)?;
        (now.saturating_duration_since(since) >= self.limits.chunk_timeout / 3).then_some(ClosingRank::Stalled(since))
    }

    /// Returns `true` if the deadline has passed.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.state.lock().deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Closes the connection: the task that serves it finds it broken.
    pub(super) fn close(&self, closing: Closing) {
        let mut state = self.state.lock();
        state.closed = Some(closing);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// Returns how the connection has been closed.
    pub(super) fn closed(&self) -> Option<Closing> {
        self.state.lock().closed
    }

    /// Returns `true` if the connection has been closed. If not, the task is woken when it is.
    pub(super) fn poll_closed(&self, context: &Context<'_>) -> bool {
        let mut state = self.state.lock();
        if state.closed.is_none() && !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        state.closed.is_some()
    }
}
