//! Holds the floors: imports go down, never up, never sideways, and never round.

mod imports;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use imports::Graph;

/// The harness's floors, from the top; a module imports from lower floors only.
const FLOORS: &[&[&str]] = &[
    &["cli"],
    &["commands"],
    &["run", "serve"],
    &["driver", "monitor", "plan", "validity", "verdict"],
    &["comparison", "decision"],
    &["pairing"],
    &[
        "capacity",
        "environment",
        "equivalence",
        "load",
        "making",
        "objective",
        "requirement",
        "statistics",
        "workload",
    ],
    &["bundle", "sample", "scenario", "screen"],
];

fn floor(module: &str) -> usize {
    let found = FLOORS.iter().position(|floor| floor.contains(&module));
    found.unwrap_or_else(|| panic!("module `{module}` has no floor in this test"))
}

/// Crates of the workspace and those of its own that each may depend on.
const CRATES: &[(&str, &[&str])] =
    &[("harness", &["tailmark-providers", "tailmark-reports"]), ("providers", &[]), ("reports", &[])];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

/// The source files below a folder of the workspace: each with its path from there, and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(folder).expect("a source folder").map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let place = entry.strip_prefix(root()).expect("below the workspace");
                let text = fs::read_to_string(&entry).expect("a source file");
                found.push((place.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    found
}

fn all_sources() -> Vec<(String, String)> {
    CRATES.iter().flat_map(|(folder, _)| sources(&format!("{folder}/src"))).collect()
}

/// Every shortest way from a file back to itself, as `a.rs -> b.rs (what it imports) -> a.rs`, each written once.
fn cycles(graph: &Graph) -> BTreeSet<String> {
    graph.keys().filter_map(|file| Some(written(graph, &way_back(graph, file)?))).collect()
}

fn way_back<'g>(graph: &'g Graph, start: &'g str) -> Option<Vec<&'g str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for to in graph.get(file).into_iter().flat_map(BTreeMap::keys) {
            if to == start {
                let mut way = vec![file];
                while let Some(before) = came_from.get(way[way.len() - 1]) {
                    way.push(before);
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(to.as_str()) {
                came_from.insert(to, file);
                next.push_back(to);
            }
        }
    }
    None
}

/// A circle beginning with the file that comes first in the alphabet, so that it reads the same from wherever it was found.
fn written(graph: &Graph, circle: &[&str]) -> String {
    let first = (0..circle.len()).min_by_key(|index| circle[*index]).unwrap_or_default();
    let mut text = circle[first].to_owned();
    for step in 0..circle.len() {
        let at = |step: usize| circle[(first + step) % circle.len()];
        let (from, to) = (at(step), at(step + 1));
        text.push_str(&format!(" -> {to} ({})", graph[from][to]));
    }
    text
}

/// Imports of the harness that do not go down, as `a.rs imports b.rs (what)`.
fn upwards(graph: &Graph) -> Vec<String> {
    let module = |file: &str| {
        let place = file.strip_prefix("harness/src/")?;
        Some(place.split('/').next().unwrap_or(place).trim_end_matches(".rs").to_owned())
    };
    let mut found = Vec::new();
    for (file, imports) in graph {
        for (to, what) in imports {
            if let (Some(from), Some(other)) = (module(file), module(to))
                && from != other
                && floor(&other) <= floor(&from)
            {
                found.push(format!("{file} imports {to} ({what}), which is not below it"));
            }
        }
    }
    found
}

#[test]
fn no_module_of_the_harness_imports_upwards() {
    let graph = imports::graph(&all_sources());
    assert!(graph.values().map(BTreeMap::len).sum::<usize>() > 300, "the test reads imports");
    assert_eq!(upwards(&graph), [""; 0]);
}

#[test]
fn no_imports_go_round_in_any_of_the_crates() {
    let found: Vec<String> = cycles(&imports::graph(&all_sources())).into_iter().collect();
    assert!(found.is_empty(), "imports go round:\n{}", found.join("\n"));
}

#[test]
fn a_circle_that_is_planted_among_the_sources_is_found_and_named() {
    let mut sources = all_sources();
    let before = cycles(&imports::graph(&sources));
    let planted = |text: &mut String, line: &str| text.insert_str(0, line);
    for (path, text) in &mut sources {
        match path.as_str() {
            "reports/src/units.rs" => planted(text, "use super::record::RunRecord as _;\n"),
            "reports/src/record/mod.rs" => planted(text, "use crate::units;\n"),
            "harness/src/sample.rs" => {
                planted(text, "fn planted() { crate::statistics::Accumulator::new(None); }\n")
            }
            _ => {}
        }
    }
    let graph = imports::graph(&sources);
    let new: Vec<String> = cycles(&graph).difference(&before).cloned().collect();
    let named = |files: [&str; 2]| new.iter().any(|circle| files.iter().all(|file| circle.contains(file)));
    assert!(
        named(["reports/src/units.rs", "reports/src/record/mod.rs (super::record::RunRecord)"]),
        "{new:#?}"
    );
    assert!(named(["harness/src/sample.rs", "(crate::statistics::Accumulator::new)"]), "{new:#?}");
    let upwards = upwards(&graph).join("\n");
    assert!(upwards.contains("harness/src/sample.rs imports harness/src/statistics/"), "{upwards}");
}

#[test]
fn a_circle_between_a_file_and_one_beside_or_below_it_is_found() {
    let circle = |files: &[(&str, &str)]| {
        let files: Vec<_> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        cycles(&imports::graph(&files)).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(
        circle(&[("reports/src/a.rs", "use crate::b::{self, X};"), ("reports/src/b.rs", "use super::a::Y;")]),
        ["reports/src/a.rs -> reports/src/b.rs (crate::b) -> reports/src/a.rs (super::a::Y)"]
    );
    let child = ("reports/src/a/child.rs", "use super::Thing;\npub fn of(_: Thing) {}");
    assert_eq!(
        circle(&[
            ("reports/src/a/mod.rs", "mod child;\npub struct Thing;\nfn f() { child::of(Thing); }"),
            child
        ]),
        [
            "reports/src/a/child.rs -> reports/src/a/mod.rs (super::Thing) -> reports/src/a/child.rs (child::of)"
        ]
    );
    // A name that is only passed on is not an import, and one that is passed on is imported from where it comes.
    assert_eq!(
        circle(&[("reports/src/a.rs", "mod child;\npub use child::of;\npub struct Thing;"), child]),
        [""; 0]
    );
    assert_eq!(
        circle(&[
            ("reports/src/a/mod.rs", "mod child;\nmod other;\npub use other::Thing;"),
            ("reports/src/a/other.rs", "use super::child::of;\npub struct Thing;"),
            child,
        ]),
        [
            "reports/src/a/child.rs -> reports/src/a/other.rs (super::Thing) -> reports/src/a/child.rs (super::child::of)"
        ]
    );
}

#[test]
fn comments_strings_and_tests_import_nothing() {
    let text = "// use super::b::X;\nconst T: &str = \"use super::b::X;\";\nconst Q: char = '\"';\n\
                #[cfg(test)]\nmod tests { use super::super::b::X; fn f() { crate::b::f() } }\n\
                #[cfg(test)]\nmod more;\n";
    let files = [
        ("reports/src/a.rs", text),
        ("reports/src/a/more.rs", "use crate::b::X;"),
        ("reports/src/b.rs", "use crate::a::T;\npub fn f() { super::a::g::<'_'>(r#\"super::a\"#) }"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let graph = imports::graph(&files);
    assert_eq!(graph.keys().collect::<Vec<_>>(), ["reports/src/b.rs"], "{graph:#?}");
}

#[test]
fn the_crates_depend_downwards_only() {
    for (folder, below) in CRATES {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
        let manifest: toml::Table = manifest.parse().expect("TOML");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(section).and_then(toml::Value::as_table) else { continue };
            for name in dependencies.keys().filter(|name| name.starts_with("tailmark")) {
                assert!(below.contains(&name.as_str()), "{folder} depends on {name}");
            }
        }
    }
}

#[test]
fn what_judges_and_what_is_judged_look_at_no_clock() {
    for module in ["equivalence", "statistics", "validity", "verdict", "scenario", "plan"] {
        for (path, text) in sources(&format!("harness/src/{module}")) {
            for clock in ["Instant", "SystemTime", "Timestamp::now", "async fn", ".await"] {
                assert!(!text.contains(clock), "{path} uses {clock}");
            }
        }
    }
    for (path, text) in sources("reports/src") {
        assert!(!text.contains("Instant::now") && !text.contains("async fn"), "{path}");
    }
}

#[test]
fn no_source_depends_on_the_operating_system_it_is_compiled_on() {
    let word = ["cfg(", "target_os"].concat();
    for (path, text) in all_sources() {
        assert!(!text.contains(&word), "{path}");
    }
}
