//! What carries learners' data leaves the process compressed and sealed, or not at all: AES-256-GCM, bound to the place it is
//! kept at, under a key that says which one it is.
//!
//! A sealed text is: version (1 byte), key id (4), nonce (12), ciphertext and tag. Its place (batch and name) is authenticated,
//! so that one batch's records cannot be put in another's place. Keys can be rotated: the first seals, all of them open.

use std::io::{Read as _, Write as _};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// Bytes of a key.
const KEY_LEN: usize = 32;
const VERSION: u8 = 1;
const ID_LEN: usize = 4;
const HEAD_LEN: usize = 1 + ID_LEN + NONCE_LEN;

/// Why a sealed text cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// It was sealed with a key that is not among ours.
    #[error("sealed with an encryption key that is not in encryption_key_file")]
    UnknownKey,
    /// It was changed, cut short, or belongs to another place.
    #[error("sealed under one of our keys, but damaged")]
    Damaged,
}

struct Key {
    id: [u8; ID_LEN],
    key: RandomizedNonceKey,
    pseudonyms: hmac::Key,
}

impl Key {
    fn new(bytes: &[u8]) -> Option<Self> {
        let mut id = [0; ID_LEN];
        let named = digest(&SHA256, &[b"lrs-gateway key id", bytes].concat());
        id.copy_from_slice(&named.as_ref()[..ID_LEN]);
        let derived = digest(&SHA256, &[b"lrs-gateway names", bytes].concat());
        let pseudonyms = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Some(Self { id, key: RandomizedNonceKey::new(&AES_256_GCM, bytes).ok()?, pseudonyms })
    }
}

/// The keys: the first seals, all of them open.
pub struct KeyRing(Vec<Key>);

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} keys]", self.0.len())
    }
}

impl KeyRing {
    /// A key that nobody else has, for data that does not outlive the process.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, String> {
        let mut bytes = [0; KEY_LEN];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the system has no random numbers")?;
        Ok(Self(Key::new(&bytes).into_iter().collect()))
    }

    /// Reads a key file: a key a line, 32 bytes in base64 or hexadecimal; the first line seals, older keys follow. A file of exactly
    /// 32 bytes is one key as it is.
    ///
    /// # Errors
    /// What is wrong with it, without quoting it.
    pub fn read(file: &[u8]) -> Result<Self, String> {
        const HINT: &str = "make one with `openssl rand -base64 32`";
        // 32 characters of text are not a key of 32 bytes, but half of one in hexadecimal, or a mistake.
        let is_raw = file.len() == KEY_LEN && !file.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        if is_raw && let Some(key) = Key::new(file) {
            return Ok(Self(vec![key]));
        }
        let text = std::str::from_utf8(file).map_err(|_| format!("holds neither text nor a key of 32 bytes: {HINT}"))?;
        let mut keys: Vec<Key> = Vec::new();
        let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        for (number, line) in lines {
            let key = decode(line).filter(|bytes| bytes.len() == KEY_LEN).and_then(|bytes| Key::new(&bytes));
            let key = key.ok_or_else(|| format!("line {}: is not 32 bytes in base64 or hexadecimal: {HINT}", number + 1))?;
            if keys.iter().all(|known| known.id != key.id) {
                keys.push(key);
            }
        }
        if keys.is_empty() { Err(format!("holds no key: {HINT}")) } else { Ok(Self(keys)) }
    }

    /// Which key seals, in hexadecimal.
    pub fn id(&self) -> String {
        self.0.first().map_or_else(String::new, |key| to_hex(&key.id))
    }

    /// A name that stands for a text, always the same for the same text and key, and from which nobody without the key can tell the text.
    pub fn pseudonym(&self, text: &str) -> String {
        self.pseudonyms(text).next().unwrap_or_default()
    }

    /// The names it has with each of our keys, the newest first.
    pub fn pseudonyms(&self, text: &str) -> impl Iterator<Item = String> {
        self.0.iter().map(|key| to_hex(&hmac::sign(&key.pseudonyms, text.as_bytes()).as_ref()[..16]))
    }

    /// Compresses and seals.
    ///
    /// # Errors
    /// When there is no key, or nothing random.
    pub fn encrypt(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let mut packing = Compressor::new();
        packing.write_all(plain).map_err(|_| DecryptError::Damaged)?;
        self.encrypt_compressed(place, packing.finish())
    }

    /// Seals what has been compressed already.
    ///
    /// # Errors
    /// The same.
    pub fn encrypt_compressed(&self, place: &str, mut packed: Vec<u8>) -> Result<Vec<u8>, DecryptError> {
        let key = self.0.first().ok_or(DecryptError::UnknownKey)?;
        let nonce = key.key.seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut packed).map_err(|_| DecryptError::Damaged)?;
        let mut sealed = Vec::with_capacity(HEAD_LEN + packed.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&packed);
        Ok(sealed)
    }

    /// Opens and unpacks.
    ///
    /// # Errors
    /// [`CannotOpen`]
    pub fn decrypt(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let (head, body) = sealed.split_at_checked(HEAD_LEN).ok_or(DecryptError::Damaged)?;
        if head[0] != VERSION {
            return Err(DecryptError::Damaged);
        }
        let key = self.0.iter().find(|key| key.id == head[1..=ID_LEN]).ok_or(DecryptError::UnknownKey)?;
        let nonce = Nonce::try_assume_unique_for_key(&head[1 + ID_LEN..]).map_err(|_| DecryptError::Damaged)?;
        let mut body = body.to_vec();
        let packed = key.key.open_in_place(nonce, Aad::from(place.as_bytes()), &mut body).map_err(|_| DecryptError::Damaged)?;
        let mut plain = Vec::with_capacity(packed.len() * 4);
        DeflateDecoder::new(&*packed).read_to_end(&mut plain).map_err(|_| DecryptError::Damaged)?;
        Ok(plain)
    }
}

/// Bytes as two digits each.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(line: &str) -> Option<Vec<u8>> {
    let is_hex = line.len() == KEY_LEN * 2 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return STANDARD.decode(line).ok();
    }
    (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).ok()).collect()
}

/// Bytes being compressed as they come, so that they need not all be there at once.
pub struct Compressor(DeflateEncoder<Vec<u8>>);

impl Compressor {
    /// Nothing so far.
    pub fn new() -> Self {
        Self(DeflateEncoder::new(Vec::new(), Compression::fast()))
    }

    /// All of it.
    pub fn finish(self) -> Vec<u8> {
        // Writing to memory does not fail.
        self.0.finish().unwrap_or_default()
    }
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl std::io::Write for Compressor {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn keys(file: &str) -> KeyRing {
        KeyRing::read(file.as_bytes()).expect(file)
    }

    #[test]
    fn what_is_sealed_is_opened_at_its_place_only() {
        let keys = KeyRing::random().expect("random numbers");
        let plain = "Ana O'Neill, 3000000126; ".repeat(1000);
        let sealed = keys.encrypt("batch:records:1", plain.as_bytes()).expect("sealed");
        assert!(sealed.len() < plain.len() / 10, "{} bytes", sealed.len());
        assert!(!String::from_utf8_lossy(&sealed).contains("Neill"));
        assert_eq!(keys.decrypt("batch:records:1", &sealed).expect("opened"), plain.as_bytes());
        assert_eq!(keys.decrypt("batch:records:2", &sealed), Err(DecryptError::Damaged));
        for at in [0, 20, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(keys.decrypt("batch:records:1", &changed), Err(DecryptError::Damaged), "byte {at}");
        }
        for length in [0, 3, HEAD_LEN, sealed.len() - 1] {
            assert_eq!(keys.decrypt("batch:records:1", &sealed[..length]), Err(DecryptError::Damaged), "{length} bytes");
        }
        assert_ne!(sealed, keys.encrypt("batch:records:1", plain.as_bytes()).expect("sealed"), "a nonce is used once");
        assert_eq!(keys.decrypt("x", &keys.encrypt("x", b"").expect("sealed")).expect("opened"), b"");
    }

    #[test]
    fn keys_can_be_rotated() {
        let sealed = keys(OLD).encrypt("x", b"Ana").expect("sealed");
        let rotated = keys(&format!("# the new one first\n{NEW}\n\n{OLD}\n"));
        assert_eq!(rotated.decrypt("x", &sealed).expect("opened"), b"Ana");
        let anew = rotated.encrypt("x", b"Ana").expect("sealed");
        assert_eq!(keys(OLD).decrypt("x", &anew), Err(DecryptError::UnknownKey));
        assert_eq!(keys(NEW).decrypt("x", &anew).expect("opened"), b"Ana");
        assert_eq!(keys(NEW).decrypt("x", &sealed), Err(DecryptError::UnknownKey));
    }

    #[test]
    fn files_without_a_key_are_refused_and_not_quoted() {
        for (file, problem) in [
            ("", "holds no key"),
            ("# nothing\n", "holds no key"),
            ("c2hvcnQ=", "line 1: is not 32 bytes"),
            (&format!("{OLD}\nsecret words"), "line 2: is not 32 bytes"),
            (&NEW[..32], "line 1: is not 32 bytes"),
        ] {
            let error = KeyRing::read(file.as_bytes()).expect_err(file);
            assert!(error.contains(problem) && !error.contains("secret"), "{error}");
        }
        assert!(KeyRing::read(&[0xFF; 33]).is_err());
        assert!(KeyRing::read(&[0xFF; 32]).is_ok(), "32 bytes as they are");
    }
}
