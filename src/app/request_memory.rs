//! The memory for request bodies: a budget of bytes for the bodies that the process reads or holds at once.
//!
//! A request reserves bytes before it reads them, and holds the reservation until it holds neither the body nor what was made of it. Large
//! bodies share the budget of `server.max_request_memory_mib`. Small ones, which single learners need, have a reserve of their own, so large
//! ones never keep them out. An organisation gets at most half of each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::domain::Ukprn;
use crate::observability::metrics;

/// Default of the budget for large bodies, in MiB. Half of it is the largest body of any operation.
pub const DEFAULT_REQUEST_MEMORY_MIB: usize = 128;

/// Size up to which a body is small, in bytes.
pub const SMALL_BODY_BYTES: usize = 64 * 1024;

/// Reserve for small bodies, in bytes.
pub const SMALL_BODIES_RESERVE_BYTES: usize = 16 * 1024 * 1024;

/// The smallest piece that a small body reserves, in bytes. Half of the reserve has as many pieces as the API has connections by default, so
/// connections that send a few bytes and then stall cannot use it up.
const SMALL_STEP_BYTES: usize = 4 * 1024;

/// The piece by which a large body of unknown size grows, in bytes.
const LARGE_STEP_BYTES: usize = 1024 * 1024;

/// The memory for request bodies of one process.
#[derive(Debug)]
pub struct RequestMemory {
    small: Pool,
    large: Pool,
}

/// No memory is left for a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryFull {
    /// The organisation has used its share.
    Organisation,
    /// All organisations together have used the budget.
    Process,
}

impl MemoryFull {
    /// Returns the name of the exceeded limit in metrics.
    pub const fn limit(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Process => "process",
        }
    }
}

impl Default for RequestMemory {
    fn default() -> Self {
        Self::new(DEFAULT_REQUEST_MEMORY_MIB * 1024 * 1024)
    }
}

impl RequestMemory {
    /// Creates the memory with a budget for large bodies, in bytes.
    pub fn new(budget: usize) -> Self {
        Self { small: Pool::new(SMALL_BODIES_RESERVE_BYTES), large: Pool::new(budget) }
    }

    /// Returns the size of the largest body that can be read, in bytes: the share of an organisation.
    pub const fn max_body_bytes(&self) -> usize {
        self.large.share
    }

    /// Returns the number of reserved bytes, for small and for large bodies.
    pub fn reserved_bytes(&self) -> usize {
        self.small.reserved.load(Ordering::Relaxed) + self.large.reserved.load(Ordering::Relaxed)
    }

    /// Starts a reservation for a body of this organisation. It has no bytes yet.
    pub fn reserve(self: &Arc<Self>, organisation: &Ukprn) -> Reservation {
        Reservation { memory: Arc::clone(self), organisation: organisation.clone(), bytes: 0 }
    }

    const fn pool(&self, bytes: usize) -> &Pool {
        if bytes <= SMALL_BODY_BYTES { &self.small } else { &self.large }
    }
}

/// Bytes that are reserved for a body. They are free again when this is dropped.
#[derive(Debug)]
pub struct Reservation {
    memory: Arc<RequestMemory>,
    organisation: Ukprn,
    bytes: usize,
}

impl Reservation {
    /// Reserves memory for a body of at least this many bytes. Does nothing if it is reserved already.
    ///
    /// # Errors
    /// Returns the limit that is used up. The reservation then has no bytes.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), MemoryFull> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let step = if bytes <= SMALL_BODY_BYTES { SMALL_STEP_BYTES } else { LARGE_STEP_BYTES };
        // A body has at most the size of a share, so it must not be rounded up beyond it.
        let bytes = bytes.next_multiple_of(step).min(self.memory.pool(bytes).share.max(bytes));
        self.resize(bytes)
    }

    /// Reserves memory for a body of exactly this many bytes.
    ///
    /// # Errors
    /// Returns the limit that is used up. The reservation then has no bytes.
    pub fn resize(&mut self, bytes: usize) -> Result<(), MemoryFull> {
        let held = std::mem::take(&mut self.bytes);
        if held > 0 {
            self.memory.pool(held).release(&self.organisation, held);
        }
        if bytes > 0 {
            self.memory.pool(bytes).take(&self.organisation, bytes).inspect_err(|full| metrics::record_memory_full(full.limit()))?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// Returns the reservation, and leaves one without bytes.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let bytes = std::mem::take(&mut self.bytes);
        Self { memory: Arc::clone(&self.memory), organisation: self.organisation.clone(), bytes }
    }

    /// Returns `true` if the body is large, so that what was made of it can be large too.
    pub const fn is_large(&self) -> bool {
        self.bytes > SMALL_BODY_BYTES
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.memory.pool(self.bytes).release(&self.organisation, self.bytes);
        }
    }
}

/// A number of bytes, and who has reserved how many of them.
#[derive(Debug)]
struct Pool {
    capacity: usize,
    /// Maximum for one organisation.
    share: usize,
    reserved: AtomicUsize,
    organisations: Mutex<HashMap<Ukprn, usize>>,
}

impl Pool {
    fn new(capacity: usize) -> Self {
        Self { capacity, share: capacity / 2, reserved: AtomicUsize::new(0), organisations: Mutex::default() }
    }

    fn take(&self, organisation: &Ukprn, bytes: usize) -> Result<(), MemoryFull> {
        let mut organisations = self.organisations.lock();
        let own = organisations.get(organisation).copied().unwrap_or(0) + bytes;
        let reserved = self.reserved.load(Ordering::Relaxed) + bytes;
        if own > self.share {
            return Err(MemoryFull::Organisation);
        }
        if reserved > self.capacity {
            return Err(MemoryFull::Process);
        }
        organisations.insert(organisation.clone(), own);
        self.reserved.store(reserved, Ordering::Relaxed);
        Ok(())
    }

    fn release(&self, organisation: &Ukprn, bytes: usize) {
        let mut organisations = self.organisations.lock();
        if let Some(own) = organisations.get_mut(organisation) {
            *own -= bytes;
            if *own == 0 {
                organisations.remove(organisation);
            }
        }
        self.reserved.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Scalar as _;

    const MIB: usize = 1024 * 1024;

    fn ukprn(number: usize) -> Ukprn {
        Ukprn::parse(&format!("{}", 10_000_000 + number)).expect("a UKPRN")
    }

    fn reserved(memory: &Arc<RequestMemory>, organisation: usize, bytes: usize) -> Result<Reservation, MemoryFull> {
        let mut reservation = memory.reserve(&ukprn(organisation));
        reservation.grow_to(bytes).map(|()| reservation)
    }

    #[test]
    fn request_memory_gives_an_organisation_half_and_all_together_the_whole() {
        let memory = Arc::new(RequestMemory::new(16 * MIB));
        let first = reserved(&memory, 1, 8 * MIB).expect("the share of an organisation");
        assert_eq!(reserved(&memory, 1, 65 * 1024).err(), Some(MemoryFull::Organisation));
        let second = reserved(&memory, 2, 7 * MIB).expect("the second organisation has a share too");
        assert_eq!(reserved(&memory, 3, 2 * MIB).err(), Some(MemoryFull::Process));
        assert_eq!(memory.reserved_bytes(), 15 * MIB);
        drop(first);
        reserved(&memory, 3, 8 * MIB).expect("the memory is free again");
        drop(second);
        assert_eq!((memory.reserved_bytes(), memory.large.organisations.lock().len()), (0, 0));
    }

    #[test]
    fn request_memory_for_small_bodies_is_not_taken_by_large_ones() {
        let memory = Arc::new(RequestMemory::new(2 * MIB));
        let _large = (reserved(&memory, 1, MIB), reserved(&memory, 2, MIB));
        let small: Vec<_> = (0..2000).map(|_| reserved(&memory, 1, 10).expect("the reserve is not used up")).collect();
        assert_eq!(reserved(&memory, 1, 64 * 1024).map(|small| small.is_large()).ok(), Some(false));
        assert_eq!(memory.small.reserved.load(Ordering::Relaxed), small.len() * SMALL_STEP_BYTES);
    }

    #[test]
    fn request_memory_of_a_growing_body_moves_from_the_reserve_to_the_budget() {
        let memory = Arc::new(RequestMemory::new(4 * MIB));
        let mut body = memory.reserve(&ukprn(1));
        for bytes in [1, 5_000, 64 * 1024] {
            body.grow_to(bytes).expect("a small body");
        }
        assert_eq!((memory.small.reserved.load(Ordering::Relaxed), body.is_large()), (64 * 1024, false));
        body.grow_to(64 * 1024 + 1).expect("a large body");
        assert_eq!((memory.reserved_bytes(), body.is_large()), (MIB, true));
        body.grow_to(2 * MIB).expect("the share of an organisation");
        assert_eq!(body.grow_to(2 * MIB + 1), Err(MemoryFull::Organisation));
        assert_eq!(memory.reserved_bytes(), 0);
    }
}
