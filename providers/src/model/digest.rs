//! Content checks: is this file, byte for byte, the one that is wanted? It does not know where a file came from.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Large enough that system calls do not show beside the hashing, small enough for the processor's cache.
const BUFFER_BYTES: usize = 256 * 1024;

/// A file with the content it must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedFile {
    /// The file's name below the model's folder, the same at every source and in the store.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, in lower-case hexadecimal.
    pub sha256: String,
}

/// What is wrong with a file.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There is no such file.
    Missing,
    /// It is longer or shorter than it must be, as a half download is.
    Length { found: u64, expected: u64 },
    /// It has the right length and another content.
    Hash { found: String, expected: String },
    /// It cannot be read.
    Unreadable(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(formatter, "is missing"),
            Self::Length { found, expected } if found < expected => {
                write!(formatter, "is cut short: {found} bytes of {expected}")
            }
            Self::Length { found, expected } => write!(formatter, "has {found} bytes, expected {expected}"),
            Self::Hash { found, expected } => write!(formatter, "has SHA-256 {found}, expected {expected}"),
            Self::Unreadable(error) => write!(formatter, "cannot be read: {error}"),
        }
    }
}

/// Whether `path` has the pinned content. The length is compared first: it costs nothing and finds most damage.
pub(crate) fn check(path: &Path, pinned: &PinnedFile) -> Result<(), Fault> {
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Fault::Missing,
        _ => Fault::Unreadable(error),
    })?;
    let found = file.metadata().map_err(Fault::Unreadable)?.len();
    if found != pinned.bytes {
        return Err(Fault::Length { found, expected: pinned.bytes });
    }
    let found = sha256_of_all(&mut file).map_err(Fault::Unreadable)?;
    if found == pinned.sha256 { Ok(()) } else { Err(Fault::Hash { found, expected: pinned.sha256.clone() }) }
}

/// Describes a file whose content is not known beforehand.
pub(crate) fn measure(name: &str, path: &Path) -> io::Result<PinnedFile> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    Ok(PinnedFile { name: name.to_owned(), bytes, sha256: sha256_of_all(&mut file)? })
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn sha256_of_all(from: &mut dyn Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    pump(from, &mut |part| {
        hasher.update(part);
        Ok(())
    })?;
    Ok(hexadecimal(&hasher.finalize()))
}

/// Copies everything, telling `moved` how many bytes have been written so far.
pub(crate) fn copy(from: &mut dyn Read, to: &mut dyn Write, moved: &mut dyn FnMut(u64)) -> io::Result<u64> {
    let mut written = 0;
    pump(from, &mut |part| {
        to.write_all(part)?;
        written += part.len() as u64;
        moved(written);
        Ok(())
    })?;
    to.flush()?;
    Ok(written)
}

fn pump(from: &mut dyn Read, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(&buffer[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail: this is a bug");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_standard() {
        // The example of FIPS 180-4 for the three letters abc.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of(b"abc"), expected);
    }

    #[test]
    fn each_kind_of_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let pinned = PinnedFile { name: "x".to_owned(), bytes: 3, sha256: sha256_of(b"abc") };
        let fault = || check(&path, &pinned).unwrap_err().to_string();
        assert_eq!(fault(), "is missing");
        std::fs::write(&path, "ab").unwrap();
        assert_eq!(fault(), "is cut short: 2 bytes of 3");
        std::fs::write(&path, "abcd").unwrap();
        assert_eq!(fault(), "has 4 bytes, expected 3");
        std::fs::write(&path, "abd").unwrap();
        let (found, expected) = (sha256_of(b"abd"), sha256_of(b"abc"));
        assert_eq!(fault(), format!("has SHA-256 {found}, expected {expected}"));
        std::fs::write(&path, "abc").unwrap();
        check(&path, &pinned).unwrap();
    }

    #[test]
    fn a_full_disk_ends_a_copy_with_the_system_s_error() {
        /// Takes a number of bytes, then says what a full disk says.
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, part: &[u8]) -> io::Result<usize> {
                let taken = part.len().min(self.0);
                self.0 -= taken;
                if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = copy(&mut [7; 100].as_slice(), &mut Full(40), &mut |_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
