//! What a scenario becomes: cells of a matrix, gaps, rates; and what is refused.

use super::*;
use crate::scenario::{self, Fault};

fn plan_of(text: &str) -> Result<Plan, Vec<Fault>> {
    resolve(&scenario::parse(text), "test", None, &Selection::default())
}

fn planned(text: &str) -> Plan {
    plan_of(text).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn refused(text: &str, said: &str) {
    let faults = plan_of(text).expect_err(text);
    let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(all.iter().any(|fault| fault.contains(said)), "{said:?} is not among {all:#?}");
}

const ONNX: &str = "[[backend]]\nname = \"onnx-cpu\"\nkind = \"onnx\"\n[[backend]]\nkind = \"null\"\n";
const OBJECTIVE: &str = "[[objective]]\nindicator = \"p95 response time\"\nbelow = \"20ms\"\n";

#[test]
fn a_matrix_makes_a_backend_of_each_combination_in_place_of_the_one_it_varies() {
    let plan = planned(&format!(
        "{ONNX}[[matrix]]\nbackends = [\"onnx-cpu\"]\nreplicas = [1, 2]\nthreads = [1, 2]\n"
    ));
    let names: Vec<&str> = plan.backends.iter().map(|backend| backend.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "onnx-cpu-threads1-replicas1",
            "onnx-cpu-threads1-replicas2",
            "onnx-cpu-threads2-replicas1",
            "onnx-cpu-threads2-replicas2",
            "null"
        ]
    );
    let last = &plan.backends[3];
    assert_eq!((last.replicas, last.options["threads"].as_u64(), last.base()), (2, Some(2), "onnx-cpu"));
    let axes: Vec<String> = last
        .cell
        .iter()
        .flat_map(|cell| &cell.axes)
        .map(|axis| format!("{}={}", axis.name, axis.value))
        .collect();
    assert_eq!(axes, ["threads=2", "replicas=2"]);
    assert!(plan.backends[4].cell.is_none());
    let again = planned(&plan.resolved);
    assert_eq!(again.backends.len(), 5, "what is written out is the same scenario");
}

#[test]
fn batch_sizes_and_texts_are_axes_with_their_own_requests() {
    let plan = planned(&format!(
        "{ONNX}[[matrix]]\ncorpus = [\"short_queries\", \"passages_128\"]\nbatch_size = [1, 8]\n"
    ));
    assert_eq!(plan.backends.len(), 8);
    let last = &plan.backends[3];
    assert_eq!((last.name.as_str(), last.batch_size), ("onnx-cpu-passages_128-batch8", 8));
    assert_eq!(last.corpus.name, "passages_128");
}

#[test]
fn several_think_times_measure_each_backend_once_with_each_and_one_is_simply_the_load() {
    let plan = planned(&format!("{ONNX}[load]\nthink_time = [\"0ms\", \"1s\"]\n"));
    let loads: Vec<String> = plan.backends.iter().map(|backend| backend.load.text()).collect();
    assert_eq!(loads[..2], ["closed, concurrency 1", "closed, concurrency 1, think time 1.00 s"]);
    assert_eq!(plan.backends.len(), 4);
    let plan = planned(&format!("{ONNX}[load]\nthink_time = \"10ms\"\n"));
    assert_eq!(plan.backends.len(), 2);
    assert!(plan.backends[0].cell.is_none() && plan.backends[0].load.text().contains("think time 10.0 ms"));
}

#[test]
fn a_variation_is_chosen_by_its_own_name_and_by_that_of_what_it_varies() {
    let text = format!("{ONNX}[[matrix]]\nbackends = [\"onnx-cpu\"]\nthreads = [1, 2]\n");
    let only = |name: &str| {
        let selection = Selection { only: vec![name.to_owned()], ..Selection::default() };
        let plan = resolve(&scenario::parse(&text), "test", None, &selection).expect("a plan");
        plan.backends.iter().map(|backend| backend.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(only("onnx-cpu"), ["onnx-cpu-threads1", "onnx-cpu-threads2"]);
    assert_eq!(only("onnx-cpu-threads2"), ["onnx-cpu-threads2"]);
}

#[test]
fn backends_that_were_not_asked_for_are_named() {
    let text = format!("{ONNX}[[backend]]\nname = \"extra\"\nkind = \"null\"\noptional = true\n");
    let left_out = |only: &[&str], also: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let selection = Selection { only: names(only), also: names(also), quick: false };
        resolve(&scenario::parse(&text), "test", None, &selection).expect("a plan").not_asked_for
    };
    assert_eq!(left_out(&[], &[]), ["extra"]);
    assert_eq!(left_out(&[], &["extra"]), [""; 0]);
    assert!(left_out(&["extra"], &[]).contains(&"onnx-cpu".to_owned()));
}

#[test]
fn graphs_are_a_row_each_named_after_them_and_beside_what_else_is_varied() {
    let with = |graphs: &str, more: &str| format!("[[backend]]\nkind = \"onnx\"\ngraphs = {graphs}\n{more}");
    let rows = |text: &str| {
        let plan = planned(text);
        plan.backends
            .iter()
            .map(|backend| {
                (backend.name.clone(), backend.options["graph"].as_str().unwrap_or_default().to_owned())
            })
            .collect::<Vec<_>>()
    };
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, graph)| ((*name).to_owned(), (*graph).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(
        rows(&with(r#"["model.onnx", "onnx/model.onnx", "onnx/model_qint8_arm64.onnx"]"#, "")),
        pairs(&[
            ("onnx-model", "model.onnx"),
            ("onnx-onnx_model", "onnx/model.onnx"),
            ("onnx-model_qint8_arm64", "onnx/model_qint8_arm64.onnx"),
        ])
    );
    let text = with(r#"["a.onnx", "b.onnx"]"#, "[[matrix]]\nthreads = [1, 2]\n");
    let plan = planned(&text);
    let names: Vec<&str> = plan.backends.iter().map(|backend| backend.name.as_str()).collect();
    assert_eq!(names, ["onnx-threads1-a", "onnx-threads1-b", "onnx-threads2-a", "onnx-threads2-b"]);
    assert!(plan.backends.iter().all(|backend| backend.base() == "onnx"));
    let axes = |backend: &BackendPlan| {
        let cell = backend.cell.clone().expect("a variation");
        cell.axes.iter().map(|axis| format!("{}={}", axis.name, axis.value)).collect::<Vec<_>>()
    };
    assert_eq!(axes(&plan.backends[3]), ["threads=2", "graph=b.onnx"]);
    assert_eq!(planned(&plan.resolved).backends.len(), 4, "what is written out is the same scenario");
    // Which graphs a model has is known once it is there.
    let all = planned(&with("\"all\"", ""));
    assert_eq!((all.backends.len(), &all.backends[0].graphs), (1, &GraphRows::All));
    let long = format!("[\"{}.onnx\"]", "x".repeat(80));
    assert_eq!(rows(&with(&long, ""))[0].0, "onnx-graph1");
}

#[test]
fn all_graphs_are_rows_once_they_are_known_and_take_no_name_that_is_taken() {
    let plan = planned(
        "[[backend]]\nkind = \"onnx\"\ngraphs = \"all\"\n[[backend]]\nname = \"onnx-model\"\nkind = \"null\"\n",
    );
    let names = |graphs: &[&str]| {
        let graphs: Vec<String> = graphs.iter().map(|graph| (*graph).to_owned()).collect();
        with_all_graphs(&plan.backends, &graphs).into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    let found = names(&["model.onnx", "model.int8.onnx", "a b.onnx", "a_b.onnx"]);
    assert_eq!(found, ["onnx-model-2", "onnx-model.int8", "onnx-a_b", "onnx-a_b-2", "onnx-model"]);
    assert_eq!(names(&[]), ["onnx", "onnx-model"]);
}

#[test]
fn graphs_that_cannot_be_rows_are_refused_at_their_key() {
    let with = |kind: &str, graphs: &str| format!("[[backend]]\nkind = \"{kind}\"\ngraphs = {graphs}\n");
    refused(&with("python-torch", "\"all\""), "backend[1].graphs: `python-torch` runs no graph of the model");
    refused(&with("onnx", "\"every\""), "backend[1].graphs: `every`; write \"all\", or a list of names");
    refused(&with("onnx", "[]"), "backend[1].graphs: an empty list");
    refused(&with("onnx", "[\"a.onnx\", \"a.onnx\"]"), "`a.onnx` would be measured twice");
    refused(&with("onnx", "[\"../a.onnx\"]"), "backend[1].graphs: ");
    refused(&with("onnx", "3"), "graphs are \"all\", or a list of names such as");
    let twice = with("onnx", "\"all\"") + "options = { graph = \"a.onnx\" }\n";
    refused(&twice, "the option `graph` names one, too; write one of the two");
    let clash = with("onnx", "[\"a.onnx\"]") + "[[backend]]\nname = \"onnx-a\"\nkind = \"null\"\n";
    refused(&clash, "two backends are named `onnx-a`");
    let names: Vec<String> = (0..65).map(|number| format!("\"{number}.onnx\"")).collect();
    refused(&with("onnx", &format!("[{}]", names.join(", "))), "65 backends; there can be at most 64");
}

#[test]
fn a_matrix_that_cannot_be_is_refused_at_its_key() {
    let with = |matrix: &str| format!("{ONNX}[[matrix]]\n{matrix}\n");
    refused(&with("threads = []"), "matrix[1].threads: an empty list");
    refused(&with("threads = [0]"), "matrix[1].threads: 0; must be between 1 and 1024");
    refused(&with("backends = [\"onxx\"]\nreplicas = [1]"), "matrix[1].backends: no backend is named `onxx`");
    refused(&with("batch_size = [100000]"), "matrix[1].batch_size: 100000 texts per request, and corpus");
    refused(&with("threads = [1, 2]"), "backend null: unknown option");
    refused(&with("backends = [\"onnx-cpu\"]\nreplicas = [2, 2]"), "would be measured twice");
    refused(&with(""), "matrix[1]: nothing to vary");
    // More combinations than any memory holds: they are counted and not made.
    let many = format!("{:?}", (1..=64).cycle().take(200).collect::<Vec<u32>>());
    let product = format!("batch_size = {many}\nthreads = {many}\nreplicas = {many}\nconcurrency = {many}");
    refused(&with(&product), "matrix: 3200000000 backends; there can be at most 64");
    refused(
        &format!("[load]\nkind = \"poisson\"\nrate = \"5/s\"\n{}", with("concurrency = [1, 2]")),
        "matrix[1].concurrency: the load is `poisson`",
    );
    refused(
        "[[backend]]\nkind = \"null\"\nplacement = \"in-process\"\nreplicas = 2\n",
        "2 replicas of `null`, which runs in-process",
    );
}

#[test]
fn capacity_without_an_objective_or_with_a_rate_of_its_own_is_refused() {
    refused(&format!("{ONNX}[capacity]\n"), "capacity: no objective; the capacity is the highest rate");
    let with = |capacity: &str| format!("{ONNX}{OBJECTIVE}{capacity}");
    refused(
        &with("[load]\nkind = \"poisson\"\nrate = \"3/s\"\n[capacity]\n"),
        "load.rate: [capacity] sets the rates",
    );
    refused(
        &with("[capacity]\nrates = [\"20/s\", \"10/s\"]\n"),
        "`10/s` follows a rate that is at least as high",
    );
    refused(&with("[capacity]\nrates = [\"0/s\"]\n"), "`0/s` is not a rate");
    refused(&with("[capacity]\nload = \"closed\"\n"), "`closed` has no rate to certify");
    refused(&with("[capacity]\nlevels = 9\n"), "9 levels; must be between 1 and 5");
    let plan = planned(&with("[load]\nmax_queue = 50\n[capacity]\nrates = [\"10/s\", \"20/s\"]\n"));
    let Mode::Capacity(capacity) = plan.mode else { panic!("a capacity") };
    assert_eq!(capacity.levels, Levels::Given(vec![10.0, 20.0]));
    assert_eq!(capacity.at(20.0).text(), "poisson, 20.0/s");
    assert_eq!(capacity.at(20.0).limits().for_backend(2), (2, 50));
}

#[test]
fn a_load_of_rates_has_no_concurrency_by_default() {
    let plan = planned(&format!("{ONNX}[load]\nkind = \"poisson\"\nrate = \"30/s\"\n"));
    assert!(!plan.resolved.contains("concurrency"), "{}", plan.resolved);
    assert_eq!(plan.backends[0].load.text(), "poisson, 30.0/s");
}

#[test]
fn more_at_once_than_a_backend_takes_is_refused_before_anything_starts() {
    refused(
        "[[backend]]\nkind = \"simulated\"\noptions = { concurrency = 4 }\n",
        "backend[1].options.concurrency: found 4: a worker works on one request at a time",
    );
    planned("[[backend]]\nkind = \"simulated\"\nplacement = \"in-process\"\noptions = { concurrency = 4 }\n");
    refused(
        &format!("{ONNX}[load]\nconcurrency = 5000\n"),
        "load.concurrency: 5000 slots; must be between 1 and 1000",
    );
}

#[test]
fn what_is_written_out_is_a_scenario_that_plans_the_same_run() {
    let rates = "[capacity]\nrates = [\"10/s\", \"20/s\"]\n";
    for text in [
        format!("{ONNX}{OBJECTIVE}[capacity]\n"),
        format!("{ONNX}{OBJECTIVE}{rates}"),
        format!("{ONNX}[load]\nkind = \"poisson\"\nrate = \"30/s\"\n"),
        format!("{ONNX}[load]\nkind = \"ramp\"\nfrom = \"1/s\"\nto = \"2/s\"\nover = \"5s\"\n"),
        format!("{ONNX}[load]\nthink_time = [\"0ms\", \"1s\"]\n"),
        ONNX.to_owned(),
    ] {
        let first = planned(&text);
        let again = planned(&first.resolved);
        assert_eq!(first.resolved, again.resolved, "{text}");
        let capacity = |plan: &Plan| {
            let Mode::Capacity(found) = &plan.mode else { return None };
            Some((found.levels.clone(), found.probe, found.at(20.0).text()))
        };
        assert_eq!(capacity(&first), capacity(&again), "{text}");
        let names = |plan: &Plan| {
            plan.backends
                .iter()
                .map(|backend| (backend.name.clone(), backend.load.text()))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&first), names(&again), "{text}");
    }
    let written = planned(&format!("{ONNX}[load]\nkind = \"poisson\"\nrate = \"30/s\"\n")).resolved;
    assert!(written.contains("max_queue = 1000") && written.contains("replicas = 1"), "{written}");
}

#[test]
fn a_load_that_is_too_slow_for_its_horizon_is_warned_of_before_anything_starts() {
    let warned = |load: &str, steady: &str| {
        let plan =
            planned(&format!("[load]\n{load}\n[phases.steady]\n{steady}\n[[backend]]\nkind = \"null\"\n"));
        plan.warnings
            .into_iter()
            .map(|warning| format!("{}; {}", warning.what, warning.remedy))
            .collect::<Vec<_>>()
    };
    let found = warned("think_time = \"3s\"", "min_requests = 100\nmax_seconds = 6");
    let [found] = &found[..] else { panic!("one warning: {found:#?}") };
    for part in [
        "closed, concurrency 1, think time 3.00 s",
        "about 3 requests",
        "6.00 s",
        "max_seconds to about 200",
        "at most 3",
    ] {
        assert!(found.contains(part), "{part:?} is not in {found:?}");
    }
    assert_eq!(warned("kind = \"poisson\"\nrate = \"0.01/s\"", "").len(), 1);
    for (load, steady) in [
        ("", ""),
        ("think_time = \"3s\"", "min_requests = 3\nmax_seconds = 6"),
        ("kind = \"poisson\"\nrate = \"30/s\"", "min_requests = 2000\nmax_seconds = 120"),
    ] {
        assert_eq!(warned(load, steady), [""; 0], "{load}, {steady}");
    }
    let quick = Selection { quick: true, ..Selection::default() };
    let slow = scenario::parse("[load]\nthink_time = \"3s\"\n[[backend]]\nkind = \"null\"\n");
    assert_eq!(resolve(&slow, "test", None, &quick).expect("a plan").warnings, []);
}

#[test]
fn no_shipped_scenario_is_warned_of() {
    for shipped in scenario::SCENARIOS {
        assert_eq!(planned(shipped.text).warnings, [], "{}", shipped.name);
    }
}

#[test]
fn a_key_under_its_old_name_is_warned_of_with_the_new_one() {
    let plan = planned(&format!("[workers]\nmax_restarts = 1\n{ONNX}"));
    assert_eq!(plan.workers.max_replacements, 1);
    let [warning] = &plan.warnings[..] else { panic!("one warning: {:#?}", plan.warnings) };
    assert_eq!(warning.what, "the key `workers.max_restarts` is called `max_replacements` now");
    assert!(warning.remedy.starts_with("write `max_replacements`; version 0.3"), "{}", warning.remedy);
    assert_eq!(planned(&plan.resolved).warnings, [], "what is written out has the new name");
}

#[test]
fn the_models_folder_is_absolute_once_it_was_read() {
    let mut section = scenario::ModelSection { folder: Some("src".into()), ..Default::default() };
    super::model::fill_in(&mut section);
    let folder = section.folder.expect("a folder");
    assert!(folder.is_absolute() && folder.ends_with("src"), "{}", folder.display());
    // There is no model in it: the plan names the folder that it looked into.
    let said = format!("{} does not hold the model", folder.display());
    refused(&format!("[model]\nfolder = \"src\"\n{ONNX}"), &said);
}

#[test]
fn a_name_that_is_not_written_is_made_of_the_files_whatever_that_is() {
    for (stem, name) in [
        ("two words", "two_words"),
        ("Größe/p95", "Gr__e_p95"),
        ("..", "scenario"),
        ("", "scenario"),
        (&"x".repeat(200), &"x".repeat(64)),
    ] {
        let plan = resolve(&scenario::parse(ONNX), stem, None, &Selection::default()).expect(stem);
        assert_eq!(plan.name, *name);
        assert_eq!(plan.title, format!("scenario {stem}"));
    }
    refused(&format!("name = \"two words\"\n{ONNX}"), "name: `two words` is not a name");
}

#[test]
fn lost_workers_are_replaced_twice_and_have_no_limit_of_memory_unless_it_is_said() {
    let plan = planned(ONNX);
    assert_eq!(plan.workers, WorkersPlan { max_replacements: 2, max_memory: None });
    assert!(plan.resolved.contains("[workers]\nmax_replacements = 2\n"), "{}", plan.resolved);
    let plan = planned(&format!("[workers]\nmax_replacements = 0\nmax_memory = \"2GiB\"\n{ONNX}"));
    assert_eq!(plan.workers, WorkersPlan { max_replacements: 0, max_memory: Some(2 << 30) });
    assert_eq!(planned(&plan.resolved).workers, plan.workers);
    refused(&format!("[workers]\nmax_replacements = 101\n{ONNX}"), "must be between 0 and 100");
    refused(&format!("[workers]\nmax_memory = \"2\"\n{ONNX}"), "is not an amount of memory");
}
