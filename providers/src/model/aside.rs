//! Making files beside the place where they will be, so that they appear whole or not at all, and nothing is left when that
//! fails. What the files are is not known here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::cache::Lock;

/// What the folders are called, before a number.
const PREFIX: &str = ".tailmark-aside-";
const LOCK: &str = ".lock";

/// A folder in which files are made before they are moved to where they belong, on the same file system. It is gone when
/// dropped; what a killed tailmark left is removed by the next one that makes such a folder there.
#[derive(Debug)]
pub struct Aside {
    path: PathBuf,
    _lock: Lock,
}

impl Aside {
    /// Makes one in `folder`, which must be there.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn within(folder: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep(folder)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        let lock = Lock::acquire(&path.join(LOCK), || {})?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves a file made in it to its place in the folder around it, in place of what is there.
    ///
    /// # Errors
    /// When the file is not there or the place cannot be written to.
    pub fn put(&self, name: &str, place: &Path) -> io::Result<()> {
        fs::rename(self.path.join(name), place)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes the folders whose tailmark is gone: it held a lock, and the system lets go of it however a process ends.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let left = entry.path();
        // A link of that name is nobody's rubbish, and nothing behind it is touched.
        if entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type()?.is_dir()
            && let Ok(Some(_lock)) = Lock::try_acquire(&left.join(LOCK))
        {
            fs::remove_dir_all(&left)?;
        }
    }
    Ok(())
}

/// Writes a text file whole or not at all, in place of the one that is there.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let aside = Aside::within(folder)?;
    fs::write(aside.path.join("text"), text)?;
    aside.put("text", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_a_killed_one_left_is_removed_and_what_another_uses_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let left = scratch.path().join(format!("{PREFIX}1-0"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("half.onnx"), "half").unwrap();
        let first = Aside::within(scratch.path()).unwrap();
        let second = Aside::within(scratch.path()).unwrap();
        assert!(!left.exists() && first.path().is_dir() && second.path().is_dir());
        drop((first, second));
        assert_eq!(names(scratch.path()), Vec::<String>::new());
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("x.json");
        fs::write(&path, "old").unwrap();
        replace(&path, "new").unwrap();
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), names(scratch.path())),
            ("new", vec!["x.json".to_owned()])
        );
    }
}
