//! Makes a bundle of a run folder.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};

use super::{
    ALSO, BUNDLE_VERSION, BundleError, MANIFEST, MOST_MEMBERS, Manifest, Member, NEEDED, belongs, most_bytes,
};

/// Writes a bundle of a run folder to a file that is not there yet, and gives what it holds.
///
/// # Errors
/// When the file is there, the folder lacks something, or either cannot be read or written.
pub fn pack(folder: &Path, out: &Path) -> Result<Manifest, BundleError> {
    if fs::symlink_metadata(out).is_ok() {
        return Err(BundleError::Exists { path: out.to_owned() });
    }
    let manifest = manifest(folder)?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let writing = |source| BundleError::File { doing: "write", path: out.to_owned(), source };
    let aside =
        tempfile::Builder::new().prefix(".tailmark-").suffix(".part").tempfile_in(parent).map_err(writing)?;
    write(folder, &manifest, aside.as_file()).map_err(writing)?;
    // Only now: somebody may have made the file in the meantime.
    aside.persist_noclobber(out).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => BundleError::Exists { path: out.to_owned() },
        _ => writing(error.error),
    })?;
    Ok(manifest)
}

/// What a run folder has that belongs into a bundle.
fn manifest(folder: &Path) -> Result<Manifest, BundleError> {
    if let Some(name) = NEEDED.into_iter().find(|name| !folder.join(name).is_file()) {
        return Err(BundleError::Lacks { folder: folder.to_owned(), name });
    }
    let reading = |source| BundleError::File { doing: "read", path: folder.to_owned(), source };
    let mut names: Vec<String> = NEEDED.into_iter().chain(ALSO).map(str::to_owned).collect();
    for entry in fs::read_dir(folder).map_err(reading)? {
        let name = entry.map_err(reading)?.file_name().to_string_lossy().into_owned();
        if belongs(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names.retain(|name| folder.join(name).is_file());
    names.sort();
    names.truncate(MOST_MEMBERS);
    let members = names.into_iter().map(|name| member(folder, name)).collect::<Result<_, _>>()?;
    Ok(Manifest { bundle_version: BUNDLE_VERSION, tailmark: env!("CARGO_PKG_VERSION").to_owned(), members })
}

fn member(folder: &Path, name: String) -> Result<Member, BundleError> {
    let path = folder.join(&name);
    let mut hash = Sha256::new();
    let hashed = File::open(&path).and_then(|mut file| io::copy(&mut file, &mut HashOf(&mut hash)));
    let bytes = hashed.map_err(|source| BundleError::File { doing: "read", path, source })?;
    let most = most_bytes(&name);
    if bytes > most {
        return Err(BundleError::TooLarge { name, bytes, most });
    }
    Ok(Member { name, bytes, sha256: hex(&hash.finalize()) })
}

fn write(folder: &Path, manifest: &Manifest, out: &File) -> io::Result<()> {
    // Neither a time nor a name of the machine goes into the head.
    let packed = GzBuilder::new().write(io::BufWriter::new(out), Compression::default());
    let mut archive = tar::Builder::new(packed);
    let mut text = serde_json::to_vec_pretty(manifest)?;
    text.push(b'\n');
    archive.append_data(&mut head(text.len() as u64), MANIFEST, text.as_slice())?;
    for member in &manifest.members {
        // A file that grew since it was hashed is cut, and one that shrank is an error: neither is packed unseen.
        let mut file =
            Exactly { file: File::open(folder.join(&member.name))?, left: member.bytes, hash: Sha256::new() };
        archive.append_data(&mut head(member.bytes), &member.name, &mut file)?;
        if hex(&file.hash.finalize()) != member.sha256 {
            return Err(io::Error::other(format!("{} changed while it was packed", member.name)));
        }
    }
    let mut out = archive.into_inner()?.finish()?;
    out.flush()?;
    out.get_ref().sync_all()
}

/// The head of a member: nothing of the file but its size.
fn head(bytes: u64) -> tar::Header {
    let mut head = tar::Header::new_ustar();
    head.set_size(bytes);
    head.set_mode(0o644);
    head.set_mtime(0);
    head.set_uid(0);
    head.set_gid(0);
    head.set_entry_type(tar::EntryType::Regular);
    head
}

/// So many bytes of a file, hashed as they are read.
struct Exactly {
    file: File,
    left: u64,
    hash: Sha256,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.file.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::Error::other("a file of the run became shorter while it was packed"));
        }
        self.hash.update(&buffer[..read]);
        self.left -= read as u64;
        Ok(read)
    }
}

/// Hashes what is written to it.
struct HashOf<'a>(&'a mut Sha256);

impl io::Write for HashOf<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
