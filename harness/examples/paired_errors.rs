//! How often measuring two backends in turn errs, and how often it finds what there is: seeded latencies, no clock. Prints a table of
//! docs/METHODOLOGY.md.
//!
//! `cargo run --release -p tailmark --example paired_errors [runs]`; the published table has 400 runs to a row.

#![allow(clippy::print_stdout)]

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use tailmark::pairing::{Comparing, Question};
use tailmark::sample::Sample;
use tailmark::statistics::paired::Side;
use tailmark::verdict::simulation::{Backend, Process};
use tailmark_reports::record::{Claim, PairedOutcome};

const QUESTION: Question = Question { quantile: 0.95, within: 0.05, confidence: 0.95 };
const REPLICATES: usize = 6;
const BLOCKS: usize = 8;
const REQUESTS: usize = 125;
/// Bootstrap samples of a run.
const RESAMPLED: usize = 400;

/// How requests depend on each other, and what differs.
struct World {
    name: &'static str,
    rho: f64,
    /// Standard deviation of the logarithm of what a process multiplies all its times by.
    processes_differ: f64,
    /// By how much the machine gets slower over the run.
    drift: f64,
}

const WORLDS: [World; 5] = [
    World { name: "independent", rho: 0.0, processes_differ: 0.0, drift: 0.0 },
    World { name: "rho 0.9", rho: 0.9, processes_differ: 0.0, drift: 0.0 },
    World { name: "processes differ by 2 %", rho: 0.0, processes_differ: 0.02, drift: 0.0 },
    World { name: "processes differ by 5 %, rho 0.9", rho: 0.9, processes_differ: 0.05, drift: 0.0 },
    World { name: "the machine slows down by 30 %", rho: 0.0, processes_differ: 0.0, drift: 0.3 },
];

/// The times of each side, by replicate and block.
type Times = [Vec<Vec<Vec<f64>>>; 2];

/// What was counted over the runs of a row.
#[derive(Default)]
struct Counted {
    covered: u64,
    different: u64,
    equivalent: u64,
    bootstrap_covered: u64,
    two_p95s_differ: u64,
    no_slower: u64,
    slower: u64,
    after: Vec<u64>,
}

fn main() {
    let runs: u64 = std::env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(400);
    println!(
        "{REPLICATES} replicates of {BLOCKS} blocks of {REQUESTS} requests of each; {runs} runs to a row. Two standard errors of a share of \
         95 % are {:.1} points.",
        200.0 * (0.95 * 0.05 / runs as f64).sqrt()
    );
    println!();
    println!(
        "| process | true ratio | interval covers | hierarchical bootstrap covers | different | equivalent | order-statistic intervals of the \
         two P95s do not overlap | claims no slower | claims slower | median requests to a claim |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for world in &WORLDS {
        for ratio in [1.0, 1.05, 1.1] {
            row(world, ratio, runs);
        }
    }
}

fn row(world: &World, ratio: f64, runs: u64) {
    let mut counted = Counted::default();
    for run in 0..runs {
        let times = times(world, ratio, run);
        count(&mut counted, &times, ratio, run);
    }
    counted.after.sort_unstable();
    let share = |count: u64| format!("{:.1} %", 100.0 * count as f64 / runs as f64);
    let after = counted.after.get(counted.after.len() / 2).map_or_else(|| "-".to_owned(), u64::to_string);
    println!(
        "| {} | {ratio} | {} | {} | {} | {} | {} | {} | {} | {after} |",
        world.name,
        share(counted.covered),
        share(counted.bootstrap_covered),
        share(counted.different),
        share(counted.equivalent),
        share(counted.two_p95s_differ),
        share(counted.no_slower),
        share(counted.slower),
    );
}

/// Everything that a run is asked, at the end, except for the claims, which are looked for after every second block.
fn count(counted: &mut Counted, times: &Times, ratio: f64, seed: u64) {
    let mut comparing = Comparing::new(QUESTION);
    let mut now = 0;
    for (first, second) in times[0].iter().zip(&times[1]) {
        comparing.begin_replicate();
        for (block, (one, other)) in first.iter().zip(second).enumerate() {
            comparing.begin_pair();
            for (side, times) in [(Side::First, one), (Side::Second, other)] {
                for (number, time) in times.iter().enumerate() {
                    comparing.add(side, &Sample::steady(1, number as u64, now, Some(*time as u64)));
                    now += *time as u64;
                }
            }
            if block % 2 == 1 {
                comparing.look();
            }
        }
    }
    let asked = &comparing.figures()[0];
    let (low, high) = (asked.ratio.low.expect("an interval"), asked.ratio.high.expect("an interval"));
    counted.covered += u64::from(low <= ratio && ratio <= high);
    counted.different += u64::from(matches!(asked.outcome, PairedOutcome::Better | PairedOutcome::Worse));
    counted.equivalent += u64::from(asked.outcome == PairedOutcome::Equivalent);
    let (low, high) = bootstrap(times, seed);
    counted.bootstrap_covered += u64::from(low <= ratio && ratio <= high);
    let ends = |side: usize| {
        let mut all: Vec<f64> = times[side].iter().flatten().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        let ranks = tailmark::statistics::quantile_ranks(0.95, all.len() as u64, 0.95);
        let at = |rank: Option<u64>| all[rank.expect("enough times") as usize - 1];
        (at(ranks.low), at(ranks.high))
    };
    let ((low, high), (second_low, second_high)) = (ends(0), ends(1));
    counted.two_p95s_differ += u64::from(second_low > high || second_high < low);
    let sequential = comparing.sequential().expect("enough to tell");
    counted.no_slower += u64::from(matches!(sequential.claim, Claim::NoSlower | Claim::SlowerWithin));
    counted.slower += u64::from(matches!(sequential.claim, Claim::Slower | Claim::SlowerWithin));
    if sequential.claim != Claim::Open {
        counted.after.push(sequential.after);
    }
}

/// The percentile interval of the hierarchical bootstrap: replicates are drawn, then pairs of blocks of each, then nothing below.
fn bootstrap(times: &Times, seed: u64) -> (f64, f64) {
    let mut generator = ChaCha8Rng::seed_from_u64(seed ^ 0xB007);
    let mut ratios: Vec<f64> = (0..RESAMPLED)
        .map(|_| {
            let mut drawn = [Vec::new(), Vec::new()];
            for _ in 0..REPLICATES {
                let replicate = generator.random_range(0..REPLICATES);
                for _ in 0..BLOCKS {
                    let block = generator.random_range(0..BLOCKS);
                    for (side, drawn) in drawn.iter_mut().enumerate() {
                        drawn.extend_from_slice(&times[side][replicate][block]);
                    }
                }
            }
            let [first, second] = drawn.map(|mut all: Vec<f64>| {
                let rank = (0.95 * all.len() as f64).ceil() as usize - 1;
                *all.select_nth_unstable_by(rank, f64::total_cmp).1
            });
            second / first
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |share: f64| ratios[(share * (RESAMPLED - 1) as f64).round() as usize];
    (at(0.025), at(0.975))
}

/// What two backends show of which the second takes `ratio` times as long. A slowdown of the machine falls on both.
fn times(world: &World, ratio: f64, seed: u64) -> Times {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let process = Process::AutoRegressive { rho: world.rho };
    let mut backends = [Backend::new(process, 0.05, 2 * seed), Backend::new(process, 0.05, 2 * seed + 1)];
    let mut times: Times = [Vec::new(), Vec::new()];
    for replicate in 0..REPLICATES {
        let mut factors = [1.0, ratio];
        for (backend, factor) in backends.iter_mut().zip(&mut factors) {
            backend.restart();
            let deviate: f64 = StandardNormal.sample(&mut generator);
            *factor *= (world.processes_differ * deviate).exp();
        }
        times.iter_mut().for_each(|side| side.push(Vec::new()));
        for block in 0..BLOCKS {
            let progress = (replicate * BLOCKS + block) as f64 / (REPLICATES * BLOCKS) as f64;
            for (side, backend) in backends.iter_mut().enumerate() {
                let factor = factors[side] * (1.0 + world.drift * progress);
                let respond = || backend.respond().expect("none fails") as f64 * factor;
                times[side][replicate].push(std::iter::repeat_with(respond).take(REQUESTS).collect());
            }
        }
    }
    times
}
