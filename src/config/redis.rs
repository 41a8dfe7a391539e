//! The store, from `[store]`: Redis or this process's memory, and the encryption keys.

use std::path::Path;
use std::sync::Arc;

use crate::config::file::StoreSection;
use crate::file_watch;
use crate::storage::encryption::KeyRing;
use crate::storage::{LrsIdentity, Redis, Storage};

/// Opens the store of a gateway in front of the LRS at this address. Does not connect to Redis yet.
///
/// # Errors
/// Returns every error of the section and of its files.
pub(super) fn open(section: &StoreSection, lrs_address: &str, base: &Path) -> Result<Storage, Vec<String>> {
    let mut errors = Vec::new();
    let mut read = |setting: &str, file: &Path| {
        let path = base.join(file);
        file_watch::read(&path).map_err(|error| errors.push(format!("store.{setting}: {}: {error}", path.display()))).ok()
    };
    let key_file = section.encryption_key_file.as_ref().map(|file| read("encryption_key_file", file));
    let ca_certificates = section.redis_ca_certificate_file.as_ref().map(|file| read("redis_ca_certificate_file", file));
    let sentinel_password = section.sentinel_password_file.as_ref().map(|file| read("sentinel_password_file", file));
    let sentinel_password = sentinel_password.map(|file| Some(String::from_utf8_lossy(&file?).trim_end_matches(['\r', '\n']).to_owned()));
    if section.sentinel_username.is_some() && section.sentinel_password_file.is_none() {
        errors.push("store.sentinel_username: needs sentinel_password_file".into());
    }
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
    let redis = section.redis_url.as_ref().map(|url| {
        let redis = Redis::new(url, ca_certificates.flatten(), &section.key_prefix).map_err(|error| format!("store.redis_url: {error}"))?;
        let redis = redis.accept_volatile(section.accept_volatile);
        match (sentinel_password.flatten(), &section.sentinel_username) {
            (Some(password), username) => {
                redis.with_sentinel_login(username.as_deref(), &password).map_err(|error| format!("store.sentinel_password_file: {error}"))
            }
            (None, _) => Ok(redis),
        }
    });
    let redis = redis.transpose().map_err(|error| errors.push(error)).ok();
    match (redis, keys) {
        (Some(redis), Some(keys)) if errors.is_empty() => {
            let lrs = LrsIdentity::new(section.lrs_identity.as_deref().unwrap_or(lrs_address));
            Ok(Storage { redis: redis.map(Arc::new), key_ring: Arc::new(keys), lrs })
        }
        _ => Err(errors),
    }
}
