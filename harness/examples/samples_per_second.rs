//! What the files of samples take: how long the driver is held up for each request, how many rows a second are written,
//! how much memory it takes, and how long the columnar file takes afterwards.
//!
//! `cargo run --release -p tailmark --example samples_per_second [requests] [requests a second]`; without a rate, as fast as
//! they can be left for the writer.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use tailmark::driver::{SampleLog, write_columnar};
use tailmark::sample::{Outcome, Sample};
use tailmark_providers::provider::StageTimes;
use tailmark_reports::record::Phase;

fn main() -> Result<(), Box<dyn Error>> {
    let argument = |index, default: u64| {
        std::env::args().nth(index).and_then(|word| word.parse::<u64>().ok()).unwrap_or(default)
    };
    let (requests, rate) = (argument(1, 10_000_000), argument(2, 0));
    let folder = tempfile::tempdir()?;
    let log = SampleLog::create(folder.path(), vec!["onnx-cpu".to_owned()], Box::new(|_| {}))?;
    let began = Instant::now();
    let mut pushing = Duration::ZERO;
    for number in 0..requests {
        let sample = sample(number);
        // In thousands, so that reading the clock does not outweigh what is measured.
        if rate > 0 && number % 1_000 == 0 {
            let due = began + Duration::from_secs_f64(number as f64 / rate as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        if number % 1_000 == 500 {
            let began = Instant::now();
            for _ in 0..100 {
                log.push(&sample);
            }
            pushing += began.elapsed();
        } else if !(501..600).contains(&(number % 1_000)) {
            log.push(&sample);
        }
    }
    let made = began.elapsed();
    let (waits, waited) = (log.waits(), log.waited());
    log.close()?;
    let written = began.elapsed();
    println!("{requests} samples made in {made:.2?}, written and on disk after {written:.2?}");
    println!("  {:.2} million a second", requests as f64 / written.as_secs_f64() / 1e6);
    println!(
        "  {:.0} ns for each push, waiting included",
        pushing.as_nanos() as f64 / (requests as f64 / 10.0)
    );
    println!("  waited {waits} times, {waited:.2?} in all");
    println!("  most memory so far: {}", most_memory());
    let began = Instant::now();
    let rows = write_columnar(folder.path())?;
    println!(
        "{} rows made columnar in {:.2?}; most memory: {}",
        rows.unwrap_or(0),
        began.elapsed(),
        most_memory()
    );
    for name in ["samples.csv", "latency.hlog", "samples.parquet"] {
        let bytes = fs::metadata(folder.path().join(name))?.len();
        println!("  {name:<16} {bytes:>12} bytes, {:.2} a request", bytes as f64 / requests as f64);
    }
    Ok(())
}

/// A request that differs from the one before it as real ones do.
fn sample(number: u64) -> Sample {
    let noise = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44;
    let scheduled_ns = number * 1_000_000;
    let service_ns = 900_000 + noise / 16;
    Sample {
        backend: 0,
        restart: 1,
        phase: Phase::Steady,
        number,
        texts: 1,
        tokens: Some(8 + (noise % 12) as u32),
        scheduled_ns,
        started_ns: scheduled_ns + noise % 900,
        queued_ns: 0,
        finished_ns: scheduled_ns + service_ns,
        outcome: Outcome::Answered,
        stages: StageTimes {
            serialize_ns: 2_000 + noise % 4_000,
            tokenize_ns: Some(20_000 + noise % 40_000),
            infer_ns: Some(service_ns - 100_000),
            pool_ns: Some(2_000 + noise % 3_000),
            worker_ns: Some(service_ns - 20_000),
            deserialize_ns: 3_000 + noise % 5_000,
            network: None,
        },
    }
}

/// The kernel's high-water mark of this process, where it keeps one.
fn most_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "not known here".to_owned(), |value| value.trim().to_owned())
}
