//! Finds the end of a request's head in the bytes of a connection, and hides requests to change the protocol.
//!
//! RFC 9110 7.8 lets a server ignore `Upgrade`. The framework does not: it answers with `Connection: upgrade` and closes the connection, or
//! takes everything that follows for a body. So one letter of the option is changed before the framework sees it.

use memchr::memchr;

/// A header and the word of its value that is changed.
const HIDDEN: [(&[u8], &[u8]); 2] = [(b"connection:", b"upgrade"), (b"upgrade:", b"websocket")];

/// The letter that replaces the last one of the word.
const REPLACEMENT: u8 = b'-';

/// The position in a head. Heads can arrive in any number of pieces.
#[derive(Debug, Default)]
pub struct HeadFilter {
    line: Line,
    /// `true` at the start of a line: the next line break is that of an empty line.
    is_line_empty: bool,
    /// `true` after the first letter of a head. Empty lines before it are no end (RFC 9112, 2.2).
    has_letters: bool,
}

#[derive(Debug, Clone, Copy, Default)]
enum Line {
    /// Nothing of the line has been read.
    #[default]
    Start,
    /// The line can be a hidden header: this number of letters is equal to its name.
    Name { header: usize, matched: usize },
    /// The value of a hidden header. This number of letters is equal to its word.
    Value { header: usize, matched: usize },
    /// Any other line.
    Other,
}

impl HeadFilter {
    /// Reads bytes up to the empty line at the end of the head. Returns the number of bytes up to its end; `None` if it is not among them.
    pub fn find_end(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let mut index = 0;
        while index < bytes.len() {
            if matches!(self.line, Line::Other) {
                // Only its end matters. Most of a head is in such lines.
                index += memchr(b'\n', &bytes[index..])?;
            }
            match bytes[index] {
                b'\n' if self.is_line_empty && self.has_letters => {
                    *self = Self::default();
                    return Some(index + 1);
                }
                b'\n' => (self.line, self.is_line_empty) = (Line::Start, true),
                b'\r' => {}
                letter => {
                    (self.is_line_empty, self.has_letters) = (false, true);
                    self.line = self.line.after(letter);
                    if let Line::Value { header, matched } = self.line
                        && matched == HIDDEN[header].1.len()
                    {
                        self.line = Line::Value { header, matched: 0 };
                        bytes[index] = REPLACEMENT;
                    }
                }
            }
            index += 1;
        }
        None
    }
}

impl Line {
    /// Returns the state after this letter.
    fn after(self, letter: u8) -> Self {
        let letter = letter.to_ascii_lowercase();
        match self {
            Self::Start => {
                HIDDEN.iter().position(|(name, _)| name[0] == letter).map_or(Self::Other, |header| Self::Name { header, matched: 1 })
            }
            Self::Name { header, matched } if HIDDEN[header].0[matched] != letter => Self::Other,
            Self::Name { header, matched } if matched + 1 == HIDDEN[header].0.len() => Self::Value { header, matched: 0 },
            Self::Name { header, matched } => Self::Name { header, matched: matched + 1 },
            Self::Value { header, matched } => {
                let word = HIDDEN[header].1;
                let matched = if letter == word[matched] { matched + 1 } else { usize::from(letter == word[0]) };
                Self::Value { header, matched }
            }
            Self::Other => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a head in pieces of this size. Returns what the framework sees of it, up to its end.
    fn read(head: &str, piece: usize) -> String {
        let (mut filter, mut seen) = (HeadFilter::default(), Vec::new());
        for bytes in head.as_bytes().chunks(piece) {
            let mut bytes = bytes.to_vec();
            let end = filter.find_end(&mut bytes);
            seen.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
            if end.is_some() {
                break;
            }
        }
        String::from_utf8(seen).expect("the head is ASCII")
    }

    #[test]
    fn upgrade_is_hidden_and_other_headers_stay_with_pieces_of_any_size() {
        let head =
            "GET /upgrade HTTP/1.1\r\nHost: upgrade\r\nCONNECTION: keep-alive, UpGrade, HTTP2-Settings\r\nUpgrade: h2c, uwebsocket\r\n\r\n";
        let expected =
            "GET /upgrade HTTP/1.1\r\nHost: upgrade\r\nCONNECTION: keep-alive, UpGrad-, HTTP2-Settings\r\nUpgrade: h2c, uwebsocke-\r\n\r\n";
        for piece in 1..head.len() {
            assert_eq!(read(&format!("{head}GET / HTTP/1.1\r\n"), piece), expected, "pieces of {piece} bytes");
        }
    }

    #[test]
    fn head_end_is_found_with_any_line_break() {
        for head in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "\n\r\n\nGET / HTTP/1.1\n\n"] {
            assert_eq!(read(&format!("{head}rest"), 1), head);
        }
        for bytes in ["GET / HTTP/1.1\r\nHost: a\r\n", "\r\n\r\n\n\n"] {
            assert_eq!(HeadFilter::default().find_end(&mut bytes.as_bytes().to_vec()), None, "{bytes:?}");
        }
    }
}
