//! What each restart of a backend showed, so that its figures can be compared with another's: times, texts and the time they took.
//!
//! Restarts are what varies between runs. Of a backend that was started once, blocks of consecutive requests take their place: they
//! tell how its figures vary while it runs, and nothing of what another start would bring.

use tailmark_reports::record::Phase;

use super::ratio::{Estimate, jackknife};
pub use super::unit::Figure;
use super::unit::Unit;
use crate::sample::Sample;

/// Blocks of a single restart: each is long against the correlation of requests if the run is.
const MOST_BLOCKS: usize = 20;
/// Fewer say nothing of how a figure varies.
const FEWEST_BLOCKS: usize = 10;

/// What was seen of one backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    restarts: Vec<Restart>,
    /// Requests in a block of the only restart.
    block: u64,
}

/// One restart.
#[derive(Clone, Debug, Default, PartialEq)]
struct Restart {
    number: u32,
    cold_start_ns: Option<u64>,
    peak_rss_bytes: Option<u64>,
    /// A single one, unless there is but one restart.
    blocks: Vec<Unit>,
}

impl Series {
    /// Adds a request.
    pub fn add(&mut self, sample: &Sample) {
        if self.restarts.last().is_none_or(|restart| restart.number != sample.restart) {
            self.begin_restart(sample.restart);
        }
        let most = if self.restarts.len() == 1 { MOST_BLOCKS } else { 1 };
        let Some(restart) = self.restarts.last_mut() else { return };
        match sample.phase {
            Phase::ColdStart if restart.cold_start_ns.is_none() => {
                restart.cold_start_ns = sample.response_ns()
            }
            Phase::Steady => {
                let is_full =
                    restart.blocks.last().is_none_or(|block| block.requests() >= self.block && most > 1);
                if is_full {
                    restart.blocks.push(Unit::default());
                }
                if restart.blocks.len() > most {
                    self.block *= 2;
                    restart.blocks = restart.blocks.chunks(2).map(Unit::of).collect();
                }
                if let Some(block) = restart.blocks.last_mut() {
                    block.add(sample);
                }
            }
            _ => {}
        }
    }

    /// Restarts are what counts once there are two of them.
    fn begin_restart(&mut self, number: u32) {
        for restart in &mut self.restarts {
            if restart.blocks.len() > 1 {
                restart.blocks = vec![Unit::of(&restart.blocks)];
            }
        }
        self.block = self.block.max(1);
        self.restarts.push(Restart { number, ..Restart::default() });
    }

    /// The largest resident memory of the present restart.
    pub fn add_peak(&mut self, bytes: Option<u64>) {
        if let Some(restart) = self.restarts.last_mut() {
            restart.peak_rss_bytes = bytes.max(restart.peak_rss_bytes);
        }
    }

    /// Requests of the steady state, failed ones too.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.restarts.iter().flat_map(|restart| &restart.blocks).map(|block| block.requests()).sum()
    }

    /// The largest resident memory of each restart, in order.
    pub fn add_peaks(&mut self, peaks: &[u64]) {
        for (restart, peak) in self.restarts.iter_mut().zip(peaks) {
            restart.peak_rss_bytes = Some(*peak);
        }
    }

    /// Restarts that had a steady state.
    #[must_use]
    pub fn restarts(&self) -> usize {
        self.restarts.iter().filter(|restart| !restart.blocks.is_empty()).count()
    }

    /// A figure with how far it varies from restart to restart; `None` if there is none, as of requests that failed.
    #[must_use]
    pub fn estimate(&self, figure: Figure) -> Option<Estimate> {
        match figure {
            Figure::ColdStart => {
                let of = |restart: &Restart| restart.cold_start_ns.map(|time| time as f64);
                let times: Vec<f64> = self.restarts.iter().map(of).collect::<Option<_>>()?;
                jackknife(&times, geometric_mean)
            }
            Figure::PeakMemory => {
                let of = |restart: &Restart| restart.peak_rss_bytes.map(|bytes| bytes as f64);
                let peaks: Vec<f64> = self.restarts.iter().map(of).collect::<Option<_>>()?;
                let largest = peaks.iter().copied().reduce(f64::max)?;
                // The variance is that of a mean: a maximum has none that a few restarts could tell.
                let mean = jackknife(&peaks, geometric_mean)?;
                Some(Estimate { log: largest.ln(), ..mean })
            }
            _ => self.of_units(|units| figure.of_units(units)),
        }
    }

    fn of_units(&self, of: impl Fn(&[&Unit]) -> Option<f64>) -> Option<Estimate> {
        let mut units: Vec<Unit> = self.restarts.iter().flat_map(|restart| restart.blocks.clone()).collect();
        // The last block of a single restart was still being filled: it belongs to the one before.
        if self.restarts() == 1 && units.len() > 1 {
            let last = units.split_off(units.len() - 2);
            units.push(Unit::of(&last));
        }
        let found = jackknife(&units, of)?;
        let tells = self.restarts() > 1 || units.len() >= FEWEST_BLOCKS;
        Some(if tells { found } else { Estimate { variance: None, ..found } })
    }
}

fn geometric_mean(values: &[&f64]) -> Option<f64> {
    (!values.is_empty())
        .then(|| (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp())
}
