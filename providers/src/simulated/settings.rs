//! What `simulated` can be told: a distribution of service times, and what disturbs it. Knows no clock.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::option_values::{Bounded, Delay, Dimensions, Share};
use crate::options::{OptionFault, OptionSet};

/// Options of `simulated`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedOptions {
    /// How long a request is worked on.
    pub distribution: Distribution,
    /// Pauses in which no work is done at all; none when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall: Option<Stall>,
    /// The share of requests that end in an error, after their service time.
    pub failures: Share,
    /// The share of requests that are not answered within an hour.
    pub hangs: Share,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Length of every vector.
    pub dimensions: Dimensions,
    /// How long `load` takes.
    pub load: Delay,
    /// How much longer the first embedding takes.
    pub first: Delay,
    /// Requests worked on at once. More than one only if the backend runs in-process.
    pub concurrency: Bounded<1, 65_536>,
}

impl Default for SimulatedOptions {
    fn default() -> Self {
        Self {
            distribution: Distribution::Constant { time: Delay::of(Duration::from_millis(5)) },
            stall: None,
            failures: Share::default(),
            hangs: Share::default(),
            seed: 1,
            dimensions: Dimensions::fixed(384),
            load: Delay::default(),
            first: Delay::default(),
            concurrency: Bounded::fixed(1),
        }
    }
}

impl OptionSet for SimulatedOptions {
    fn conflicts(&self) -> Vec<OptionFault> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, why: String| faults.push(OptionFault { key: key.to_owned(), why });
        if let Some(why) = self.distribution.fault() {
            fault("distribution", why);
        }
        if let Some(Stall { every, length }) = self.stall
            && (length >= every || length == Delay::default())
        {
            fault(
                "stall",
                format!("found `length` {length} and `every` {every}: allowed is 0 < length < every"),
            );
        }
        let (failures, hangs) = (self.failures.get(), self.hangs.get());
        if failures + hangs > 1.0 {
            fault(
                "hangs",
                format!("found {hangs} beside `failures` {failures}: together they are at most 1"),
            );
        }
        faults
    }
}

/// A distribution of service times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Distribution {
    /// Always the same.
    Constant {
        /// The service time.
        time: Delay,
    },
    /// Independent and lognormal: `median * exp(sigma * z)` with `z` standard normal.
    Lognormal {
        /// Half of the requests are faster.
        median: Delay,
        /// Standard deviation of the logarithm, 0 to 5. Give this or `p95`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sigma: Option<f64>,
        /// The 95th percentile. Give this or `sigma`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        p95: Option<Delay>,
    },
    /// The same lognormal, with successive requests alike: `z` is a Gaussian autoregressive process of order one.
    Ar1 {
        /// Half of the requests are faster.
        median: Delay,
        /// Standard deviation of the logarithm, 0 to 5. Give this or `p95`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sigma: Option<f64>,
        /// The 95th percentile. Give this or `sigma`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        p95: Option<Delay>,
        /// Correlation of successive `z`, between -1 and 1, both excluded.
        rho: f64,
    },
}

/// The standard normal's 95th percentile.
const NORMAL_P95: f64 = 1.644_853_626_951_472_2;

/// A distribution in the form it is drawn from: `median * exp(sigma * z)`, where successive `z` correlate by `rho`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parameters {
    pub(super) median_ns: f64,
    pub(super) sigma: f64,
    pub(super) rho: f64,
}

impl Distribution {
    pub(super) fn parameters(&self) -> Parameters {
        let (median, sigma, p95, rho) = match *self {
            Self::Constant { time } => (time, Some(0.0), None, 0.0),
            Self::Lognormal { median, sigma, p95 } => (median, sigma, p95, 0.0),
            Self::Ar1 { median, sigma, p95, rho } => (median, sigma, p95, rho),
        };
        let median_ns = median.get().as_nanos() as f64;
        let sigma = match (sigma, p95) {
            (Some(sigma), _) => sigma,
            (None, Some(p95)) => (p95.get().as_nanos() as f64 / median_ns).ln() / NORMAL_P95,
            (None, None) => 0.0,
        };
        Parameters { median_ns, sigma, rho }
    }

    fn fault(&self) -> Option<String> {
        let (median, sigma, p95, rho) = match *self {
            Self::Constant { .. } => return None,
            Self::Lognormal { median, sigma, p95 } => (median, sigma, p95, 0.0),
            Self::Ar1 { median, sigma, p95, rho } => (median, sigma, p95, rho),
        };
        if sigma.is_some() == p95.is_some() {
            let found = if sigma.is_some() { "both `sigma` and `p95`" } else { "neither `sigma` nor `p95`" };
            return Some(format!("found {found}: give one of them"));
        }
        if median == Delay::default() {
            return Some(format!("found `median` {median}: it must be longer than zero"));
        }
        if p95.is_some_and(|p95| p95 < median) {
            return Some(format!(
                "found `p95` {} below `median` {median}: the 95th percentile is at least the median",
                p95.unwrap_or_default()
            ));
        }
        let sigma = self.parameters().sigma;
        if !(0.0..=5.0).contains(&sigma) {
            return Some(format!("found a sigma of {sigma}: allowed are numbers from 0 to 5"));
        }
        (rho.abs() >= 1.0)
            .then(|| format!("found `rho` {rho}: allowed are numbers between -1 and 1, both excluded"))
    }
}

/// Regular pauses, counted from the end of `load`: none before `every`, then one of `length` at each multiple of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// From the beginning of one pause to the beginning of the next.
    pub every: Delay,
    /// How long a pause lasts.
    pub length: Delay,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::options::{check, resolve};

    fn faults(options: Value) -> Vec<String> {
        let options = options.as_object().expect("an object").clone();
        check::<SimulatedOptions>(&options)
            .into_iter()
            .map(|fault| format!("{}: {}", fault.key, fault.why))
            .collect()
    }

    #[test]
    fn every_distribution_can_be_written() {
        for distribution in [
            json!({"kind": "constant", "time": "2ms"}),
            json!({"kind": "lognormal", "median": "2ms", "sigma": 0.3}),
            json!({"kind": "lognormal", "median": "2ms", "p95": "3ms"}),
            json!({"kind": "ar1", "median": "2ms", "sigma": 0.3, "rho": 0.9}),
        ] {
            assert_eq!(faults(json!({"distribution": distribution})), Vec::<String>::new(), "{distribution}");
        }
    }

    #[test]
    fn an_unknown_key_within_a_distribution_is_refused() {
        let found = faults(json!({"distribution": {"kind": "constant", "time": "2ms", "sigma": 1}}));
        assert_eq!(found.len(), 1);
        assert!(found[0].ends_with("unknown key `sigma` (allowed here: time)"), "{found:?}");
        let found = faults(json!({"stall": {"every": "1s", "length": "5ms", "often": true}}));
        assert!(found[0].ends_with("unknown key `often` (allowed here: every, length)"), "{found:?}");
    }

    #[test]
    fn an_unknown_distribution_is_answered_with_the_known_ones() {
        let found = faults(json!({"distribution": {"kind": "pareto"}}));
        assert!(found[0].ends_with("unknown `pareto` (known: constant, lognormal, ar1)"), "{found:?}");
    }

    #[test]
    fn parameters_that_fit_no_distribution_are_refused_with_the_rule() {
        let lognormal = |rest: Value| {
            let mut distribution = json!({"kind": "ar1", "median": "2ms", "rho": 0.0});
            let object = distribution.as_object_mut().expect("an object");
            object.extend(rest.as_object().expect("an object").clone());
            faults(json!({"distribution": distribution}))
        };
        assert_eq!(lognormal(json!({})), ["distribution: found neither `sigma` nor `p95`: give one of them"]);
        assert_eq!(
            lognormal(json!({"sigma": 1, "p95": "3ms"})),
            ["distribution: found both `sigma` and `p95`: give one of them"]
        );
        assert_eq!(
            lognormal(json!({"p95": "1ms"})),
            ["distribution: found `p95` 1ms below `median` 2ms: the 95th percentile is at least the median"]
        );
        assert_eq!(
            lognormal(json!({"sigma": 5.5})),
            ["distribution: found a sigma of 5.5: allowed are numbers from 0 to 5"]
        );
        assert_eq!(
            lognormal(json!({"sigma": 0.1, "median": "0s"})),
            ["distribution: found `median` 0ms: it must be longer than zero"]
        );
        assert_eq!(
            lognormal(json!({"sigma": 0.1, "rho": 1.0})),
            ["distribution: found `rho` 1: allowed are numbers between -1 and 1, both excluded"]
        );
    }

    #[test]
    fn disturbances_that_leave_no_work_are_refused() {
        assert_eq!(
            faults(json!({"stall": {"every": "1ms", "length": "1ms"}, "failures": 0.6, "hangs": 0.5})),
            [
                "stall: found `length` 1ms and `every` 1ms: allowed is 0 < length < every",
                "hangs: found 0.5 beside `failures` 0.6: together they are at most 1",
            ]
        );
    }

    #[test]
    fn defaults_are_written_out_and_a_stall_that_is_not_there_is_left_out() {
        let resolved = resolve::<SimulatedOptions>(&serde_json::Map::new());
        assert_eq!(
            Value::Object(resolved),
            json!({
                "distribution": {"kind": "constant", "time": "5ms"}, "failures": 0.0, "hangs": 0.0, "seed": 1,
                "dimensions": 384, "load": "0ms", "first": "0ms", "concurrency": 1
            })
        );
    }

    #[test]
    fn sigma_follows_from_the_95th_percentile() {
        let delay = |text| Delay::read(text).expect("a delay");
        let lognormal =
            Distribution::Lognormal { median: delay("10ms"), sigma: None, p95: Some(delay("20ms")) };
        let Parameters { median_ns, sigma, .. } = lognormal.parameters();
        assert_eq!(median_ns, 10e6);
        assert!((sigma - 0.421_403_563_9).abs() < 1e-9, "ln 2 / 1.644854 = {sigma}");
    }
}
