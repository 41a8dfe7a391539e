//! Do our keys open what the store holds?
//!
//! Every key that seals has an entry in the store, sealed with it, for as long as anything it has sealed can be there. Who cannot open an
//! entry has other keys than those before, and had better not begin.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::batches::JobsError;
use crate::batches::model::Moment;
use crate::batches::repository::Store;
use crate::storage::encryption::{CannotOpen, Keys};

const PLACE: &str = "key-check";
/// What the names of entries begin with.
const KEY: &str = "key:";
/// How much longer than it has to an entry lasts: clocks differ.
const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);
/// It is noted again after a minute all the same: somebody may have emptied the store.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// An entry: when it ends (8 bytes, big-endian), and the sealed text.
const MOMENT_LEN: usize = 8;

/// What has been checked.
#[derive(Debug, Default)]
pub struct KeyCheck {
    fits: OnceCell<()>,
    /// Until when our key was said to be in use when it was last noted.
    noted: AtomicI64,
}

impl KeyCheck {
    /// Makes sure that every key in use is among ours, and notes that ours is in use. Once that is done, it costs nothing to ask again.
    ///
    /// # Errors
    /// [`CannotOpen::UnknownKey`] when one is not; whatever keeps the store from being read.
    pub async fn check(&self, store: &dyn Store, keys: &Keys, longest_kept: impl Fn(Moment) -> Moment) -> Result<(), JobsError> {
        let check = || async {
            let now = fits(store, keys).await?;
            self.note(store, keys, longest_kept(now)).await
        };
        self.fits.get_or_try_init(check).await.copied()
    }

    /// Notes that our key is in use until a moment.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn note(&self, store: &dyn Store, keys: &Keys, until: Moment) -> Result<(), JobsError> {
        if until < Moment(self.noted.load(Ordering::Relaxed)).after(AGAIN_AFTER) {
            return Ok(());
        }
        let sealed = keys.seal(PLACE, PLACE.as_bytes())?;
        store.share(&format!("{KEY}{}", keys.id()), &entry(until.after(AHEAD), &sealed)).await?;
        self.noted.store(until.0, Ordering::Relaxed);
        Ok(())
    }

    /// Notes that whatever key is in use may be until a moment: what it has sealed is to stay longer than was thought.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn extend(&self, store: &dyn Store, now: Moment, until: Moment) -> Result<(), JobsError> {
        let until = until.after(AHEAD);
        for (name, ends, sealed) in in_use(store, now).await? {
            if ends < until {
                store.share(&name, &entry(until, &sealed)).await?;
            }
        }
        Ok(())
    }
}

/// Makes sure that every key in use is among ours, and says what time it is. Nothing is noted.
///
/// # Errors
/// [`CannotOpen::UnknownKey`] when one is not; whatever keeps the store from being read.
pub async fn fits(store: &dyn Store, keys: &Keys) -> Result<Moment, JobsError> {
    let now = store.now().await?;
    for (_, _, sealed) in in_use(store, now).await? {
        keys.open(PLACE, &sealed)?;
    }
    Ok(now)
}

/// The entries of keys that are in use: their names, when they end, and the sealed texts.
async fn in_use(store: &dyn Store, now: Moment) -> Result<Vec<(String, Moment, Vec<u8>)>, JobsError> {
    let mut entries = Vec::new();
    for (name, entry) in store.shared().await?.into_iter().filter(|(name, _)| name.starts_with(KEY)) {
        let (ends, sealed) = entry.split_first_chunk::<MOMENT_LEN>().ok_or(CannotOpen::Damaged)?;
        let ends = Moment(i64::from_be_bytes(*ends));
        if now < ends {
            entries.push((name, ends, sealed.to_vec()));
        }
    }
    Ok(entries)
}

fn entry(ends: Moment, sealed: &[u8]) -> Vec<u8> {
    [&ends.0.to_be_bytes(), sealed].concat()
}
