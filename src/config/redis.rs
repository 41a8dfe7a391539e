//! The store, from `[store]`: Redis or this process's memory, and the encryption keys.

use std::path::Path;
use std::sync::Arc;

use crate::config::file::StoreSection;
use crate::file_watch;
use crate::storage::encryption::KeyRing;
use crate::storage::{Redis, Storage};

/// Opens the store. Does not connect to Redis yet.
///
/// # Errors
/// Returns every error of the section and of its files.
pub(super) fn open(section: &StoreSection, base: &Path) -> Result<Storage, Vec<String>> {
    let mut errors = Vec::new();
    let mut read = |setting: &str, file: &Path| {
        let path = base.join(file);
        file_watch::read(&path).map_err(|error| errors.push(format!("store.{setting}: {}: {error}", path.display()))).ok()
    };
    let key_file = section.encryption_key_file.as_ref().map(|file| read("encryption_key_file", file));
    let ca_certificates = section.redis_ca_certificate_file.as_ref().map(|file| read("redis_ca_certificate_file", file));
    if !section.key_prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.')) {
        errors.push("store.key_prefix: may contain letters, digits, and - _ : . only".into());
    }
    let keys = match (&key_file, &section.redis_url) {
        (Some(Some(file)), _) => KeyRing::parse(file).map_err(|error| errors.push(format!("store.encryption_key_file: {error}"))).ok(),
        // The error of the file has been reported above.
        (Some(None), _) => None,
        (None, Some(_)) => {
            errors.push("store.encryption_key_file: is required with redis_url, because learners' data is encrypted in Redis".into());
            None
        }
        (None, None) => KeyRing::generate().map_err(|error| errors.push(format!("store: {error}"))).ok(),
    };
    let redis = section.redis_url.as_ref().map(|url| Redis::new(url, ca_certificates.flatten(), &section.key_prefix));
    let redis = redis.transpose().map_err(|error| errors.push(format!("store.redis_url: {error}"))).ok();
    match (redis, keys) {
        (Some(redis), Some(keys)) if errors.is_empty() => Ok(Storage { redis: redis.map(Arc::new), key_ring: Arc::new(keys) }),
        _ => Err(errors),
    }
}
