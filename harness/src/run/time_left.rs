//! How long a run still takes, judged by what it took so far.

use std::time::Duration;

/// How far one backend is, in restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) done: u32,
    pub(super) planned: u32,
}

/// What is left of a run that took `elapsed` for what is done: restarts are taken to be equally long. `None` before every backend has
/// done one, for theirs may differ much, and when no more are planned: how many follow then is for the verdicts to say.
pub(super) fn time_left(elapsed: Duration, shares: &[Share]) -> Option<Duration> {
    if shares.iter().any(|share| share.done == 0) {
        return None;
    }
    let done: u32 = shares.iter().map(|share| share.done).sum();
    let left: u32 = shares.iter().map(|share| share.planned.saturating_sub(share.done)).sum();
    (left > 0).then(|| elapsed.mul_f64(f64::from(left) / f64::from(done)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_in_proportion_to_the_restarts_that_are_left() {
        let share = |done, planned| Share { done, planned };
        let after = |shares: &[Share]| time_left(Duration::from_secs(30), shares);
        assert_eq!(after(&[share(1, 3), share(1, 3)]), Some(Duration::from_secs(60)));
        assert_eq!(after(&[share(2, 3), share(1, 3)]), Some(Duration::from_secs(30)));
        assert_eq!(after(&[share(1, 3), share(0, 3)]), None, "the second may take far longer");
        assert_eq!(after(&[share(3, 3), share(4, 3)]), None, "nobody knows how many more are wanted");
        assert_eq!(after(&[]), None);
    }
}
