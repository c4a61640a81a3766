//! A repository of the model hub becomes a model in the store: fetched at one commit, made into a model without torch if it has a
//! graph, and pinned in `tailmark.lock`.

use std::fs;
use std::path::{Path, PathBuf};

use tailmark_providers::cache::Lock;
use tailmark_providers::model::hub_repository::Wish;
use tailmark_providers::model::manifest::{HubRevision, Manifest};
use tailmark_providers::model::{Hub, ModelStore, PinnedFile, own, variants};
use tailmark_reports::units;

use super::folder::{Wanted, make};
use super::lock::{LockFile, LockedModel};
use super::{MakingError, cannot};
use crate::screen::Screen;

/// What is asked for where nobody names a revision.
const USUAL_REVISION: &str = "main";

/// A model of the hub that is to be had.
#[derive(Clone, Debug)]
pub(crate) struct HubModel<'a> {
    /// The repository.
    pub(crate) name: &'a str,
    /// A branch, a tag or a commit; `None` for the main branch.
    pub(crate) revision: Option<&'a str>,
    /// Which of its files are wanted.
    pub(crate) wish: Wish,
    /// `tailmark.lock`; `None` if nothing is pinned.
    pub(crate) lock: Option<&'a Path>,
    /// Run the Python code that the repository brings.
    pub(crate) trust_remote_code: bool,
    /// The folder of the model store.
    pub(crate) store: &'a Path,
    /// The user's own Python interpreter.
    pub(crate) python: Option<&'a Path>,
    /// Where Python environments are.
    pub(crate) cache: &'a Path,
}

/// A repository at one commit, with the files that are wanted in a folder of the store.
#[derive(Debug)]
pub(crate) struct Brought {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The commit.
    pub(crate) source: HubRevision,
    /// The files, each as it was found.
    pub(crate) files: Vec<PinnedFile>,
    /// Nobody else fetches the repository or makes a model of it meanwhile.
    _lock: Lock,
}

/// Makes the model be there, and gives its folder. If it is there as it is pinned, nobody is asked over the network.
pub(crate) fn obtain(wanted: &HubModel<'_>, hub: &Hub, screen: &Screen) -> Result<PathBuf, MakingError> {
    let mut lock = wanted.lock.map(LockFile::read).transpose()?;
    let entry = match (&lock, wanted.lock) {
        (Some(lock), Some(path)) => lock.entry(path, wanted.name, wanted.revision)?.cloned(),
        _ => None,
    };
    if let Some(entry) = &entry
        && let Some(folder) = there(wanted, entry)?
    {
        return Ok(folder);
    }
    let brought = bring(wanted, entry.as_ref(), hub, screen)?;
    let Brought { folder, source, files, .. } = &brought;
    let is_made = own::read(folder).is_ok_and(|manifest| covers(&manifest, files));
    if !is_made {
        make(
            &Wanted {
                source: folder,
                target: folder,
                name: wanted.name,
                form: "auto",
                graph: None,
                prefer_graph: true,
                trust_remote_code: wanted.trust_remote_code,
                hub: Some(source),
                python: wanted.python,
                cache: wanted.cache,
            },
            screen,
        )?;
    }
    if let (Some(lock), Some(path)) = (&mut lock, wanted.lock) {
        let asked = wanted.revision.unwrap_or(USUAL_REVISION).to_owned();
        lock.put(LockedModel {
            name: wanted.name.to_owned(),
            asked: entry.map_or(asked, |entry| entry.asked),
            revision: source.revision.clone(),
            all_graphs: wanted.wish.all_graphs,
            files: files.clone(),
        });
        match lock.write(path) {
            Ok(()) => screen.say(&format!("model {}: pinned in {}", wanted.name, path.display())),
            Err(error) => screen.say(&format!(
                "note: {} is not pinned: {} cannot be written: {error}",
                wanted.name,
                path.display()
            )),
        }
    }
    Ok(brought.folder)
}

/// Fetches the files that are wanted, at the commit that is pinned if one is, and makes nothing of them.
pub(crate) fn bring(
    wanted: &HubModel<'_>,
    pinned: Option<&LockedModel>,
    hub: &Hub,
    screen: &Screen,
) -> Result<Brought, MakingError> {
    let revision = pinned.map(|entry| entry.revision.as_str()).or(wanted.revision).unwrap_or(USUAL_REVISION);
    screen.say(&format!("model {}: asking the model hub for {revision}", wanted.name));
    let listing = hub.list(wanted.name, revision)?;
    let folder = folder_of(wanted, &listing.commit);
    let mut wish = wanted.wish.clone();
    wish.graphs.retain(|name| !is_variant(&folder, name));
    let files = listing.select(&wish)?;
    fs::create_dir_all(&folder).map_err(cannot(format!("make the folder {}", folder.display())))?;
    let store = ModelStore::at(wanted.store);
    let lock = store.lock_of_hub(wanted.name, screen).map_err(cannot("lock the model store"))?;
    screen.say(&format!(
        "model {}: fetching {} at commit {}",
        wanted.name,
        units::counted(files.len() as u64, "file"),
        short(&listing.commit)
    ));
    let expected = pinned.map_or(&[][..], |entry| &entry.files);
    let files = hub.fetch_files(&listing, &files, expected, &folder, screen)?;
    screen.clear();
    let source = HubRevision { repository: wanted.name.to_owned(), revision: listing.commit };
    Ok(Brought { folder, source, files, _lock: lock })
}

/// The folder of a model that is there as it is pinned, with everything that is wished for.
fn there(wanted: &HubModel<'_>, entry: &LockedModel) -> Result<Option<PathBuf>, MakingError> {
    let folder = folder_of(wanted, &entry.revision);
    let Ok(manifest) = own::read(&folder) else { return Ok(None) };
    let pinned = |name: &str| entry.files.iter().find(|file| file.name == name);
    for file in manifest.all_files() {
        // What tailmark made of the files is not pinned: graph, reference vectors, tokenizer.
        if let Some(pinned) = pinned(&file.name).filter(|pinned| pinned.sha256 != file.sha256) {
            return Err(MakingError::NotThere(format!(
                "the model {} in {} is not the one that {} pins: {} has SHA-256 {}, expected {}\n\nhint: remove that folder, and the \
                 model is fetched again",
                wanted.name,
                folder.display(),
                wanted.lock.unwrap_or(Path::new("tailmark.lock")).display(),
                file.name,
                file.sha256,
                pinned.sha256
            )));
        }
    }
    let has =
        |name: &String| manifest.all_graphs().any(|graph| graph.name == *name) || is_variant(&folder, name);
    let is_whole = covers(&manifest, &entry.files)
        && wanted.wish.graphs.iter().all(has)
        && (!wanted.wish.weights || !manifest.weights.is_empty())
        // Which graphs there are only the hub knows, unless all of them are pinned.
        && (!wanted.wish.all_graphs || entry.all_graphs);
    Ok(is_whole.then_some(folder))
}

/// Whether a model was made with all of these files.
fn covers(manifest: &Manifest, files: &[PinnedFile]) -> bool {
    let listed = |file: &PinnedFile| {
        manifest.all_files().any(|known| known.name == file.name && known.sha256 == file.sha256)
    };
    // Not every file of settings is one that a model needs.
    let matters =
        |name: &str| [".onnx", ".safetensors", ".bin", "_data"].iter().any(|end| name.ends_with(end));
    files.iter().filter(|file| matters(&file.name)).all(listed)
}

/// Whether a graph was made of the model here: the hub does not have it.
fn is_variant(folder: &Path, name: &str) -> bool {
    variants::read(folder).unwrap_or_default().iter().any(|variant| variant.file.name == name)
}

fn folder_of(wanted: &HubModel<'_>, commit: &str) -> PathBuf {
    ModelStore::at(wanted.store).hub_folder(wanted.name).join(commit)
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
