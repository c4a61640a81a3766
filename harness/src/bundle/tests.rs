//! Bundles that were made, and archives that nobody should believe.

use std::io::Read as _;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::*;

fn run_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("run.json", "{}"),
        ("samples.csv", "a,b\n1,2\n"),
        ("scenario.toml", "x = 1\n"),
        ("cold_start.svg", "<svg/>"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::fs::create_dir(folder.path().join("stderr")).unwrap();
    std::fs::write(folder.path().join("stderr/a.log"), "a secret").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    folder
}

fn listed(name: &str, text: &[u8]) -> Member {
    let sha256 = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    Member { name: name.to_owned(), bytes: text.len() as u64, sha256 }
}

const PARTS: [(&str, &[u8]); 3] = [("run.json", b"{}"), ("samples.csv", b"a\n"), ("scenario.toml", b"x\n")];

/// A manifest of these members, as text.
fn manifest(members: Vec<Member>) -> Vec<u8> {
    let manifest = Manifest { bundle_version: BUNDLE_VERSION, tailmark: "0".to_owned(), members };
    serde_json::to_vec(&manifest).unwrap()
}

fn honest() -> Vec<u8> {
    manifest(PARTS.map(|(name, text)| listed(name, text)).to_vec())
}

/// A packed archive of these members, whatever their names are.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, text) in members {
        let mut head = tar::Header::new_ustar();
        head.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        head.set_size(text.len() as u64);
        head.set_entry_type(if *name == "link" { tar::EntryType::Symlink } else { tar::EntryType::Regular });
        head.set_cksum();
        builder.append(&head, *text).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn refused(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar.gz");
    std::fs::write(&path, bytes).unwrap();
    open(&path).unwrap_err().to_string()
}

#[test]
fn the_same_folder_gives_the_same_bytes_and_comes_out_as_it_went_in() {
    let folder = run_folder();
    let out = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| out.path().join(name));
    let manifest = pack(folder.path(), &a).unwrap();
    pack(folder.path(), &b).unwrap();
    assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    let names: Vec<&str> = manifest.members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["cold_start.svg", "run.json", "samples.csv", "scenario.toml"], "and nothing private");
    let opened = open(&a).unwrap();
    assert_eq!(opened.manifest, manifest);
    for name in names {
        let [before, after] =
            [folder.path(), opened.folder()].map(|at| std::fs::read(at.join(name)).unwrap());
        assert_eq!(before, after, "{name}");
    }
    let unpacked = opened.folder().to_owned();
    drop(opened);
    assert!(!unpacked.exists());
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 2, "nothing is left aside");
}

#[test]
fn a_file_that_is_there_stays_and_a_folder_without_samples_is_refused() {
    let folder = run_folder();
    let there = folder.path().join("notes.txt");
    let error = pack(folder.path(), &there).unwrap_err().to_string();
    assert!(error.contains("notes.txt is there already") && error.contains("--out"), "{error}");
    assert_eq!(std::fs::read_to_string(&there).unwrap(), "mine");
    std::fs::remove_file(folder.path().join("samples.csv")).unwrap();
    let error = pack(folder.path(), &folder.path().join("out")).unwrap_err().to_string();
    assert!(error.contains("has no samples.csv"), "{error}");
}

#[test]
fn an_archive_that_is_not_what_its_manifest_says_is_refused_by_the_member_at_fault() {
    let with = |manifest: &[u8], members: &[(&str, &[u8])]| {
        refused(&archive(&[&[(MANIFEST, manifest)], members].concat()))
    };
    let more = |extra: Member| {
        manifest(PARTS.map(|(name, text)| listed(name, text)).into_iter().chain([extra]).collect())
    };
    let [run, samples, scenario] = PARTS;
    let huge = Member { bytes: 1 << 30, ..listed("timeline.json", b"") };
    let bomb = Member { bytes: (1 << 28) - 1, ..listed("timeline.json", b"") };
    for (error, part) in [
        (with(&honest(), &[run, scenario]), "member samples.csv: bundle.json lists it, and it is not"),
        (
            with(&honest(), &[run, samples, scenario, ("report.md", b"")]),
            "member report.md: bundle.json does not list",
        ),
        (with(&honest(), &[run, samples, scenario, run]), "member run.json: it is there twice"),
        (with(&honest(), &[run, ("samples.csv", b"b\n"), scenario]), "member samples.csv: its SHA-256 is "),
        (
            with(&honest(), &[run, ("samples.csv", b"aa\n"), scenario]),
            "it has 3 bytes, and bundle.json says 2",
        ),
        (with(&honest(), &[run, ("link", b"")]), "member link: not a plain file"),
        (with(&honest(), &[run, ("../../evil", b"x")]), "member ../../evil: bundle.json does not list"),
        (with(&more(listed("../evil.svg", b"x")), &[]), "member ../evil.svg: no file of that name belongs"),
        (with(&more(listed("/etc/passwd", b"x")), &[]), "member /etc/passwd: no file of that name belongs"),
        (with(&more(listed("run.json", b"{}")), &[]), "member run.json: bundle.json lists it twice"),
        (with(&more(huge), &[]), "member timeline.json: 1073741824 bytes, and at most 268435456"),
        (with(&more(bomb), &[]), "may unpack to 16777216"),
        (with(&manifest(vec![listed("run.json", b"{}")]), &[]), "member samples.csv: missing"),
        (with(b"[", &[]), "member bundle.json: not JSON"),
        (with(br#"{"bundle_version": 9}"#, &[]), "has bundle version 9, and this tailmark reads version 1"),
        (refused(&archive(&[run])), "it begins with `run.json`, and a bundle with bundle.json"),
        (refused(&archive(&[])), "there is no bundle.json in it"),
        (refused(b"not an archive at all"), "is no bundle, or only a part of one"),
        (refused(b""), "is no bundle, or only a part of one"),
    ] {
        assert!(error.contains(part) && error.contains("hint: "), "{part}: {error}");
    }
}

#[test]
fn an_archive_that_ends_early_is_refused_wherever_it_ends() {
    let whole = archive(&[&[(MANIFEST, honest().as_slice())], PARTS.as_slice()].concat());
    for end in 0..whole.len() {
        let error = refused(&whole[..end]);
        assert!(error.contains("bundle") && error.contains("hint: "), "{end}: {error}");
    }
    let mut text = Vec::new();
    GzDecoder::new(whole.as_slice()).read_to_end(&mut text).unwrap();
    assert!(text.len() > 1024);
}

#[test]
fn an_archive_with_something_behind_its_end_is_refused() {
    let mut whole = archive(&[&[(MANIFEST, honest().as_slice())], PARTS.as_slice()].concat());
    whole.push(b'x');
    assert!(refused(&whole).contains("something follows the end of the archive"), "{}", refused(&whole));
}

#[test]
fn what_unpacks_without_end_is_not_read_to_its_end() {
    let mut tail = vec![0; 1024];
    tail.resize(ALWAYS as usize + 4096, 0);
    let mut all = Vec::new();
    let good = archive(&[&[(MANIFEST, honest().as_slice())], PARTS.as_slice()].concat());
    GzDecoder::new(good.as_slice()).read_to_end(&mut all).unwrap();
    all.extend(tail);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut packed, &all).unwrap();
    let error = refused(&packed.finish().unwrap());
    assert!(error.contains("bytes follow its last member"), "{error}");
}
