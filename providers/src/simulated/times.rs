//! The service times of `simulated`: a pure function of the settings, the seed, the request's place in the order, and
//! when it is begun. Looks at no clock.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::settings::{Parameters, SimulatedOptions, Stall};

/// How long a request that hangs is worked on: longer than any deadline, and still finite, so that nothing is left
/// behind for ever.
pub const HANG: Duration = Duration::from_secs(3_600);

/// Delays and outcomes are drawn from streams of their own, so that a scenario with failures has the same delays as the
/// one without.
const DELAY_STREAM: u64 = 0;
const OUTCOME_STREAM: u64 = 1;

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With vectors.
    Answered,
    /// With an error.
    Failed,
    /// With vectors, after [`HANG`].
    Hung,
}

/// One request's fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// From when it is begun to when it ends.
    pub time: Duration,
    /// How it ends.
    pub outcome: Outcome,
}

/// The service times of one loaded backend, request by request.
#[derive(Clone, Debug)]
pub struct ServiceTimes {
    parameters: Parameters,
    stall: Option<Stall>,
    failures: f64,
    hangs: f64,
    /// What the first request takes on top; nothing once it was taken.
    first: Duration,
    /// The autoregressive process's last value; `None` before the first.
    z: Option<f64>,
    delays: ChaCha8Rng,
    outcomes: ChaCha8Rng,
}

impl ServiceTimes {
    /// Starts from the seed of the settings: the same settings always give the same times.
    #[must_use]
    pub fn new(settings: &SimulatedOptions) -> Self {
        let stream = |number| {
            let mut generator = ChaCha8Rng::seed_from_u64(settings.seed);
            generator.set_stream(number);
            generator
        };
        Self {
            parameters: settings.distribution.parameters(),
            stall: settings.stall,
            failures: settings.failures.get(),
            hangs: settings.hangs.get(),
            first: settings.first.get(),
            z: None,
            delays: stream(DELAY_STREAM),
            outcomes: stream(OUTCOME_STREAM),
        }
    }

    /// The fate of the next request, begun `since_load` after the backend was loaded.
    pub fn next(&mut self, since_load: Duration) -> Service {
        let work = self.draw_work() + std::mem::take(&mut self.first);
        let outcome = self.draw_outcome();
        let time = match (outcome, self.stall) {
            (Outcome::Hung, _) => HANG,
            (_, Some(stall)) => work + stall.pauses_within(since_load, work),
            (_, None) => work,
        };
        Service { time, outcome }
    }

    fn draw_work(&mut self) -> Duration {
        let Parameters { median_ns, sigma, rho } = self.parameters;
        if sigma == 0.0 {
            return Duration::from_nanos(median_ns as u64);
        }
        let fresh: f64 = self.delays.sample(StandardNormal);
        // Started in its stationary distribution, so that the first request is as slow as any other.
        let z = self.z.map_or(fresh, |last| rho * last + (1.0 - rho * rho).sqrt() * fresh);
        self.z = Some(z);
        Duration::from_nanos((median_ns * (sigma * z).exp()).round() as u64)
    }

    fn draw_outcome(&mut self) -> Outcome {
        let uniform: f64 = self.outcomes.random();
        if uniform < self.failures {
            Outcome::Failed
        } else if uniform < self.failures + self.hangs {
            Outcome::Hung
        } else {
            Outcome::Answered
        }
    }
}

impl Stall {
    /// How long `work` that is begun at `at` is held up by pauses, in which no work is done.
    fn pauses_within(self, at: Duration, work: Duration) -> Duration {
        let (every, length) = (self.every.get().as_nanos(), self.length.get().as_nanos());
        let (at, work) = (at.as_nanos(), work.as_nanos());
        // The time until the running pause ends, and the work that can be done from then to the next pause.
        let (rest_of_pause, until_next) = match at % every {
            _ if at < every => (0, every - at),
            into if into < length => (length - into, every - length),
            into => (0, every - into),
        };
        let further_pauses = work.saturating_sub(until_next).div_ceil(every - length);
        Duration::from_nanos_u128(rest_of_pause + further_pauses * length)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::options;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn times(options: serde_json::Value) -> ServiceTimes {
        let options = options.as_object().expect("an object").clone();
        ServiceTimes::new(&options::parse::<SimulatedOptions>(&options).expect("options"))
    }

    fn nanoseconds(times: &mut ServiceTimes, count: usize) -> Vec<u64> {
        (0..count).map(|_| times.next(Duration::ZERO).time.as_nanos() as u64).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_times_for_ever() {
        let options =
            json!({"distribution": {"kind": "lognormal", "median": "10ms", "sigma": 0.5}, "seed": 7});
        insta::assert_compact_json_snapshot!(nanoseconds(&mut times(options), 5), @"[6786254, 5007187, 15602663, 11970851, 11618395]");
        let options =
            json!({"distribution": {"kind": "ar1", "median": "10ms", "sigma": 0.5, "rho": 0.9}, "seed": 7});
        insta::assert_compact_json_snapshot!(nanoseconds(&mut times(options), 5), @"[6786254, 5218228, 6760583, 7603957, 8343192]");
    }

    #[test]
    fn another_seed_gives_other_times() {
        let seeded = |seed: u64| {
            let distribution = json!({"kind": "lognormal", "median": "10ms", "sigma": 0.5});
            nanoseconds(&mut times(json!({"distribution": distribution, "seed": seed})), 3)
        };
        assert_ne!(seeded(1), seeded(2));
    }

    /// The count below a quantile `q` of `n` independent draws has mean `n q` and variance `n q (1 - q)`; four standard
    /// deviations hold for 99.99 % of seeds. Correlated draws get their own, wider margin.
    fn assert_quantiles(times: &mut ServiceTimes, variance_factor: f64) {
        const DRAWS: usize = 40_000;
        let drawn = nanoseconds(times, DRAWS);
        // Quantiles of the standard normal, to six places.
        for (quantile, z) in [(0.05, -1.644_854_f64), (0.5, 0.0), (0.95, 1.644_854), (0.99, 2.326_348)] {
            let analytic = 10e6 * (0.5 * z).exp();
            let below = drawn.iter().filter(|time| (**time as f64) < analytic).count() as f64;
            let mean = DRAWS as f64 * quantile;
            let margin = 4.0 * (mean * (1.0 - quantile) * variance_factor).sqrt();
            assert!(
                (below - mean).abs() < margin,
                "P{}: {below} below, expected {mean} +- {margin}",
                quantile * 100.0
            );
        }
    }

    #[test]
    fn lognormal_times_have_the_analytic_quantiles() {
        assert_quantiles(
            &mut times(json!({"distribution": {"kind": "lognormal", "median": "10ms", "sigma": 0.5}})),
            1.0,
        );
    }

    #[test]
    fn correlated_times_have_the_same_quantiles_and_the_stated_correlation() {
        let options = json!({"distribution": {"kind": "ar1", "median": "10ms", "sigma": 0.5, "rho": 0.8}});
        // The variance of a mean of such a process grows by at most (1 + rho) / (1 - rho).
        assert_quantiles(&mut times(options.clone()), 9.0);

        let z: Vec<f64> = nanoseconds(&mut times(options), 40_000)
            .iter()
            .map(|time| (*time as f64 / 10e6).ln() / 0.5)
            .collect();
        let correlation =
            z.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / z.iter().map(|z| z * z).sum::<f64>();
        assert!((correlation - 0.8).abs() < 0.015, "{correlation}");
    }

    #[test]
    fn failures_and_hangs_have_their_shares_and_leave_the_other_delays_alone() {
        let distribution = json!({"kind": "lognormal", "median": "10ms", "sigma": 0.5});
        let mut calm = times(json!({"distribution": distribution}));
        let mut rough = times(json!({"distribution": distribution, "failures": 0.1, "hangs": 0.02}));
        let mut counts = [0_i32; 3];
        for _ in 0..10_000 {
            let (expected, found) = (calm.next(Duration::ZERO), rough.next(Duration::ZERO));
            match found.outcome {
                Outcome::Hung => assert_eq!(found.time, HANG),
                Outcome::Answered | Outcome::Failed => assert_eq!(found.time, expected.time),
            }
            counts[found.outcome as usize] += 1;
        }
        let [answered, failed, hung] = counts;
        // Four standard deviations of the binomial counts.
        assert!((failed - 1_000).abs() < 120 && (hung - 200).abs() < 56, "{failed} failed, {hung} hung");
        assert_eq!(answered + failed + hung, 10_000);
    }

    #[test]
    fn only_the_first_request_is_slower() {
        let mut times = times(json!({"distribution": {"kind": "constant", "time": "2ms"}, "first": "30ms"}));
        assert_eq!(nanoseconds(&mut times, 3), [32_000_000, 2_000_000, 2_000_000]);
    }

    #[test]
    fn no_work_is_done_in_a_stall() {
        // Pauses at 100-140 ms, 200-240 ms, ...
        let served = |at: u32, work: u32| {
            let options = json!({
                "distribution": {"kind": "constant", "time": format!("{work}ms")},
                "stall": {"every": "100ms", "length": "40ms"}
            });
            times(options).next(at * MILLISECOND).time.as_millis()
        };
        assert_eq!(served(0, 10), 10, "before the first pause");
        assert_eq!(served(20, 80), 80, "done just as the pause begins");
        assert_eq!(served(95, 10), 50, "5 of work, 40 of pause, 5 of work");
        assert_eq!(served(100, 10), 50, "begun with the pause");
        assert_eq!(served(130, 10), 20, "begun in the pause: 10 until its end");
        assert_eq!(served(140, 10), 10, "begun at its end");
        assert_eq!(served(140, 60), 60, "all of the time between two pauses");
        assert_eq!(served(140, 61), 101, "one pause more");
        assert_eq!(served(110, 130), 240, "30 of the first pause, 60, a pause, 60, a pause, 10");
    }
}
