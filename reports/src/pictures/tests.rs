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
        ("interrupted", fixture::interrupted()),
        ("naive", fixture::naive()),
        ("several", fixture::several()),
    ]
}

#[test]
fn no_label_leaves_the_sheet_or_touches_another() {
    for (name, record) in records() {
        for picture in PICTURES {
            let svg = (picture.draw)(&record).unwrap_or_else(|| panic!("{} of {name}", picture.file));
            let document = Document::parse(&svg).expect("well-formed XML");
            let view: Vec<f64> = document
                .root_element()
                .attribute("viewBox")
                .expect("a view box")
                .split(' ')
                .map(|side| side.parse().expect("a number"))
                .collect();
            let labels = labels(&document);
            assert!(labels.len() > 5, "{} of {name} is labelled", picture.file);
            for (index, label) in labels.iter().enumerate() {
                let inside = label.left >= 0.0
                    && label.top >= 0.0
                    && label.right <= view[2]
                    && label.bottom <= view[3];
                assert!(inside, "{} of {name}: {label:?} leaves {view:?}", picture.file);
                for other in &labels[..index] {
                    let apart = label.right <= other.left
                        || other.right <= label.left
                        || label.bottom <= other.top
                        || other.bottom <= label.top;
                    assert!(apart, "{} of {name}: {label:?} touches {other:?}", picture.file);
                }
            }
        }
    }
}

#[test]
fn no_picture_holds_a_number_that_is_none() {
    for (name, record) in records() {
        for picture in PICTURES {
            let svg = (picture.draw)(&record).expect("a picture");
            for word in ["NaN", "inf", "-2147483648", "2147483647"] {
                assert!(!svg.contains(word), "{} of {name} contains {word}", picture.file);
            }
        }
    }
}

#[test]
fn every_limit_is_drawn_and_labelled_wherever_response_times_are() {
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
    for picture in PICTURES {
        let svg = (picture.draw)(&record).expect("a picture");
        let document = Document::parse(&svg).expect("well-formed XML");
        let said: Vec<String> = labels(&document).into_iter().map(|label| label.text).collect();
        let said = said.join(" ");
        for label in ["onnx-cpu", "python-torch (fallback from python-onnx: no model.onnx)", "onnx-embedded"]
        {
            assert!(said.contains(label), "{label} in {}", picture.file);
        }
        assert!(!said.contains("torch-mps"), "a backend that was not timed is not in {}", picture.file);
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
