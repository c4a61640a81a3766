//! What is preferred among backends that meet every objective.

use tailmark_reports::record::Preference;

use super::BackendPlan;
use super::wrong::{Wrong, key};
use crate::decision::Wish;
use crate::scenario::{self, BackendSection, Scenario, Step, did_you_mean};

/// The same within this share of one, where the scenario does not say.
pub(super) const SAME_WITHIN: &str = "10%";

/// Beyond this nobody would call two backends the same.
const MOST_SAME: f64 = 0.5;

/// Reads `[decision]` and the prices of the backends.
pub(super) fn decision(scenario: &Scenario, backends: &[(BackendPlan, bool)]) -> Result<Wish, Wrong> {
    let section = &scenario.decision;
    let mut wrong = Wrong::default();
    let place = |name: &str| vec![key("decision"), key(name)];
    let words = Preference::ALL.map(|(word, _)| word);
    let asked = section.prefer.as_deref().unwrap_or(words[0]);
    let prefer = Preference::ALL.iter().find(|(word, _)| *word == asked).map(|(_, prefer)| *prefer);
    if prefer.is_none() {
        let guess = did_you_mean(asked, words);
        let why = format!(
            "unknown `{asked}`{guess}; write one of {}",
            words.map(|word| format!("`{word}`")).join(", ")
        );
        wrong.add(&place("prefer"), why);
    }
    let same_within =
        scenario::share(section.same_within.as_deref().unwrap_or(SAME_WITHIN)).and_then(|share| {
            (share <= MOST_SAME)
                .then_some(share)
                .ok_or_else(|| format!("{} %; must be at most {} %", 100.0 * share, 100.0 * MOST_SAME))
        });
    let same_within = same_within.unwrap_or_else(|why| {
        wrong.add(&place("same_within"), why);
        0.0
    });
    for (at, price) in
        [(place("price_per_hour"), section.price_per_hour)].into_iter().chain(prices_of(&scenario.backend))
    {
        if let Some(price) = price.filter(|price| !price.is_finite() || *price <= 0.0) {
            wrong.add(&at, format!("{price} is no price of an hour; must be above 0"));
        }
    }
    let has_price = backends.iter().all(|(backend, _)| backend.price_per_hour.is_some());
    if prefer == Some(Preference::Cost) && !has_price {
        wrong.add(&place("prefer"), "`cost` needs a price: set price_per_hour here, or for each backend");
    }
    match prefer.filter(|_| wrong.is_empty()) {
        Some(prefer) => Ok(Wish { prefer, same_within }),
        None => Err(wrong),
    }
}

/// The price that each backend has of its own, with its place.
fn prices_of(backends: &[BackendSection]) -> impl Iterator<Item = (Vec<Step>, Option<f64>)> {
    backends.iter().enumerate().map(|(index, section)| {
        (vec![key("backend"), Step::Index(index), key("price_per_hour")], section.price_per_hour)
    })
}
