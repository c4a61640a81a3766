//! `tailmark model` on a folder of one's own: what is made of it and compared, and what is said when that cannot be. The
//! tools are fake ones, so that every answer they can give is tested on every machine.

use std::fs;
use std::path::{Path, PathBuf};

use super::workbench::{DATA, Finished, Workbench, finish};

pub(crate) const MINILM: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// Runs `tailmark model` with the fake tools.
pub(crate) fn model_with(bench: &Workbench, arguments: &[&str], settings: &[(&str, &str)]) -> Finished {
    let python = format!("{DATA}/fake_tools.py");
    let all = [&["model"], arguments, &["--python", &python]].concat();
    finish(bench.tailmark(&all).envs(settings.iter().copied()).env("HF_HUB_OFFLINE", "1"))
}

/// Runs `tailmark model` without a Python.
pub(crate) fn model(bench: &Workbench, arguments: &[&str]) -> Finished {
    finish(bench.tailmark(&[&["model"], arguments].concat()).env("HF_HUB_OFFLINE", "1"))
}

/// A folder in the form of sentence-transformers, below the working folder.
pub(crate) fn write_own(bench: &Workbench, name: &str) -> PathBuf {
    let folder = bench.path().join(name);
    fs::create_dir(&folder).expect("a folder");
    let config = r#"{"model_type": "bert", "hidden_size": 2, "max_position_embeddings": 16}"#;
    for (name, content) in
        [("config.json", config), ("tokenizer.json", "{}"), ("model.safetensors", "weights")]
    {
        fs::write(folder.join(name), content).expect("written");
    }
    folder.canonicalize().expect("a path")
}

/// A folder that the fake tools made a model of.
pub(crate) fn exported(bench: &Workbench) -> PathBuf {
    let folder = write_own(bench, "tiny");
    let ended = model_with(bench, &["export", "tiny"], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    folder
}

pub(crate) fn flip(path: &Path, byte: usize) {
    let mut content = fs::read(path).expect("a file");
    content[byte] ^= 1;
    // A new file: a hard link to it must not change with it.
    fs::remove_file(path).expect("removed");
    fs::write(path, content).expect("written");
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn an_unknown_model_is_answered_with_the_known_ones_by_every_command() {
    let bench = Workbench::new();
    for command in ["fetch", "verify", "export", "optimize", "quantize", "remove"] {
        let ended = model(&bench, &[command, "nothing"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{command}");
        let folder = if ["fetch", "remove"].contains(&command) {
            ""
        } else {
            ", and there is no folder at that path either"
        };
        let expected = format!(
            "error: unknown model `nothing`{folder}\n\nhint: known are {MINILM}; one of the model hub is named organization/name\n"
        );
        assert_eq!(ended.stderr, expected, "{command}");
    }
}

#[test]
fn a_folder_becomes_a_model_and_its_own_files_stay_as_they_were() {
    let bench = Workbench::new();
    let folder = write_own(&bench, "tiny");
    let ended = model_with(&bench, &["export", "tiny"], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let at = folder.display();
    let expected = format!(
        "tiny: graph-only, 19 B, cosine to torch 0.987654 at least, 0.990000 on average\n\
         written to {at}: model.onnx, model.onnx_data (the weights under another name), reference.json, tailmark-model.json\n\
         a scenario takes it with --set model.folder={at}\n"
    );
    assert_eq!(ended.stdout, expected);
    assert!(ended.stderr.contains(&format!("export: about to write {at}/model.onnx\n")), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("note: neither modules.json nor 1_Pooling/config.json is there"),
        "{}",
        ended.stderr
    );
    let files = [
        "config.json",
        "model.onnx",
        "model.onnx_data",
        "model.safetensors",
        "reference.json",
        "tailmark-model.json",
        "tokenizer.json",
    ];
    assert_eq!(names(&folder), files);
    assert_eq!(fs::read_to_string(folder.join("model.safetensors")).expect("weights"), "weights");

    let verified = model(&bench, &["verify", "tiny"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    assert_eq!(
        verified.stdout.lines().filter(|line| line.starts_with("OK ")).count(),
        7,
        "{}",
        verified.stdout
    );
    let listed = model(&bench, &["list"]);
    let line = listed.stdout.lines().find(|line| line.starts_with("tiny ")).expect("it is on the list");
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((cells[1], &cells[4..]), ("whole", &["2", "16", "mean", "-", "1"][..]), "{line}");
    let places = model(&bench, &["list", "--verbose"]);
    assert!(places.stdout.contains(&format!("tiny: {at}\n")), "{}", places.stdout);

    // What tailmark made itself it makes anew.
    assert_eq!(model_with(&bench, &["export", "tiny"], &[]).code, Some(0));
    assert_eq!(names(&folder), files);
}

#[test]
fn a_model_can_be_made_in_another_folder_with_nothing_written_to_its_own() {
    let bench = Workbench::new();
    let folder = write_own(&bench, "tiny");
    fs::write(folder.join("model.onnx"), "a graph of somebody's").expect("written");
    let ended = model_with(
        &bench,
        &["export", "tiny", "--output", "made/here", "--name", "me/tiny"],
        &[("FAKE_TOOLS", "self_contained")],
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(names(&folder), ["config.json", "model.onnx", "model.safetensors", "tokenizer.json"]);
    let made = bench.path().join("made/here");
    let expected = [
        "config.json",
        "model.onnx",
        "model.safetensors",
        "reference.json",
        "tailmark-model.json",
        "tokenizer.json",
    ];
    assert_eq!(names(&made), expected);
    assert_eq!(model(&bench, &["verify", "me/tiny"]).code, Some(0));
}

#[test]
fn a_graph_that_tailmark_did_not_make_is_not_written_over() {
    let bench = Workbench::new();
    let folder = write_own(&bench, "tiny");
    fs::write(folder.join("model.onnx"), "a graph of somebody's").expect("written");
    let ended = model_with(&bench, &["export", "tiny"], &[]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("does not write over: model.onnx\n\nhint: name an empty folder with --output"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read_to_string(folder.join("model.onnx")).expect("a graph"), "a graph of somebody's");
}

#[test]
fn a_folder_that_holds_no_model_is_refused_with_what_it_lacks() {
    let bench = Workbench::new();
    fs::create_dir(bench.path().join("empty")).expect("a folder");
    let ended = model_with(&bench, &["export", "empty"], &[]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("it lacks config.json, tokenizer.json, model.safetensors; it is empty\n\nhint: "),
        "{}",
        ended.stderr
    );
    for command in ["verify", "optimize", "quantize"] {
        let ended = model(&bench, &[command, "empty"]);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("has no tailmark-model.json")
                && ended.stderr.contains("`tailmark model export "),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn names_of_known_models_and_names_that_are_none_are_refused() {
    let bench = Workbench::new();
    write_own(&bench, "tiny");
    for (name, part) in [
        (MINILM, "is the name of a known model"),
        ("a b", "is not a valid model name"),
        ("../x", "is not a valid model name"),
    ] {
        let ended = model_with(&bench, &["export", "tiny", "--name", name], &[]);
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
}

#[test]
fn a_tool_that_fails_is_quoted_whole_and_leaves_nothing() {
    let bench = Workbench::new();
    let folder = write_own(&bench, "tiny");
    let before = names(&folder);
    for (fault, expected) in [
        (
            "fails",
            "error: the Python tool `export` failed (exit status: 1) and says:\nthere is no such operator\n\nhint: use another \
             model\n",
        ),
        ("dies", "error: the Python tool `export` failed (signal: 9 (SIGKILL)) and did not say why\n"),
        ("silent", "error: the Python tool `export` ended well and did not say what it made"),
        (
            "other_pooling",
            "error: the Python tool `export` made what was not asked for: reference.json is of another",
        ),
    ] {
        let ended = model_with(&bench, &["export", "tiny"], &[("FAKE_TOOLS", fault)]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{fault}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{fault}: {}", ended.stderr);
        assert!(ended.stderr.contains("export: about to write "), "{fault}: {}", ended.stderr);
        assert_eq!(names(&folder), before, "{fault}");
    }
}

#[test]
fn variants_are_recorded_checked_and_named_for_a_backend() {
    let bench = Workbench::new();
    let folder = exported(&bench);
    for (arguments, file, form) in [
        (&["optimize", "tiny"][..], "model.fused.onnx", "fused"),
        (&["optimize", "tiny", "--half"], "model.fp16.onnx", "float16"),
        (&["quantize", "tiny"], "model.int8.onnx", "int8 per channel"),
        (
            &["quantize", "tiny", "--per-tensor", "--reduce-range", "yes"],
            "model.int8-per-tensor.onnx",
            "int8 per tensor, reduced range",
        ),
    ] {
        let ended = model_with(&bench, arguments, &[]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let size = fs::metadata(folder.join(file)).expect("the graph").len();
        let expected = format!(
            "{}/{file}: {form}, {size} B, cosine to torch 0.987654 at least, 0.990000 on average\n\
             a backend takes it with the option graph = \"{file}\"\n",
            folder.display()
        );
        assert_eq!(ended.stdout, expected);
        let warned = ended.stderr.contains("warning: one scale for a whole tensor moves vectors far");
        assert_eq!(warned, form.starts_with("int8 per tensor"), "{}", ended.stderr);
    }
    let verified = model(&bench, &["verify", "tiny"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert_eq!(
        verified.stdout.lines().filter(|line| line.starts_with("OK ")).count(),
        11,
        "{}",
        verified.stdout
    );

    // An int8 graph can be right here and wrong on another processor, which its hash cannot show.
    let line = |file: &str| {
        verified.stdout.lines().find(|line| line.contains(&format!("{file}:"))).expect("a line").to_owned()
    };
    let full = line("model.int8.onnx");
    assert!(full.contains("; full range"), "{full}");
    assert!(full.ends_with("on a processor without VNNI, its int8 products saturate"), "{full}");
    let reduced = line("model.int8-per-tensor.onnx");
    assert!(reduced.ends_with("; reduced range: its int8 products saturate on no processor"), "{reduced}");
    assert!(!line("model.fp16.onnx").contains("range"));

    flip(&folder.join("model.int8.onnx"), 3);
    let verified = model(&bench, &["verify", "tiny"]);
    assert_eq!(verified.code, Some(4), "{}", verified.stderr);
    let damaged: Vec<&str> = verified.stdout.lines().filter(|line| !line.starts_with("OK ")).collect();
    assert!(
        damaged.len() == 1 && damaged[0].starts_with("DAMAGED  model.int8.onnx has SHA-256 "),
        "{damaged:?}"
    );
    assert!(
        verified.stderr.contains("1 file damaged or missing\n\nhint: `tailmark model optimize "),
        "{}",
        verified.stderr
    );

    // A graph made anew is another graph, and the variants of the old one are said to be that.
    let again = model_with(&bench, &["export", "tiny"], &[("FAKE_TOOLS", "self_contained")]);
    assert!(
        again.stdout.contains("model.int8.onnx was made from another graph: make it anew"),
        "{}",
        again.stdout
    );
}

#[test]
fn a_damaged_model_is_not_made_into_anything() {
    let bench = Workbench::new();
    let folder = exported(&bench);
    flip(&folder.join("model.onnx"), 2);
    let ended = model_with(&bench, &["quantize", "tiny"], &[]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("is damaged or was changed: model.onnx has SHA-256 "), "{}", ended.stderr);
    let verified = model(&bench, &["verify", "tiny"]);
    assert_eq!(verified.code, Some(4));
    assert!(verified.stderr.contains("`tailmark model export "), "{}", verified.stderr);
    assert!(model(&bench, &["list"]).stdout.contains("whole"), "the list looks at sizes alone");
}

#[test]
fn a_folder_that_is_no_model_is_never_answered_with_another_model() {
    let bench = Workbench::new();
    write_own(&bench, "plain");
    fs::create_dir_all(bench.path().join("only-onnx/onnx")).expect("a folder");
    fs::write(bench.path().join("only-onnx/onnx/model.onnx"), "a graph").expect("written");
    bench.write("scenario.toml", "[[backend]]\nkind = \"null\"\n[[backend]]\nkind = \"rten\"\n");
    for (folder, faults, contents) in [
        (
            "plain",
            "config.json has 71 bytes, expected 612",
            "it contains config.json, model.safetensors, tokenizer.json",
        ),
        (
            "only-onnx",
            "config.json is missing, tokenizer.json is missing, model.safetensors is missing",
            "it contains onnx/, onnx/model.onnx",
        ),
    ] {
        let at = bench.path().canonicalize().expect("a path").join(folder).display().to_string();
        let named = format!("model.folder={folder}");
        for more in [&[][..], &["--plan"], &["--set", "model.in_place=true"]] {
            let arguments = [&["scenario", "scenario.toml", "--set", &named], more].concat();
            let refused = bench.run(&arguments);
            assert_eq!(refused.code, Some(2), "{arguments:?}: {}{}", refused.stdout, refused.stderr);
            let expected = format!(
                "{at} does not hold the model {MINILM}: {faults}; {contents}; if it is a model of your own, run `tailmark \
                 model export {at}` first"
            );
            assert!(refused.stderr.contains(&expected), "{arguments:?}: {}", refused.stderr);
        }
    }
    assert!(!bench.path().join("home").exists(), "nothing was fetched");
}

#[test]
fn a_scenario_takes_a_model_of_ones_own_by_its_folder_and_says_what_is_wrong_with_it() {
    let bench = Workbench::new();
    let folder = exported(&bench);
    write_own(&bench, "plain");
    let scenario = |model: &str| {
        bench.write("scenario.toml", &format!("[model]\n{model}\n[[backend]]\nkind = \"rten\"\n"))
    };
    scenario("folder = \"tiny\"");
    let plan = bench.run(&["scenario", "scenario.toml", "--plan"]);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert!(
        plan.stdout.contains("name = \"tiny\"\n") && plan.stdout.contains("in_place = true\n"),
        "{}",
        plan.stdout
    );
    bench.write("again.toml", &plan.stdout);
    assert_eq!(bench.run(&["scenario", "again.toml", "--plan"]).stdout, plan.stdout);

    for (model, part) in [
        ("name = \"tiny\"", "unknown model `tiny`; known models are sentence-transformers/"),
        (
            "name = \"other\"\nfolder = \"tiny\"",
            "`other`, but the model in tiny is `tiny`; write that name, or remove `name`",
        ),
        ("folder = \"tiny\"\nin_place = false", "your own model is always used in place; remove `in_place`"),
        (
            "name = \"plain\"\nfolder = \"plain\"",
            "`tailmark model export plain --name plain` makes a model of it",
        ),
    ] {
        scenario(model);
        let refused = bench.run(&["scenario", "scenario.toml", "--plan"]);
        assert_eq!(refused.code, Some(2), "{model}: {}", refused.stdout);
        // A folder is told by its whole path.
        let here = fs::canonicalize(bench.path()).expect("the working folder");
        let said = refused.stderr.replace(&format!("{}/", here.display()), "");
        assert!(said.contains(part), "{model}: {said}");
    }
    scenario("folder = \"tiny\"");
    flip(&folder.join("model.safetensors"), 2);
    let damaged = bench.run(&["scenario", "scenario.toml"]);
    assert_eq!(damaged.code, Some(4), "{}", damaged.stderr);
    assert!(
        damaged.stderr.contains("is damaged or was changed: model.safetensors has SHA-256 "),
        "{}",
        damaged.stderr
    );
}
