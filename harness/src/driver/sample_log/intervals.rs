//! `latency.hlog`: response times as an HdrHistogram interval log, for the tools that read those.
//!
//! An interval is a second of the run, or what a restart's phase has of it. Its histogram is tagged
//! `<backend>.<phase>`, in nanoseconds. Requests that failed or timed out have no response time: what was waited for them
//! is in a histogram of its own, tagged `<backend>.<phase>.failed`, and counts as infinite to whoever adds the two.

use std::fs::File;
use std::io::{self, LineWriter};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use super::columns::phase_name;
use crate::sample::{Outcome, Sample};

/// The longest time that is told apart, in nanoseconds: a day. All histograms have the same bounds, because some readers
/// only add histograms of the same bounds.
const LONGEST_NS: u64 = 24 * 3_600 * SECOND_NS;
const SECOND_NS: u64 = 1_000_000_000;
/// Significant digits, as everywhere.
const DIGITS: u8 = 3;

type Log<'a> = IntervalLogWriter<'a, 'a, LineWriter<File>, V2DeflateSerializer>;

/// Histograms of the interval under way, and where those before it went.
pub(super) struct Intervals<'a> {
    log: Log<'a>,
    names: Vec<String>,
    answered: Histogram<u64>,
    failed: Histogram<u64>,
    open: Option<Open>,
    /// Where the last interval ended; they must not overlap.
    ended_ns: u64,
}

/// The interval under way.
#[derive(Clone, Copy, Debug)]
struct Open {
    backend: usize,
    restart: u32,
    phase: tailmark_reports::record::Phase,
    /// Which second of the run.
    second: u64,
    start_ns: u64,
    last_ns: u64,
}

impl Open {
    fn is_of(&self, sample: &Sample) -> bool {
        (self.backend, self.restart, self.phase) == (sample.backend, sample.restart, sample.phase)
    }
}

impl<'a> Intervals<'a> {
    /// Writes the head of the log. Times count from `began`.
    pub(super) fn begin(
        file: &'a mut LineWriter<File>,
        serializer: &'a mut V2DeflateSerializer,
        names: Vec<String>,
        began: SystemTime,
    ) -> io::Result<Self> {
        let log = IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment("[tailmark: response times in nanoseconds; Interval_Max in milliseconds]")
            .add_comment(
                "[tags ending in .failed: time waited for requests that failed; read them as infinite]",
            )
            // Both, so that no reader has to guess whether times count from the start or from 1970.
            .with_start_time(began)
            .with_base_time(began)
            .with_max_value_divisor(1e6)
            .begin_log_with(file, serializer)?;
        let empty = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
            .expect("bounds that a histogram can have: this is a bug");
        Ok(Self { log, names, answered: empty.clone(), failed: empty, open: None, ended_ns: 0 })
    }

    /// Takes in a backend; its index is the next one.
    pub(super) fn add_backend(&mut self, name: String) {
        self.names.push(name);
    }

    /// Counts a sample, in the order in which requests ended.
    pub(super) fn record(&mut self, sample: &Sample) -> io::Result<()> {
        let second = sample.finished_ns / SECOND_NS;
        let mut start_ns = sample.scheduled_ns;
        if let Some(open) = self.open {
            if !open.is_of(sample) {
                self.end(open, open.last_ns)?;
            } else if open.second < second {
                self.end(open, (open.second + 1) * SECOND_NS)?;
                start_ns = second * SECOND_NS;
            }
        }
        let open = self.open.get_or_insert(Open {
            backend: sample.backend,
            restart: sample.restart,
            phase: sample.phase,
            second,
            start_ns: start_ns.max(self.ended_ns),
            last_ns: 0,
        });
        open.last_ns = open.last_ns.max(sample.finished_ns);
        let histogram = match sample.outcome {
            Outcome::Answered => &mut self.answered,
            Outcome::Failed(_) | Outcome::Abandoned(_) | Outcome::TimedOut => &mut self.failed,
        };
        histogram.saturating_record(sample.finished_ns.saturating_sub(sample.scheduled_ns));
        Ok(())
    }

    /// Writes the interval under way, if there is one.
    pub(super) fn finish(mut self) -> io::Result<()> {
        match self.open {
            Some(open) => self.end(open, open.last_ns),
            None => Ok(()),
        }
    }

    fn end(&mut self, open: Open, end_ns: u64) -> io::Result<()> {
        let start = Duration::from_nanos(open.start_ns);
        let length = Duration::from_nanos(end_ns.saturating_sub(open.start_ns));
        let name = self.names.get(open.backend).map_or("", String::as_str);
        let phase = phase_name(open.phase);
        for (histogram, end) in [(&mut self.answered, ""), (&mut self.failed, ".failed")] {
            if histogram.is_empty() {
                continue;
            }
            let tag = format!("{name}.{phase}{end}");
            let tag = Tag::new(&tag).expect("backends' names hold no comma and no space: this is a bug");
            self.log.write_histogram(histogram, start, length, Some(tag)).map_err(failed)?;
            histogram.reset();
        }
        self.ended_ns = self.ended_ns.max(end_ns);
        self.open = None;
        Ok(())
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(error: IntervalLogWriterError<E>) -> io::Error {
    match error {
        IntervalLogWriterError::IoError(error) => error,
        IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use base64::Engine as _;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use tailmark_reports::record::Phase;

    use super::super::tests::answered;
    use super::*;

    const MILLISECOND_NS: u64 = 1_000_000;

    /// An interval as a reader has it: tag, start and length in milliseconds, histogram.
    struct Read {
        tag: String,
        start_ms: u128,
        length_ms: u128,
        max_ms: f64,
        histogram: Histogram<u64>,
    }

    fn written(samples: &[Sample]) -> (String, Vec<Read>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latency.hlog");
        let mut file = LineWriter::new(File::create(&path).unwrap());
        let mut serializer = V2DeflateSerializer::new();
        let names = vec!["onnx-cpu".to_owned(), "a.b_c".to_owned()];
        let began = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        let mut intervals = Intervals::begin(&mut file, &mut serializer, names, began).unwrap();
        for sample in samples {
            intervals.record(sample).unwrap();
        }
        intervals.finish().unwrap();
        let text = fs::read_to_string(path).unwrap();
        let read = read(&text);
        (text, read)
    }

    fn read(text: &str) -> Vec<Read> {
        let entries = IntervalLogIterator::new(text.as_bytes()).map(|entry| entry.expect("a readable line"));
        entries
            .filter_map(|entry| match entry {
                LogEntry::Interval(interval) => Some(interval),
                LogEntry::StartTime(at) | LogEntry::BaseTime(at) => {
                    assert_eq!(at, Duration::from_millis(1_700_000_000_250));
                    None
                }
            })
            .map(|interval| {
                let bytes =
                    base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).unwrap();
                Read {
                    tag: interval.tag().expect("a tag").as_str().to_owned(),
                    start_ms: interval.start_timestamp().as_millis(),
                    length_ms: interval.duration().as_millis(),
                    max_ms: interval.max(),
                    histogram: Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap(),
                }
            })
            .collect()
    }

    #[test]
    fn what_is_read_back_has_the_counts_and_the_quantiles_of_the_samples() {
        let mut samples = Vec::new();
        let mut at = 0;
        let mut expected: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for number in 0..20_000_u64 {
            // A sequence that goes through its values in no order, from a tenth of a millisecond to ten.
            let response_ns = 100_000 + (number * 7_919) % 9_901 * 1_000;
            let mut sample = answered(number, at, response_ns);
            let tag = match number {
                0..1_000 => {
                    sample.phase = Phase::WarmUp;
                    "onnx-cpu.warm_up"
                }
                _ if number % 100 == 0 => {
                    sample.outcome = Outcome::TimedOut;
                    "onnx-cpu.steady.failed"
                }
                _ => "onnx-cpu.steady",
            };
            expected.entry(tag).or_default().push(response_ns);
            at = sample.finished_ns;
            samples.push(sample);
        }
        let (_, read) = written(&samples);
        let mut found: BTreeMap<&str, Histogram<u64>> = BTreeMap::new();
        for interval in &read {
            match found.get_mut(interval.tag.as_str()) {
                Some(sum) => sum.add(&interval.histogram).unwrap(),
                None => drop(found.insert(&interval.tag, interval.histogram.clone())),
            }
            let max = interval.histogram.max() as f64 / 1e6;
            assert!((interval.max_ms - max).abs() < 0.001, "{} is {max} ms", interval.max_ms);
        }
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (tag, mut values) in expected {
            let histogram = &found[tag];
            values.sort_unstable();
            assert_eq!(histogram.len(), values.len() as u64, "{tag}");
            for quantile in [0.5, 0.9, 0.95, 0.99] {
                let rank = (quantile * values.len() as f64).ceil() as usize;
                let (exact, read) = (values[rank - 1] as f64, histogram.value_at_quantile(quantile) as f64);
                assert!(exact <= read && read <= exact * 1.001, "{tag} P{quantile}: {read} for {exact}");
            }
        }
    }

    #[test]
    fn an_interval_is_a_second_and_ends_earlier_with_its_phase_its_restart_or_its_backend() {
        let at = |second: u64, milliseconds: u64| second * SECOND_NS + milliseconds * MILLISECOND_NS;
        let sample = |second, milliseconds, change: &dyn Fn(&mut Sample)| {
            let mut sample = answered(0, at(second, milliseconds) - MILLISECOND_NS, MILLISECOND_NS);
            change(&mut sample);
            sample
        };
        let cold: &dyn Fn(&mut Sample) = &|sample| {
            sample.phase = Phase::ColdStart;
            sample.scheduled_ns = 100 * MILLISECOND_NS;
        };
        let first: &dyn Fn(&mut Sample) = &|_| {};
        let second: &dyn Fn(&mut Sample) = &|sample| sample.restart = 2;
        let other: &dyn Fn(&mut Sample) = &|sample| sample.backend = 1;
        let (_, read) = written(&[
            sample(2, 500, cold),
            sample(2, 600, first),
            sample(2, 700, first),
            sample(3, 1, first),
            sample(3, 400, second),
            sample(7, 300, second),
            sample(7, 400, other),
        ]);
        let found: Vec<(&str, u128, u128, u64)> = read
            .iter()
            .map(|interval| {
                (interval.tag.as_str(), interval.start_ms, interval.length_ms, interval.histogram.len())
            })
            .collect();
        assert_eq!(
            found,
            [
                ("onnx-cpu.cold_start", 100, 2_400, 1),
                ("onnx-cpu.steady", 2_599, 401, 2),
                ("onnx-cpu.steady", 3_000, 1, 1),
                ("onnx-cpu.steady", 3_399, 601, 1),
                ("onnx-cpu.steady", 7_000, 300, 1),
                ("a.b_c.steady", 7_399, 1, 1),
            ]
        );
    }

    #[test]
    fn every_line_of_an_interval_that_is_over_is_on_disk_before_the_log_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latency.hlog");
        let mut file = LineWriter::new(File::create(&path).unwrap());
        let mut serializer = V2DeflateSerializer::new();
        let mut intervals =
            Intervals::begin(&mut file, &mut serializer, vec!["a".to_owned()], SystemTime::now()).unwrap();
        intervals.record(&answered(0, 0, 5)).unwrap();
        intervals.record(&answered(1, SECOND_NS, 5)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n'), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("Tag=a.steady,")).count(), 1, "{text}");
    }

    #[test]
    fn the_head_says_when_it_began_and_in_which_units() {
        let (text, read) = written(&[]);
        assert!(read.is_empty());
        insta::assert_snapshot!(text, @r"
        #[Histogram log format version 1.3]
        #[tailmark: response times in nanoseconds; Interval_Max in milliseconds]
        #[tags ending in .failed: time waited for requests that failed; read them as infinite]
        #[StartTime: 1700000000.250 (seconds since epoch)]
        #[BaseTime: 1700000000.250 (seconds since epoch)]
        #[MaxValueDivisor: 1000000.000]
        ");
    }
}
