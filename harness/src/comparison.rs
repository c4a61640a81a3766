//! Two runs of the same thing: what became of each backend, with the interval that the restarts of both runs leave. Unlike runs are
//! told apart first: a ratio of different work says nothing.

use std::collections::BTreeMap;

use tailmark_reports::record::{
    BackendRecord, Change, ComparedBackend, ComparedFigure, ComparedRun, Comparison, Equivalence, Indicator,
    Model, RatioInterval, RunRecord, RunStatus,
};

use tailmark_reports::units;

use crate::statistics::carries;
use crate::statistics::ratio::Ratio;
use crate::statistics::series::{Figure, Series};

/// Of each interval, and of all outcomes that are confirmed together.
const CONFIDENCE: f64 = 0.95;
/// The percentiles that are compared, where the requests of both runs carry them.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// A run and what its restarts showed.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The record.
    pub record: &'a RunRecord,
    /// By the backend's name; empty where the samples are gone.
    pub series: &'a BTreeMap<String, Series>,
}

/// In what two runs can be unlike, by the words of the command line.
pub const ASPECTS: [&str; 5] = ["model", "texts", "batch_size", "load", "machine"];

/// Something in which two runs are unlike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlike {
    /// One of [`ASPECTS`].
    pub aspect: &'static str,
    /// What it is in each.
    pub what: String,
}

/// Everything in which two runs are unlike.
#[must_use]
pub fn unlike(before: &RunRecord, after: &RunRecord) -> Vec<Unlike> {
    let mut found = Vec::new();
    let mut differ = |aspect: &'static str, name: &str, one: String, other: String| {
        if one != other {
            found.push(Unlike { aspect, what: format!("{name}: {one}, and {other}") });
        }
    };
    differ("model", "the model", model(before), model(after));
    differ("texts", "the texts", texts(before), texts(after));
    differ("machine", "the machine", machine(before), machine(after));
    for (one, other) in pairs(before, after) {
        let name = &one.name;
        let (batch, then) = (one.batch_size, other.batch_size);
        differ("batch_size", &format!("texts per request of {name}"), batch.to_string(), then.to_string());
        differ("texts", &format!("the texts of {name}"), one.corpus.clone(), other.corpus.clone());
        differ("load", &format!("the load of {name}"), one.load.text.clone(), other.load.text.clone());
    }
    found
}

fn model(record: &RunRecord) -> String {
    record.model.as_ref().map_or_else(
        || "none".to_owned(),
        |model| {
            let weights = model.files.iter().max_by_key(|file| file.bytes);
            let hash = weights.and_then(|file| file.sha256.get(..12)).unwrap_or_default();
            format!("{} with weights {hash}", model.name)
        },
    )
}

fn texts(record: &RunRecord) -> String {
    let prompt = record.workload.prompt.as_ref();
    let prompt = prompt.map_or_else(String::new, |prompt| format!(" after the prompt {:?}", prompt.text));
    format!("{} of {}{prompt}", record.workload.texts, record.workload.corpus)
}

/// What makes times of two machines comparable at all.
fn machine(record: &RunRecord) -> String {
    let machine = &record.machine;
    let cpu = machine.cpu.as_deref().unwrap_or("unknown processor");
    format!("{cpu} with {} logical processors, {} on {}", machine.logical_cores, machine.os, machine.arch)
}

/// The backends that both runs measured, in the order of the later one.
fn pairs<'a>(
    before: &'a RunRecord,
    after: &'a RunRecord,
) -> impl Iterator<Item = (&'a BackendRecord, &'a BackendRecord)> {
    after.backends.iter().filter(|one| is_timed(one)).filter_map(|later| {
        let earlier = before.backends.iter().find(|one| one.name == later.name && is_timed(one))?;
        Some((earlier, later))
    })
}

fn is_timed(backend: &BackendRecord) -> bool {
    !backend.phases.is_empty()
}

/// Compares them. `ignored` is in what they are unlike all the same.
#[must_use]
pub fn compare(before: Side<'_>, after: Side<'_>, within: f64, ignored: &[Unlike]) -> Comparison {
    let is_same_run =
        before.record.id == after.record.id && before.record.started_at == after.record.started_at;
    let pairs: Vec<_> = pairs(before.record, after.record).collect();
    let mut figures: Vec<(usize, Indicator, Ratios)> = Vec::new();
    for (index, (earlier, later)) in pairs.iter().enumerate() {
        let (Some(one), Some(other)) = (before.series.get(&earlier.name), after.series.get(&later.name))
        else {
            continue;
        };
        figures.extend(
            indicators(one, other)
                .into_iter()
                .filter_map(|indicator| Some((index, indicator, Ratios::of(one, other, indicator)?))),
        );
    }
    let together = 1.0 - (1.0 - CONFIDENCE) / figures.len().max(1) as f64;
    let backends = pairs.iter().enumerate().map(|(index, (earlier, later))| {
        let own = figures.iter().filter(|(of, ..)| *of == index);
        ComparedBackend {
            name: later.name.clone(),
            figures: own
                .map(|(_, indicator, ratios)| ratios.compared(*indicator, together, within, is_same_run))
                .collect(),
            vectors: (vectors(&earlier.equivalence), vectors(&later.equivalence)),
            changed: changed_of(earlier, later),
        }
    });
    let backends: Vec<ComparedBackend> = backends.collect();
    let only = |side: &RunRecord, other: &RunRecord| -> Vec<String> {
        let there = |name: &str| other.backends.iter().any(|one| one.name == name && is_timed(one));
        let timed = side.backends.iter().filter(|one| is_timed(one));
        timed.filter(|one| !there(&one.name)).map(|one| one.name.clone()).collect()
    };
    Comparison {
        before: run(before.record),
        after: run(after.record),
        within,
        confidence: CONFIDENCE,
        unlike: ignored.iter().map(|unlike| unlike.what.clone()).collect(),
        changed: changed(before.record, after.record),
        notes: notes(before, after, is_same_run),
        only_before: only(before.record, after.record),
        only_after: only(after.record, before.record),
        backends,
    }
}

fn run(record: &RunRecord) -> ComparedRun {
    ComparedRun {
        id: record.id.clone(),
        started_at: record.started_at.clone(),
        complete: record.status == RunStatus::Complete,
    }
}

fn notes(before: Side<'_>, after: Side<'_>, is_same_run: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if is_same_run {
        notes.push("both are the same run: this shows only how a comparison looks".to_owned());
    }
    for (side, which) in [(before, "earlier"), (after, "later")] {
        if side.series.is_empty() {
            notes.push(format!(
                "the {which} run has no samples.csv any more, so nothing of it can be compared"
            ));
        }
        if side.record.status != RunStatus::Complete {
            notes.push(format!("the {which} run did not come to its end: its figures are those of a part"));
        }
        if side.record.doubts.iter().any(|doubt| doubt.serious) {
            notes.push(format!("serious doubts stand against the {which} run: read its report first"));
        }
    }
    notes
}

/// What can be compared of two backends.
fn indicators(one: &Series, other: &Series) -> Vec<Indicator> {
    let carried = |quantile: &f64| [one, other].iter().all(|side| carries(*quantile, side.requests()));
    let times = QUANTILES.iter().filter(|quantile| carried(quantile));
    let times = times.map(|quantile| Indicator::ResponseTime { quantile: *quantile });
    times.chain([Indicator::Throughput, Indicator::PeakRss, Indicator::ColdStart { quantile: 0.5 }]).collect()
}

/// A figure of both sides.
struct Ratios {
    figure: Figure,
    one: crate::statistics::ratio::Estimate,
    other: crate::statistics::ratio::Estimate,
}

impl Ratios {
    fn of(one: &Series, other: &Series, indicator: Indicator) -> Option<Self> {
        let figure = Figure::of_indicator(indicator)?;
        Some(Self { figure, one: one.estimate(figure)?, other: other.estimate(figure)? })
    }

    fn compared(
        &self,
        indicator: Indicator,
        together: f64,
        within: f64,
        is_same_run: bool,
    ) -> ComparedFigure {
        let at = |confidence: f64| match is_same_run {
            // Of one run with itself nothing varies.
            true => Ratio { value: 1.0, interval: Some((1.0, 1.0)) },
            false => self.other.over(&self.one, confidence),
        };
        let ratio = at(CONFIDENCE);
        let more_is_better = self.figure.more_is_better();
        let found = outcome(&ratio, within, more_is_better);
        ComparedFigure {
            indicator,
            before: self.one.log.exp(),
            after: self.other.log.exp(),
            outcome: found,
            confirmed: found == outcome(&at(together), within, more_is_better),
            ratio: RatioInterval {
                value: ratio.value,
                low: ratio.interval.map(|(low, _)| low),
                high: ratio.interval.map(|(_, high)| high),
            },
        }
    }
}

/// Better or worse is what is so by more than is allowed, whatever the interval leaves.
fn outcome(ratio: &Ratio, within: f64, more_is_better: bool) -> Change {
    let Some((low, high)) = ratio.interval else { return Change::CannotTell };
    let (least, most) = (1.0 / (1.0 + within), 1.0 + within);
    if low >= least && high <= most {
        Change::Equivalent
    } else if low > most {
        if more_is_better { Change::Better } else { Change::Worse }
    } else if high < least {
        if more_is_better { Change::Worse } else { Change::Better }
    } else {
        Change::CannotTell
    }
}

fn vectors(equivalence: &Equivalence) -> String {
    match equivalence {
        Equivalence::NotChecked { .. } => "not compared".to_owned(),
        Equivalence::Checked { class, min_cosine, .. } => {
            let name = serde_json::to_value(class).ok().and_then(|name| name.as_str().map(str::to_owned));
            format!("{} (cosine >= {})", name.unwrap_or_default(), units::cosine(*min_cosine))
        }
    }
}

/// What changed of the runs as a whole.
fn changed(before: &RunRecord, after: &RunRecord) -> Vec<String> {
    let absent = || "unknown".to_owned();
    let of = |record: &RunRecord| {
        let git = record.git.as_ref();
        let commit = git.map_or_else(absent, |git| {
            let dirty = if git.dirty { ", with changes" } else { "" };
            format!("{}{dirty}", git.commit.get(..12).unwrap_or(&git.commit))
        });
        [
            ("tailmark", format!("{} ({})", record.tool.version, record.tool.profile)),
            ("the commit", commit),
            ("the operating system", record.machine.os_version.clone().unwrap_or_else(absent)),
            ("the kernel", record.machine.kernel.clone().unwrap_or_else(absent)),
            (
                "the scenario",
                format!("{} ({})", record.scenario.name, record.scenario.sha256.get(..12).unwrap_or("")),
            ),
            ("what was set on the command line", record.scenario.overrides.join(", ")),
            ("the mode", record.mode.clone()),
        ]
    };
    let both = of(before).into_iter().zip(of(after));
    both.filter(|((_, one), (_, other))| one != other)
        .map(|((name, one), (_, other))| said(name, &one, &other))
        .collect()
}

/// What changed of a model: its name, and each file by its SHA-256.
#[must_use]
pub fn changed_model(before: Option<&Model>, after: Option<&Model>) -> Vec<String> {
    let of = |model: Option<&Model>| -> BTreeMap<String, String> {
        let Some(model) = model else { return BTreeMap::new() };
        let files =
            model.files.iter().map(|file| (format!("the model file {}", file.name), file.sha256.clone()));
        files.chain([("the model".to_owned(), model.name.clone())]).collect()
    };
    let (before, after) = (of(before), of(after));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let side = |side: &BTreeMap<String, String>, name: &String| side.get(name).cloned().unwrap_or_default();
    names.into_iter().filter_map(|name| difference(name, side(&before, name), side(&after, name))).collect()
}

/// What changed of a backend: its kind, options, engine, device and versions, each with what it was and what it is.
#[must_use]
pub fn changed_of(before: &BackendRecord, after: &BackendRecord) -> Vec<String> {
    let mut changed = Vec::new();
    let keys: std::collections::BTreeSet<&String> =
        before.options.keys().chain(after.options.keys()).collect();
    for key in keys {
        let of = |backend: &BackendRecord| {
            backend.options.get(key).map_or_else(|| "not set".to_owned(), ToString::to_string)
        };
        changed.extend(difference(&format!("the option {key}"), of(before), of(after)));
    }
    let ran = |backend: &BackendRecord| -> BTreeMap<String, String> {
        let Some(runs) = &backend.runs else { return BTreeMap::new() };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let own = [
            ("the kind", backend.kind.clone()),
            ("the engine", format!("{} {}", text(&runs.engine), text(&runs.engine_version))),
            ("the device", text(&runs.device)),
            ("the execution provider", text(&runs.execution_provider)),
            ("its threads", runs.threads.map_or_else(String::new, |threads| threads.to_string())),
            ("the type of its weights", text(&runs.dtype)),
            ("replicas", backend.replicas.to_string()),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        own.chain(runs.versions.iter().map(|(name, version)| (name.clone(), version.clone()))).collect()
    };
    let (one, other) = (ran(before), ran(after));
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let of =
            |side: &BTreeMap<String, String>| side.get(name).cloned().unwrap_or_else(|| "none".to_owned());
        changed.extend(difference(name, of(&one), of(&other)));
    }
    changed
}

fn difference(name: &str, one: String, other: String) -> Option<String> {
    (one != other).then(|| said(name, &one, &other))
}

fn said(name: &str, one: &str, other: &str) -> String {
    let shown = |text: &str| if text.is_empty() { "nothing".to_owned() } else { text.to_owned() };
    format!("{name}: {} before, {} after", shown(one), shown(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(value: f64, low: f64, high: f64) -> Ratio {
        Ratio { value, interval: Some((low, high)) }
    }

    #[test]
    fn a_change_is_one_only_if_all_of_its_interval_is_beyond_what_is_allowed() {
        for (ratio, time, rate) in [
            (ratio(1.0, 0.98, 1.03), Change::Equivalent, Change::Equivalent),
            (ratio(1.1, 1.06, 1.14), Change::Worse, Change::Better),
            (ratio(0.9, 0.86, 0.94), Change::Better, Change::Worse),
            // Slower for certain, and perhaps by no more than is allowed.
            (ratio(1.05, 1.01, 1.09), Change::CannotTell, Change::CannotTell),
            (ratio(1.0, 0.8, 1.25), Change::CannotTell, Change::CannotTell),
            (Ratio { value: 1.5, interval: None }, Change::CannotTell, Change::CannotTell),
        ] {
            assert_eq!(outcome(&ratio, 0.05, false), time, "{ratio:?}");
            assert_eq!(outcome(&ratio, 0.05, true), rate, "{ratio:?}");
        }
    }
}
