//! Bytes of a file, plain or compressed, and its lines.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use crate::import::{Error, Fault};

/// First bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Longest line that is read: more is no record.
pub(crate) const MAX_LINE_BYTES: usize = 8 * 1_024 * 1_024;

/// A file that is being read.
pub struct Input {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    size: u64,
    consumed: Arc<AtomicU64>,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("path", &self.path)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Input {
    /// Opens a file; a compressed one is recognised by its first bytes, not by its name.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        Self::of(path, file, size).map_err(unreadable)
    }

    /// Bytes that are in memory, under a name for messages.
    ///
    /// # Errors
    /// Compressed bytes that cannot be.
    pub fn of_bytes(name: &str, bytes: &'static [u8]) -> Result<Self, Error> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let path = PathBuf::from(name);
        Self::of(&path, bytes, size).map_err(|source| Error::Unreadable { path, source })
    }

    fn of(path: &Path, source: impl Read + Send + 'static, size: u64) -> io::Result<Self> {
        let consumed = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            source,
            consumed: Arc::clone(&consumed),
        };
        let mut plain = BufReader::new(counted);
        let compressed = plain.fill_buf()?.starts_with(&GZIP);
        let reader: Box<dyn BufRead + Send> = if compressed {
            Box::new(BufReader::new(MultiGzDecoder::new(plain)))
        } else {
            Box::new(plain)
        };
        Ok(Self {
            path: path.to_owned(),
            reader,
            size,
            consumed,
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size on disk in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Counts the bytes that have been read from disk, for whoever shows progress.
    #[must_use]
    pub fn consumed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.consumed)
    }

    /// An error of this file.
    fn unreadable(&self, source: io::Error) -> Error {
        Error::Unreadable {
            path: self.path.clone(),
            source,
        }
    }

    /// What is wrong with the whole file.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> Error {
        Error::Header {
            path: self.path.clone(),
            problem: problem.into(),
        }
    }

    /// Reads the next line without its end; `None` behind the last one. Of one that is too long, the beginning.
    pub(crate) fn line(&mut self, line: &mut Vec<u8>) -> Result<Option<Ending>, Error> {
        line.clear();
        let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
        let read = (&mut self.reader).take(limit).read_until(b'\n', line);
        let read = read.map_err(|source| self.unreadable(source))?;
        if read == 0 {
            return Ok(None);
        }
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            if read == MAX_LINE_BYTES {
                let skipped = self.reader.skip_until(b'\n');
                let skipped = skipped.map_err(|source| self.unreadable(source))?;
                return Ok(Some(Ending::TooLong(MAX_LINE_BYTES + skipped)));
            }
            return Ok(Some(Ending::EndOfFile));
        }
        line.pop_if(|byte| *byte == b'\r');
        Ok(Some(Ending::Newline))
    }

    /// Appends what is read next and says how many bytes: none behind the end.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn more(&mut self, buffer: &mut Vec<u8>) -> Result<usize, Error> {
        let read = loop {
            match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {},
                Err(source) => return Err(self.unreadable(source)),
                Ok(bytes) => {
                    buffer.extend_from_slice(bytes);
                    break bytes.len();
                },
            }
        };
        self.reader.consume(read);
        Ok(read)
    }
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As lines do.
    Newline,
    /// With the file: it may be half-written.
    EndOfFile,
    /// Not within what is read; it has this many bytes.
    TooLong(usize),
}

/// What is wrong with a last line that has no end. Whether it is whole cannot be known: a cut amount is an amount, too.
pub(crate) fn no_line_end() -> Fault {
    Fault::of_row(
        "the last line has no line end: the file may have been cut; write the file again, or end it with a line break",
    )
}

/// What is wrong with a line of so many bytes.
pub(crate) fn too_long(bytes: usize) -> Fault {
    Fault::of_row(format!(
        "is a line of {bytes} bytes, only shorter ones than {MAX_LINE_BYTES} are read; shorten it, or is the file of another format?"
    ))
}

struct Counted<R> {
    source: R,
    consumed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.consumed
            .fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Ok(read)
    }
}
