//! The worker's source: compiled into this library, and written out where an interpreter can import it. It does not know
//! what the worker does.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::PythonError;
use super::extra::short;
use super::installer::run_logged;
use super::interpreter::Interpreter;
use super::tools;
use crate::cache::Lock;
use crate::progress::Progress;

/// Path below the import folder, and content, of every file of the worker.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/worker_files.rs"));

/// Makes the folder be there that `PYTHONPATH` has to name, with the worker's source and its bytecode in it.
///
/// The bytecode is made here and now, for this interpreter: the first cold start would else spend its time on it and not
/// be like the others.
pub(crate) fn write(
    cache_root: &Path,
    interpreter: &Interpreter,
    progress: &dyn Progress,
) -> Result<PathBuf, PythonError> {
    let root = cache_root.join("worker");
    let name = name_for(interpreter);
    let folder = root.join(&name);
    if is_whole(&folder) {
        return Ok(folder);
    }
    let lock = root.join(format!(".lock-{name}"));
    let _lock = Lock::acquire(&lock, || {}).map_err(PythonError::folder("lock", &lock))?;
    if is_whole(&folder) {
        return Ok(folder);
    }
    let part = root.join(format!(".part-{name}"));
    for old in [&part, &folder] {
        if old.exists() {
            fs::remove_dir_all(old).map_err(PythonError::folder("remove", old))?;
        }
    }
    for (path, content) in FILES {
        let path = part.join(path);
        let parent = path.parent().unwrap_or(&part);
        fs::create_dir_all(parent).map_err(PythonError::folder("create", parent))?;
        fs::write(&path, content).map_err(PythonError::folder("write", &path))?;
    }
    let mut compile = tools::command(&interpreter.path, &root);
    // Strip one folder, prepend the other: the bytecode shall name the place where it will be.
    compile.args(["-m", "compileall", "-q", "-s"]).arg(&part).arg("-p").arg(&folder).arg(&part);
    run_logged(compile, "compile the worker", &root.join(format!("{name}.log")), progress)?;
    fs::rename(&part, &folder).map_err(PythonError::folder("write", &folder))?;
    Ok(folder)
}

/// Another source or another interpreter is another folder, so that two versions of tailmark do not disturb each other.
fn name_for(interpreter: &Interpreter) -> String {
    let mut hasher = Sha256::new();
    let files = FILES.iter().flat_map(|(path, content)| [path.as_bytes(), content]);
    for part in files.chain([interpreter.identity.as_bytes()]) {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    short(&hasher.finalize())
}

/// Whether every file has the content it was written with; somebody may have tried something out in there.
fn is_whole(folder: &Path) -> bool {
    FILES.iter().all(|(path, content)| fs::read(folder.join(path)).is_ok_and(|found| found == *content))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn walk(folder: &Path, below: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "__pycache__" && !name.ends_with(".egg-info") {
                walk(&path, below, found);
            } else if path.is_file() && !name.starts_with('.') && !name.ends_with(".pyc") {
                found.insert(path.strip_prefix(below).unwrap().to_string_lossy().into_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_worker_is_carried() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/src");
        let mut expected = BTreeSet::new();
        walk(&source, &source, &mut expected);
        let carried: BTreeSet<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(carried, expected);
        assert!(carried.contains("tailmark_worker/__main__.py"), "{carried:?}");
    }
}
