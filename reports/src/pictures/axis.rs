//! Axes: where a value lies on the sheet, and which values get a tick so that no two labels touch.

use crate::units;

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

/// A piece of an axis: values from `low` to `high` lie between two positions on the sheet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

/// A logarithmic axis spans at least this factor, so that noise is not drawn as a mountain.
const LEAST_SPAN: f64 = 3.0;
/// Room beside the outermost values, as a share of the logarithmic span.
const MARGIN: f64 = 0.04;

impl Axis {
    /// A logarithmic axis over the values; those that are not positive are left out. `None` when none is left.
    pub(super) fn logarithmic(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        let usable = values.into_iter().filter(|value| value.is_finite() && *value > 0.0);
        let (low, high) =
            usable.fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        if high <= 0.0 {
            return None;
        }
        let (mut low, mut high) = (low.ln(), high.ln());
        let lacking = (LEAST_SPAN.ln() - (high - low)).max(0.0) / 2.0;
        low -= lacking;
        high += lacking;
        let margin = (high - low) * MARGIN;
        let (low, high) = ((low - margin).exp(), (high + margin).exp());
        Some(Self { scale: Scale::Logarithmic, low, high, from, to })
    }

    /// A linear axis from zero to a little more than `high`.
    pub(super) fn from_zero(high: f64, from: f64, to: f64) -> Self {
        let high = if high.is_finite() && high > 0.0 { high * (1.0 + MARGIN) } else { 1.0 };
        Self { scale: Scale::Linear, low: 0.0, high, from, to }
    }

    /// The same values between two other positions.
    pub(super) fn moved(self, from: f64, to: f64) -> Self {
        Self { from, to, ..self }
    }

    /// The position of a value; values outside lie at the nearer end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic if value <= self.low => 0.0,
            Scale::Logarithmic => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Ticks for durations in nanoseconds, as many as fit with `gap` points between neighbors, and their labels.
    pub(super) fn ticks(&self, gap: f64) -> Vec<(f64, String)> {
        self.ticks_as(gap, |value| Some(units::tick(value)))
    }

    /// Ticks labeled by `write`, without those that it has no label for.
    pub(super) fn ticks_as(&self, gap: f64, write: impl Fn(f64) -> Option<String>) -> Vec<(f64, String)> {
        let values = match self.scale {
            Scale::Linear => self.linear_ticks(gap),
            Scale::Logarithmic => self.logarithmic_ticks(gap),
        };
        values.into_iter().filter_map(|value| Some((self.at(value), write(value)?))).collect()
    }

    fn linear_ticks(&self, gap: f64) -> Vec<f64> {
        let fewest = ((self.to - self.from).abs() / gap).max(1.0);
        let rough = (self.high - self.low) / fewest;
        let decade = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
        let step =
            steps.iter().map(|step| step * decade).find(|step| *step >= rough).unwrap_or(decade * 10.0);
        let (first, last) = ((self.low / step).ceil() as i64, (self.high / step).floor() as i64);
        (first..=last).map(|index| index as f64 * step).collect()
    }

    /// The densest of a few round series whose neighbors are `gap` points apart.
    fn logarithmic_ticks(&self, gap: f64) -> Vec<f64> {
        let within = |value: &f64| (self.low..=self.high).contains(value);
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let series: [&[f64]; 4] = [
            &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
            &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
            &[1.0, 2.0, 5.0],
            &[1.0],
        ];
        let apart = |ticks: &Vec<f64>| {
            ticks.windows(2).all(|pair| (self.at(pair[1]) - self.at(pair[0])).abs() >= gap)
        };
        let in_series = series.iter().map(|steps| -> Vec<f64> {
            let round =
                decades.clone().flat_map(|decade| steps.iter().map(move |step| power_of_ten(decade) * step));
            round.filter(within).collect()
        });
        let in_decades = (2..=6_usize).map(|every| -> Vec<f64> {
            decades.clone().step_by(every).map(power_of_ten).filter(within).collect()
        });
        in_series.chain(in_decades).find(apart).unwrap_or_default()
    }
}

fn power_of_ten(exponent: i32) -> f64 {
    10_f64.powi(exponent)
}

/// Moves labels of height `gap` apart, keeping their order: positions as near as possible to the ones asked for, none
/// nearer than `gap` to the next, none above `top` and, as long as there is room, none below `bottom`.
pub(super) fn spread(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut placed = vec![0.0; wanted.len()];
    let mut next = top;
    for &index in &order {
        placed[index] = wanted[index].max(next);
        next = placed[index] + gap;
    }
    let mut least = bottom;
    for &index in order.iter().rev() {
        placed[index] = placed[index].min(least);
        least = placed[index] - gap;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_far_enough_apart() {
        for (low, high) in [(5.8e6, 7.1e6), (1e6, 2.1e7), (3e4, 9e8), (9e5, 1.1e6), (2e2, 6e10)] {
            let axis = Axis::logarithmic([low, high], 0.0, 300.0).expect("positive values");
            let ticks = axis.ticks(30.0);
            assert!(ticks.len() >= 2, "{low}..{high}: {ticks:?}");
            assert!(ticks.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 30.0), "{low}..{high}: {ticks:?}");
        }
    }

    #[test]
    fn a_linear_axis_starts_at_zero_and_its_ticks_are_even() {
        let axis = Axis::from_zero(840e6, 0.0, 500.0);
        let labels: Vec<String> = axis.ticks(60.0).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0", "200 ms", "400 ms", "600 ms", "800 ms"]);
    }

    #[test]
    fn an_axis_without_values_does_not_exist() {
        assert!(Axis::logarithmic([0.0, f64::NAN], 0.0, 1.0).is_none());
    }

    #[test]
    fn values_outside_lie_at_the_nearer_end() {
        let axis = Axis::logarithmic([1e6, 1e8], 10.0, 110.0).expect("positive values");
        assert_eq!((axis.at(0.0), axis.at(1e12)), (10.0, 110.0));
    }

    #[test]
    fn labels_are_moved_apart_and_stay_on_the_sheet() {
        assert_eq!(spread(&[50.0, 10.0], 12.0, 0.0, 100.0), [50.0, 10.0], "far enough apart already");
        let placed = spread(&[98.0, 97.0, 99.0], 12.0, 0.0, 100.0);
        assert_eq!(placed, [88.0, 76.0, 100.0]);
    }
}
