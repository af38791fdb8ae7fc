//! Encrypting a file to recipients, and decrypting one, 64 KiB at a time.
//!
//! What is written appears under its name when it is whole and durable, and not before; a file that turns
//! out to be damaged halfway leaves nothing behind. `export` does the same with a container in the vault.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::ReadError;
use super::new_file::fill_new_file;
use super::os::Links;
use super::regular::open_regular;
use crate::age::{
    FileKey, HEADER_BYTES_MAX, Header, HeaderError, Key, NONCE_BYTES, Opener, PIECE_BYTES,
    Position, Recipient, Sealer, StreamError, TAG_BYTES,
};

/// Bytes that are read and written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Why a file was not encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum AgeFileError {
    /// It is a folder, a FIFO, a device or the like.
    #[error("E-FILE: not a regular file: {path}")]
    NotRegular {
        /// What is not a file.
        path: PathBuf,
    },
    /// The result's name is taken.
    #[error("E-EXISTS: {path} is already there and is not replaced")]
    AlreadyThere {
        /// The name.
        path: PathBuf,
    },
    /// Its header cannot be used.
    #[error("{why}: {path}")]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: HeaderError,
    },
    /// Its content is not what was encrypted.
    #[error("{why}: {path}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: StreamError,
    },
    /// The caller gave up; nothing is left of it.
    #[error("E-CANCELLED: stopped before {path} was whole")]
    GivenUp {
        /// What was to be written.
        path: PathBuf,
    },
    /// The system has no randomness to make keys of.
    #[error("E-RANDOM: the system gave no randomness to make a key of")]
    Randomness(#[from] getrandom::Error),
    /// A chunk of a container cannot be read, or has changed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The system refused to read the one or to write the other.
    #[error("E-IO: cannot read {from}, or cannot write {to}")]
    Io {
        /// What was read.
        from: PathBuf,
        /// What was to be written.
        to: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl AgeFileError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotRegular { .. } => "E-FILE",
            Self::AlreadyThere { .. } => "E-EXISTS",
            Self::Header { why, .. } => why.code(),
            Self::Content { .. } => "E-AGE",
            Self::GivenUp { .. } => "E-CANCELLED",
            Self::Randomness(_) => "E-RANDOM",
            Self::Read(error) => error.code(),
            Self::Io { .. } => "E-IO",
        }
    }
}

/// Encrypts a file to these recipients, into a new one. `progress` hears how many bytes are done.
pub fn encrypt_file(
    from: &Path,
    to: &Path,
    recipients: &[Recipient],
    mut progress: impl FnMut(u64),
) -> Result<(), AgeFileError> {
    let job = Job { from, to };
    let (mut file, metadata) = job.open()?;
    let file_key = FileKey::new(random()?);
    let ephemeral = |recipient: &Recipient| Ok((*recipient, Key::new(random()?)));
    let recipients: Result<Vec<_>, AgeFileError> = recipients.iter().map(ephemeral).collect();
    let header = file_key.header(&recipients?);
    let header = header.map_err(|why| job.header(why))?;
    let nonce = random()?;
    let mut sealer = Sealer::new(&file_key, &nonce);
    job.write(|out| {
        out.write_all(&header)?;
        out.write_all(&nonce)?;
        let mut pieces = Pieces::new(&mut file, metadata.len(), PIECE_BYTES);
        while let Some((piece, position)) = pieces.next()? {
            sealer.seal(piece, position);
            out.write_all(piece)?;
            progress(pieces.done);
        }
        Ok(())
    })
}

/// Decrypts a file into a new one. `goes_on` hears how many of its bytes are done, and says whether to
/// go on.
pub fn decrypt_file(
    from: &Path,
    to: &Path,
    key: &Key,
    goes_on: impl FnMut(u64) -> bool,
) -> Result<(), AgeFileError> {
    let job = Job { from, to };
    let (mut file, metadata) = job.open()?;
    job.decrypt(&mut file, metadata.len(), key, goes_on)
}

/// Whether a file is one of age that this key opens. A file that is none, or is damaged, is not.
pub fn opens(path: &Path, key: &Key) -> Result<bool, AgeFileError> {
    let job = Job {
        from: path,
        to: path,
    };
    let (mut file, _) = job.open()?;
    job.opens(&mut file, key)
}

/// What is read, and what becomes of it.
#[derive(Clone, Copy)]
pub(super) struct Job<'p> {
    pub(super) from: &'p Path,
    pub(super) to: &'p Path,
}

/// Why the new file was not written.
pub(super) enum Failure {
    Known(AgeFileError),
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Job<'_> {
    fn open(self) -> Result<(File, Metadata), AgeFileError> {
        let opened = open_regular(File::options().read(true), self.from, Links::Follow);
        let opened = opened.map_err(|source| self.io(source))?;
        opened.ok_or_else(|| AgeFileError::NotRegular {
            path: self.from.to_owned(),
        })
    }

    /// Decrypts `len` bytes.
    pub(super) fn decrypt(
        self,
        source: &mut (impl Read + Seek),
        len: u64,
        key: &Key,
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> Result<(), AgeFileError> {
        let header = self.read_header(source)?;
        let file_key = header.open(key).map_err(|why| self.header(why))?;
        let begin = header.end() as u64;
        let mut nonce = [0; NONCE_BYTES];
        source
            .seek(SeekFrom::Start(begin))
            .and_then(|_| source.read_exact(&mut nonce))
            .map_err(|error| {
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    return self.content(StreamError::Damaged { piece: 0 });
                }
                self.io(error)
            })?;
        let mut opener = Opener::new(&file_key, &nonce);
        self.write(|out| {
            let payload = len.saturating_sub(begin + NONCE_BYTES as u64);
            let mut pieces = Pieces::new(source, payload, PIECE_BYTES + TAG_BYTES);
            while let Some((piece, position)) = pieces.next()? {
                let opened = opener.open(piece, position);
                out.write_all(opened.map_err(|why| Failure::Known(self.content(why)))?)?;
                if !goes_on(pieces.done) {
                    let path = self.to.to_owned();
                    return Err(Failure::Known(AgeFileError::GivenUp { path }));
                }
            }
            Ok(())
        })
    }

    /// Whether what begins here is of age and opens with this key.
    pub(super) fn opens(self, source: &mut impl Read, key: &Key) -> Result<bool, AgeFileError> {
        match self.read_header(source) {
            Ok(header) => Ok(header.open(key).is_ok()),
            Err(AgeFileError::Header { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read_header(self, source: &mut impl Read) -> Result<Header, AgeFileError> {
        let mut begin = Vec::new();
        let read = source.take(HEADER_BYTES_MAX as u64).read_to_end(&mut begin);
        read.map_err(|source| self.io(source))?;
        Header::decode(&begin).map_err(|why| self.header(why))
    }

    /// Writes a new file; if that fails, nothing is left.
    pub(super) fn write(
        self,
        fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), Failure>,
    ) -> Result<(), AgeFileError> {
        let written = fill_new_file(self.to, |file| {
            let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
            fill(&mut out)?;
            Ok(out.flush()?)
        });
        written.map_err(|failure| match failure {
            Failure::Known(error) => error,
            Failure::System(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                AgeFileError::AlreadyThere {
                    path: self.to.to_owned(),
                }
            }
            Failure::System(error) => self.io(error),
        })
    }

    fn header(self, why: HeaderError) -> AgeFileError {
        AgeFileError::Header {
            path: self.from.to_owned(),
            why,
        }
    }

    fn content(self, why: StreamError) -> AgeFileError {
        AgeFileError::Content {
            path: self.from.to_owned(),
            why,
        }
    }

    fn io(self, source: io::Error) -> AgeFileError {
        let source = match source.downcast::<ReadError>() {
            Ok(read) => return read.into(),
            Err(source) => source,
        };
        AgeFileError::Io {
            from: self.from.to_owned(),
            to: self.to.to_owned(),
            source,
        }
    }
}

/// A file's bytes from where it stands, cut into pieces. There is always one, if an empty one.
struct Pieces<R> {
    reader: R,
    left: u64,
    done: u64,
    len: usize,
    ended: bool,
    piece: Vec<u8>,
}

impl<'s, S: Read> Pieces<BufReader<&'s mut S>> {
    fn new(source: &'s mut S, bytes: u64, len: usize) -> Self {
        Self {
            reader: BufReader::with_capacity(BUFFER_BYTES, source),
            left: bytes,
            done: 0,
            len,
            ended: false,
            piece: Vec::with_capacity(len + TAG_BYTES),
        }
    }
}

impl<R: Read> Pieces<R> {
    /// The next piece, and whether it is the last.
    fn next(&mut self) -> io::Result<Option<(&mut Vec<u8>, Position)>> {
        if self.ended {
            return Ok(None);
        }
        self.ended = self.left <= self.len as u64;
        let len = if self.ended {
            self.left
        } else {
            self.len as u64
        };
        self.piece.clear();
        let read = (&mut self.reader).take(len).read_to_end(&mut self.piece)?;
        if (read as u64) < len {
            // it was cut off while it was read
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= len;
        self.done += len;
        let position = if self.ended {
            Position::Last
        } else {
            Position::Inner
        };
        Ok(Some((&mut self.piece, position)))
    }
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
