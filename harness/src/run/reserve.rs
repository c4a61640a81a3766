//! Room for the end of a run: a file in its folder that is given back before the last record is written, so that a disk that
//! filled up meanwhile does not cost what was measured.

use std::fs;
use std::path::{Path, PathBuf};

const FILE: &str = ".reserve";

/// Enough for the record of ten backends; it is written beside the one before, and the report comes after it.
const MOST: usize = 1 << 22;
/// Below this a record does not fit, and a disk with as little room is full in any case.
const LEAST: usize = 1 << 14;

/// The room, for as long as this is kept.
#[derive(Debug)]
pub(super) struct Reserve(PathBuf);

impl Reserve {
    /// Takes as much as there is; nothing is no reason not to run.
    pub(super) fn take(folder: &Path) -> Self {
        let path = folder.join(FILE);
        // Not zeros, which a file system may leave out. One that compresses keeps less room, and still some.
        let taken = std::iter::successors(Some(MOST), |bytes| Some(bytes / 2))
            .take_while(|bytes| *bytes >= LEAST)
            .any(|bytes| fs::write(&path, vec![b'.'; bytes]).is_ok());
        if !taken {
            let _ = fs::remove_file(&path);
        }
        Self(path)
    }

    /// Gives the room back that a killed run has left taken.
    pub(super) fn give_back_in(folder: &Path) {
        drop(Self(folder.join(FILE)));
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        // Where nothing was taken there is nothing to give back.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::take(folder.path());
        assert_eq!(fs::metadata(folder.path().join(FILE)).unwrap().len(), MOST as u64);
        drop(reserve);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_no_reason_not_to_run() {
        let folder = tempfile::tempdir().unwrap();
        drop(Reserve::take(&folder.path().join("nowhere")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
