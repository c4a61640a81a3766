//! What a run ran on: the machine, the commit it was started in, and the conditions it was measured under.
//!
//! [`ConditionsWatch`] looks, at moments its caller chooses; [`Conditions`] is what it saw. Whether that casts doubt on a
//! run is not decided here.

mod clock;
mod conditions;
mod figures;
mod frequency;
mod heartbeat;
mod instructions;
mod power;
mod processors;
mod quota;
mod source;
mod swap;
mod thermal;
mod usage;
mod watch;
pub mod watched;

use std::path::Path;
use std::process::Command;

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
use tailmark_reports::record::{Git, Machine};

pub use conditions::{
    Clock, Conditions, CpuQuota, DISTURBED_FROM, Frequency, Jitter, OthersCpu, Pause, PauseCause,
    PowerSource, Swap, Thermal, Throttling, Unread,
};
pub use figures::processors;
use tailmark_providers::graph_options::InstructionSet;
pub use watch::ConditionsWatch;
pub use watched::Watched;

/// The machine, as far as the operating system tells.
#[must_use]
pub fn machine() -> Machine {
    let what = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::everything());
    let system = System::new_with_specifics(what).ok();
    let cpus = system.as_ref().map(System::cpus).unwrap_or_default();
    let cpu = cpus.first().map(|cpu| cpu.brand().trim().to_owned()).filter(|brand| !brand.is_empty());
    let logical = std::thread::available_parallelism().map_or(cpus.len(), usize::from);
    Machine {
        os: std::env::consts::OS.to_owned(),
        os_version: System::long_os_version().ok(),
        kernel: System::kernel_version().ok(),
        arch: std::env::consts::ARCH.to_owned(),
        cpu,
        physical_cores: System::physical_core_count().ok().and_then(|count| u32::try_from(count).ok()),
        logical_cores: u32::try_from(logical).unwrap_or(u32::MAX),
        memory_bytes: system.as_ref().map_or(0, System::total_memory),
        load_average: System::load_average().ok().map(|load| load.one),
    }
}

/// Whether the processor adds products of 8-bit integers in 32 bits (VNNI); `None` if it is not x86 or does not say.
#[must_use]
pub fn has_vnni() -> Option<bool> {
    instructions::has_vnni(&source::Files::of_this_machine())
}

/// Whether the processor has these instructions; `None` if it does not say.
#[must_use]
pub fn has(instructions: InstructionSet) -> Option<bool> {
    instructions::has(instructions, std::env::consts::ARCH, &source::Files::of_this_machine())
}

/// The commit checked out around a folder; `None` outside a checkout or without git.
#[must_use]
pub fn git(folder: &Path) -> Option<Git> {
    let ask = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = ask(&["rev-parse", "HEAD"])?;
    let dirty = !ask(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(Git { commit, dirty })
}
