//! A file's bytes with one sort of line end, so that rows can be told by the lines of the file.

use std::io::{Read, Result};

/// Gives a file's bytes without the carriage returns before line feeds, and with a line feed at the end.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    /// A carriage return that was read and may be half of a line end.
    held: bool,
    ended: bool,
}

impl<R> Lines<R> {
    /// Wraps a reader; a buffered one, for it is read byte by byte.
    pub fn new(reader: R) -> Self {
        Self { reader, held: false, ended: false }
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        // A held byte may come back beside a new one, so there has to be room for both.
        let Some(room) = buffer.len().checked_sub(1).filter(|room| *room > 0) else { return Ok(0) };
        let mut raw = vec![0; room];
        let count = self.reader.read(&mut raw)?;
        let mut written = 0;
        let mut write = |byte| {
            buffer[written] = byte;
            written += 1;
        };
        for &byte in &raw[..count] {
            if self.held && byte != b'\n' {
                write(b'\r');
            }
            self.held = byte == b'\r';
            if !self.held {
                write(byte);
            }
        }
        if count == 0 && !self.ended {
            self.ended = true;
            write(b'\n');
        } else if written == 0 && count > 0 {
            // All that was read is held: there is more to come.
            return self.read(buffer);
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_ends_the_same_way() {
        let read = |text: &str| {
            let mut found = String::new();
            Lines::new(text.as_bytes()).read_to_string(&mut found).unwrap();
            found
        };
        assert_eq!(read("a\r\nb\r\n"), "a\nb\n\n");
        assert_eq!(read("a\rb"), "a\rb\n");
        assert_eq!(read(""), "\n");
    }
}
