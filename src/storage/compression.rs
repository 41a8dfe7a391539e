//! Compression of stored data. Small data is stored as it is, in the format of earlier versions; records and results of batches use LZ4, which
//! costs a fraction of the time of DEFLATE and compresses packed records as well as DEFLATE does their JSON.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;
use lz4_flex::block;

/// Number of bytes that LZ4 compresses at once: the distance over which it finds repetitions.
const BLOCK_BYTES: usize = 64 * 1024;
/// Maximum length of data that is not compressed: an encoder costs more than it gains.
const MAX_PLAIN_BYTES: usize = 1024;
/// Start of DEFLATE data that consists of one block that is not compressed (RFC 1951, 3.2.4). The block's length and its complement follow.
const STORED_BLOCK: u8 = 1;

/// Maximum length of uncompressed data, as a multiple of its length in LZ4: one byte adds at most so much to the length of a repetition.
const MAX_EXPANSION: usize = 255;

/// How data is compressed. The values are those of stored data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// DEFLATE (RFC 1951). Every version reads it.
    Deflate = 1,
    /// Blocks of LZ4. Each starts with its uncompressed and its compressed length, as little-endian numbers of 4 bytes.
    Lz4 = 2,
}

impl Format {
    /// Returns the format with this stored value.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Deflate),
            2 => Some(Self::Lz4),
            _ => None,
        }
    }
}

/// Compressed data, after free bytes for the header of a ciphertext.
pub struct Compressed {
    /// How the data is compressed.
    pub(super) format: Format,
    /// Free bytes, then the data. Empty if compression has failed: it cannot be encrypted then, so it is never stored.
    pub(super) bytes: Vec<u8>,
}

impl Compressed {
    /// Number of free bytes before the data, so that encryption copies nothing.
    pub(super) const HEADROOM_BYTES: usize = 17;

    /// Returns data in the format that every version reads.
    pub(super) fn deflate(plaintext: &[u8]) -> Self {
        let mut bytes = vec![0; Self::HEADROOM_BYTES];
        match u16::try_from(plaintext.len()) {
            Ok(length) if plaintext.len() <= MAX_PLAIN_BYTES => {
                bytes.push(STORED_BLOCK);
                bytes.extend_from_slice(&length.to_le_bytes());
                bytes.extend_from_slice(&(!length).to_le_bytes());
                bytes.extend_from_slice(plaintext);
            }
            _ => {
                let mut encoder = DeflateEncoder::new(bytes, Compression::fast());
                // Writing to memory does not fail.
                let _ = encoder.write_all(plaintext);
                bytes = encoder.finish().unwrap_or_default();
            }
        }
        Self { format: Format::Deflate, bytes }
    }

    /// Returns data compressed with LZ4.
    pub fn lz4(plaintext: &[u8]) -> Self {
        let mut compressor = Compressor::new();
        compressor.add(plaintext);
        compressor.finish()
    }
}

/// Compresses bytes with LZ4 as they are added, so that the uncompressed data is never in memory as a whole.
pub struct Compressor {
    block: Vec<u8>,
    /// Space for a compressed block.
    output: Vec<u8>,
    compressed: Vec<u8>,
    has_failed: bool,
}

impl Compressor {
    /// Returns an empty compressor.
    pub fn new() -> Self {
        Self { block: Vec::new(), output: Vec::new(), compressed: vec![0; Compressed::HEADROOM_BYTES], has_failed: false }
    }

    /// Adds bytes.
    pub fn add(&mut self, mut bytes: &[u8]) {
        self.block.reserve_exact(BLOCK_BYTES - self.block.len());
        while self.block.len() + bytes.len() > BLOCK_BYTES {
            let (now, later) = bytes.split_at(BLOCK_BYTES - self.block.len());
            self.block.extend_from_slice(now);
            self.compress_block();
            self.block.clear();
            bytes = later;
        }
        self.block.extend_from_slice(bytes);
    }

    /// Returns the compressed data.
    pub fn finish(self) -> Compressed {
        self.finish_with_plaintext().0
    }

    /// Returns the compressed data, and the bytes that were added if they are one block.
    pub fn finish_with_plaintext(mut self) -> (Compressed, Option<Vec<u8>>) {
        let is_first = self.compressed.len() == Compressed::HEADROOM_BYTES;
        self.compress_block();
        let bytes = if self.has_failed { Vec::new() } else { self.compressed };
        (Compressed { format: Format::Lz4, bytes }, is_first.then_some(self.block))
    }

    fn compress_block(&mut self) {
        self.output.resize(block::get_maximum_output_size(self.block.len()), 0);
        // The output has the maximum size, so this does not fail.
        let Ok(length) = block::compress_into(&self.block, &mut self.output) else {
            self.has_failed = true;
            return;
        };
        for length in [self.block.len(), length] {
            self.compressed.extend_from_slice(&u32::try_from(length).unwrap_or_default().to_le_bytes());
        }
        self.compressed.extend_from_slice(&self.output[..length]);
    }
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

/// Decompresses data; `None` if it is damaged.
pub(super) fn decompress(format: Format, compressed: &[u8]) -> Option<Vec<u8>> {
    match format {
        Format::Deflate => inflate(compressed),
        Format::Lz4 => decompress_blocks(compressed),
    }
}

fn inflate(compressed: &[u8]) -> Option<Vec<u8>> {
    if let [STORED_BLOCK, low, high, _, _, plaintext @ ..] = compressed
        && plaintext.len() == usize::from(u16::from_le_bytes([*low, *high]))
    {
        return Some(plaintext.to_vec());
    }
    let mut plaintext = Vec::with_capacity(compressed.len() * 4);
    DeflateDecoder::new(compressed).read_to_end(&mut plaintext).ok()?;
    Some(plaintext)
}

fn decompress_blocks(compressed: &[u8]) -> Option<Vec<u8>> {
    let mut plaintext = vec![0; blocks(compressed).try_fold(0, |sum, block| Some(sum + block?.0))?];
    let mut rest = plaintext.as_mut_slice();
    for (length, data) in blocks(compressed).flatten() {
        let (place, following) = rest.split_at_mut_checked(length)?;
        (block::decompress_into(data, place).ok()? == length).then_some(())?;
        rest = following;
    }
    Some(plaintext)
}

/// Returns the uncompressed length and the data of each block; `None` for a block that is cut, or longer than a block of this data can be.
fn blocks(mut compressed: &[u8]) -> impl Iterator<Item = Option<(usize, &[u8])>> {
    std::iter::from_fn(move || {
        if compressed.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut compressed);
        Some(split_block(rest).map(|(length, data, following)| {
            compressed = following;
            (length, data)
        }))
    })
}

fn split_block(bytes: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let (length, bytes) = bytes.split_first_chunk()?;
    let (compressed_length, bytes) = bytes.split_first_chunk()?;
    let [length, compressed_length] = [length, compressed_length].map(|number| usize::try_from(u32::from_le_bytes(*number)));
    let (data, following) = bytes.split_at_checked(compressed_length.ok()?)?;
    let max_length = data.len().saturating_mul(MAX_EXPANSION).min(BLOCK_BYTES);
    Some((length.ok().filter(|length| *length <= max_length)?, data, following))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(compressed: &Compressed) -> &[u8] {
        &compressed.bytes[Compressed::HEADROOM_BYTES..]
    }

    #[test]
    fn compressed_data_of_any_length_decompresses_unchanged() {
        for length in [0, 1, MAX_PLAIN_BYTES, MAX_PLAIN_BYTES + 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES] {
            let plaintext: Vec<u8> = (0..length).map(|index| (index * index % 251).to_le_bytes()[0]).collect();
            for compressed in [Compressed::deflate(&plaintext), Compressed::lz4(&plaintext)] {
                let format = compressed.format;
                assert!(decompress(format, data(&compressed)) == Some(plaintext.clone()), "{format:?}, {length} bytes");
            }
        }
    }

    #[test]
    fn compressor_result_does_not_depend_on_the_pieces() {
        let plaintext = b"Ana O'Neill, 3000000126; ".repeat(10_000);
        let whole = Compressed::lz4(&plaintext);
        assert!(whole.bytes.len() < plaintext.len() / 50, "{} bytes", whole.bytes.len());
        let mut compressor = Compressor::default();
        for piece in plaintext.chunks(1_000) {
            compressor.add(piece);
        }
        assert!(compressor.finish().bytes == whole.bytes);
    }

    #[test]
    fn deflate_data_of_any_length_is_read_by_a_decoder_without_exceptions() {
        for length in [0, 10, MAX_PLAIN_BYTES, MAX_PLAIN_BYTES + 1] {
            let plaintext = vec![b'a'; length];
            let mut decoded = Vec::new();
            DeflateDecoder::new(data(&Compressed::deflate(&plaintext))).read_to_end(&mut decoded).expect("valid DEFLATE data");
            assert!(decoded == plaintext, "{length} bytes");
        }
    }

    #[test]
    fn damaged_blocks_are_not_decompressed() {
        let compressed = Compressed::lz4(&b"Ana".repeat(100));
        let blocks = data(&compressed);
        for length in 1..blocks.len() {
            assert_eq!(decompress(Format::Lz4, &blocks[..length]), None, "{length} bytes");
        }
        let too_long = [&u32::MAX.to_le_bytes()[..], &blocks[4..]].concat();
        assert_eq!(decompress(Format::Lz4, &too_long), None);
    }

    #[test]
    fn block_that_declares_more_than_its_data_can_contain_needs_no_memory() {
        let block = |declared: u32, data: &[u8]| {
            [&declared.to_le_bytes()[..], &u32::try_from(data.len()).expect("little data").to_le_bytes(), data].concat()
        };
        assert_eq!(blocks(&block(20 * 255 + 1, &[0; 20])).next(), Some(None));
        assert_eq!(blocks(&block(20 * 255, &[0; 20])).next(), Some(Some((20 * 255, &[0; 20][..]))));
        let most_compressed = Compressed::lz4("a".repeat(BLOCK_BYTES).as_bytes());
        assert!(decompress(Format::Lz4, data(&most_compressed)).is_some(), "{} bytes", most_compressed.bytes.len());
    }
}
