//! The registry of encryption keys in use.
//!
//! Every key that encrypts has an entry in the store, encrypted with that key, for as long as data encrypted with it can exist. A gateway
//! that cannot decrypt every entry lacks a key in use. It must not work with the stored batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::batches::error::BatchError;
use crate::batches::model::EpochMillis;
use crate::batches::repository::BatchRepository;
use crate::storage::encryption::{CipherError, KeyRing};

/// Content of an entry, and the associated data of its encryption.
const CHECK_TEXT: &str = "key-check";
/// Prefix of the entries' names among the shared values.
const NAME_PREFIX: &str = "key:";
/// Time by which an entry outlasts the data: clocks differ.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(24 * 60 * 60);
/// Minimum time between two writes of the same entry. It is written again because the store may have been emptied.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);
/// Length of the expiry at the start of an entry, in bytes: a big-endian number of milliseconds.
const EXPIRY_LENGTH: usize = 8;

/// Registers the primary key, and verifies that all keys in use are known.
#[derive(Debug)]
pub struct KeyRegistry {
    repository: Arc<dyn BatchRepository>,
    key_ring: Arc<KeyRing>,
    /// Set when verification has succeeded.
    verified: OnceCell<()>,
    /// Expiry of the primary key's entry when it was last written, in milliseconds.
    registered_until: AtomicI64,
}

impl KeyRegistry {
    /// Creates a registry in this repository.
    pub fn new(repository: Arc<dyn BatchRepository>, key_ring: Arc<KeyRing>) -> Self {
        Self { repository, key_ring, verified: OnceCell::new(), registered_until: AtomicI64::new(0) }
    }

    /// Verifies that every key in use is known, and registers the primary key. After the first success it returns immediately.
    ///
    /// `latest_expiry` maps the current time to the latest expiry of data that is encrypted now.
    ///
    /// # Errors
    /// Returns [`CipherError::UnknownKey`] in [`BatchError::Cipher`] if a key in use is not in the key ring, and
    /// [`BatchError::Store`] if the store fails.
    pub async fn verify(&self, latest_expiry: impl Fn(EpochMillis) -> EpochMillis) -> Result<(), BatchError> {
        let verify = || async {
            let now = self.verify_without_registering().await?;
            self.register_until(latest_expiry(now)).await
        };
        self.verified.get_or_try_init(verify).await.copied()
    }

    /// Verifies that every key in use is known, and returns the current time. Writes nothing.
    ///
    /// # Errors
    /// The same as [`Self::verify`].
    pub async fn verify_without_registering(&self) -> Result<EpochMillis, BatchError> {
        let now = self.repository.now().await?;
        for entry in self.entries(now).await? {
            self.key_ring.decrypt(CHECK_TEXT, entry.encrypted)?;
        }
        Ok(now)
    }

    /// Registers that the primary key is in use until `expires_at`.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn register_until(&self, expires_at: EpochMillis) -> Result<(), BatchError> {
        if expires_at < EpochMillis(self.registered_until.load(Ordering::Relaxed)).after(RENEWAL_INTERVAL) {
            return Ok(());
        }
        let name = format!("{NAME_PREFIX}{}", self.key_ring.primary_key_id());
        let encrypted = self.key_ring.encrypt(CHECK_TEXT, CHECK_TEXT.as_bytes())?;
        self.store(&KeyEntry { name, expires_at: expires_at.after(CLOCK_TOLERANCE), encrypted }).await?;
        self.registered_until.store(expires_at.0, Ordering::Relaxed);
        Ok(())
    }

    /// Extends every registered key to `expires_at`, because data that is encrypted with one of them is kept longer.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn extend_all(&self, now: EpochMillis, expires_at: EpochMillis) -> Result<(), BatchError> {
        let expires_at = expires_at.after(CLOCK_TOLERANCE);
        for entry in self.entries(now).await? {
            if entry.expires_at < expires_at {
                self.store(&KeyEntry { expires_at, ..entry }).await?;
            }
        }
        Ok(())
    }

    /// Returns the entries of the keys in use.
    async fn entries(&self, now: EpochMillis) -> Result<Vec<KeyEntry>, BatchError> {
        let mut entries = Vec::new();
        for (name, value) in self.repository.load_shared().await?.into_iter().filter(|(name, _)| name.starts_with(NAME_PREFIX)) {
            let (expires_at, encrypted) = value.split_first_chunk::<EXPIRY_LENGTH>().ok_or(CipherError::Damaged)?;
            let expires_at = EpochMillis(i64::from_be_bytes(*expires_at));
            if now < expires_at {
                entries.push(KeyEntry { name, expires_at, encrypted: encrypted.to_vec() });
            }
        }
        Ok(entries)
    }

    async fn store(&self, KeyEntry { name, expires_at, encrypted }: &KeyEntry) -> Result<(), BatchError> {
        Ok(self.repository.store_shared(name, &[&expires_at.0.to_be_bytes(), &encrypted[..]].concat()).await?)
    }
}

/// The registration of a key.
struct KeyEntry {
    name: String,
    expires_at: EpochMillis,
    encrypted: Vec<u8>,
}
