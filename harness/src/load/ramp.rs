//! The open model of a rising or falling rate: from one rate to another, evenly, over a time; then it stays.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tailmark_reports::units;

use super::open::{self, Bounds, Endless};
use super::rule::{Limits, LoadKind, LoadModel, ReadFault, Rule, Schedule};
use crate::scenario::LoadSection;

/// The entry in the table of load models.
pub(super) const KIND: LoadKind = LoadKind {
    name: "ramp",
    summary: "the rate changes steadily from one value to another and stays there",
    keys: &["from", "to", "over", "max_in_flight", "max_queue"],
    fill_in: |_| (),
    at_rate: None,
    read,
};

#[derive(Debug)]
struct Ramp {
    from: f64,
    to: f64,
    over: Duration,
    bounds: Bounds,
}

fn read(section: &LoadSection, _: Option<&Path>) -> Result<LoadModel, Vec<ReadFault>> {
    let mut faults = Vec::new();
    let from = open::rate(section.from.as_deref(), "from", &mut faults);
    let to = open::rate(section.to.as_deref(), "to", &mut faults);
    let over = section.over.map_or_else(
        || {
            let why = "missing; write how long the rate takes to change, for example over = \"60s\"";
            faults.push(("over", why.to_owned()));
            Duration::from_secs(1)
        },
        |over| over.0,
    );
    let bounds = Bounds::read(section, from.max(to), &mut faults);
    if faults.is_empty() { Ok(Arc::new(Ramp { from, to, over, bounds })) } else { Err(faults) }
}

impl Ramp {
    /// When the request of this number, from 0, is due: where the integral of the rate reaches its number. Until `over`
    /// that is `from t + (to - from) t^2 / (2 over)`, after it a straight line.
    fn at(&self, number: u64) -> f64 {
        let (from, to, over, number) = (self.from, self.to, self.over.as_secs_f64(), number as f64);
        let within = (from + to) / 2.0 * over;
        if number >= within {
            return over + (number - within) / to;
        }
        // The root of the quadratic in the form that does not cancel, and holds for an even rate too.
        let slope = (to - from) / over;
        2.0 * number / (from + (from * from + 2.0 * slope * number).max(0.0).sqrt())
    }
}

impl Rule for Ramp {
    fn kind(&self) -> &'static str {
        KIND.name
    }

    fn text(&self) -> String {
        let over = units::duration(self.over.as_nanos() as f64);
        format!("ramp, {} to {} over {over}", open::per_second(self.from), open::per_second(self.to))
    }

    fn note(&self) -> String {
        let over = units::duration(self.over.as_nanos() as f64);
        let (from, to) = (open::per_second(self.from), open::per_second(self.to));
        let what = format!("{from} to {to} over {over}, starting again in each restart");
        format!(
            "{}; the load changes, so a verdict covers the whole ramp and no single rate",
            open::note(&what)
        )
    }

    fn limits(&self) -> Limits {
        self.bounds.limits()
    }

    fn due_within(&self, time: Duration) -> f64 {
        let (time, over) = (time.as_secs_f64(), self.over.as_secs_f64());
        let rising = time.min(over);
        let slope = (self.to - self.from) / over;
        self.from * rising + slope * rising * rising / 2.0 + self.to * (time - rising)
    }

    fn schedule(&self, _: u64) -> Box<dyn Schedule> {
        let ramp = Ramp { ..*self };
        let mut number = 0;
        Box::new(Endless(move || {
            let at = Duration::from_secs_f64(ramp.at(number));
            number += 1;
            Some(at)
        }))
    }
}
