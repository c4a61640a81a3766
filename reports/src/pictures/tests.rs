//! What every picture must keep to, whatever the record.

use roxmltree::{Document, Node};

use super::PICTURES;
use crate::fixture;
use crate::record::RunRecord;

/// A text of a picture: what it says and the rectangle it takes at most, in the picture's own units.
#[derive(Debug)]
struct Label {
    text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} of {node:?}"))
}

/// Another estimate than the one the pictures are laid out with: the mean width of a character of DejaVu Sans, the
/// widest of the usual fonts, over mixed texts.
fn width_of(text: &str, size: f64, bold: bool) -> f64 {
    let ems: f64 = text.chars().map(|c| if c.is_ascii_uppercase() { 0.66 } else { 0.56 }).sum();
    ems * size * if bold { 1.1 } else { 1.0 }
}

fn labels(document: &Document<'_>) -> Vec<Label> {
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts
        .map(|node| {
            let text = node.text().unwrap_or_default().trim().to_owned();
            let size = number(node, "font-size");
            let (x, y) = (number(node, "x"), number(node, "y"));
            let width = width_of(&text, size, node.attribute("font-weight") == Some("bold"));
            let start = match node.attribute("text-anchor") {
                Some("middle") => x - width / 2.0,
                Some("end") => x - width,
                _ => x,
            };
            let half = size * 0.45;
            let upright = node.attribute("transform").is_some_and(|turned| turned.starts_with("rotate(270"));
            let (left, right, top, bottom) = if upright {
                (x - half, x + half, y - width / 2.0, y + width / 2.0)
            } else {
                (start, start + width, y - half, y + half)
            };
            Label { text, left, right, top, bottom }
        })
        .collect()
}

/// The run without all but the first backends.
fn cut(mut record: RunRecord, backends: usize) -> RunRecord {
    record.backends.truncate(backends);
    record
}

/// Variations of eight backends, and values that are longer than their columns are wide.
fn eight_variations() -> RunRecord {
    let mut record = fixture::think_times();
    let first = record.backends.clone();
    for copy in 1..4 {
        for mut backend in first.clone() {
            backend.name.push_str(&format!("-{copy}"));
            backend.label.clone_from(&backend.name);
            let cell = backend.cell.as_mut().expect("a cell");
            cell.of.push_str(&format!("-{copy}"));
            cell.axes[0].value.push_str(" after /somewhere/far/away/in/a/folder/there/is/a/corpus.txt");
            record.backends.push(backend);
        }
    }
    record
}

/// The pictures there are of a record, each with its file. A picture of what every run has is not missing.
fn drawn(name: &str, record: &RunRecord) -> Vec<(&'static str, String)> {
    let drawn: Vec<_> =
        PICTURES.iter().filter_map(|picture| Some((picture.file, (picture.draw)(record)?))).collect();
    for file in ["exceedance.svg", "percentiles.svg", "latency_over_time.svg", "cold_start.svg"] {
        assert!(drawn.iter().any(|(other, _)| *other == file), "{file} of {name}");
    }
    drawn
}

/// One picture of a record that has it.
fn drawing(file: &str, record: &RunRecord) -> String {
    let picture = PICTURES.iter().find(|picture| picture.file == file).expect("a picture");
    (picture.draw)(record).expect("something to draw")
}

/// The texts of a picture.
fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("well-formed XML");
    labels(&document).into_iter().map(|label| label.text).collect()
}

fn records() -> Vec<(&'static str, RunRecord)> {
    let mut three = fixture::five();
    three.backends.truncate(3);
    let mut single_look = fixture::one();
    let band = &mut single_look.backends[0].verdicts[0].band;
    band.drain(..band.len() - 1);
    vec![
        ("one", fixture::one()),
        ("single look", single_look),
        ("three", three),
        ("five", fixture::five()),
        ("eight", fixture::eight()),
        ("executions", fixture::executions()),
        ("interrupted", fixture::interrupted()),
        ("naive", fixture::naive()),
        ("several", fixture::several()),
        ("open", fixture::open()),
        ("overloaded", fixture::overloaded()),
        ("matrix", fixture::matrix()),
        ("one of a matrix", cut(fixture::matrix(), 2)),
        ("think times", fixture::think_times()),
        ("capacity", fixture::capacity()),
        ("eight capacities", fixture::eight_capacities()),
        ("eight variations", eight_variations()),
    ]
}

#[test]
fn no_label_leaves_the_sheet_or_touches_another() {
    for (name, record) in records() {
        for (file, svg) in drawn(name, &record) {
            let document = Document::parse(&svg).expect("well-formed XML");
            let view: Vec<f64> = document
                .root_element()
                .attribute("viewBox")
                .expect("a view box")
                .split(' ')
                .map(|side| side.parse().expect("a number"))
                .collect();
            let labels = labels(&document);
            assert!(labels.len() > 5, "{file} of {name} is labeled");
            for (index, label) in labels.iter().enumerate() {
                let inside = label.left >= 0.0
                    && label.top >= 0.0
                    && label.right <= view[2]
                    && label.bottom <= view[3];
                assert!(inside, "{file} of {name}: {label:?} leaves {view:?}");
                for other in &labels[..index] {
                    let apart = label.right <= other.left
                        || other.right <= label.left
                        || label.bottom <= other.top
                        || other.bottom <= label.top;
                    assert!(apart, "{file} of {name}: {label:?} touches {other:?}");
                }
            }
        }
    }
}

#[test]
fn no_picture_holds_a_number_that_is_none() {
    for (name, record) in records() {
        for (file, svg) in drawn(name, &record) {
            for word in ["NaN", "inf", "-2147483648", "2147483647"] {
                assert!(!svg.contains(word), "{file} of {name} contains {word}");
            }
        }
    }
}

#[test]
fn every_limit_is_drawn_and_labeled_wherever_response_times_are() {
    let record = fixture::eight();
    for file in ["backends.svg", "percentiles.svg", "latency_over_time.svg"] {
        let picture = PICTURES.iter().find(|picture| picture.file == file).expect("a picture");
        let svg = (picture.draw)(&record).expect("a picture");
        let document = Document::parse(&svg).expect("well-formed XML");
        for limit in ["P95 limit 20 ms", "P99 limit 22 ms (some)"] {
            assert!(labels(&document).iter().any(|label| label.text == limit), "{limit} in {file}");
        }
    }
}

#[test]
fn limits_on_anything_but_the_response_time_are_not_drawn_among_response_times() {
    let record = fixture::several();
    for file in ["backends.svg", "percentiles.svg", "latency_over_time.svg"] {
        let picture = PICTURES.iter().find(|picture| picture.file == file).expect("a picture");
        let svg = (picture.draw)(&record).expect("a picture");
        let document = Document::parse(&svg).expect("well-formed XML");
        let limits = labels(&document).into_iter().map(|label| label.text);
        let limits: Vec<String> = limits.filter(|text| text.contains("limit")).collect();
        assert!(!limits.is_empty() && limits.iter().all(|text| text == "P95 limit 20 ms"), "{limits:?}");
    }
}

#[test]
fn exceedances_are_drawn_only_of_verdicts_with_a_band_and_beside_the_share_allowed() {
    let picture = PICTURES.iter().find(|picture| picture.file == "exceedance.svg").expect("a picture");
    let panels = |record: &RunRecord| {
        let svg = (picture.draw)(record).expect("a picture");
        let document = Document::parse(&svg).expect("well-formed XML");
        labels(&document).iter().filter(|label| label.text == "5 % allowed").count()
    };
    assert_eq!(panels(&fixture::several()), 2, "of seven objectives one has a band");
    let mut record = fixture::eight();
    assert_eq!(panels(&record), 8);
    for backend in &mut record.backends[1..] {
        backend.verdicts[0].band.clear();
    }
    record.backends[0].verdicts[0].band.truncate(1);
    assert_eq!(panels(&record), 1, "one look is enough");
    record.backends[0].verdicts[0].band.clear();
    assert_eq!((picture.draw)(&record), None);
}

#[test]
fn every_backend_that_was_timed_is_named() {
    let record = fixture::five();
    for (file, svg) in drawn("five", &record) {
        let said = texts(&svg).join(" ");
        for label in ["onnx-cpu", "python-torch (fallback from python-onnx: no model.onnx)", "onnx-embedded"]
        {
            assert!(said.contains(label), "{label} in {file}");
        }
        assert!(!said.contains("torch-mps"), "a backend that was not timed is not in {file}");
    }
}

#[test]
fn backends_side_by_side_are_labeled_with_what_their_names_do_not_say() {
    let svg = drawing("backends.svg", &fixture::executions());
    let said = texts(&svg).join(" ");
    for label in [
        "onnx-coreml (CoreML 11 % of the time, vectors fp16)",
        "python-torch-mps (mps 92 % of the calls)",
        "onnx-int8 (vectors int8)",
    ] {
        assert!(said.contains(label), "{label} in {said}");
    }
}

#[test]
fn a_level_shows_its_verdict_and_a_limit_is_drawn_in_every_panel() {
    let said = texts(&drawing("capacity.svg", &fixture::capacity()));
    for label in ["96.0/s PASS", "132/s FAIL", "70.0/s INCONCLUSIVE", "160/s not tested"] {
        assert!(said.iter().any(|text| text == label), "{label} in {said:?}");
    }
    assert_eq!(said.iter().filter(|text| *text == "P95 limit 20 ms").count(), 3);
    let overloaded = "overloaded, or among the failures".to_owned();
    assert!(said.contains(&overloaded) && said.contains(&"search (data thrown away)".to_owned()));
}

#[test]
fn levels_and_variations_are_in_pictures_of_their_own() {
    let record = fixture::capacity();
    for file in ["backends.svg", "cells.svg"] {
        let picture = PICTURES.iter().find(|picture| picture.file == file).expect("a picture");
        assert_eq!((picture.draw)(&record), None, "{file}");
    }
    let record = fixture::matrix();
    let plain = texts(&drawing("backends.svg", &record)).join(" ");
    assert!(plain.contains("python-onnx-cpu") && !plain.contains("rten-cpu"), "{plain}");
    let cells = texts(&drawing("cells.svg", &record));
    for label in ["onnx-cpu by threads and replicas", "rten-cpu by batch_size", "not available", "INC."] {
        assert!(cells.iter().any(|text| text == label), "{label} in {cells:?}");
    }
}

#[test]
fn graphs_are_told_apart_by_the_ends_of_their_names_and_are_not_joined() {
    let by = |axis: &str| {
        let mut record = fixture::matrix();
        record.backends.retain(|backend| backend.name.starts_with("rten-cpu"));
        for (index, backend) in record.backends.iter_mut().enumerate() {
            let cell = backend.cell.as_mut().expect("a cell");
            cell.axes[0].name = axis.to_owned();
            let set = ["avx2", "avx512", "avx512_vnni"][index];
            cell.axes[0].value = format!("onnx/quantized_for_one_kind_of_processor_qint8_{set}.onnx");
            backend.label = format!("{} (made for ARM64 processors)", backend.name);
        }
        drawing("cells.svg", &record)
    };
    let graphs = texts(&by("graph"));
    for end in ["_qint8_avx2", "_qint8_avx512", "_qint8_avx512_vnni"] {
        let shown =
            graphs.iter().find(|text| text.ends_with(end)).unwrap_or_else(|| panic!("{end} in {graphs:?}"));
        assert!(shown.starts_with('…'), "{shown}");
    }
    let lines = |svg: &str| svg.matches("<polyline").count() + svg.matches("<line").count();
    assert!(lines(&by("graph")) < lines(&by("batch_size")));
}

#[test]
fn a_run_of_many_backends_makes_no_endless_sheet_and_says_what_it_left_out() {
    let record = fixture::matrix();
    assert_eq!(record.backends.len(), 20);
    for (file, svg) in drawn("matrix", &record) {
        let document = Document::parse(&svg).expect("well-formed XML");
        let height = number(document.root_element(), "height");
        assert!(height < 2_000.0, "{file} is {height} points tall");
    }
    let said = texts(&drawing("latency_over_time.svg", &record));
    assert!(said.iter().any(|text| text.ends_with("; 7 more are left out")), "{said:?}");
    assert!(said.iter().any(|text| text == "python-onnx-cpu"), "what stands by itself is not left out");
}

#[test]
fn no_two_curves_of_a_panel_look_alike() {
    let said = texts(&drawing("percentiles.svg", &fixture::matrix()));
    for title in ["backends", "onnx-cpu by threads and replicas, part 2 of 2", "rten-cpu by batch_size"] {
        assert!(said.iter().any(|text| text == title), "{title} in {said:?}");
    }
}

/// With PICTURES naming a folder the pictures are written there, too, for people to look at.
#[test]
fn every_picture_of_every_made_up_run_is_a_whole_svg() {
    let folder = std::env::var_os("PICTURES").map(std::path::PathBuf::from);
    for (name, record) in records() {
        for (file, svg) in drawn(name, &record) {
            assert!(svg.contains("<svg") && svg.trim_end().ends_with("</svg>"), "{file} of {name}");
            if let Some(folder) = &folder {
                let name = name.replace(' ', "-");
                std::fs::write(folder.join(format!("{name}-{file}")), svg).expect("written");
            }
        }
    }
}

#[test]
fn nothing_is_drawn_of_a_run_that_measured_nothing() {
    for picture in PICTURES {
        assert_eq!((picture.draw)(&fixture::nothing()), None, "{}", picture.file);
    }
}

#[test]
fn thousands_of_groups_make_a_picture_no_larger_than_its_columns() {
    let mut record = fixture::one();
    let long = fixture::Made { requests: 60_000, every: 2, ..fixture::Made::default() };
    record.backends = vec![fixture::slowed(fixture::made(&long), 2)];
    assert!(record.backends[0].timeline.len() > 30_000);
    let picture = PICTURES.iter().find(|picture| picture.file == "latency_over_time.svg").expect("a picture");
    let svg = (picture.draw)(&record).expect("a picture");
    assert!(svg.len() < 400_000, "{} bytes", svg.len());
}
