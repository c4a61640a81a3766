//! The open model that replays arrivals from a file: when requests arrived, and optionally with which texts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tailmark_providers::text_file;
use tailmark_reports::units;

use super::open::{self, Bounds, Endless};
use super::rule::{Limits, LoadKind, LoadModel, ReadFault, Rule, Schedule};
use crate::scenario::LoadSection;

/// The entry in the table of load models.
pub(super) const KIND: LoadKind = LoadKind {
    name: "trace",
    summary: "requests arrive when those of a recorded trace did",
    keys: &["file", "speed", "max_in_flight", "max_queue"],
    fill_in: |load| {
        load.speed.get_or_insert(1.0);
    },
    at_rate: None,
    read,
};

/// A longer gap probably means two traces in one file: a run would just wait through it.
const LONGEST_GAP: Duration = Duration::from_secs(3600);
/// The most rows; the trace is held in memory.
const MOST_ROWS: usize = 10_000_000;

#[derive(Debug)]
struct Trace {
    name: String,
    /// Offsets from the first arrival, speed applied, never falling.
    at: Arc<[Duration]>,
    /// One for each arrival, or none at all.
    texts: Option<Vec<Arc<str>>>,
    bounds: Bounds,
}

fn read(section: &LoadSection, folder: Option<&Path>) -> Result<LoadModel, Vec<ReadFault>> {
    let mut faults = Vec::new();
    let mut speed = section.speed.unwrap_or(1.0);
    if !(1e-3..=1e3).contains(&speed) {
        faults.push(("speed", format!("{speed}; must be between 0.001 and 1000 times as fast")));
        speed = 1.0;
    }
    let Some(file) = &section.file else {
        let why = "missing; name a CSV file with the columns `at` and, if the texts are recorded, `text`";
        faults.push(("file", why.to_owned()));
        return Err(faults);
    };
    let path = folder.map(|folder| folder.join(file)).filter(|path| path.is_file());
    let rows = match Rows::read(&path.unwrap_or_else(|| file.clone()), speed) {
        Ok(rows) => rows,
        Err(why) => {
            faults.push(("file", why));
            return Err(faults);
        }
    };
    let bounds = Bounds::read(section, rows.mean_rate(), &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let name = file.display().to_string();
    Ok(Arc::new(Trace { name, at: rows.at.into(), texts: rows.texts, bounds }))
}

/// What a trace's file holds.
struct Rows {
    at: Vec<Duration>,
    texts: Option<Vec<Arc<str>>>,
}

impl Rows {
    /// Reads the file; what is wrong is said in one sentence, with its line.
    fn read(path: &Path, speed: f64) -> Result<Self, String> {
        let shown = path.display();
        let text = text_file::read(path).map_err(|error| format!("trace: {error}"))?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Fields).from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| format!("trace {shown}: {error}"))?;
        let headers: Vec<&str> = headers.iter().collect();
        let with_texts = match headers[..] {
            ["at"] => false,
            ["at", "text"] => true,
            _ => {
                return Err(format!(
                    "trace {shown}, line 1: found the columns `{}`; the first line must be `at` or `at,text`",
                    headers.join(",")
                ));
            }
        };
        // In nanoseconds: a date in seconds leaves a float no more than microseconds.
        let (mut times, mut texts) = (Vec::<i128>::new(), Vec::new());
        for record in reader.records() {
            let record = record.map_err(|error| malformed(&shown.to_string(), &error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let wrong = |why: String| format!("trace {shown}, line {line}: {why}");
            let at = instant(&record[0]).map_err(wrong)?;
            check_order(times.last().copied(), at, speed)
                .map_err(|why| wrong(format!("`{}`: {why}", &record[0])))?;
            if times.len() == MOST_ROWS {
                return Err(wrong(format!(
                    "more than {MOST_ROWS} requests, which is the limit; shorten the trace"
                )));
            }
            times.push(at);
            if with_texts {
                if record[1].trim().is_empty() {
                    return Err(wrong("an empty text; write one, or remove the column".to_owned()));
                }
                texts.push(Arc::from(&record[1]));
            }
        }
        let Some(first) = times.first().copied() else {
            return Err(format!("trace {shown} has no requests; it needs at least one line after the first"));
        };
        let at = times.iter().map(|at| Duration::from_secs_f64((at - first) as f64 / 1e9 / speed)).collect();
        Ok(Self { at, texts: with_texts.then_some(texts) })
    }

    fn mean_rate(&self) -> f64 {
        let last = self.at.last().map_or(0.0, Duration::as_secs_f64);
        if last > 0.0 { self.at.len() as f64 / last } else { 1.0 }
    }
}

fn malformed(trace: &str, error: &csv::Error) -> String {
    let line = error.position().map_or_else(String::new, |at| format!(", line {}", at.line()));
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!(
                "trace {trace}{line}: found {len} fields, expected {expected_len} as in the first line; put a text with a comma in quotes"
            )
        }
        _ => format!("trace {trace}{line}: {error}"),
    }
}

/// Nanoseconds of a time that is written as a number of seconds, or as an instant of the calendar.
fn instant(text: &str) -> Result<i128, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return if seconds.is_finite() && seconds.abs() <= 1e12 {
            Ok((seconds * 1e9).round() as i128)
        } else {
            Err(format!("`{text}` is not a time; write seconds, as in 12.5"))
        };
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Ok(at.as_nanosecond()),
        Err(_) => {
            Err(format!("`{text}` is not a time; write seconds, as in 12.5, or 2026-01-31T08:00:00.5Z"))
        }
    }
}

fn check_order(before: Option<i128>, at: i128, speed: f64) -> Result<(), String> {
    let Some(before) = before else { return Ok(()) };
    if at < before {
        return Err("it is earlier than the time before it; sort the trace by time".to_owned());
    }
    let gap = (at - before) as f64 / 1e9 / speed;
    if gap > LONGEST_GAP.as_secs_f64() {
        return Err(format!(
            "a gap of {}, but the longest allowed is an hour; cut the trace there, or replay it faster with `speed`",
            units::duration(gap * 1e9)
        ));
    }
    Ok(())
}

impl Rule for Trace {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn text(&self) -> String {
        let requests = units::counted(self.at.len() as u64, "request");
        format!("trace {}, {requests}", self.name)
    }

    fn note(&self) -> String {
        let last = self.at.last().map_or(0.0, Duration::as_secs_f64);
        let what = format!(
            "the trace {} ({} in {})",
            self.name,
            units::counted(self.at.len() as u64, "request"),
            units::duration(last * 1e9)
        );
        format!("{}; each restart warms up separately, then replays it from the beginning", open::note(&what))
    }

    fn limits(&self) -> Limits {
        self.bounds.limits()
    }

    fn due_within(&self, time: Duration) -> f64 {
        let last = self.at.last().copied().unwrap_or_default();
        if time <= last {
            return self.at.partition_point(|at| *at < time) as f64;
        }
        // Each restart replays it from the beginning, so it is made again and again until the time is over.
        self.at.len() as f64 * (time.as_secs_f64() / last.as_secs_f64())
    }

    fn schedule(&self, _: u64) -> Box<dyn Schedule> {
        let (at, mut number) = (Arc::clone(&self.at), 0);
        Box::new(Endless(move || {
            let due = at.get(number).copied();
            number += 1;
            due
        }))
    }

    fn texts(&self) -> Option<&[Arc<str>]> {
        self.texts.as_deref()
    }

    fn warms_up_apart(&self) -> bool {
        true
    }
}
