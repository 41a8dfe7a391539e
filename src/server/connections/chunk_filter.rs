//! Finds the end of a body in chunks (RFC 9112, 7.1) in the bytes of a connection. The framework decodes the body; what it refuses can have any
//! end here, because the connection ends then.

/// The position in a body in chunks. It can arrive in any number of pieces.
#[derive(Debug, Clone, Copy)]
pub enum ChunkFilter {
    /// In the digits of a chunk's size.
    Size(u64),
    /// In the rest of the line with a chunk's size.
    Extension(u64),
    /// In a chunk: this number of bytes follows, with the line break after it.
    Data(u64),
    /// In the lines after the last chunk. The body ends with an empty one.
    Trailer { is_line_empty: bool, is_after_return: bool },
}

impl Default for ChunkFilter {
    fn default() -> Self {
        Self::Size(0)
    }
}

impl ChunkFilter {
    /// Reads bytes up to the end of the body. Returns the number of bytes up to it; `None` if it is not among them.
    pub fn find_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut index = 0;
        while let Some(&byte) = bytes.get(index) {
            if let Self::Data(rest @ 1..) = *self {
                let skipped = usize::try_from(rest).unwrap_or(usize::MAX).min(bytes.len() - index);
                *self = Self::Data(rest - skipped as u64);
                index += skipped;
                continue;
            }
            index += 1;
            let Some(next) = self.after(byte) else {
                *self = Self::default();
                return Some(index);
            };
            *self = next;
        }
        None
    }

    /// Returns the state after this byte; `None` at the end of the body.
    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size(0) | Self::Extension(0), b'\n') => Self::Trailer { is_line_empty: true, is_after_return: false },
            // The line break after the chunk has two bytes.
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size.saturating_add(2)),
            (Self::Size(size), digit) => match char::from(digit).to_digit(16) {
                Some(digit) => Self::Size(size.saturating_mul(16).saturating_add(digit.into())),
                None => Self::Extension(size),
            },
            (Self::Extension(size), _) => Self::Extension(size),
            // A chunk begins.
            (Self::Data(_), _) => return Self::default().after(byte),
            (Self::Trailer { is_line_empty: true, is_after_return: true }, b'\n') => return None,
            (Self::Trailer { is_after_return: true, .. }, b'\n') => Self::Trailer { is_line_empty: true, is_after_return: false },
            (Self::Trailer { is_line_empty, .. }, b'\r') => Self::Trailer { is_line_empty, is_after_return: true },
            (Self::Trailer { .. }, _) => Self::Trailer { is_line_empty: false, is_after_return: false },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the end of a body that arrives in pieces of this size.
    fn end(bytes: &[u8], piece: usize) -> Option<usize> {
        let mut filter = ChunkFilter::default();
        bytes.chunks(piece).enumerate().find_map(|(index, bytes)| Some(index * piece + filter.find_end(bytes)?))
    }

    #[test]
    fn end_of_chunks_is_found_with_pieces_of_any_size() {
        let next = "GET / HTTP/1.1\r\n\r\n";
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            // Empty lines and what looks like an end in the data, and other forms of a size.
            "E;name=value\r\n\n\n\r\n\r\n0\r\n\r\n \r\n\r\n00 \r\n\r\n",
            "2\r\n\r\n\r\n0;a\r\n\r\n",
            "01\r\nx\r\n0\r\nX-Trailer: a\nb\r\n\r\n",
        ] {
            for piece in 1..body.len() {
                assert_eq!(end((body.to_owned() + next).as_bytes(), piece), Some(body.len()), "{body:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn chunk_of_empty_lines_has_no_end() {
        for line in ["\n", "\r\n", "0\r\n\r\n"] {
            let body = "fffff\r\n".to_owned() + &line.repeat(1000);
            assert_eq!(end(body.as_bytes(), 100), None, "{line:?}");
        }
        assert_eq!(end("\u{7f}".repeat(100).as_bytes(), 10), None);
        assert_eq!(end(b"ffffffffffffffffffffffff\r\n0\r\n\r\n", 3), None, "a size above all limits");
    }
}
