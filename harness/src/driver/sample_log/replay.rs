//! The samples of a run, read again from its `samples.csv` in the order in which they were written.

use std::path::Path;
use std::sync::Arc;

use tailmark_providers::provider::{NetworkTimes, StageTimes};
use tailmark_reports::record::Phase;

use super::column::{Column, ColumnarError};
use super::columns::{COLUMNS, phase_name};
use super::lines::Lines;
use crate::sample::{Outcome, Sample};

/// Rows that are read together.
const AT_ONCE: usize = 1 << 12;

/// Why a request failed is not in the file.
const NOT_SAID: &str =
    "why is not known: the record was not written any more, and samples.csv has no reasons";

/// Hands every sample to `seen` with the name of its backend; its index is 0. A torn last line, as a killed run may leave it, is
/// left out. Gives the number of samples: none where there is no file yet.
///
/// # Errors
/// When the rows cannot be read or are not samples.
pub fn replay(folder: &Path, mut seen: impl FnMut(&str, &Sample)) -> Result<u64, ColumnarError> {
    let path = folder.join("samples.csv");
    let Some(mut rows) = Lines::open(&path)? else { return Ok(0) };
    let mut columns: Vec<Column> = COLUMNS.iter().map(|(_, kind)| Column::new(*kind)).collect();
    let reason = Arc::from(NOT_SAID);
    let mut count = 0;
    loop {
        let read = rows.read(AT_ONCE, &mut columns)?;
        for row in 0..read {
            let line = || ColumnarError::Line {
                path: path.clone(),
                line: count + 2,
                found: columns.iter().map(|column| column.text(row)).collect::<Vec<_>>().join(","),
            };
            let sample = sample(&columns, row, &reason).ok_or_else(line)?;
            seen(&columns[0].text(row), &sample);
            count += 1;
        }
        columns.iter_mut().for_each(|column| column.truncate(0));
        if read < AT_ONCE {
            return Ok(count);
        }
    }
}

/// The largest number of a sample: a hundred days in nanoseconds. Figures add several of them up.
const LARGEST: u64 = 1 << 53;

/// The sample of a row; `None` when a word in it is none of those that are written, or a number is more than any run has.
fn sample(columns: &[Column], row: usize, reason: &Arc<str>) -> Option<Sample> {
    let known = |index: usize| columns[index].number(row);
    let number = |index: usize| known(index).unwrap_or_default();
    if (0..COLUMNS.len()).any(|index| number(index) > LARGEST) {
        return None;
    }
    let small = |index: usize| u32::try_from(number(index)).ok();
    let phase = columns[2].text(row);
    let phases = [Phase::ColdStart, Phase::WarmUp, Phase::Steady];
    let outcomes = [Outcome::Answered, Outcome::Failed(Arc::clone(reason)), Outcome::TimedOut];
    let outcome = columns[10].text(row);
    Some(Sample {
        backend: 0,
        restart: small(1)?,
        phase: phases.into_iter().find(|known| phase_name(*known) == phase)?,
        number: number(3),
        texts: small(4)?,
        tokens: known(5).and_then(|tokens| u32::try_from(tokens).ok()),
        scheduled_ns: number(6),
        started_ns: number(7),
        queued_ns: number(8),
        finished_ns: number(9),
        outcome: outcomes.into_iter().find(|known| known.name() == outcome)?,
        stages: StageTimes {
            serialize_ns: number(11),
            tokenize_ns: known(12),
            infer_ns: known(13),
            pool_ns: known(14),
            worker_ns: known(15),
            deserialize_ns: number(16),
            network: network([17, 18, 19, 20].map(known)),
        },
    })
}

/// The way to a server and back, where every part of it is known.
fn network([connect_ns, send_ns, wait_ns, receive_ns]: [Option<u64>; 4]) -> Option<NetworkTimes> {
    Some(NetworkTimes {
        connect_ns: connect_ns?,
        send_ns: send_ns?,
        wait_ns: wait_ns?,
        receive_ns: receive_ns?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::SampleLog;
    use super::super::tests::answered;
    use super::*;

    #[test]
    fn what_was_written_is_read_again_without_a_torn_last_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = SampleLog::create(folder.path(), vec!["a".into(), "b".into()], Box::new(|_| {})).unwrap();
        let mut written: Vec<Sample> =
            (0..3 * AT_ONCE as u64 / 2).map(|number| answered(number, number * 1_000, 500)).collect();
        written[1].outcome = Outcome::TimedOut;
        written[2].outcome = Outcome::Failed(NOT_SAID.into());
        (written[4].tokens, written[4].stages) = (None, StageTimes::default());
        written[5].stages.network =
            Some(NetworkTimes { connect_ns: 0, send_ns: 7, wait_ns: 300, receive_ns: 9 });
        (written[2].phase, written[3].phase) = (Phase::WarmUp, Phase::ColdStart);
        written.iter().for_each(|sample| log.push(sample));
        log.push(&Sample { backend: 1, ..answered(0, 0, 1) });
        log.close().unwrap();
        let csv = folder.path().join("samples.csv");
        std::fs::OpenOptions::new().append(true).open(csv).unwrap().write_all(b"a,1,steady,7,2,1").unwrap();
        let mut read = Vec::new();
        let count = replay(folder.path(), |backend, sample| read.push((backend.to_owned(), sample.clone())));
        assert_eq!(count.unwrap(), written.len() as u64 + 1);
        assert_eq!(read.pop(), Some(("b".to_owned(), answered(0, 0, 1))));
        let expected: Vec<_> = written.into_iter().map(|sample| ("a".to_owned(), sample)).collect();
        assert!(read == expected, "every sample is what it was");
    }

    #[test]
    fn a_file_with_the_columns_names_of_before_is_read_as_one_of_today() {
        let folder = tempfile::tempdir().unwrap();
        let log = SampleLog::create(folder.path(), vec!["a".into()], Box::new(|_| {})).unwrap();
        log.push(&answered(0, 0, 1));
        log.close().unwrap();
        let csv = folder.path().join("samples.csv");
        let text = std::fs::read_to_string(&csv).unwrap().replace("serialize_ns", "serialise_ns");
        assert!(text.contains(",serialise_ns,") && text.contains(",deserialise_ns"), "{text}");
        std::fs::write(&csv, text).unwrap();
        let mut read = Vec::new();
        assert_eq!(replay(folder.path(), |_, sample| read.push(sample.clone())).unwrap(), 1);
        assert_eq!(read, [answered(0, 0, 1)]);
    }

    #[test]
    fn a_file_of_before_there_were_servers_to_ask_is_read_and_has_no_way_to_one() {
        let folder = tempfile::tempdir().unwrap();
        let log = SampleLog::create(folder.path(), vec!["a".into()], Box::new(|_| {})).unwrap();
        log.push(&answered(0, 0, 500));
        log.close().unwrap();
        let csv = folder.path().join("samples.csv");
        let text = std::fs::read_to_string(&csv).unwrap();
        let before = text.replace(",connect_ns,send_ns,wait_ns,receive_ns", "").replace(",6,,,,", ",6");
        assert_eq!(before.lines().map(|line| line.split(',').count()).collect::<Vec<_>>(), [17, 17]);
        std::fs::write(&csv, before).unwrap();
        let mut read = Vec::new();
        assert_eq!(replay(folder.path(), |_, sample| read.push(sample.clone())).unwrap(), 1);
        assert_eq!(read, [answered(0, 0, 500)]);
    }

    #[test]
    fn a_number_that_no_run_comes_to_is_a_damaged_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = SampleLog::create(folder.path(), vec!["a".into()], Box::new(|_| {})).unwrap();
        log.push(&answered(0, 0, 500));
        log.push(&answered(1, 0, LARGEST + 1));
        log.push(&answered(2, 0, 500));
        log.close().unwrap();
        let error = replay(folder.path(), |_, _| {}).unwrap_err().to_string();
        assert!(error.contains("samples.csv, line 3: "), "{error}");
    }

    #[test]
    fn a_run_without_a_sample_has_none_and_a_word_that_was_never_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(replay(folder.path(), |_, _| {}).unwrap(), 0);
        let log = SampleLog::create(folder.path(), vec!["a".into()], Box::new(|_| {})).unwrap();
        log.push(&answered(0, 0, 1));
        log.close().unwrap();
        let csv = folder.path().join("samples.csv");
        let text = std::fs::read_to_string(&csv).unwrap().replace(",answered,", ",guessed,");
        std::fs::write(&csv, text).unwrap();
        let error = replay(folder.path(), |_, _| {}).unwrap_err().to_string();
        assert!(
            error.contains("samples.csv, line 2: `a,1,steady,0,") && error.contains("guessed"),
            "{error}"
        );
    }
}
