//! Workers that were lost, in words: when, how, and whether another was started in their place.

use crate::record::BackendRecord;
use crate::units::{count, counted};

/// A lost worker: one line, and the tail of its stderr.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lost<'a> {
    /// For example `lost worker in restart 2, steady state, after 31 requests; replaced (1 of at most 2): signal 9`.
    pub line: String,
    /// In the order in which they were written; empty when nothing was.
    pub tail: Vec<&'a str>,
}

/// Each lost worker of a backend, in order.
pub(crate) fn losses(backend: &BackendRecord) -> Vec<Lost<'_>> {
    let mut replaced = 0_u64;
    let mut said = Vec::new();
    let what = if backend.placement == "client" { "server" } else { "worker" };
    for loss in &backend.losses {
        replaced += u64::from(loss.restarted);
        let of = format!("{} of at most {}", count(replaced), count(backend.max_replacements.into()));
        let then =
            if loss.restarted { format!("replaced ({of})") } else { format!("not replaced ({of} used)") };
        let mut lines = loss.why.lines().filter(|line| !line.trim().is_empty());
        let first = lines.next().unwrap_or_default().trim();
        let line = format!(
            "lost {what} in restart {}, {}, after {}; {then}: {first}",
            loss.restart,
            loss.during,
            counted(loss.requests, "request"),
        );
        said.push(Lost { line, tail: lines.map(str::trim_end).collect() });
    }
    said
}

/// How many replacements there were, for example `1 of at most 2 replacements used`; `None` when no worker was lost.
pub(crate) fn replacements_used(backend: &BackendRecord) -> Option<String> {
    if backend.losses.is_empty() {
        return None;
    }
    let used = backend.losses.iter().filter(|loss| loss.restarted).count();
    let most = counted(backend.max_replacements.into(), "replacement");
    Some(format!("{} of at most {most} used", count(used as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::record::Loss;

    #[test]
    fn each_loss_says_when_how_and_whether_it_was_made_good() {
        let mut backend = fixture::one().backends.remove(0);
        assert_eq!((losses(&backend), replacements_used(&backend)), (Vec::new(), None));
        let loss = |restart, restarted, why: &str| Loss {
            restart,
            during: "steady state".into(),
            requests: 31,
            why: why.into(),
            restarted,
        };
        backend.max_replacements = 1;
        backend.losses =
            vec![loss(2, true, "signal 9; its last words:\na\n\n  b \n"), loss(3, false, "it closed stdout")];
        let said = losses(&backend);
        let expected = "lost worker in restart 2, steady state, after 31 requests; replaced (1 of at most 1): \
                        signal 9; its last words:";
        assert_eq!((said[0].line.as_str(), said[0].tail.as_slice()), (expected, &["a", "  b"][..]));
        let expected = "lost worker in restart 3, steady state, after 31 requests; not replaced \
                        (1 of at most 1 used): it closed stdout";
        assert_eq!((said[1].line.as_str(), said[1].tail.as_slice()), (expected, &[][..]));
        assert_eq!(replacements_used(&backend).as_deref(), Some("1 of at most 1 replacement used"));
    }
}
