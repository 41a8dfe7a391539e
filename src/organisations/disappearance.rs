//! Files that disappear together.

use std::time::{Duration, Instant};

use crate::file_watch::Poll;

/// Time for which organisations stay whose files have disappeared together. Tools that copy files need seconds, and a volume that is mounted
/// again up to a minute.
pub const DISAPPEARANCE_GRACE: Duration = Duration::from_secs(60);

/// Decides whether organisations stay although their files have disappeared.
#[derive(Debug, Default)]
pub struct DisappearanceGuard {
    /// Time since which they stay; `None` if each removed file removes its organisation.
    active_since: Option<Instant>,
}

/// A change of the decision, to be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disappearance {
    /// This number of files has disappeared together.
    Started(usize),
    /// All of the files are back.
    Reverted,
}

impl DisappearanceGuard {
    /// Returns `true` if organisations without a file stay.
    pub const fn is_active(&self) -> bool {
        self.active_since.is_some()
    }

    /// Decides, when so many of the known files are missing.
    ///
    /// Organisations stay if their files have disappeared together: more than half of all, or the only one. That ends when all files are
    /// back, after the grace, or when an operator requests a reload.
    pub fn update(&mut self, missing: usize, known: usize, poll: Poll) -> Option<Disappearance> {
        match self.active_since {
            Some(_) if missing == 0 => {
                self.active_since = None;
                Some(Disappearance::Reverted)
            }
            Some(since) if poll == Poll::Requested || since.elapsed() > DISAPPEARANCE_GRACE => {
                self.active_since = None;
                None
            }
            None if missing > known / 2 && poll != Poll::Requested => {
                self.active_since = Some(Instant::now());
                Some(Disappearance::Started(missing))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disappearance_of_more_than_half_of_the_files_starts_the_grace() {
        let started = |missing, known| DisappearanceGuard::default().update(missing, known, Poll::Changed).is_some();
        assert!(started(1, 1) && started(2, 3) && started(1_000, 1_000));
        assert!(!started(0, 0) && !started(0, 3) && !started(1, 2) && !started(1, 1_000) && !started(500, 1_000));
        assert_eq!(DisappearanceGuard::default().update(3, 3, Poll::Requested), None);
    }

    #[test]
    fn disappearance_ends_when_all_files_are_back_after_the_grace_or_on_request() {
        let mut guard = DisappearanceGuard::default();
        assert_eq!(guard.update(3, 3, Poll::Changed), Some(Disappearance::Started(3)));
        assert_eq!(guard.update(1, 3, Poll::Changed), None);
        assert!(guard.is_active(), "one file is still missing");
        assert_eq!(guard.update(0, 3, Poll::Changed), Some(Disappearance::Reverted));
        assert!(!guard.is_active());

        guard.update(3, 3, Poll::Changed);
        guard.active_since = Instant::now().checked_sub(DISAPPEARANCE_GRACE + Duration::from_secs(1));
        assert_eq!((guard.update(3, 3, Poll::Changed), guard.is_active()), (None, false));

        guard.update(3, 3, Poll::Changed);
        assert_eq!((guard.update(3, 3, Poll::Requested), guard.is_active()), (None, false));
    }
}
