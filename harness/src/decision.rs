//! Which backend a run speaks for: those that meet every objective, ranked by what is preferred, with the ratio of each to the best.
//!
//! Only like is ranked with like: backends that were asked for other batches, texts or loads are not, and neither are vectors of
//! different classes. A difference is called one only if the interval of the ratio leaves no doubt; several ratios share the error
//! (Bonferroni), since the best was picked by the same figures.

use std::cmp::Ordering;

use tailmark_reports::record::{
    BackendOutcome, BackendRecord, Decision, DecisionRow, Equivalence, Indicator, Latency, Phase, Preference,
    RatioInterval, RunRecord, Standing, Verdict,
};

use crate::pairing::ratio_of;
use crate::statistics::ratio::Estimate;
use crate::statistics::series::{Figure, Series};

/// Of all intervals of a decision together.
const CONFIDENCE: f64 = 0.95;
/// The percentile of the response time that latency is when no objective asks for one.
const USUAL_QUANTILE: f64 = 0.95;

/// What somebody who has to choose prefers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// What counts.
    pub prefer: Preference,
    /// A ratio whose interval is within this share of one is called the same.
    pub same_within: f64,
}

/// What is known of a backend beside its record.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What its restarts showed.
    pub series: &'a Series,
    /// The price of an hour of its machine, if somebody said.
    pub price_per_hour: Option<f64>,
}

/// A backend with its figure.
struct Candidate<'a> {
    record: &'a BackendRecord,
    standing: Standing,
    why: Option<String>,
    /// The vectors' class, exact first; vectors that were compared with nothing come last.
    class: u8,
    estimate: Option<Estimate>,
}

/// Decides; `None` where a run has nothing to choose from.
pub fn decide<'a>(
    record: &'a RunRecord,
    wish: &Wish,
    known: impl Fn(&str) -> Option<Known<'a>>,
) -> Option<Decision> {
    if record.backends.is_empty() || !record.capacities.is_empty() {
        return None;
    }
    let figure = figure(record, wish.prefer);
    let mut candidates: Vec<Candidate<'_>> = record
        .backends
        .iter()
        .map(|backend| {
            let (standing, why) = standing(record, backend);
            let estimate = known(&backend.name).and_then(|known| estimate(known, figure, wish.prefer));
            Candidate { record: backend, standing, why, class: class(&backend.equivalence), estimate }
        })
        .collect();
    let unranked_because = unlike(&candidates);
    if unranked_because.is_none() {
        rank(&mut candidates, wish);
    }
    let best = candidates.iter().find(|one| one.standing == Standing::Best).or_else(|| {
        // Where none is the answer, the others are compared with the one that comes closest to it.
        candidates.iter().find(|one| one.standing != Standing::NotMeasured && one.estimate.is_some())
    });
    let compared = candidates.iter().filter(|one| one.estimate.is_some()).count().saturating_sub(1).max(1);
    let confidence = 1.0 - (1.0 - CONFIDENCE) / compared as f64;
    let base = best.filter(|_| unranked_because.is_none());
    let base = base.map(|best| (best.record.name.clone(), best.estimate));
    let rows = candidates.iter().map(|one| {
        let paired = base.as_ref().zip(record.pairing.as_ref());
        let paired =
            paired.and_then(|((base, _), pairing)| ratio_of(pairing, &one.record.name, base, figure));
        row(one, base.as_ref(), paired, confidence, wish, figure)
    });
    let rows = rows.collect();
    let answers = !record.objectives.is_empty() && unranked_because.is_none();
    let (quantile, service_time) = match figure {
        Figure::ResponseTime(quantile) => (Some(quantile), false),
        Figure::ServiceTime(quantile) => (Some(quantile), true),
        _ => (None, false),
    };
    let mut decision = Decision {
        prefer: wish.prefer,
        quantile,
        service_time,
        answer: None,
        unranked_because,
        same_within: wish.same_within,
        confidence: CONFIDENCE,
        rows,
    };
    decision.rows.sort_by_key(|row| place(row.standing));
    let first = decision.rows.first().filter(|row| row.standing == Standing::Best);
    decision.answer = first.filter(|_| answers).map(|row| row.backend.clone());
    Some(decision)
}

/// The figure that is preferred: of latencies the one that an objective judges.
fn figure(record: &RunRecord, prefer: Preference) -> Figure {
    let judged = record.objectives.iter().map(|objective| objective.indicator);
    match prefer {
        Preference::Latency => judged
            .filter_map(|indicator| match indicator {
                Indicator::ResponseTime { quantile } => Some(Figure::ResponseTime(quantile)),
                Indicator::ServiceTime { quantile } => Some(Figure::ServiceTime(quantile)),
                _ => None,
            })
            .next()
            .unwrap_or(Figure::ResponseTime(USUAL_QUANTILE)),
        Preference::Throughput | Preference::Cost => Figure::Throughput,
        Preference::Memory => Figure::PeakMemory,
        Preference::ColdStart => Figure::ColdStart,
    }
}

/// The figure of a backend; what a million texts cost is what an hour costs, divided by the texts of an hour.
fn estimate(known: Known<'_>, figure: Figure, prefer: Preference) -> Option<Estimate> {
    let found = known.series.estimate(figure)?;
    if prefer != Preference::Cost {
        return Some(found);
    }
    let price = known.price_per_hour?;
    Some(Estimate { log: (price / 3600.0 * 1e6).ln() - found.log, ..found })
}

/// What its verdicts make of a backend before it is compared, and why it is not ranked.
fn standing(record: &RunRecord, backend: &BackendRecord) -> (Standing, Option<String>) {
    let not_measured = |why: &str| (Standing::NotMeasured, Some(why.to_owned()));
    match &backend.outcome {
        BackendOutcome::Measured => {}
        BackendOutcome::Pending => return not_measured("the run ended before it was measured to its end"),
        BackendOutcome::NotAvailable { why } => return not_measured(why),
        BackendOutcome::Wrong { why } => return not_measured(&format!("its vectors are wrong: {why}")),
        BackendOutcome::NotAsRequired { why } => return not_measured(why),
        BackendOutcome::Broken { why } => return not_measured(&format!("it broke: {why}")),
    }
    let text = |index: usize| record.objectives.get(index).map_or("", |objective| objective.text.as_str());
    let judged = |verdict: Verdict| -> Vec<&str> {
        let of = backend.verdicts.iter().filter(|judged| judged.verdict == verdict);
        of.map(|judged| text(judged.objective)).collect()
    };
    let (missed, open) = (judged(Verdict::Fail), judged(Verdict::Inconclusive));
    if !missed.is_empty() {
        (Standing::Misses, Some(format!("misses {}", missed.join(", "))))
    } else if !open.is_empty() {
        (Standing::Undecided, Some(format!("undecided: {}", open.join(", "))))
    } else if backend.verdicts.is_empty() && !record.objectives.is_empty() {
        (Standing::Undecided, Some("no objective applies to it".to_owned()))
    } else {
        (Standing::Behind, None)
    }
}

fn class(equivalence: &Equivalence) -> u8 {
    match equivalence {
        Equivalence::Checked { class, .. } => *class as u8,
        Equivalence::NotChecked { .. } => u8::MAX,
    }
}

/// Why what was measured cannot be ranked: backends were asked different things.
fn unlike(candidates: &[Candidate<'_>]) -> Option<String> {
    let measured: Vec<&BackendRecord> =
        candidates.iter().filter(|one| one.standing != Standing::NotMeasured).map(|one| one.record).collect();
    let differs = |of: &dyn Fn(&BackendRecord) -> String, what: &str| {
        let mut found: Vec<String> = Vec::new();
        for text in measured.iter().map(|backend| of(backend)) {
            if !found.contains(&text) {
                found.push(text);
            }
        }
        (found.len() > 1).then(|| format!("their {what} differ ({})", found.join("; ")))
    };
    differs(&|backend| backend.batch_size.to_string(), "batch sizes")
        .or_else(|| differs(&|backend| backend.corpus.clone(), "texts"))
        .or_else(|| differs(&|backend| backend.load.text.clone(), "loads"))
}

/// Puts candidates in order, and says which of them is the best.
fn rank(candidates: &mut [Candidate<'_>], wish: &Wish) {
    let meets = |one: &Candidate<'_>| one.standing == Standing::Behind;
    let first_class = candidates.iter().filter(|one| meets(one)).map(|one| one.class).min();
    for one in candidates.iter_mut().filter(|one| meets(one)) {
        if Some(one.class) != first_class {
            one.standing = Standing::OtherVectors;
        } else if one.estimate.is_none() {
            one.standing = Standing::Undecided;
            one.why = Some("the figure to rank it by was not measured".to_owned());
        }
    }
    let better = |one: &Candidate<'_>, other: &Candidate<'_>| {
        let log = |one: &Candidate<'_>| one.estimate.map(|estimate| estimate.log);
        match (log(one), log(other)) {
            (Some(a), Some(b)) if wish.prefer.more_is_better() => b.total_cmp(&a),
            (Some(a), Some(b)) => a.total_cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    };
    candidates.sort_by(|one, other| place(one.standing).cmp(&place(other.standing)).then(better(one, other)));
    if let Some(first) = candidates.first_mut().filter(|first| first.standing == Standing::Behind) {
        first.standing = Standing::Best;
    }
}

/// Those that are ranked first, in their order; then the others, those that came closest first.
fn place(standing: Standing) -> u8 {
    match standing {
        Standing::Best => 0,
        Standing::Same | Standing::Tied | Standing::Behind => 1,
        Standing::OtherVectors => 2,
        Standing::Undecided => 3,
        Standing::Misses => 4,
        Standing::NotMeasured => 5,
    }
}

/// The row of a candidate, compared with the base.
fn row(
    one: &Candidate<'_>,
    base: Option<&(String, Option<Estimate>)>,
    paired: Option<RatioInterval>,
    confidence: f64,
    wish: &Wish,
    figure: Figure,
) -> DecisionRow {
    let ratio = base.filter(|(name, _)| *name != one.record.name).and_then(|(_, base)| {
        let ratio = one.estimate?.over(base.as_ref()?, confidence);
        Some(RatioInterval {
            value: ratio.value,
            low: ratio.interval.map(|(low, _)| low),
            high: ratio.interval.map(|(_, high)| high),
        })
    });
    let ratio = paired.or(ratio);
    let standing = match (one.standing, &ratio) {
        (Standing::Behind, Some(ratio)) => compared(ratio, wish.same_within),
        (standing, _) => standing,
    };
    DecisionRow {
        backend: one.record.name.clone(),
        standing,
        // As every other table has it, which counts in other buckets.
        value: shown(one.record, wish.prefer, figure).or_else(|| Some(one.estimate?.log.exp())),
        ratio,
        why: one.why.clone(),
    }
}

/// What a ratio to the best says.
fn compared(ratio: &RatioInterval, same_within: f64) -> Standing {
    let (Some(low), Some(high)) = (ratio.low, ratio.high) else { return Standing::Tied };
    if low >= 1.0 / (1.0 + same_within) && high <= 1.0 + same_within {
        Standing::Same
    } else if low <= 1.0 && high >= 1.0 {
        Standing::Tied
    } else {
        Standing::Behind
    }
}

/// The figure as the record has it.
fn shown(backend: &BackendRecord, prefer: Preference, figure: Figure) -> Option<f64> {
    let steady = backend.phases.iter().find(|summary| summary.phase == Phase::Steady);
    let at = |latency: Option<&Latency>, quantile: f64| {
        let percentiles = latency?.percentiles.iter();
        let found = percentiles.into_iter().find(|one| (one.quantile - quantile).abs() < 1e-9)?;
        found.value_ns.map(|value| value as f64)
    };
    match figure {
        Figure::ResponseTime(quantile) => at(steady?.response_time.as_ref(), quantile),
        Figure::ServiceTime(quantile) => at(steady?.service_time.as_ref(), quantile),
        Figure::Throughput if prefer == Preference::Throughput => steady?.texts_per_second,
        Figure::PeakMemory => Some(backend.resources.as_ref()?.peak_rss_bytes? as f64),
        Figure::Throughput | Figure::ColdStart => None,
    }
}

#[cfg(test)]
mod tests;
