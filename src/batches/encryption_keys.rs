//! Do our keys open what the store holds?
//!
//! Every key that seals has an entry in the store, sealed with it, for as long as anything it has sealed can be there. Who cannot open an
//! entry has other keys than those before, and had better not begin.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::batches::BatchError;
use crate::batches::model::EpochMillis;
use crate::batches::repository::BatchRepository;
use crate::storage::encryption::{DecryptError, KeyRing};

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
pub struct KeyRegistry {
    fits: OnceCell<()>,
    /// Until when our key was said to be in use when it was last noted.
    noted: AtomicI64,
}

impl KeyRegistry {
    /// Makes sure that every key in use is among ours, and notes that ours is in use. Once that is done, it costs nothing to ask again.
    ///
    /// # Errors
    /// [`CannotOpen::UnknownKey`] when one is not; whatever keeps the store from being read.
    pub async fn check(
        &self,
        store: &dyn BatchRepository,
        keys: &KeyRing,
        longest_kept: impl Fn(EpochMillis) -> EpochMillis,
    ) -> Result<(), BatchError> {
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
    pub async fn note(&self, store: &dyn BatchRepository, keys: &KeyRing, until: EpochMillis) -> Result<(), BatchError> {
        if until < EpochMillis(self.noted.load(Ordering::Relaxed)).after(AGAIN_AFTER) {
            return Ok(());
        }
        let sealed = keys.encrypt(PLACE, PLACE.as_bytes())?;
        store.share(&format!("{KEY}{}", keys.id()), &entry(until.after(AHEAD), &sealed)).await?;
        self.noted.store(until.0, Ordering::Relaxed);
        Ok(())
    }

    /// Notes that whatever key is in use may be until a moment: what it has sealed is to stay longer than was thought.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn extend(&self, store: &dyn BatchRepository, now: EpochMillis, until: EpochMillis) -> Result<(), BatchError> {
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
pub async fn fits(store: &dyn BatchRepository, keys: &KeyRing) -> Result<EpochMillis, BatchError> {
    let now = store.now().await?;
    for (_, _, sealed) in in_use(store, now).await? {
        keys.decrypt(PLACE, &sealed)?;
    }
    Ok(now)
}

/// The entries of keys that are in use: their names, when they end, and the sealed texts.
async fn in_use(store: &dyn BatchRepository, now: EpochMillis) -> Result<Vec<(String, EpochMillis, Vec<u8>)>, BatchError> {
    let mut entries = Vec::new();
    for (name, entry) in store.shared().await?.into_iter().filter(|(name, _)| name.starts_with(KEY)) {
        let (ends, sealed) = entry.split_first_chunk::<MOMENT_LEN>().ok_or(DecryptError::Damaged)?;
        let ends = EpochMillis(i64::from_be_bytes(*ends));
        if now < ends {
            entries.push((name, ends, sealed.to_vec()));
        }
    }
    Ok(entries)
}

fn entry(ends: EpochMillis, sealed: &[u8]) -> Vec<u8> {
    [&ends.0.to_be_bytes(), sealed].concat()
}
