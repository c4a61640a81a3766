//! What a backend was given, what its workers said of themselves and what they used, as the record has it.

use std::time::Duration;

use tailmark_providers::provider::Loaded;
use tailmark_reports::record::{Load, Resources, Runs};

use crate::load::Rule;
use crate::monitor::Usage;

/// The use over all restarts; `None` when nobody looked.
pub(super) fn resources(usages: &[Usage]) -> Option<Resources> {
    let peak_rss_bytes = usages.iter().filter_map(|usage| usage.peak_rss_bytes).max();
    let mut looks: Vec<u64> = usages.iter().flat_map(|usage| usage.rss_bytes.iter().copied()).collect();
    looks.sort_unstable();
    let cpu: Duration = usages.iter().map(|usage| usage.cpu).sum();
    let elapsed: Duration = usages.iter().map(|usage| usage.elapsed).sum();
    (!looks.is_empty()).then(|| Resources {
        peak_rss_bytes,
        peaks_rss_bytes: usages.iter().filter_map(|usage| usage.peak_rss_bytes).collect(),
        steady_rss_bytes: looks.get(looks.len() / 2).copied(),
        // The kernel counts processor time in hundredths of a second; less than half a second says nothing.
        cpu_cores: (elapsed >= Duration::from_millis(500)).then(|| cpu.as_secs_f64() / elapsed.as_secs_f64()),
    })
}

/// What really runs.
pub(super) fn runs(loaded: &Loaded) -> Runs {
    let runs = loaded.runs.clone();
    Runs {
        engine: runs.engine,
        engine_version: runs.engine_version,
        device: runs.device,
        execution_provider: runs.execution_provider,
        threads: runs.threads,
        dtype: runs.dtype,
        versions: runs.versions,
    }
}

/// A load model.
pub(super) fn load(rule: &dyn Rule) -> Load {
    let limits = rule.limits();
    Load {
        kind: rule.kind().to_owned(),
        text: rule.text(),
        open: limits.is_open(),
        max_in_flight: limits.max_in_flight(),
        note: rule.note(),
    }
}
