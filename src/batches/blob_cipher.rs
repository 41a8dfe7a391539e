//! Encryption of the blobs of batches, and of short texts in their parts.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::batches::model::{BatchId, BlobName};
use crate::storage::compression::Compressed;
use crate::storage::encryption::{CipherError, KeyRing};

/// Encrypts the blobs of batches. A blob can be decrypted only under its own batch and name.
#[derive(Debug, Clone)]
pub struct BlobCipher(Arc<KeyRing>);

impl BlobCipher {
    /// Creates a cipher with these keys.
    pub const fn new(key_ring: Arc<KeyRing>) -> Self {
        Self(key_ring)
    }

    /// Encrypts a small blob. Returns it with its name.
    ///
    /// # Errors
    /// Returns [`CipherError`] if there is no key or encryption fails.
    pub fn encrypt(&self, id: BatchId, name: BlobName, plaintext: &[u8]) -> Result<(BlobName, Vec<u8>), CipherError> {
        Ok((name, self.0.encrypt(&associated_data(id, name), plaintext)?))
    }

    /// Encrypts a compressed blob. Returns it with its name.
    ///
    /// # Errors
    /// Returns [`CipherError`] if there is no key or encryption fails.
    pub fn encrypt_compressed(&self, id: BatchId, name: BlobName, compressed: Compressed) -> Result<(BlobName, Vec<u8>), CipherError> {
        Ok((name, self.0.encrypt_compressed(&associated_data(id, name), compressed)?))
    }

    /// Encrypts a short text of a part. Returns it in base64.
    ///
    /// # Errors
    /// Returns [`CipherError`] if there is no key or encryption fails.
    pub fn encrypt_text(&self, id: BatchId, part: u32, text: &str) -> Result<String, CipherError> {
        Ok(STANDARD.encode(self.0.encrypt(&text_associated_data(id, part), text.as_bytes())?))
    }

    /// Decrypts a short text of a part.
    ///
    /// # Errors
    /// Returns [`CipherError`] if the key is unknown, or the text was changed or belongs elsewhere.
    pub fn decrypt_text(&self, id: BatchId, part: u32, encrypted: &str) -> Result<String, CipherError> {
        let ciphertext = STANDARD.decode(encrypted).map_err(|_| CipherError::Damaged)?;
        let text = self.0.decrypt(&text_associated_data(id, part), ciphertext)?;
        String::from_utf8(text).map_err(|_| CipherError::Damaged)
    }
}

/// An encrypted blob as it is stored.
pub struct EncryptedBlob {
    /// The batch.
    pub id: BatchId,
    /// Name of the blob.
    pub name: BlobName,
    /// Encrypted content.
    pub bytes: Vec<u8>,
}

impl EncryptedBlob {
    /// Decrypts and decompresses the blob.
    ///
    /// # Errors
    /// Returns [`CipherError`] if the key is unknown, or the content was changed or belongs elsewhere.
    pub fn decrypt(self, cipher: &BlobCipher) -> Result<Vec<u8>, CipherError> {
        cipher.0.decrypt(&associated_data(self.id, self.name), self.bytes)
    }
}

fn text_associated_data(id: BatchId, part: u32) -> String {
    format!("{id}:text:{part}")
}

fn associated_data(id: BatchId, name: BlobName) -> String {
    format!("{id}:{name}")
}
