//! One bit of each kind of file of a model is turned over, and the one file is found.

use std::path::PathBuf;

use super::super::manifest::{GRAPH, GRAPH_DATA, WEIGHTS};
use super::super::own::tests::write_model;
use super::super::variants::{Figures, Int8, Variant, measure, record};
use super::*;

/// Turns over one bit of a file, in place, wherever its names are.
fn flip(path: &Path, byte: usize, bit: u8) {
    let mut content = fs::read(path).unwrap();
    content[byte] ^= 1 << bit;
    fs::write(path, content).unwrap();
}

/// A whole model of one's own with a variant.
fn model() -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().to_owned();
    write_model(&folder);
    fs::write(folder.join("model.int8.onnx"), "another graph").unwrap();
    let file = measure(&folder, "model.int8.onnx").unwrap();
    let figures = Figures { min_cosine: Some(0.98), ..Figures::default() };
    let form = "int8".to_owned();
    let int8 = Some(Int8 { reduced_range: true, kernels_saturate: true, processor: None, exact: figures });
    let variant = Variant { file, form, made_from: String::new(), figures, made_with: [].into(), int8 };
    record(&folder, variant).unwrap();
    (scratch, folder)
}

fn damaged(findings: &[Finding]) -> Vec<&str> {
    let wrong = |finding: &&Finding| matches!(finding.state, FileState::Damaged(_));
    findings.iter().filter(wrong).map(|finding| finding.name.as_str()).collect()
}

#[test]
fn a_whole_model_is_right_in_every_file() {
    let (_scratch, folder) = model();
    let findings = own(&folder).unwrap();
    assert_eq!(damaged(&findings), Vec::<&str>::new());
    let names: Vec<&str> = findings.iter().map(|finding| finding.name.as_str()).collect();
    let expected =
        [MANIFEST, "config.json", "tokenizer.json", WEIGHTS, GRAPH, REFERENCE, GRAPH_DATA, "model.int8.onnx"];
    assert_eq!(names, expected);
    assert_eq!(stock_of_own(&folder), Stock::Whole);
}

#[test]
fn a_flipped_bit_is_found_in_each_kind_of_file() {
    for name in ["config.json", "tokenizer.json", GRAPH, REFERENCE, "model.int8.onnx"] {
        let (_scratch, folder) = model();
        flip(&folder.join(name), 1, 3);
        let findings = own(&folder).unwrap();
        assert!(damaged(&findings).contains(&name), "{name}: {findings:?}");
    }
    // Weights and graph data are one file under two names: either name shows it.
    let (_scratch, folder) = model();
    flip(&folder.join(GRAPH_DATA), 1, 3);
    assert_eq!(damaged(&own(&folder).unwrap()), [WEIGHTS]);
    // And where they are two files, each is found under its own.
    let (_scratch, folder) = model();
    fs::remove_file(folder.join(GRAPH_DATA)).unwrap();
    fs::copy(folder.join(WEIGHTS), folder.join(GRAPH_DATA)).unwrap();
    flip(&folder.join(GRAPH_DATA), 1, 3);
    assert_eq!(damaged(&own(&folder).unwrap()), [GRAPH_DATA]);
}

/// Whether two texts say the same, with other space between.
fn says_the_same(one: &[u8], other: &[u8]) -> bool {
    let value = |text| serde_json::from_slice::<serde_json::Value>(text).ok();
    value(one).is_some() && value(one) == value(other)
}

#[test]
fn no_bit_of_the_manifest_or_of_the_list_of_variants_can_be_flipped_unseen() {
    for name in [MANIFEST, VARIANTS] {
        let (_scratch, folder) = model();
        let path = folder.join(name);
        let right = fs::read(&path).unwrap();
        for byte in 0..right.len() {
            for bit in 0..8 {
                flip(&path, byte, bit);
                let seen = own(&folder).map_or(true, |findings| !damaged(&findings).is_empty());
                let changed = fs::read(&path).unwrap();
                assert!(seen || says_the_same(&right, &changed), "{}", String::from_utf8_lossy(&changed));
                fs::write(&path, &right).unwrap();
            }
        }
    }
}

#[test]
fn a_graph_that_nobody_recorded_is_said_to_be_unknown_and_is_no_damage() {
    let (_scratch, folder) = model();
    fs::write(folder.join("model.mine.onnx"), "?").unwrap();
    let findings = own(&folder).unwrap();
    assert_eq!(damaged(&findings), Vec::<&str>::new());
    assert_eq!(
        findings.last().unwrap(),
        &Finding { name: "model.mine.onnx".to_owned(), state: FileState::Unknown, is_variant: true }
    );
}

#[test]
fn a_look_at_the_sizes_finds_what_is_missing_or_cut_short() {
    let (_scratch, folder) = model();
    fs::write(folder.join("config.json"), "{").unwrap();
    fs::remove_file(folder.join("model.int8.onnx")).unwrap();
    let expected = Stock::Damaged(vec!["config.json".to_owned(), "model.int8.onnx".to_owned()]);
    assert_eq!(stock_of_own(&folder), expected);
    assert_eq!(stock_of_own(&folder.join("nothing")), Stock::Absent);
}
