//! How often the verdict is wrong: the whole procedure, simulated with fixed seeds on backends with a known exceedance, and
//! beside it the rules that others use. Prints the tables of docs/METHODOLOGY.md.
//!
//! `cargo run --release -p tailmark --example verdict_errors [runs]`; the published tables have 2,000 runs to a cell.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::thread;

use tailmark::statistics::incomplete_beta::log_tails;
use tailmark::statistics::sequential::{Counts, ln_evidence_below};
use tailmark::verdict::simulation::{Backend, LIMIT_NS, Process, default_rules, measure};
use tailmark::verdict::{Decision, Horizon, Reason, Rules};

/// What a run ended in, and after how many requests.
type Ending = (&'static str, u64);

fn main() {
    let runs = std::env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(2_000);
    println!(
        "Each cell is {runs} runs; the objective is P95 < 20 ms, an exceedance of 5 % is exactly at the limit."
    );
    println!("The 95 % interval of a share of 0 % is 0 to {:.2} %,", 100.0 * zero_share_bound(runs));
    println!("of 1 % it is 1 % +- {:.1} points.", 196.0 * (0.01 * 0.99 / runs as f64).sqrt());
    quick(runs);
    default_mode(runs);
    horizons(runs);
    others(runs);
}

/// The share that would give no case in all runs with probability 5 %.
fn zero_share_bound(runs: u64) -> f64 {
    1.0 - f64::powf(0.05, 1.0 / runs as f64)
}

fn auto_regressive(rho: f64) -> Process {
    Process::AutoRegressive { rho }
}

fn quick(runs: u64) {
    println!("\n### `--quick`: no horizon, one process\n");
    table_head();
    let rules = Rules { horizon: Horizon::Quick, ..default_rules() };
    // A share close to what is promised needs more runs to be told from it.
    let cells = [
        ("independent", auto_regressive(0.0), [0.01, 0.02, 0.05, 0.06, 0.10, 0.20].as_slice(), 5 * runs),
        ("AR(1), rho 0.5", auto_regressive(0.5), &[0.01, 0.05], runs),
        ("AR(1), rho 0.8", auto_regressive(0.8), &[0.01, 0.05], runs),
        ("AR(1), rho 0.95", auto_regressive(0.95), &[0.01, 0.05], runs),
    ];
    for (name, process, shares, runs) in cells {
        for &share in shares {
            table_row(name, share, &simulate(runs, process, share, rules));
        }
    }
    println!(
        "\nIndependent rows are {} runs each. Exactly at the limit, by enumeration of all paths of 20,000",
        5 * runs
    );
    println!(
        "independent requests looked at after every one, PASS has probability {:.2} %.",
        100.0 * enumerated()
    );
}

/// The probability that the evidence for PASS ever suffices within 20,000 independent requests exactly at the limit.
fn enumerated() -> f64 {
    let decides = |exceedances: usize, requests: usize| {
        let counts = Counts { exceedances: exceedances as f64, requests: requests as f64 };
        ln_evidence_below(0.05, counts) >= f64::ln(100.0)
    };
    let mut paths = vec![1.0];
    let (mut decided, mut passing) = (0.0, 0);
    for requests in 1..=20_000 {
        paths.push(0.0);
        for exceedances in (0..paths.len()).rev() {
            let before = if exceedances > 0 { 0.05 * paths[exceedances - 1] } else { 0.0 };
            paths[exceedances] = 0.95 * paths[exceedances] + before;
        }
        // The most exceedances that still pass only grow with the number of requests.
        while decides(passing, requests) {
            passing += 1;
        }
        decided += paths.iter_mut().take(passing).map(std::mem::take).sum::<f64>();
        // Paths with more exceedances than any that could pass later are so unlikely that they do not matter.
        paths.truncate(2_000);
    }
    decided
}

fn default_mode(runs: u64) {
    println!("\n### Default: horizon of 2,000 requests over 3 restarts, at most 20,000 requests\n");
    table_head();
    let cells = [
        ("independent", auto_regressive(0.0), [0.01, 0.02, 0.05, 0.06, 0.10].as_slice()),
        ("AR(1), rho 0.5", auto_regressive(0.5), &[0.01, 0.05, 0.06, 0.10]),
        ("AR(1), rho 0.8", auto_regressive(0.8), &[0.01, 0.05, 0.06, 0.10]),
        ("AR(1), rho 0.9", auto_regressive(0.9), &[0.01, 0.05, 0.06, 0.10]),
        ("AR(1), rho 0.95", auto_regressive(0.95), &[0.01, 0.05, 0.06, 0.10]),
        ("AR(1), rho 0.99", auto_regressive(0.99), &[0.01, 0.05, 0.06]),
        ("hot phases of 50", Process::HotCold { hot: 50.0 }, &[0.01, 0.05, 0.06]),
        ("hot phases of 200", Process::HotCold { hot: 200.0 }, &[0.01, 0.05, 0.06]),
        ("hot phases of 1,000", Process::HotCold { hot: 1_000.0 }, &[0.01, 0.05, 0.06]),
        ("hot phases of 5,000", Process::HotCold { hot: 5_000.0 }, &[0.01, 0.05, 0.06]),
        ("bimodal", Process::Bimodal, &[0.02, 0.05, 0.06]),
        ("failures only", Process::Failing, &[0.02, 0.05, 0.06]),
        ("drift over 2,000", Process::Drift { over: 2_000.0 }, &[0.02, 0.05, 0.06]),
        ("drift over 20,000", Process::Drift { over: 20_000.0 }, &[0.02, 0.05, 0.06]),
        ("stall every 3,000", Process::Stalls { every: 3_000.0 }, &[0.01, 0.05, 0.06]),
    ];
    for (name, process, shares) in cells {
        for &share in shares {
            table_row(name, share, &simulate(runs, process, share, default_rules()));
        }
    }
}

fn horizons(runs: u64) {
    println!(
        "\n### What a short run cannot see: exceedance at the limit, by horizon (cap: twice the horizon)\n"
    );
    println!("| process | horizon | runs | PASS | FAIL | INCONCLUSIVE |");
    println!("|---|---|---|---|---|---|");
    for hot in [200.0, 1_000.0, 5_000.0] {
        for requests in [2_000, 20_000, 100_000] {
            let horizon = Horizon::AtLeast { requests, restarts: 3 };
            let rules = Rules { horizon, most_requests: (2 * requests).max(20_000), ..default_rules() };
            // As many requests as the other cells take, so that the table stays a matter of minutes.
            let runs = (runs * 20_000 / rules.most_requests).max(100);
            let endings = simulate(runs, Process::HotCold { hot }, 0.05, rules);
            let [pass, fail, open] = shares(&endings);
            println!(
                "| hot phases of {hot} | {requests} | {runs} | {pass:.1} % | {fail:.1} % | {open:.1} % |"
            );
        }
    }
}

fn table_head() {
    println!(
        "| process | true exceedance | PASS | FAIL | INCONCLUSIVE | median requests | settled by 2,000 | by 6,000 | why not |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
}

fn table_row(name: &str, share: f64, endings: &[Ending]) {
    let [pass, fail, open] = shares(endings);
    let mut requests: Vec<u64> = endings.iter().map(|ending| ending.1).collect();
    requests.sort_unstable();
    let settled_by = |most: u64| {
        let settled = endings.iter().filter(|ending| matches!(ending.0, "PASS" | "FAIL") && ending.1 <= most);
        100.0 * settled.count() as f64 / endings.len() as f64
    };
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for ending in endings.iter().filter(|ending| !matches!(ending.0, "PASS" | "FAIL")) {
        *reasons.entry(ending.0).or_default() += 1;
    }
    let most = reasons.iter().max_by_key(|reason| reason.1).map_or("", |reason| reason.0);
    println!(
        "| {name} | {:.0} % | {pass:.1} % | {fail:.1} % | {open:.1} % | {} | {:.1} % | {:.1} % | {most} |",
        100.0 * share,
        requests[requests.len() / 2],
        settled_by(2_000),
        settled_by(6_000),
    );
}

/// Percentages of PASS, FAIL and neither.
fn shares(endings: &[Ending]) -> [f64; 3] {
    let share = |name| {
        let count = endings.iter().filter(|ending| ending.0 == name).count();
        100.0 * count as f64 / endings.len() as f64
    };
    let (pass, fail) = (share("PASS"), share("FAIL"));
    [pass, fail, (100.0 - pass - fail).max(0.0)]
}

fn simulate(runs: u64, process: Process, share: f64, rules: Rules) -> Vec<Ending> {
    let seeds = seeds_of(process, share);
    in_parallel(runs, |run| {
        let outcome = measure(&mut Backend::new(process, share, seeds + run), rules);
        let name = match outcome.decision {
            Decision::Pass => "PASS",
            Decision::Fail => "FAIL",
            Decision::Inconclusive(Reason::NoSteadyState { .. }) => "no steady state",
            Decision::Inconclusive(Reason::HorizonNotReached { .. }) => "horizon not reached",
            Decision::Inconclusive(Reason::TooShortForItsCorrelation { .. }) => "correlated too long",
            Decision::Inconclusive(Reason::TooCloseToTheLimit) => "too close",
            Decision::Inconclusive(Reason::RestartsDisagree { .. }) => "restarts disagree",
            Decision::Inconclusive(Reason::Drifts { .. }) => "drift",
            Decision::Continue { .. } => unreachable!("a measurement ended undecided: this is a bug"),
        };
        (name, outcome.requests)
    })
}

/// The first seed of a cell: no two cells share their luck, and the same cell always has the same.
fn seeds_of(process: Process, share: f64) -> u64 {
    let (kind, parameter) = match process {
        Process::AutoRegressive { rho } => (1, rho * 100.0),
        Process::HotCold { hot } => (2, hot),
        Process::Bimodal => (3, 0.0),
        Process::Failing => (4, 0.0),
        Process::Drift { over } => (5, over),
        Process::Stalls { every } => (6, every),
    };
    ((kind * 100_000 + parameter.round() as u64) * 100 + (100.0 * share).round() as u64) * 100_000
}

fn in_parallel<T: Send>(runs: u64, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let run = &run;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || (first..runs).step_by(threads as usize).map(run).collect::<Vec<T>>())
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a simulation panicked: this is a bug"))
            .collect()
    })
}

/// A rule that others judge by, given whether each request exceeds: true for PASS.
type Rule = Box<dyn Fn(&mut dyn FnMut() -> bool) -> bool + Sync>;

fn others(runs: u64) {
    println!("\n### The share of runs that other rules pass\n");
    let rules: [(&str, Rule); 4] = [
        ("empirical P95 < L, n = 100", Box::new(|exceeds| empirical(100, exceeds))),
        ("empirical P95 < L, n = 1,000", Box::new(|exceeds| empirical(1_000, exceeds))),
        ("exact test at 1 %, n = 1,000", Box::new(|exceeds| exact(1_000, exceeds))),
        ("MLPerf early stopping at 99 %, until it passes", early_stopping()),
    ];
    println!(
        "| process | true exceedance | {} | tailmark |",
        rules.iter().map(|rule| rule.0).collect::<Vec<_>>().join(" | ")
    );
    println!("|---|---|{}---|", "---|".repeat(rules.len()));
    let cells = [
        ("independent", auto_regressive(0.0), [0.01, 0.02, 0.04, 0.05, 0.06, 0.10].as_slice()),
        ("AR(1), rho 0.8", auto_regressive(0.8), &[0.01, 0.05, 0.06]),
        ("AR(1), rho 0.95", auto_regressive(0.95), &[0.01, 0.05, 0.06]),
        ("hot phases of 200", Process::HotCold { hot: 200.0 }, &[0.05, 0.06]),
    ];
    for (name, process, shares_of_process) in cells {
        for &share in shares_of_process {
            print!("| {name} | {:.0} % |", 100.0 * share);
            for (_, rule) in &rules {
                let seeds = seeds_of(process, share);
                let passed = in_parallel(runs, |run| {
                    let mut backend = Backend::new(process, share, seeds + run);
                    rule(&mut || backend.respond().is_none_or(|response| response > LIMIT_NS))
                });
                print!(
                    " {:.1} % |",
                    100.0 * passed.iter().filter(|passed| **passed).count() as f64 / runs as f64
                );
            }
            println!(" {:.1} % |", shares(&simulate(runs, process, share, default_rules()))[0]);
        }
    }
}

fn count(requests: u64, exceeds: &mut dyn FnMut() -> bool) -> u64 {
    (0..requests).map(|_| u64::from(exceeds())).sum()
}

/// Nearest rank: the P95 of n requests is under the limit when at most 5 % of them are over it.
fn empirical(requests: u64, exceeds: &mut dyn FnMut() -> bool) -> bool {
    20 * count(requests, exceeds) <= requests
}

/// One binomial test, after a number of requests fixed beforehand.
fn exact(requests: u64, exceeds: &mut dyn FnMut() -> bool) -> bool {
    ln_chance_of_at_most(count(requests, exceeds), requests) <= f64::ln(0.01)
}

/// ln of the chance that at most `exceedances` of `requests` exceed, for a backend exactly at the limit.
fn ln_chance_of_at_most(exceedances: u64, requests: u64) -> f64 {
    if exceedances >= requests {
        return 0.0;
    }
    log_tails(0.05, exceedances as f64 + 1.0, (requests - exceedances) as f64).above
}

/// MLPerf's rule: with t requests over the limit, the run is long enough when a backend at the limit would show at most t with
/// probability under 1 %; otherwise it is continued up to that length and judged again, here up to 20,000 requests.
fn early_stopping() -> Rule {
    const MOST: u64 = 20_000;
    let mut lengths: Vec<u64> = Vec::new();
    let mut length = 1;
    while length <= MOST {
        let exceedances = lengths.len() as u64;
        while ln_chance_of_at_most(exceedances, length) >= f64::ln(0.01) {
            length += 1;
        }
        lengths.push(length);
    }
    Box::new(move |exceeds| {
        let (mut requests, mut exceedances) = (0, 0);
        loop {
            match lengths.get(exceedances as usize) {
                Some(&length) if length <= requests => return true,
                Some(&length) if length <= MOST => {
                    exceedances += count(length - requests, exceeds);
                    requests = length;
                }
                _ => return false,
            }
        }
    })
}
