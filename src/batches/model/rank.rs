//! The rank of a batch: which batches of an organisation come first.

use super::batch::Batch;
use super::time::EpochMillis;

/// The rank of a batch among the due batches of its organisation. Lower ranks come first.
///
/// Parts to send come before polls: a new batch must not wait until hundreds of jobs are polled. Few parts to send come before many, so that a
/// small batch does not wait for large ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(u8);

impl Rank {
    /// The lowest rank: one part to send, or a batch that a caller has changed.
    pub const FIRST: Self = Self(0);
    /// The highest rank: nothing to send.
    const POLLS: Self = Self(5);

    /// Returns the rank of a batch with this number of due parts to send: 0 for one part, 1 for two or three, and so on; 4 for 16 or more.
    pub fn of_sending(parts: usize) -> Self {
        parts.checked_ilog2().map_or(Self::POLLS, |log| Self(u8::try_from(log).unwrap_or(u8::MAX).min(Self::POLLS.0 - 1)))
    }

    /// Returns the rank that a batch has at this time.
    pub fn of(batch: &Batch, time: EpochMillis) -> Self {
        let to_send = batch.parts.iter().filter(|part| !part.is_settled() && part.due_at <= time && part.polled_job().is_none());
        Self::of_sending(to_send.count())
    }

    /// Returns every rank, the lowest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=Self::POLLS.0).map(Self)
    }

    /// Returns the rank as a number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_is_lower_for_fewer_parts_to_send_and_highest_for_polls() {
        let ranks = [1, 2, 3, 4, 7, 8, 15, 16, 31, 500, 0].map(|parts| Rank::of_sending(parts).number());
        assert_eq!(ranks, [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5]);
        assert_eq!(Rank::of_sending(1), Rank::FIRST);
    }
}
