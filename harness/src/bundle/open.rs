//! Reads a bundle that may come from anybody into a folder of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;

use flate2::bufread::GzDecoder;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{
    ALWAYS, BUNDLE_VERSION, BundleError, MANIFEST, MOST_MANIFEST, MOST_MEMBERS, MOST_RATIO, Manifest, Member,
    NEEDED, belongs, most_bytes,
};

/// A bundle that was checked and unpacked. Its folder is gone when this is dropped.
#[derive(Debug)]
pub struct Opened {
    folder: TempDir,
    /// What it holds.
    pub manifest: Manifest,
}

impl Opened {
    /// The folder with its members.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Bytes that are copied at once.
const AT_ONCE: usize = 1 << 16;

/// Checks a bundle and unpacks it.
///
/// # Errors
/// When it is none, is damaged, or would unpack to more than any run has.
pub fn open(path: &Path) -> Result<Opened, BundleError> {
    let reading = |source| BundleError::File { doing: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(reading)?;
    let size = file.metadata().map_err(reading)?.len();
    let not = |error: io::Error| BundleError::not_a_bundle(path, error.to_string());
    let folder = tempfile::Builder::new().prefix("tailmark-bundle-").tempdir().map_err(|source| {
        BundleError::File { doing: "make a folder in", path: std::env::temp_dir(), source }
    })?;
    let mut archive = tar::Archive::new(GzDecoder::new(io::BufReader::new(file)));
    let mut manifest: Option<Manifest> = None;
    let mut seen = BTreeSet::new();
    // Raw: the extensions of tar that rename, link or make holes are members of a kind that no bundle has.
    for entry in archive.entries().map_err(not)?.raw(true) {
        let mut entry = entry.map_err(not)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(BundleError::member(path, &name, "not a plain file, and a bundle has no others"));
        }
        let bytes = entry.header().entry_size().map_err(not)?;
        let Some(known) = &manifest else {
            if name != MANIFEST {
                let why = format!("it begins with `{}`, and a bundle with {MANIFEST}", name.escape_debug());
                return Err(BundleError::not_a_bundle(path, why));
            }
            manifest = Some(read_manifest(path, size, bytes, &mut entry)?);
            continue;
        };
        let member = known.members.iter().find(|member| member.name == name);
        let member = member.ok_or_else(|| BundleError::unlisted(path, &name))?;
        if !seen.insert(name.clone()) {
            return Err(BundleError::member(path, &name, "it is there twice, and a bundle has each once"));
        }
        if bytes != member.bytes {
            let why = format!("it has {bytes} bytes, and {MANIFEST} says {}", member.bytes);
            return Err(BundleError::member(path, &name, why));
        }
        unpack(path, member, &mut entry, folder.path())?;
    }
    let manifest =
        manifest.ok_or_else(|| BundleError::not_a_bundle(path, format!("there is no {MANIFEST} in it")))?;
    if let Some(member) = manifest.members.iter().find(|member| !seen.contains(&member.name)) {
        let why = format!("{MANIFEST} lists it, and it is not in the archive");
        return Err(BundleError::member(path, &member.name, why));
    }
    // Whatever follows is read to its end, for the checksum of gzip stands there; of a good archive it is padding.
    let mut rest = archive.into_inner().take(ALWAYS + 1);
    if io::copy(&mut rest, &mut io::sink()).map_err(not)? > ALWAYS {
        return Err(BundleError::not_a_bundle(
            path,
            format!("more than {ALWAYS} bytes follow its last member"),
        ));
    }
    let mut beyond = rest.into_inner().into_inner();
    if beyond.read(&mut [0]).map_err(not)? > 0 {
        return Err(BundleError::not_a_bundle(path, "something follows the end of the archive".to_owned()));
    }
    Ok(Opened { folder, manifest })
}

fn read_manifest(path: &Path, size: u64, bytes: u64, entry: &mut impl Read) -> Result<Manifest, BundleError> {
    let wrong = |why: String| BundleError::member(path, MANIFEST, why);
    if bytes > MOST_MANIFEST {
        return Err(wrong(format!("it has {bytes} bytes, and may have {MOST_MANIFEST}")));
    }
    let mut text = Vec::new();
    entry.read_to_end(&mut text).map_err(|error| BundleError::not_a_bundle(path, error.to_string()))?;
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| wrong(format!("not JSON: {error}")))?;
    match value.get("bundle_version").and_then(serde_json::Value::as_u64) {
        Some(found) if found != u64::from(BUNDLE_VERSION) => {
            return Err(BundleError::Version { path: path.to_owned(), found });
        }
        _ => {}
    }
    let manifest: Manifest =
        serde_json::from_value(value).map_err(|error| wrong(format!("no manifest: {error}")))?;
    if manifest.members.len() > MOST_MEMBERS {
        return Err(wrong(format!(
            "{} members, and at most {MOST_MEMBERS} are allowed",
            manifest.members.len()
        )));
    }
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for Member { name, bytes, .. } in &manifest.members {
        if !belongs(name) {
            let why = "no file of that name belongs into a bundle; members are plain names of a run's files";
            return Err(BundleError::member(path, name, why));
        }
        if *bytes > most_bytes(name) {
            let why = format!("{bytes} bytes, and at most {} are allowed", most_bytes(name));
            return Err(BundleError::member(path, name, why));
        }
        if all.insert(name, *bytes).is_some() {
            return Err(BundleError::member(path, name, format!("{MANIFEST} lists it twice")));
        }
    }
    if let Some(name) = NEEDED.into_iter().find(|name| !all.contains_key(name)) {
        return Err(BundleError::member(path, name, "missing, and nothing can be computed again without it"));
    }
    let (total, most) = (all.values().sum::<u64>(), ALWAYS.max(size.saturating_mul(MOST_RATIO)));
    if total > most {
        return Err(wrong(format!(
            "its members come to {total} bytes, and an archive of {size} bytes may unpack to {most}"
        )));
    }
    Ok(manifest)
}

/// Writes a member into the folder, under a name that was checked, and compares its hash.
fn unpack(path: &Path, member: &Member, entry: &mut impl Read, folder: &Path) -> Result<(), BundleError> {
    let target = folder.join(&member.name);
    let writing = |source| BundleError::File { doing: "write", path: target.clone(), source };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&target).map_err(writing)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; AT_ONCE];
    let mut left = member.bytes;
    while left > 0 {
        let read =
            entry.read(&mut buffer).map_err(|error| BundleError::not_a_bundle(path, error.to_string()))?;
        if read == 0 {
            return Err(BundleError::not_a_bundle(path, format!("it ends within {}", member.name)));
        }
        hash.update(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(writing)?;
        left = left.saturating_sub(read as u64);
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == member.sha256 {
        return Ok(());
    }
    let why = format!("its SHA-256 is {found}, and {MANIFEST} says {}", member.sha256.escape_debug());
    Err(BundleError::member(path, &member.name, why))
}
