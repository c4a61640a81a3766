//! Recorded arrivals: a schedule with as many arrivals as rows, or one sentence with the file and the line.

use tailmark::plan::{Selection, resolve};
use tailmark::scenario::parse;

use super::examples::made;
use super::scenario::check_load;
use super::scratch::Scratch;
use super::target::{Seen, Target};

const SCENARIO: &str = "[load]\nkind = \"trace\"\nfile = \"trace.csv\"\n\n[[backend]]\nkind = \"null\"\n";

/// What can be wrong with a whole file, and so with no line of it.
const OF_THE_FILE: [&str; 3] = ["no request", "it is not UTF-8", "columns"];

#[test]
fn every_trace_is_a_schedule_or_is_refused_with_its_line() {
    let examples = vec![
        made("seconds", "at\n0\n0.5\n0.5\n12.25\n"),
        made("texts", "at,text\n1.5,one\n2,\"two, with a comma\"\n2.25,\"three \"\"quoted\"\"\"\n"),
        made("dates", "at\n2026-01-31T08:00:00.5Z\n2026-01-31T08:00:01Z\n2026-01-31T09:00:01+01:00\n"),
    ];
    Target { name: "trace", cases: 800, examples, made: None, check }.run();
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let folder = Scratch::new();
    folder.write("trace.csv", input);
    let faults = match resolve(&parse(SCENARIO), "fuzzed", Some(folder.path()), &Selection::default()) {
        Ok(plan) => {
            let mut schedule = plan.load.schedule(1);
            let arrivals = std::iter::from_fn(|| schedule.next()).take(input.len() + 1).count();
            if arrivals == 0 || arrivals > input.len() {
                return Err(format!("{arrivals} arrivals from {} bytes", input.len()));
            }
            if let Some(texts) = plan.load.texts().filter(|texts| texts.len() != arrivals) {
                return Err(format!("{} texts for {arrivals} arrivals", texts.len()));
            }
            return check_load(&*plan.load).map(|()| Seen::Taken);
        }
        Err(faults) => faults,
    };
    for fault in faults {
        let why = &fault.message;
        if fault.key != "load.file" || !why.contains("trace.csv") {
            return Err(format!("the file is not named: {fault}"));
        }
        if !why.contains(", line ") && !OF_THE_FILE.iter().any(|part| why.contains(part)) {
            return Err(format!("the line is not named: {fault}"));
        }
        if why.len() > 2 * input.len() + 1_000 {
            return Err(format!("{} characters are no help: {why:.300}", why.len()));
        }
    }
    Ok(Seen::Refused)
}
