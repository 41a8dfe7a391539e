//! Encryption of stored data: compressed, then encrypted with AES-256-GCM. All data about learners leaves the process in this form only.
//!
//! A ciphertext consists of the format of the compression (1 byte), the key id (4 bytes), the nonce (12 bytes), the encrypted data and the
//! tag. The place where it is stored (batch and name) is its associated data, so that one batch's records cannot replace another's. Keys can
//! be rotated: the first key encrypts, every key decrypts.

use std::borrow::Cow;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::compression::{Compressed, Format, decompress};

const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 4;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_LEN;
const _: () = assert!(HEADER_BYTES == Compressed::HEADROOM_BYTES);

/// Reason why data cannot be encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// The key is not in the key ring.
    #[error("encrypted with a key that is not in encryption_key_file")]
    UnknownKey,
    /// The ciphertext was changed or cut, or belongs to another place.
    #[error("encrypted with a known key, but damaged")]
    Damaged,
}

/// Encryption keys. The first key encrypts, every key decrypts.
pub struct KeyRing(Vec<Key>);

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} keys]", self.0.len())
    }
}

impl KeyRing {
    /// Returns a key ring with one random key, for data that does not outlive the process.
    ///
    /// # Errors
    /// Returns a text if the operating system provides no random numbers.
    pub fn generate() -> Result<Self, String> {
        let mut bytes = [0; KEY_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the operating system provides no random numbers")?;
        Ok(Self(Key::new(&bytes).into_iter().collect()))
    }

    /// Parses a key file: one key per line, 32 bytes in base64 or hexadecimal. The key on the first line encrypts; older keys follow. A
    /// file of exactly 32 binary bytes is one key.
    ///
    /// # Errors
    /// Returns a text, without quoting the file, if a line is not a key or the file contains no key.
    pub fn parse(file: &[u8]) -> Result<Self, String> {
        const HINT: &str = "create one with `openssl rand -base64 32`";
        // 32 characters of text are not a binary key: they are half of a hexadecimal key, or a mistake.
        let is_binary = file.len() == KEY_BYTES && !file.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        if is_binary && let Some(key) = Key::new(file) {
            return Ok(Self(vec![key]));
        }
        let text = std::str::from_utf8(file).map_err(|_| format!("contains neither text nor a key of 32 bytes: {HINT}"))?;
        let mut keys: Vec<Key> = Vec::new();
        let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        for (index, line) in lines {
            let key = decode_key(line).filter(|bytes| bytes.len() == KEY_BYTES).and_then(|bytes| Key::new(&bytes));
            let key = key.ok_or_else(|| format!("line {}: is not 32 bytes in base64 or hexadecimal: {HINT}", index + 1))?;
            if keys.iter().all(|known| known.id != key.id) {
                keys.push(key);
            }
        }
        if keys.is_empty() { Err(format!("contains no key: {HINT}")) } else { Ok(Self(keys)) }
    }

    /// Returns the id of the key that encrypts, in hexadecimal.
    pub fn primary_key_id(&self) -> String {
        self.0.first().map_or_else(String::new, |key| to_hex(&key.id))
    }

    /// Returns the pseudonym of a text: a hash keyed with the first key. The same text and key give the same pseudonym; without the key
    /// the text cannot be derived from it.
    pub fn pseudonym(&self, text: &str) -> String {
        self.pseudonyms(text).next().unwrap_or_default()
    }

    /// Returns the pseudonyms of a text, one per key, the newest key first.
    pub fn pseudonyms(&self, text: &str) -> impl Iterator<Item = String> {
        self.0.iter().map(|key| to_hex(&hmac::sign(&key.pseudonym_key, text.as_bytes()).as_ref()[..16]))
    }

    /// Encrypts data in a format that every version reads.
    ///
    /// # Errors
    /// Returns [`CipherError::UnknownKey`] if the key ring is empty, [`CipherError::Damaged`] if encryption fails.
    pub fn encrypt(&self, associated_data: &str, plaintext: &[u8]) -> Result<Vec<u8>, CipherError> {
        self.encrypt_compressed(associated_data, Compressed::deflate(plaintext))
    }

    /// Encrypts compressed data in place.
    ///
    /// # Errors
    /// Returns [`CipherError::UnknownKey`] if the key ring is empty, [`CipherError::Damaged`] if encryption fails.
    pub fn encrypt_compressed(&self, associated_data: &str, compressed: Compressed) -> Result<Vec<u8>, CipherError> {
        let key = self.0.first().ok_or(CipherError::UnknownKey)?;
        let Compressed { format, bytes: mut ciphertext } = compressed;
        let (header, data) = ciphertext.split_at_mut_checked(HEADER_BYTES).ok_or(CipherError::Damaged)?;
        let (nonce, tag) =
            key.encryption_key.seal_in_place_separate_tag(aad(format, associated_data), data).map_err(|_| CipherError::Damaged)?;
        header[0] = format as u8;
        header[1..=KEY_ID_BYTES].copy_from_slice(&key.id);
        header[1 + KEY_ID_BYTES..].copy_from_slice(nonce.as_ref());
        ciphertext.extend_from_slice(tag.as_ref());
        Ok(ciphertext)
    }

    /// Decrypts and decompresses data.
    ///
    /// # Errors
    /// Returns [`CipherError::UnknownKey`] if the key is not in the key ring, [`CipherError::Damaged`] if the ciphertext or the
    /// associated data differ from those of [`KeyRing::encrypt`].
    pub fn decrypt(&self, associated_data: &str, mut ciphertext: Vec<u8>) -> Result<Vec<u8>, CipherError> {
        let (header, data) = ciphertext.split_at_mut_checked(HEADER_BYTES).ok_or(CipherError::Damaged)?;
        let format = Format::from_byte(header[0]).ok_or(CipherError::Damaged)?;
        let key = self.0.iter().find(|key| key.id == header[1..=KEY_ID_BYTES]).ok_or(CipherError::UnknownKey)?;
        let nonce = Nonce::try_assume_unique_for_key(&header[1 + KEY_ID_BYTES..]).map_err(|_| CipherError::Damaged)?;
        let compressed = key.encryption_key.open_in_place(nonce, aad(format, associated_data), data).map_err(|_| CipherError::Damaged)?;
        decompress(format, compressed).ok_or(CipherError::Damaged)
    }
}

/// Returns the associated data of a ciphertext: also the format, except that of earlier versions, which did not include it.
fn aad(format: Format, associated_data: &str) -> Aad<Cow<'_, [u8]>> {
    Aad::from(match format {
        Format::Deflate => Cow::Borrowed(associated_data.as_bytes()),
        Format::Lz4 => Cow::Owned(format!("{associated_data}:lz4").into_bytes()),
    })
}

struct Key {
    id: [u8; KEY_ID_BYTES],
    encryption_key: RandomizedNonceKey,
    pseudonym_key: hmac::Key,
}

impl Key {
    fn new(bytes: &[u8]) -> Option<Self> {
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest(&SHA256, &[b"lrs-gateway key id", bytes].concat()).as_ref()[..KEY_ID_BYTES]);
        let derived = digest(&SHA256, &[b"lrs-gateway names", bytes].concat());
        let pseudonym_key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Some(Self { id, encryption_key: RandomizedNonceKey::new(&AES_256_GCM, bytes).ok()?, pseudonym_key })
    }
}

fn decode_key(line: &str) -> Option<Vec<u8>> {
    let is_hex = line.len() == KEY_BYTES * 2 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return STANDARD.decode(line).ok();
    }
    (0..line.len()).step_by(2).map(|start| u8::from_str_radix(&line[start..start + 2], 16).ok()).collect()
}

/// Returns the hexadecimal form of bytes.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW_KEY: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn key_ring(file: &str) -> KeyRing {
        KeyRing::parse(file.as_bytes()).expect(file)
    }

    #[test]
    fn ciphertext_decrypts_unchanged_with_its_associated_data_only() {
        let keys = KeyRing::generate().expect("random numbers");
        let plaintext = "Ana O'Neill, 3000000126; ".repeat(1000);
        let ciphertext = keys.encrypt("batch:records:1", plaintext.as_bytes()).expect("encrypted");
        assert!(ciphertext.len() < plaintext.len() / 10, "{} bytes", ciphertext.len());
        assert!(!String::from_utf8_lossy(&ciphertext).contains("Neill"));
        assert_eq!(keys.decrypt("batch:records:1", ciphertext.clone()).expect("decrypted"), plaintext.as_bytes());
        assert_eq!(keys.decrypt("batch:records:2", ciphertext.clone()), Err(CipherError::Damaged));
        for position in [0, 20, ciphertext.len() - 1] {
            let mut changed = ciphertext.clone();
            changed[position] ^= 1;
            assert_eq!(keys.decrypt("batch:records:1", changed), Err(CipherError::Damaged), "byte {position}");
        }
        for length in [0, 3, HEADER_BYTES, ciphertext.len() - 1] {
            assert_eq!(keys.decrypt("batch:records:1", ciphertext[..length].to_vec()), Err(CipherError::Damaged), "{length} bytes");
        }
        assert_ne!(ciphertext, keys.encrypt("batch:records:1", plaintext.as_bytes()).expect("encrypted"), "each nonce is used once");
        assert_eq!(keys.decrypt("x", keys.encrypt("x", b"").expect("encrypted")).expect("decrypted"), b"");
    }

    #[test]
    fn ciphertext_with_another_format_of_compression_is_damaged() {
        let keys = KeyRing::generate().expect("random numbers");
        for (compressed, other) in [(Compressed::lz4(b"Ana"), Format::Deflate), (Compressed::deflate(b"Ana"), Format::Lz4)] {
            let mut ciphertext = keys.encrypt_compressed("x", compressed).expect("encrypted");
            assert_eq!(keys.decrypt("x", ciphertext.clone()).expect("decrypted"), b"Ana");
            ciphertext[0] = other as u8;
            assert_eq!(keys.decrypt("x", ciphertext), Err(CipherError::Damaged), "{other:?}");
        }
    }

    #[test]
    fn data_whose_compression_has_failed_is_not_encrypted() {
        let keys = KeyRing::generate().expect("random numbers");
        let failed = Compressed { format: Format::Lz4, bytes: Vec::new() };
        assert_eq!(keys.encrypt_compressed("x", failed), Err(CipherError::Damaged));
    }

    #[test]
    fn ciphertext_of_an_earlier_version_is_decrypted() {
        let hex = concat!(
            "016c9156056465666768696a6b6c6d6e6fc3b5882cb6c51d53cd2993a58fd7388f8e8952d8da26b8be6a1d05ccf15a0eb3318fa62464c75d06fd9db548d4885e30",
            "a9fe742162ab64db82"
        );
        let byte = |start| u8::from_str_radix(&hex[start..start + 2], 16).expect("hexadecimal");
        let ciphertext = (0..hex.len()).step_by(2).map(byte).collect();
        let plaintext = key_ring(OLD_KEY).decrypt("x", ciphertext).expect("decrypted");
        assert_eq!(String::from_utf8_lossy(&plaintext), r#"[{"givenName":"Ana","familyName":"O'Neill"}]"#);
    }

    #[test]
    fn key_ring_with_old_and_new_key_decrypts_both_and_encrypts_with_new() {
        let old_ciphertext = key_ring(OLD_KEY).encrypt("x", b"Ana").expect("encrypted");
        let rotated = key_ring(&format!("# the new key first\n{NEW_KEY}\n\n{OLD_KEY}\n"));
        assert_eq!(rotated.decrypt("x", old_ciphertext.clone()).expect("decrypted"), b"Ana");
        let new_ciphertext = rotated.encrypt("x", b"Ana").expect("encrypted");
        assert_eq!(key_ring(OLD_KEY).decrypt("x", new_ciphertext.clone()), Err(CipherError::UnknownKey));
        assert_eq!(key_ring(NEW_KEY).decrypt("x", new_ciphertext).expect("decrypted"), b"Ana");
        assert_eq!(key_ring(NEW_KEY).decrypt("x", old_ciphertext), Err(CipherError::UnknownKey));
    }

    #[test]
    fn key_file_without_valid_key_is_rejected_and_not_quoted() {
        for (file, expected) in [
            ("", "contains no key"),
            ("# nothing\n", "contains no key"),
            ("c2hvcnQ=", "line 1: is not 32 bytes"),
            (&format!("{OLD_KEY}\nsecret words"), "line 2: is not 32 bytes"),
            (&NEW_KEY[..32], "line 1: is not 32 bytes"),
        ] {
            let error = KeyRing::parse(file.as_bytes()).expect_err(file);
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
        assert!(KeyRing::parse(&[0xFF; 33]).is_err());
        assert!(KeyRing::parse(&[0xFF; 32]).is_ok(), "32 binary bytes are one key");
    }
}
