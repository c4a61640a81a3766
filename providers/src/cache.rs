//! The user's cache folder and the locks in it, which let one process write there at a time. Does not know what is kept
//! there.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

/// `tailmark` in the user's cache folder: `$XDG_CACHE_HOME/tailmark`, else `~/.cache/tailmark`. `None` when the user has
/// no home folder.
#[must_use]
pub fn default_folder() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|strategy| strategy.cache_dir().join("tailmark"))
}

/// An exclusive lock on a file, held by one process (or thread) at a time and let go when dropped or when the process
/// ends, however it ends: so nothing has to be cleaned up after a crash.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, creating the file and its folder at need. When somebody else holds it, `waiting` is called once
    /// before the wait begins.
    pub(crate) fn acquire(path: &Path, waiting: impl FnOnce()) -> io::Result<Self> {
        let file = Self::open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Self { _file: file })
    }

    /// Takes the lock if nobody holds it.
    pub(crate) fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        let file = Self::open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn open(path: &Path) -> io::Result<File> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // The file stays when the lock goes: removing it would let two processes lock two different files of one name.
        File::options().create(true).truncate(false).write(true).open(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_cannot_be_taken_and_a_dropped_one_can() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/x.lock");
        let held = Lock::acquire(&path, || panic!("nobody holds it")).unwrap();
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_acquire(&path).unwrap().is_some());
    }
}
