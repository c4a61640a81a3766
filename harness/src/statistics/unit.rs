//! Consecutive requests of one process, and the figures that are compared of them.

use tailmark_reports::record::Indicator;

use super::buckets::{Buckets, quantile_of};
use crate::sample::Sample;

/// Consecutive requests of the steady state.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Unit {
    response: Buckets,
    service: Buckets,
    texts: u64,
    /// When the first was due and the last was over, in nanoseconds; `None` before any.
    span_ns: Option<(u64, u64)>,
}

impl Unit {
    /// Adds a request.
    pub(super) fn add(&mut self, sample: &Sample) {
        self.response.record(sample.response_ns());
        self.service.record(sample.service_ns());
        self.texts += if sample.response_ns().is_some() { u64::from(sample.texts) } else { 0 };
        self.stretch((sample.scheduled_ns, sample.finished_ns));
    }

    /// Consecutive ones as one.
    pub(super) fn of(blocks: &[Self]) -> Self {
        let mut whole = blocks.first().cloned().unwrap_or_default();
        for block in blocks.iter().skip(1) {
            whole.response.merge(&block.response);
            whole.service.merge(&block.service);
            whole.texts += block.texts;
            block.span_ns.into_iter().for_each(|span| whole.stretch(span));
        }
        whole
    }

    /// Requests, failed ones too.
    pub(super) fn requests(&self) -> u64 {
        self.response.count()
    }

    fn took_ns(&self) -> u64 {
        self.span_ns.map_or(0, |(began, ended)| ended.saturating_sub(began))
    }

    fn stretch(&mut self, (began, ended): (u64, u64)) {
        let (first, last) = self.span_ns.unwrap_or((began, ended));
        self.span_ns = Some((first.min(began), last.max(ended)));
    }
}

/// A figure that is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// A percentile of the response time in steady state, in nanoseconds.
    ResponseTime(f64),
    /// A percentile of the service time in steady state, in nanoseconds.
    ServiceTime(f64),
    /// Texts a second in steady state.
    Throughput,
    /// From spawn to the first vector, the geometric mean over restarts, in nanoseconds.
    ColdStart,
    /// The largest resident memory, in bytes: that of the largest restart.
    PeakMemory,
}

impl Figure {
    /// The figure that an objective judges, if it can be compared.
    #[must_use]
    pub fn of_indicator(indicator: Indicator) -> Option<Self> {
        match indicator {
            Indicator::ResponseTime { quantile } => Some(Self::ResponseTime(quantile)),
            Indicator::ServiceTime { quantile } => Some(Self::ServiceTime(quantile)),
            Indicator::ColdStart { .. } => Some(Self::ColdStart),
            Indicator::Throughput => Some(Self::Throughput),
            Indicator::PeakRss => Some(Self::PeakMemory),
            Indicator::FailureShare | Indicator::Cosine => None,
        }
    }

    /// Whether more is better.
    #[must_use]
    pub fn more_is_better(&self) -> bool {
        matches!(self, Self::Throughput)
    }

    /// The figure of those requests; `None` if they have none, or if it is one of a whole process.
    pub(super) fn of_units(self, units: &[&Unit]) -> Option<f64> {
        let quantile = |of: fn(&Unit) -> &Buckets, quantile| {
            quantile_of(&units.iter().map(|unit| of(unit)).collect::<Vec<_>>(), quantile)
        };
        match self {
            Self::ResponseTime(at) => quantile(|unit| &unit.response, at),
            Self::ServiceTime(at) => quantile(|unit| &unit.service, at),
            Self::Throughput => {
                let texts: u64 = units.iter().map(|unit| unit.texts).sum();
                let time: u64 = units.iter().map(|unit| unit.took_ns()).sum();
                (time > 0).then(|| texts as f64 / (time as f64 / 1e9))
            }
            Self::ColdStart | Self::PeakMemory => None,
        }
    }
}
