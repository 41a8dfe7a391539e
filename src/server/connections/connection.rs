//! One client connection: what it does now, how much of it may be read, and when it is closed.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::server::connection_limits::{ConnectionLimits, READ_AHEAD_BYTES, WANTED_BODY_BYTES};
use crate::server::connections::room::Room;

/// Time for which a new connection is not closed for another one: its first request can be on its way.
const FIRST_REQUEST_TIME: Duration = Duration::from_secs(1);

/// Time for which a connection is not closed for another one while its client sends nothing of the body that the handler waits for.
const BODY_PAUSE_TIME: Duration = Duration::from_secs(10);

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
    /// The time since which the handler waits, and no byte has arrived.
    awaited_since: Option<Instant>,
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
        let allowance = if length <= READ_AHEAD_BYTES { length } else { 0 };
        Self { unread: Unread::Bytes(length), allowance, awaited_since: None }
    }

    /// Returns the body of a request with `Transfer-Encoding: chunked`.
    pub const fn chunked() -> Self {
        Self { unread: Unread::Chunks, allowance: 0, awaited_since: None }
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
    /// The client has not taken the current chunk of its answer, or has sent nothing of the body that the handler waits for, since this time.
    Stalled(Instant),
}

impl ClosingRank {
    /// Returns how the connection is closed. An idle one can just have been answered.
    const fn closing(self) -> Closing {
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
    /// The rest of a body that is ignored. The connection ends after it.
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

    /// Starts the answer to a request: the client waits for the gateway. Returns `false` if the connection has been closed: the request must
    /// not be executed then, because its answer cannot be sent.
    #[must_use]
    pub(super) fn start_answer(&self, body: RequestBody) -> bool {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return false;
        }
        state.phase = Phase::Answering(body);
        state.is_new = false;
        state.deadline = None;
        true
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

    /// Records that the handler waits for more of the body, and allows the connection to read it.
    pub(super) fn want_body(&self) {
        let mut state = self.state.lock();
        let Phase::Answering(body) = &mut state.phase else { return };
        body.awaited_since.get_or_insert_with(Instant::now);
        // The task that serves the connection still waits for the bytes that it may read. It polls the handler too, so waking it each time
        // would never let it rest.
        if body.allowance > 0 {
            return;
        }
        body.allowance = WANTED_BODY_BYTES;
        if let Some(waker) = &state.waker {
            waker.wake_by_ref();
        }
    }

    /// Records that the handler has got more of the body.
    pub(super) fn body_taken(&self) {
        if let Phase::Answering(body) = &mut self.state.lock().phase {
            body.awaited_since = None;
        }
    }

    /// Records that the handler has read the body to its end.
    pub(super) fn body_complete(&self) {
        if let Phase::Answering(body) = &mut self.state.lock().phase {
            body.unread = Unread::Bytes(0);
            body.awaited_since = None;
        }
    }

    /// Returns `true` if the request has a body in chunks that the handler has not read to its end. The connection must end with the answer:
    /// where the next request would begin is not known.
    pub(super) fn has_unread_chunks(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Answering(RequestBody { unread: Unread::Chunks, .. }))
    }

    /// Returns what may be read now.
    pub(super) fn readable(&self) -> Readable {
        match self.state.lock().phase {
            Phase::Idle { rest_of_body: false, .. } => Readable::Head,
            Phase::Idle { rest_of_body: true, .. } => Readable::RestOfBody,
            Phase::Answering(RequestBody { allowance: 0, .. } | RequestBody { unread: Unread::Bytes(0), .. }) | Phase::Sending { .. } => {
                Readable::Nothing
            }
            Phase::Answering(RequestBody { unread: Unread::Bytes(unread), allowance, .. }) => Readable::Body(unread.min(allowance)),
            Phase::Answering(RequestBody { unread: Unread::Chunks, allowance, .. }) => Readable::Chunks(allowance),
        }
    }

    /// Records that bytes of the body have been read.
    pub(super) fn body_read(&self, bytes: u64) {
        let mut state = self.state.lock();
        let Phase::Answering(body) = &mut state.phase else { return };
        body.allowance = body.allowance.saturating_sub(bytes);
        if bytes > 0 && body.awaited_since.is_some() {
            body.awaited_since = Some(Instant::now());
        }
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
        self.state.lock().closing_rank(now, self.limits.chunk_timeout)
    }

    /// Closes the connection for a new one if it still has this rank: meanwhile a request can have arrived, and must be answered then.
    #[must_use]
    pub(super) fn close_at_rank(&self, rank: ClosingRank, now: Instant) -> bool {
        let mut state = self.state.lock();
        let is_same = state.closing_rank(now, self.limits.chunk_timeout) == Some(rank);
        if is_same {
            state.close(rank.closing());
        }
        is_same
    }

    /// Closes the connection if its deadline has passed.
    #[must_use]
    pub(super) fn close_if_overdue(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        let is_overdue = state.deadline.is_some_and(|deadline| deadline <= now);
        if is_overdue {
            state.close(Closing::Discard);
        }
        is_overdue
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

impl State {
    fn closing_rank(&self, now: Instant, chunk_timeout: Duration) -> Option<ClosingRank> {
        let (since, patience) = match self.phase {
            Phase::Idle { since, .. } => {
                let is_closable = !self.is_new || now.saturating_duration_since(since) >= FIRST_REQUEST_TIME;
                return is_closable.then_some(ClosingRank::Idle(since));
            }
            Phase::Answering(RequestBody { awaited_since: Some(since), .. }) => (since, BODY_PAUSE_TIME),
            // The client does not take its answer if the answer has a deadline.
            Phase::Answering(_) | Phase::Sending { .. } => (self.deadline?.checked_sub(chunk_timeout)?, chunk_timeout / 3),
        };
        (now.saturating_duration_since(since) >= patience).then_some(ClosingRank::Stalled(since))
    }

    /// Closes the connection: the task that serves it finds it broken.
    fn close(&mut self, closing: Closing) {
        self.closed = Some(closing);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    fn connection() -> Connection {
        Connection::new(ConnectionLimits::default(), Arc::default())
    }

    /// Returns a time at which every connection that can be closed has a rank.
    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn connection_that_got_a_request_after_it_was_chosen_is_not_closed() {
        let connection = connection();
        let rank = connection.closing_rank(later()).expect("an idle connection can be closed");
        assert!(connection.start_answer(RequestBody::sized(0)));
        assert!(!connection.close_at_rank(rank, later()) && connection.closed().is_none(), "a request is being answered");
        connection.end_answer();
        assert!(connection.flushed());
        assert!(!connection.close_at_rank(rank, later()), "it was used since");
        let rank = connection.closing_rank(later()).expect("an idle connection can be closed");
        assert!(connection.close_at_rank(rank, later()));
        assert_eq!(connection.closed(), Some(Closing::Send));
    }

    #[test]
    fn request_on_closed_connection_is_not_started() {
        let connection = connection();
        assert!(connection.close_if_overdue(later()));
        assert!(!connection.start_answer(RequestBody::sized(0)));
        let connection = self::connection();
        assert!(connection.start_answer(RequestBody::sized(0)));
        assert!(!connection.close_if_overdue(later()), "the client waits for the gateway");
    }

    #[test]
    fn handler_that_waits_for_a_body_wakes_the_connection_once() {
        let (connection, counter) = (connection(), Arc::new(Wakes::default()));
        let waker = Waker::from(counter.clone());
        assert!(!connection.poll_closed(&Context::from_waker(&waker)));
        assert!(connection.start_answer(RequestBody::sized(1_000_000)));
        for _ in 0..3 {
            connection.want_body();
        }
        assert_eq!(counter.0.load(Ordering::SeqCst), 1, "more may be read, which the connection waits for already");
        connection.body_read(WANTED_BODY_BYTES);
        connection.want_body();
        assert_eq!(counter.0.load(Ordering::SeqCst), 2, "all has been read that was allowed");
    }

    #[test]
    fn connection_whose_client_sends_nothing_of_its_body_can_be_closed_after_a_pause() {
        let connection = connection();
        assert!(connection.start_answer(RequestBody::chunked()));
        assert_eq!(connection.closing_rank(later()), None, "the handler does not wait for the body");
        connection.want_body();
        assert_eq!(connection.closing_rank(Instant::now() + BODY_PAUSE_TIME / 2), None);
        let rank = connection.closing_rank(later());
        assert!(matches!(rank, Some(ClosingRank::Stalled(_))), "{rank:?}");
        connection.body_read(10);
        assert!(!connection.close_at_rank(rank.expect("a rank"), later()), "the client goes on");
        connection.body_taken();
        assert_eq!(connection.closing_rank(later()), None, "the handler works");
    }
}
