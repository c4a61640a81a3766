//! How often the 95 % interval of a ratio of two backends covers the true ratio: seeded latencies, no clock, and the figures of a
//! run made of them. Prints a table of docs/METHODOLOGY.md.
//!
//! `cargo run --release -p tailmark --example ratio_coverage [runs]`; the published table has 4,000 runs to a cell.

#![allow(clippy::print_stdout)]

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use tailmark::sample::Sample;
use tailmark::statistics::series::{Figure, Series};
use tailmark::verdict::simulation::{Backend, Process};

const CONFIDENCE: f64 = 0.95;
/// The second backend takes so much longer.
const RATIO: f64 = 1.1;
const FIGURES: [(&str, Figure); 3] = [
    ("P50", Figure::ResponseTime(0.5)),
    ("P95", Figure::ResponseTime(0.95)),
    ("throughput", Figure::Throughput),
];

/// How the requests of a backend depend on each other, and how its restarts differ.
struct World {
    name: &'static str,
    rho: f64,
    /// Standard deviation of the logarithm of what a restart multiplies all its times by.
    restarts_differ: f64,
}

const WORLDS: [World; 4] = [
    World { name: "independent", rho: 0.0, restarts_differ: 0.0 },
    World { name: "rho 0.9", rho: 0.9, restarts_differ: 0.0 },
    World { name: "restarts differ by 5 %", rho: 0.0, restarts_differ: 0.05 },
    World { name: "restarts differ by 5 %, rho 0.9", rho: 0.9, restarts_differ: 0.05 },
];

fn main() {
    let runs: u64 = std::env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(4_000);
    println!("Each cell is {runs} runs; the 95 % interval of a coverage of 95 % is +- {:.1} points.", {
        196.0 * (0.95 * 0.05 / runs as f64).sqrt()
    });
    println!();
    println!(
        "| process | restarts | requests in each | P50 | P95 | throughput | median width, P95 | naive, P95 |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (restarts, requests) in [(2, 1_000), (3, 700), (5, 400), (10, 400)] {
        for world in &WORLDS {
            row(world, restarts, requests, runs);
        }
    }
    for world in WORLDS.iter().filter(|world| world.restarts_differ == 0.0) {
        row(world, 1, 4_000, runs);
    }
}

fn row(world: &World, restarts: u32, requests: u64, runs: u64) {
    let mut covered = [0_u64; FIGURES.len()];
    let mut naive = 0;
    let mut widths = Vec::new();
    for run in 0..runs {
        let mut generator = ChaCha8Rng::seed_from_u64(run);
        let one = series(world, 1.0, restarts, requests, 2 * run, &mut generator);
        let two = series(world, RATIO, restarts, requests, 2 * run + 1, &mut generator);
        for ((_, figure), covered) in FIGURES.iter().zip(&mut covered) {
            let truth = if figure.more_is_better() { 1.0 / RATIO } else { RATIO };
            let ratio = two
                .0
                .estimate(*figure)
                .expect("a figure")
                .over(&one.0.estimate(*figure).expect("a figure"), CONFIDENCE);
            let (low, high) = ratio.interval.expect("an interval");
            *covered += u64::from(low <= truth && truth <= high);
            if *figure == Figure::ResponseTime(0.95) {
                widths.push(high / low);
            }
        }
        naive += u64::from(naive_covers(&one.1, &two.1));
    }
    widths.sort_by(f64::total_cmp);
    let share = |count: u64| format!("{:.1} %", 100.0 * count as f64 / runs as f64);
    let shares: Vec<String> = covered.iter().map(|count| share(*count)).collect();
    println!(
        "| {} | {restarts} | {requests} | {} | +-{:.1} % | {} |",
        world.name,
        shares.join(" | "),
        50.0 * (widths[widths.len() / 2] - 1.0),
        share(naive)
    );
}

/// What a backend shows, and all of its times.
fn series(
    world: &World,
    slower: f64,
    restarts: u32,
    requests: u64,
    seed: u64,
    generator: &mut ChaCha8Rng,
) -> (Series, Vec<f64>) {
    let mut backend = Backend::new(Process::AutoRegressive { rho: world.rho }, 0.05, seed);
    let (mut series, mut times) = (Series::default(), Vec::new());
    let mut now = 0;
    for restart in 1..=restarts {
        backend.restart();
        let deviate: f64 = StandardNormal.sample(generator);
        let factor = slower * (world.restarts_differ * deviate).exp();
        for number in 0..requests {
            let time = (backend.respond().expect("none fails") as f64 * factor) as u64;
            series.add(&Sample::steady(restart, number, now, Some(time)));
            times.push(time as f64);
            now += time;
        }
    }
    (series, times)
}

/// The interval of those who take all requests to be independent: each P95 by its order statistics, and the two far ends divided.
/// It is wider than need be where they are independent, and too narrow where they are not.
fn naive_covers(one: &[f64], two: &[f64]) -> bool {
    let ends = |times: &[f64]| {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        let ranks = tailmark::statistics::quantile_ranks(0.95, sorted.len() as u64, CONFIDENCE);
        let at = |rank: Option<u64>| sorted[rank.expect("enough times") as usize - 1];
        (at(ranks.low), at(ranks.high))
    };
    let ((low, high), (slower_low, slower_high)) = (ends(one), ends(two));
    slower_low / high <= RATIO && RATIO <= slower_high / low
}
