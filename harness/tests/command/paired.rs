//! Two backends in turn: what is measured, in which order, what is said of it, and what is refused.

use serde_json::Value;

use super::lost_workers::{assert_no_process_is_left, once};
use super::python::scenario_with_model;
use super::scenario_faults::{assert_says, refused};
use super::workbench::{Finished, Workbench, finish, flat, rows};

const SHORT: &str = "[validity]\non_doubt = \"note\"\n[phases]\nrestarts = 2\n\
                     [phases.warm_up]\nmin_requests = 0\nmax_requests = 0\n";

fn simulated(name: &str, time: &str) -> String {
    format!(
        "[[backend]]\nname = \"{name}\"\nkind = \"simulated\"\nplacement = \"in-process\"\n\
         options = {{ distribution = {{ kind = \"constant\", time = \"{time}\" }} }}\n"
    )
}

fn run(scenario: &str, arguments: &[&str]) -> (Workbench, Finished, Value) {
    let bench = Workbench::new();
    bench.write("scenario.toml", scenario);
    let ended = finish(&mut bench.tailmark_in_brief(&[&["scenario", "scenario.toml"], arguments].concat()));
    let record = if ended.code == Some(2) { Value::Null } else { bench.record() };
    (bench, ended, record)
}

/// The backend and the number of each request that counts, in the order of the samples file.
fn steady(bench: &Workbench) -> Vec<(String, u64)> {
    let rows = rows(&bench.run_folder().join("samples.csv"));
    let steady = rows.into_iter().filter(|row| row["phase"] == "steady");
    steady.map(|row| (row["backend"].clone(), row["number"].parse().expect("a number"))).collect()
}

#[test]
fn two_backends_take_turns_on_the_same_requests_and_the_slower_one_is_named() {
    let pairing = "[pairing]\nbackends = [\"fast\", \"slow\"]\nblocks = 4\nrequests = 20\n";
    let backends = [simulated("fast", "1ms"), simulated("slow", "4ms"), simulated("other", "1ms")].concat();
    let (bench, ended, record) = run(&format!("{SHORT}{pairing}{backends}"), &[]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let found = &record["pairing"];
    assert_eq!(found["replicates"], serde_json::json!([[1, 1], [2, 2]]));
    assert_eq!(found["figures"][0]["outcome"], "worse");
    assert!(found["figures"][0]["ratio"]["value"].as_f64().expect("a ratio") > 2.0);
    // On a busy machine the requests hang together, and the evidence may not suffice.
    assert_ne!(found["sequential"]["claim"], "no_slower");
    let names: Vec<&Value> =
        record["backends"].as_array().expect("backends").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["fast", "slow"]);
    // The decision has the ratio of the pairing.
    assert_eq!(record["decision"]["rows"][1]["ratio"], found["figures"][0]["ratio"]);

    let requests = steady(&bench);
    assert_eq!(requests.len(), 2 * 2 * 4 * 20);
    let blocks: Vec<&[(String, u64)]> = requests.chunks(20).collect();
    for block in &blocks {
        assert!(block.iter().all(|(name, _)| *name == block[0].0), "{block:?}");
    }
    for four in blocks.chunks(4) {
        let order: Vec<&str> = four.iter().map(|block| block[0].0.as_str()).collect();
        assert!(order[0] == order[3] && order[1] == order[2] && order[0] != order[1], "{order:?}");
        let numbers = |block: &[(String, u64)]| block.iter().map(|(_, number)| *number).collect::<Vec<_>>();
        assert_eq!(numbers(four[0]), numbers(four[1]));
        assert_eq!(numbers(four[2]), numbers(four[3]));
    }

    let said = flat(&ended.stdout);
    assert!(said.contains("slow is slower than fast: its P95 response time is "), "{said}");
}

#[test]
fn a_backend_against_itself_and_a_control_are_no_backends_of_the_report() {
    let pairing = "[pairing]\nbackends = [\"one\", \"one\"]\nblocks = 2\nrequests = 40\ncontrol = true\n";
    let (bench, ended, record) = run(&format!("{SHORT}{pairing}{}", simulated("one", "2ms")), &[]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(record["backends"].as_array().map(Vec::len), Some(1));
    let found = &record["pairing"];
    assert_eq!((&found["first"], &found["second"]), (&"one".into(), &"one".into()));
    assert!(found["control"][0]["ratio"]["value"].as_f64().is_some(), "{found}");
    let names: std::collections::BTreeSet<String> =
        steady(&bench).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["one", "one-again", "one-control"].map(str::to_owned).into());
    assert!(flat(&ended.stdout).contains("Control: one against itself"), "{}", ended.stdout);
}

#[test]
fn it_ends_early_if_that_was_asked_for_and_something_could_be_claimed() {
    let pairing =
        "[pairing]\nbackends = [\"fast\", \"slow\"]\nblocks = 8\nrequests = 100\nstop_early = true\n";
    let backends = [simulated("fast", "100us"), simulated("slow", "1ms")].concat();
    let (bench, ended, record) = run(&format!("{SHORT}{pairing}{backends}"), &[]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let (early, claim) = (&record["pairing"]["stopped_early"], &record["pairing"]["sequential"]["claim"]);
    assert_eq!(*early == Value::Bool(true), *claim != "open", "{claim}");
    assert_eq!(*early == Value::Bool(true), steady(&bench).len() < 2 * 2 * 8 * 100);
}

#[test]
fn a_replicate_that_lost_a_worker_is_in_no_ratio_and_another_takes_its_place() {
    let bench = Workbench::new();
    // The fiftieth request is in the first replicate, so the second starts with fresh processes of both.
    let fake = once("dies_while_timed");
    let pairing = "[pairing]\nbackends = [\"bad\", \"good\"]\nblocks = 2\nrequests = 40\n\
                   [[backend]]\nname = \"bad\"\nkind = \"python-onnx\"\n[[backend]]\nname = \"good\"\nkind = \"null\"\n";
    let Some(scenario) = scenario_with_model(&format!("{SHORT}{pairing}")) else { return };
    bench.write("scenario.toml", &scenario);
    let ended = fake.run(&bench);
    let record = bench.record();
    let found = &record["pairing"];
    assert_eq!(found["lost"], 1, "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(found["replicates"], serde_json::json!([[2, 2], [3, 3]]));
    assert!(flat(&ended.stdout).contains("1 replicate more did not come to the end"), "{}", ended.stdout);
    let folder = bench.run_folder();
    let verified = finish(&mut bench.tailmark_in_brief(&["report", "--verify", &folder.to_string_lossy()]));
    assert_eq!(verified.code, Some(0), "{}\n{}", verified.stdout, verified.stderr);
    assert_no_process_is_left(&bench, 3);
}

#[test]
fn what_cannot_be_compared_is_refused_with_its_key() {
    let backends = [simulated("one", "1ms"), simulated("other", "1ms")].concat();
    let says = |section: &str, parts: &[&str]| {
        let bench = Workbench::new();
        bench.write("scenario.toml", &format!("{section}{backends}"));
        assert_says(&refused(&bench, &["scenario", "scenario.toml"]), parts);
    };
    let two = "backends = [\"one\", \"other\"]\n";
    says(
        &format!("[pairing]\n{two}blocks = 1\n"),
        &["pairing.blocks", "1; must be an even number from 2 to 1000"],
    );
    says(&format!("[pairing]\n{two}blocks = 7\n"), &["7; must be an even number"]);
    says(&format!("[pairing]\n{two}requests = 9\n"), &["pairing.requests", "9 requests in a block"]);
    says(&format!("[pairing]\n{two}within = \"0%\"\n"), &["pairing.within", "`0%` is not a share"]);
    says(&format!("[pairing]\n{two}within = \"60%\"\n"), &["60 %; must be at most 50 %"]);
    says(&format!("[pairing]\n{two}confidence = 1.0\n"), &["pairing.confidence", "1; must be above 0.5"]);
    says("[pairing]\nblocks = 2\n", &["pairing.backends", "0 names; write the two"]);
    says(
        "[pairing]\nbackends = [\"one\", \"othr\"]\n",
        &["no backend is named `othr`; did you mean `other`?"],
    );
    says(&format!("[pairing]\n{two}[capacity]\n"), &["[capacity] is there as well"]);
    let bench = Workbench::new();
    bench.write("scenario.toml", &format!("[pairing]\n{two}{backends}batch_size = 2\n"));
    assert_says(
        &refused(&bench, &["scenario", "scenario.toml"]),
        &["batch size of one is 1 and that of other is 2"],
    );
    bench.write("scenario.toml", &format!("[pairing]\n{two}{backends}"));
    let message = refused(&bench, &["scenario", "scenario.toml", "--only", "one"]);
    assert_says(&message, &["leaves out `other`, which [pairing] compares"]);
}
