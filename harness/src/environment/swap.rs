//! Swap space: how much is used, and how many pages went in and out while a run was on.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::conditions::Swap;
use super::source::Files;

/// What is seen at one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Swapped {
    used_bytes: u64,
    pages: Option<u64>,
}

pub(super) fn look(files: &Files) -> Result<Swapped, String> {
    let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_swap());
    let system = System::new_with_specifics(what).map_err(|error| error.to_string())?;
    let pages = files.text("proc/vmstat").ok().and_then(|text| pages_moved(&text));
    Ok(Swapped { used_bytes: system.used_swap(), pages })
}

/// Pages swapped in and out since the machine began, from `/proc/vmstat`.
fn pages_moved(vmstat: &str) -> Option<u64> {
    let count = |name: &str| {
        let mut lines = vmstat.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| *key == name)?.1.trim().parse::<u64>().ok()
    };
    Some(count("pswpin")? + count("pswpout")?)
}

/// What changed between two looks.
pub(super) fn between(first: Swapped, last: Swapped) -> Swap {
    let pages_moved = last.pages.zip(first.pages).map(|(last, first)| last.saturating_sub(first));
    Swap { used_at_start_bytes: first.used_bytes, used_bytes: last.used_bytes, pages_moved }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_moved_are_those_in_and_out_and_only_since_the_first_look() {
        let vmstat = "pgpgin 7\npswpin 12\npswpout 30\npswpin_zero 5\n";
        assert_eq!(pages_moved(vmstat), Some(42));
        assert_eq!(pages_moved("pgpgin 7\n"), None);
        let look = |used_bytes, pages| Swapped { used_bytes, pages };
        let swap = between(look(1 << 20, Some(40)), look(3 << 20, Some(142)));
        let expected = Swap { used_at_start_bytes: 1 << 20, used_bytes: 3 << 20, pages_moved: Some(102) };
        assert_eq!(swap, expected);
        assert_eq!(between(look(0, None), look(0, Some(1))).pages_moved, None);
    }
}
