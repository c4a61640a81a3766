//! What a comparison of two runs comes to, in sentences.

use super::decision::ratio;
use crate::record::{Change, ComparedBackend, ComparedFigure, Comparison, Indicator};
use crate::{indicator, units};

/// Regressions that are named; the rest are counted.
const MOST_NAMED: usize = 3;

/// The answer: what is worse, what is better, or that nothing is.
pub(crate) fn answer(comparison: &Comparison) -> String {
    let of = |outcome: Change| -> Vec<(&ComparedBackend, &ComparedFigure)> {
        let all = comparison
            .backends
            .iter()
            .flat_map(|backend| backend.figures.iter().map(move |one| (backend, one)));
        all.filter(|(_, figure)| figure.outcome == outcome).collect()
    };
    let within = units::percent(comparison.within);
    let (worse, better, open) = (of(Change::Worse), of(Change::Better), of(Change::CannotTell));
    let all: usize = comparison.backends.iter().map(|backend| backend.figures.len()).sum();
    if all == 0 {
        return "Nothing can be compared: no backend has figures in both runs.".to_owned();
    }
    let (confirmed, suspicious): (Vec<_>, Vec<_>) =
        worse.into_iter().partition(|(_, figure)| figure.confirmed);
    if !confirmed.is_empty() {
        return format!("Regression: {}.", named(&confirmed));
    }
    let mut said = Vec::new();
    if !suspicious.is_empty() {
        said.push(format!(
            "No regression is confirmed, but measure again: {}, which is no longer certain with all {all} figures taken together",
            named(&suspicious)
        ));
    } else if open.is_empty() {
        said.push("No regression".to_owned());
    } else {
        said.push("No regression is confirmed".to_owned());
    }
    if !better.is_empty() {
        said.push(format!("better: {}", named(&better)));
    }
    said.push(match (open.len(), better.is_empty() && suspicious.is_empty()) {
        (0, true) => format!("every figure is equivalent, within +-{within}"),
        (0, false) => format!("every other figure is equivalent, within +-{within}"),
        (count, _) => format!(
            "for {count} of {all} figures, the runs cannot tell whether they changed by more than {within}"
        ),
    });
    format!("{}.", said.join("; "))
}

fn named(figures: &[(&ComparedBackend, &ComparedFigure)]) -> String {
    let first = figures.iter().take(MOST_NAMED).map(|(backend, figure)| {
        format!("{}: {} {} ({})", backend.name, name(figure), word(figure), ratio(&figure.ratio))
    });
    let mut said = first.collect::<Vec<_>>().join("; ");
    if figures.len() > MOST_NAMED {
        said.push_str(&format!("; and {} more", figures.len() - MOST_NAMED));
    }
    said
}

/// The outcome in a word that fits the figure.
pub(crate) fn word(figure: &ComparedFigure) -> &'static str {
    let (worse, better) = match figure.indicator {
        Indicator::Throughput | Indicator::Cosine => ("lower", "higher"),
        Indicator::PeakRss => ("larger", "smaller"),
        Indicator::FailureShare => ("higher", "lower"),
        Indicator::ResponseTime { .. } | Indicator::ServiceTime { .. } | Indicator::ColdStart { .. } => {
            ("slower", "faster")
        }
    };
    match figure.outcome {
        Change::Better => better,
        Change::Worse => worse,
        Change::Equivalent => "equivalent",
        Change::CannotTell => "cannot tell",
    }
}

/// What it is, in the words of a comparison: a cold start is compared by its geometric mean.
pub(crate) fn name(figure: &ComparedFigure) -> String {
    match figure.indicator {
        Indicator::ColdStart { .. } => "cold start (geometric mean)".to_owned(),
        ref indicator => indicator::name(indicator),
    }
}

/// The runs that are compared.
pub(crate) fn runs(comparison: &Comparison) -> String {
    format!(
        "Before: {} of {}. After: {} of {}.",
        comparison.before.id, comparison.before.started_at, comparison.after.id, comparison.after.started_at
    )
}

/// How the figures are to be read.
pub(crate) fn method(comparison: &Comparison) -> String {
    let within = units::percent(comparison.within);
    format!(
        "Ratios are after / before, with {} intervals that take restarts as what varies. Equivalent: all of the interval within +-{within}. A \
         regression is confirmed if it stands with all figures taken together (Bonferroni). What differs between two runs and not between the restarts of one (the machine's other work, its \
         temperature) is in no interval: measure a suspicious backend again before you act.",
        units::percent(comparison.confidence)
    )
}
