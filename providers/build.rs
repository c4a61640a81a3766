//! Lists the Python worker's files, so that the library can carry them: an installed tailmark has no source tree beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let source = manifest.join("../python/src").canonicalize()?;
    let mut files = Vec::new();
    collect(&source, &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        let relative = file.strip_prefix(&source).map_err(io::Error::other)?;
        let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        table.push_str(&format!(
            "    ({:?}, include_bytes!({:?})),\n",
            parts.join("/"),
            file.display().to_string()
        ));
        // Single files and not their folder: Python writes its caches there, and each would mean another build. A new
        // file is noticed because some other one has to change to use it.
        println!("cargo::rerun-if-changed={}", file.display());
    }
    table.push_str("]\n");
    println!("cargo::rerun-if-changed=build.rs");
    fs::write(Path::new(&variable("OUT_DIR")?).join("worker_files.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "__pycache__" && !name.ends_with(".egg-info") {
                collect(&path, files)?;
            }
        } else if !name.starts_with('.') && !name.ends_with(".pyc") {
            files.push(path);
        }
    }
    Ok(())
}

fn variable(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
