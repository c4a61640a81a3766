//! A disk that fills up during a run costs files and not what was measured. It is played by a limit on the size of files, which
//! fails in the same way and needs no rights.

use std::process::Command;

use serde_json::Value;

use super::workbench::{Finished, Workbench, backend, finish, phase};

/// Requests that make a `samples.csv` of more than two megabytes.
const REQUESTS: u64 = 30_000;

fn scenario() -> String {
    format!(
        "[phases]\nrestarts = 2\n\n[phases.warm_up]\nmin_requests = 0\nmax_requests = 0\n\n[phases.steady]\nmin_requests = \
         {REQUESTS}\nmax_requests = {REQUESTS}\n\n[validity]\non_doubt = \"note\"\n\n[[objective]]\nindicator = \"failure share\"\n\
         below = \"1 %\"\n\n[[backend]]\nkind = \"null\"\n"
    )
}

/// Runs the scenario where no file can be longer than so many blocks of 512 bytes.
fn run_with_files_of_at_most(blocks: u32, bench: &Workbench) -> Finished {
    bench.write("scenario.toml", &scenario());
    let tailmark = bench.tailmark(&["scenario", "scenario.toml"]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")])
        .arg(tailmark.get_program())
        .args(tailmark.get_args())
        .current_dir(bench.path());
    for (name, value) in tailmark.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    finish(&mut shell)
}

fn assert_shown(ended: &Finished) {
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("run folder "), "{}", ended.stderr);
    assert!(ended.stdout.contains("PASS"), "{}", ended.stdout);
    assert!(ended.stderr.contains("hint: free up space"), "{}", ended.stderr);
}

#[test]
fn samples_that_could_not_be_written_any_more_are_a_warning_and_the_figures_are_of_all_requests() {
    let bench = Workbench::new();
    let ended = run_with_files_of_at_most(1_000, &bench);
    assert_shown(&ended);
    let record = bench.record();
    assert_eq!(record["status"]["state"], "complete");
    assert_eq!(phase(backend(&record, "null"), "steady")["requests"], REQUESTS);
    let what = |warning: &Value| warning["what"].as_str().unwrap_or_default().to_owned();
    let warnings: Vec<String> = record["warnings"].as_array().into_iter().flatten().map(what).collect();
    let named = bench.run_folder().join("samples.csv").display().to_string();
    let named = named.rsplit_once("runs/").map(|(_, path)| path.to_owned()).expect("a path");
    assert!(warnings.iter().any(|what| what.contains(&named)), "{warnings:#?}");
}

#[test]
fn a_run_whose_end_could_not_be_written_is_shown_and_was_not_killed() {
    let bench = Workbench::new();
    let ended = run_with_files_of_at_most(24, &bench);
    assert_shown(&ended);
    assert!(ended.stderr.contains("run.json: "), "{}", ended.stderr);
    assert_eq!(bench.record()["status"]["state"], "running", "the last record that had room");
    let folder = bench.run_folder().display().to_string();
    let again = bench.run(&["report", &folder]);
    assert!(again.stderr.contains("its end could not be written"), "{}", again.stderr);
    assert!(
        !format!("{}{}", again.stdout, again.stderr).contains("killed"),
        "{}\n{}",
        again.stdout,
        again.stderr
    );
}
