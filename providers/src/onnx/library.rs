//! ONNX Runtime's shared library, which is opened once per process; an error names it. Knows no model.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use crate::provider::ProviderError;

/// A library can be opened once in a process, and it stays open: ONNX Runtime keeps threads and tables that do not
/// survive being unloaded.
static OPEN: Mutex<Option<OnnxRuntime>> = Mutex::new(None);

/// The open library.
#[derive(Clone, Debug)]
pub(super) struct OnnxRuntime {
    path: PathBuf,
    /// What sessions are made in.
    pub(super) environment: Environment,
    /// For example `1.31.1`.
    pub(super) version: String,
    /// What the library says of how it was built.
    pub(super) build: String,
}

impl OnnxRuntime {
    /// Opens the library, or finds it open.
    ///
    /// # Errors
    /// [`ProviderError::NotAvailable`] in the loader's own words; [`ProviderError::Load`] when this process already has
    /// another one open.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, ProviderError> {
        let not_available =
            |why: String| ProviderError::NotAvailable { what: "the ONNX Runtime library".to_owned(), why };
        let path = path.ok_or_else(|| {
            not_available("the option `library` is not set\n\nhint: the library is in the Python package onnxruntime, in the folder `capi`".to_owned())
        })?;
        // The loader would look for a relative path beside the executable first.
        let path =
            path.canonicalize().map_err(|error| not_available(format!("{}: {error}", path.display())))?;

        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        match &*open {
            Some(runtime) if runtime.path == path => return Ok(runtime.clone()),
            Some(runtime) => {
                return Err(ProviderError::Load(format!(
                    "this process already has {} open and cannot open {} as well\n\n\
                     hint: run the backends in worker processes",
                    runtime.path.display(),
                    path.display()
                )));
            }
            None => {}
        }
        let environment = ort::init_from(&path)
            .map_err(|error| not_available(error.to_string()))?
            .with_name("tailmark")
            .with_telemetry(false)
            .build()
            .map_err(|error| not_available(error.message().to_owned()))?;
        let version = version(ort::util::probe(&path), &path);
        let runtime = Self { path, environment, version, build: ort::info().to_owned() };
        *open = Some(runtime.clone());
        Ok(runtime)
    }
}

/// The library says its minor version; the patch is in the name of its file, and is used if the two agree.
fn version(minor: Option<u32>, path: &Path) -> String {
    let Some(minor) = minor else { return "unknown".to_owned() };
    let said = format!("1.{minor}");
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let patch = file_name
        .split_once(&format!(".{said}."))
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>())
        .filter(|patch| !patch.is_empty());
    patch.map_or_else(|| said.clone(), |patch| format!("{said}.{patch}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_is_read_from_the_files_name_where_it_agrees_with_the_library() {
        let version_of = |minor, name| version(minor, Path::new(name));
        assert_eq!(version_of(Some(31), "/capi/libonnxruntime.so.1.31.1"), "1.31.1");
        assert_eq!(version_of(Some(31), "/capi/libonnxruntime.1.31.12.dylib"), "1.31.12");
        assert_eq!(version_of(Some(31), "/capi/libonnxruntime.so.1.30.2"), "1.31");
        assert_eq!(version_of(Some(31), "/capi/libonnxruntime.so"), "1.31");
        assert_eq!(version_of(None, "/capi/libonnxruntime.so.1.31.1"), "unknown");
    }

    #[test]
    fn a_library_that_is_not_there_is_named() {
        let error = OnnxRuntime::open(Some(Path::new("/nowhere/libonnxruntime.so"))).expect_err("no library");
        assert!(
            error.to_string().starts_with(
                "the ONNX Runtime library is not available here: /nowhere/libonnxruntime.so: No such file"
            ),
            "{error}"
        );
        let error = OnnxRuntime::open(None).expect_err("no library");
        assert!(error.to_string().contains("the option `library` is not set"), "{error}");
    }
}
