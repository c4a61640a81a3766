//! Holds the floors: imports go down, never up or sideways.

use std::fs;
use std::path::{Path, PathBuf};

/// The harness's floors, from the top; a module imports from lower floors only.
const FLOORS: &[&[&str]] = &[
    &["cli"],
    &["commands"],
    &["run"],
    &["driver", "monitor", "plan", "validity", "verdict"],
    &["capacity", "environment", "equivalence", "load", "objective", "requirement", "statistics", "workload"],
    &["sample", "scenario", "screen"],
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

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(sources(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
    found
}

/// Every `crate::<module>` a file names outside comments, `use crate::{a, b}` included.
fn imports(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let list = rest.strip_prefix('{').and_then(|list| list.split('}').next());
        for name in list.map_or_else(|| vec![rest], |list| list.split(',').collect()) {
            let name: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                found.push(name);
            }
        }
    }
    found
}

#[test]
fn no_module_of_the_harness_imports_upwards() {
    let folder = root().join("harness/src");
    let mut looked_at = 0;
    for file in sources(&folder) {
        let place = file.strip_prefix(&folder).expect("below src");
        let module =
            place.components().next().expect("a file").as_os_str().to_string_lossy().replace(".rs", "");
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        for name in imports(&fs::read_to_string(&file).expect("a source file")) {
            looked_at += 1;
            assert!(
                name == module || floor(&name) > floor(&module),
                "{}: `{module}` imports `{name}`, which is not below it",
                place.display()
            );
        }
    }
    assert!(looked_at > 20, "the test reads imports: {looked_at}");
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
    let folder = root().join("harness/src");
    for module in ["equivalence", "statistics", "validity", "verdict", "scenario", "plan"] {
        for file in sources(&folder.join(module)) {
            let text = fs::read_to_string(&file).expect("a source file");
            for clock in ["Instant", "SystemTime", "Timestamp::now", "async fn", ".await"] {
                assert!(!text.contains(clock), "{} uses {clock}", file.display());
            }
        }
    }
    for file in sources(&root().join("reports/src")) {
        let text = fs::read_to_string(&file).expect("a source file");
        assert!(!text.contains("Instant::now") && !text.contains("async fn"), "{}", file.display());
    }
}

#[test]
fn no_source_depends_on_the_operating_system_it_is_compiled_on() {
    let word = ["cfg(", "target_os"].concat();
    for folder in ["harness", "providers", "reports"] {
        for file in sources(&root().join(folder).join("src")) {
            assert!(!fs::read_to_string(&file).expect("a source file").contains(&word), "{}", file.display());
        }
    }
}
