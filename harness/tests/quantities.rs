//! No quantity that can be written can make tailmark panic: each is refused with its key, or is small enough for everything that
//! is computed with it. Seeded, so that what fails once fails again.

use std::time::Duration;

use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tailmark::plan::{self, Mode, Plan, Selection, WarmUp};
use tailmark::scenario::{self, Parsed};
use tailmark::statistics::steady;
use tailmark::verdict::{Bounds, Horizon, Judge};
use tailmark::workload::Batches;

/// Every key that takes a quantity, and the unit it is usually written with.
const KEYS: &[(&str, &str)] = &[
    ("workload.batch_size", ""),
    ("workload.seed", ""),
    ("load.concurrency", ""),
    ("load.think_time", "ms"),
    ("load.rate", "/s"),
    ("load.seed", ""),
    ("load.from", "/s"),
    ("load.to", "/s"),
    ("load.over", "s"),
    ("load.speed", ""),
    ("load.max_in_flight", ""),
    ("load.max_queue", ""),
    ("phases.restarts", ""),
    ("phases.warm_up.min_requests", ""),
    ("phases.warm_up.max_requests", ""),
    ("phases.steady.min_requests", ""),
    ("phases.steady.max_requests", ""),
    ("phases.steady.min_seconds", ""),
    ("phases.steady.max_seconds", ""),
    ("deadlines.start", "s"),
    ("deadlines.load", "s"),
    ("deadlines.request", "s"),
    ("deadlines.shutdown", "s"),
    ("workers.max_replacements", ""),
    ("workers.max_memory", "GiB"),
    ("objective[1].below", "ms"),
    ("objective[1].confidence", ""),
    ("objective[2].at_least", "/s"),
    ("objective[3].below", "%"),
    ("objective[4].below", "GB"),
    ("objective[5].at_least", ""),
    ("backend[1].replicas", ""),
    ("backend[1].batch_size", ""),
    ("backend[1].restarts", ""),
    ("backend[1].warm_up_requests", ""),
    ("backend[1].min_requests", ""),
    ("backend[1].max_requests", ""),
    ("backend[1].require.min_time_share", ""),
    ("backend[1].require.min_node_share", ""),
    ("backend[1].options.dimensions", ""),
    ("backend[1].options.failures", ""),
    ("backend[1].options.first", "us"),
    ("backend[1].options.distribution.time", "ns"),
    ("matrix", ""),
    ("capacity.levels", ""),
    ("capacity.probe", "s"),
];

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "0.5",
    "1e-9",
    "1e-320",
    "4e-324",
    "1e9",
    "1e18",
    "1e19",
    "1e300",
    "1.8e308",
    "1e999",
    "nan",
    "-nan",
    "inf",
    "-inf",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "99999999999999999999999999",
    "2600000000000000",
    "0.000000001",
    "999999999.999999999",
    "0x7fffffffffffffff",
    "1_000",
    "7_days",
    "+3",
    "",
    "1e",
    ".",
    "-",
    "1979-05-27",
];
const UNITS: &[&str] = &["", "ns", "us", "ms", "s", "min", "h", "/s", "%", "KiB", "GiB", "GB", " parsecs"];
const INDICATORS: &[&str] =
    &["p95 response time", "p99.999999 service time", "p50 cold start", "p0.000001 response time"];
const LOADS: &[&str] = &["closed", "constant", "poisson", "ramp"];

fn written(random: &mut ChaCha8Rng, usual: &'static str) -> String {
    let number = match random.random_range(0..4) {
        // Something usual among the others, so that not every scenario is refused for one of them.
        3 => random.random_range(1..200).to_string(),
        0 => format!("{:e}", f64::from_bits(random.random())),
        1 => (random.random::<u64>() >> random.random_range(0..64)).to_string(),
        _ => NUMBERS.choose(random).copied().unwrap_or_default().to_owned(),
    };
    let unit =
        if random.random_bool(0.8) { usual } else { UNITS.choose(random).copied().unwrap_or_default() };
    format!("{number}{unit}")
}

fn scenario_of(random: &mut ChaCha8Rng) -> Parsed {
    let load = LOADS.choose(random).copied().unwrap_or_default();
    let indicator = INDICATORS.choose(random).copied().unwrap_or_default();
    let (rates, capacity) = match load {
        "constant" | "poisson" => ("rate = \"9/s\"\n", random.random_bool(0.3)),
        "ramp" => ("from = \"1/s\"\nto = \"2/s\"\nover = \"5s\"\n", false),
        _ => ("", false),
    };
    let load =
        if capacity { "[capacity]\n".to_owned() } else { format!("[load]\nkind = \"{load}\"\n{rates}") };
    let file = format!(
        "{load}[[objective]]\nindicator = \"{indicator}\"\nbelow = \"20ms\"\n[[objective]]\nindicator = \"throughput\"\nat_least = \"1/s\"\n\
         [[objective]]\nindicator = \"failure share\"\nbelow = \"1%\"\n[[objective]]\nindicator = \"peak rss\"\nbelow = \"1GB\"\n\
         [[objective]]\nindicator = \"cosine\"\nat_least = \"0.9\"\n[[backend]]\nkind = \"simulated\"\n"
    );
    let set: Vec<String> = (0..random.random_range(1..3))
        .map(|_| {
            let (key, unit) = KEYS.choose(random).copied().unwrap_or_default();
            format!("{key}={}", written(random, unit))
        })
        .collect();
    scenario::parse_with(&file, &set)
}

/// Does with a plan what a run does with its quantities before the first request.
fn use_all_of(plan: &Plan) {
    for backend in &plan.backends {
        let certified = match &plan.mode {
            Mode::Rounds | Mode::Paired(_) => None,
            Mode::Capacity(capacity) => Some(capacity.at(30.0)),
        };
        let loads = certified.into_iter().chain([backend.load.clone()]);
        for load in loads {
            let mut schedule = load.schedule(1);
            for _ in 0..100 {
                let Some(at) = schedule.next() else { break };
                assert!(at < Duration::from_secs(1 << 40), "{}: {at:?}", load.text());
                schedule.answered(at);
            }
            assert!(load.due_within(backend.phases.steady.max_time) >= 0.0, "{}", load.text());
            let _ = (load.note(), load.limits().for_backend(4));
        }
        let steady = backend.phases.steady;
        let horizon = Horizon::AtLeast { requests: steady.min_requests, restarts: backend.phases.restarts };
        let bounds = Bounds { horizon, most_requests: steady.max_requests };
        for (index, objective) in plan.objectives.iter().enumerate() {
            let mut judge = Judge::new(index, objective, bounds);
            judge.begin_restart();
            let _ = (judge.is_decided(), judge.wants_fresh_process(), objective.to_record());
        }
        if let WarmUp::Found { fewest, most } = backend.phases.warm_up {
            let _ = steady::WarmUp::new(fewest, most);
        }
        let _ = Batches::new(&backend.corpus, backend.batch_size, plan.seed);
    }
}

#[test]
fn any_quantity_at_any_key_is_planned_or_refused_with_the_key() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut planned, mut refused) = (0, 0);
    for _ in 0..4_000 {
        let parsed = scenario_of(&mut random);
        match plan::resolve(&parsed, "quantities", None, &Selection::default()) {
            Ok(plan) => {
                planned += 1;
                use_all_of(&plan);
                let again = scenario::parse(&plan.resolved);
                assert_eq!(again.faults, [], "what is written out can be read: {}", plan.resolved);
            }
            Err(faults) => {
                refused += 1;
                for fault in faults {
                    let said = parsed.describe(&fault);
                    assert!(!fault.key.is_empty(), "{said}");
                    for foreign in ["u32", "u64", "i64", "f64", "i128", "struct ", "enum ", "invalid type"] {
                        assert!(!said.contains(foreign), "{said}");
                    }
                }
            }
        }
    }
    assert!(planned > 400 && refused > 400, "{planned} planned, {refused} refused");
}
