//! `tailmark serve --from`: what a run judged, or a refusal with everything in which it is not.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::python::scenario_with_model;
use super::server::Server;
use super::workbench::{Workbench, outcome};

const SHORT: &str = "[validity]\non_doubt = \"note\"\n[phases]\nrestarts = 1\n\
    [phases.warm_up]\nmin_requests = 3\nmax_requests = 3\n[phases.steady]\nmin_requests = 20\nmax_requests = 20\n";

/// Changes the record of a run, as if it had been made with something else.
fn change(folder: &Path, change: impl FnOnce(&mut Value)) {
    let file = folder.join("run.json");
    let mut record: Value =
        serde_json::from_str(&fs::read_to_string(&file).expect("run.json")).expect("JSON");
    change(&mut record);
    fs::write(file, record.to_string()).expect("run.json can be written");
}

/// Starts what must be refused; gives why.
fn refused(bench: &Workbench, arguments: &[&str]) -> String {
    let folder = bench.run_folder();
    let from = ["serve", "--address", "127.0.0.1:0", "--from", &folder.to_string_lossy(), "--backend"];
    let refused = bench.run(&[&from, arguments].concat());
    assert_eq!(refused.code, Some(2), "{}{}", refused.stdout, refused.stderr);
    refused.stderr
}

#[test]
fn what_a_run_judged_is_served_and_anything_else_is_refused_by_name() {
    let bench = Workbench::new();
    let ran = bench.run_scenario(&format!(
        "{SHORT}[[backend]]\nkind = \"null\"\nname = \"mine\"\noptions = {{ dimensions = 4 }}\n"
    ));
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let folder = bench.run_folder();
    let server = Server::ready(&bench, &["--from", &folder.to_string_lossy(), "--backend", "mine"]);
    let reply = server.post("/embed", &json!({ "inputs": "a" }).to_string());
    assert_eq!(reply.json(), json!([[1.0, 0.0, 0.0, 0.0]]));
    assert_eq!(server.end(), Some(0));

    let why = refused(&bench, &["other"]);
    assert!(why.contains("--backend other: the run ") && why.contains(" has mine"), "{why}");
    let why = refused(&bench, &["mine", "--set", "dimensions=5", "--replicas", "2"]);
    assert!(why.contains("the option dimensions: 4 before, 5 after"), "{why}");
    assert!(why.contains("replicas: 1 before, 2 after"), "{why}");
    change(&folder, |record| record["backends"][0]["runs"]["engine_version"] = json!("0.0.9"));
    let why = refused(&bench, &["mine"]);
    assert!(
        why.contains(&format!("the engine: null 0.0.9 before, null {} after", env!("CARGO_PKG_VERSION"))),
        "{why}"
    );
    change(&folder, |record| {
        record["backends"][0]["outcome"] = json!({ "state": "wrong", "why": "all of it" })
    });
    assert!(refused(&bench, &["mine"]).contains("did not measure it"));
}

#[test]
fn a_model_that_is_not_the_one_that_was_judged_is_refused_by_the_file() {
    let bench = Workbench::new();
    let backend = "[[backend]]\nkind = \"rten\"\nname = \"rten\"\n";
    let Some(scenario) = scenario_with_model(&format!("{SHORT}{backend}")) else { return };
    let ran = bench.run_scenario(&scenario);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(outcome(&bench.record(), "rten"), ("measured", ""));
    let folder = bench.run_folder();
    let server = Server::ready(&bench, &["--from", &folder.to_string_lossy(), "--backend", "rten"]);
    let long = json!([vec!["word"; 600].join(" "), "short"]);
    let reply = server.post("/v1/embeddings", &json!({ "input": long }).to_string());
    assert_eq!((reply.status, reply.header("x-tailmark-truncated")), (200, Some("1")), "{}", reply.head);
    let most = server.get("/info").json()["max_input_length"].as_u64().expect("a number");
    let tokens = reply.json()["usage"]["prompt_tokens"].as_u64().expect("a number");
    assert!((most..most + 10).contains(&tokens), "{tokens} tokens, of which the long text has {most}");
    let whole = server.post("/embed", &json!({ "inputs": long, "truncate": false }).to_string());
    assert_eq!(whole.status, 400, "{whole:?}");
    assert!(
        whole.body.contains(&format!("1 of the texts have more tokens than the {most}")),
        "{}",
        whole.body
    );
    assert_eq!(server.end(), Some(0));
    let mut name = String::new();
    change(&folder, |record| {
        let file = &mut record["model"]["files"][0];
        name = file["name"].as_str().expect("a name").to_owned();
        file["sha256"] = json!("0".repeat(64));
    });
    let why = refused(&bench, &["rten"]);
    assert!(why.contains(&format!("the model file {name}: {} before, ", "0".repeat(64))), "{why}");
}
