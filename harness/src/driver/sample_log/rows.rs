//! `samples.csv`: a line for every sample. No field is quoted, for none can hold a comma or a quote: names are letters,
//! digits, `.`, `_` and `-`.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use super::columns::{header, phase_name};
use crate::sample::Sample;

/// Lines are handed to the system when there are this many bytes of them.
const ENOUGH: usize = 1 << 18;

#[derive(Debug)]
pub(super) struct Rows {
    file: File,
    lines: Vec<u8>,
    names: Vec<String>,
}

impl Rows {
    /// Takes in a backend; its index is the next one.
    pub(super) fn add_backend(&mut self, name: String) {
        self.names.push(name);
    }

    /// Creates the file with its header; `names` are the backends' by index.
    pub(super) fn create(path: &Path, names: Vec<String>) -> io::Result<Self> {
        let mut file = File::create(path)?;
        writeln!(file, "{}", header())?;
        Ok(Self { file, lines: Vec::with_capacity(ENOUGH + 1024), names })
    }

    /// Adds a sample. It may not be in the file before the next [`flush`](Self::flush).
    pub(super) fn append(&mut self, sample: &Sample) -> io::Result<()> {
        let backend = self.names.get(sample.backend).map_or("", String::as_str);
        append_line(&mut self.lines, backend, sample);
        if self.lines.len() >= ENOUGH { self.flush() } else { Ok(()) }
    }

    /// Hands everything to the system.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.lines)?;
        self.lines.clear();
        Ok(())
    }

    /// Waits until everything is on disk.
    pub(super) fn sync(mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync_all()
    }
}

/// A sample as a line. Formatting is most of what the writer does, and `write!` takes three times as long for it.
fn append_line(lines: &mut Vec<u8>, backend: &str, sample: &Sample) {
    let mut digits = itoa::Buffer::new();
    let mut number_or_empty = |lines: &mut Vec<u8>, number: Option<u64>| {
        lines.push(b',');
        if let Some(number) = number {
            lines.extend_from_slice(digits.format(number).as_bytes());
        }
    };
    let word = |lines: &mut Vec<u8>, word: &str| {
        lines.push(b',');
        lines.extend_from_slice(word.as_bytes());
    };
    lines.extend_from_slice(backend.as_bytes());
    number_or_empty(lines, Some(sample.restart.into()));
    word(lines, phase_name(sample.phase));
    number_or_empty(lines, Some(sample.number));
    number_or_empty(lines, Some(sample.texts.into()));
    number_or_empty(lines, sample.tokens.map(u64::from));
    number_or_empty(lines, Some(sample.scheduled_ns));
    number_or_empty(lines, Some(sample.started_ns));
    number_or_empty(lines, Some(sample.queued_ns));
    number_or_empty(lines, Some(sample.finished_ns));
    word(lines, sample.outcome.name());
    let stages = &sample.stages;
    number_or_empty(lines, Some(stages.serialize_ns));
    for stage in [stages.tokenize_ns, stages.infer_ns, stages.pool_ns, stages.worker_ns] {
        number_or_empty(lines, stage);
    }
    number_or_empty(lines, Some(stages.deserialize_ns));
    let network = stages.network.as_ref();
    number_or_empty(lines, network.map(|times| times.connect_ns));
    number_or_empty(lines, network.map(|times| times.send_ns));
    number_or_empty(lines, network.map(|times| times.wait_ns));
    number_or_empty(lines, network.map(|times| times.receive_ns));
    lines.push(b'\n');
}

#[cfg(test)]
mod tests {
    use tailmark_providers::provider::StageTimes;

    use super::super::columns::COLUMNS;
    use super::super::tests::answered;
    use super::*;

    #[test]
    fn what_is_not_known_is_an_empty_field() {
        let stages = StageTimes { serialize_ns: 1, deserialize_ns: 6, ..StageTimes::default() };
        let sample = Sample { tokens: None, stages, ..answered(7, 1_000, 500) };
        let mut lines = Vec::new();
        append_line(&mut lines, "a", &sample);
        let line = String::from_utf8(lines).unwrap();
        assert_eq!(line, "a,1,steady,7,2,,1000,1030,20,1500,answered,1,,,,,6,,,,\n");
    }

    #[test]
    fn a_row_has_its_numbers_in_the_order_of_the_header() {
        let mut lines = Vec::new();
        append_line(&mut lines, "onnx-cpu", &answered(7, 1_000, 500));
        let line = String::from_utf8(lines).unwrap();
        assert_eq!(line, "onnx-cpu,1,steady,7,2,17,1000,1030,20,1500,answered,1,2,3,4,5,6,,,,\n");
        assert_eq!(line.split(',').count(), COLUMNS.len());
        assert_eq!(
            header(),
            "backend,restart,phase,number,texts,tokens,scheduled_ns,started_ns,queued_ns,finished_ns,outcome,\
             serialize_ns,tokenize_ns,infer_ns,pool_ns,worker_ns,deserialize_ns,connect_ns,send_ns,wait_ns,receive_ns"
        );
    }
}
