//! `tailmark bundle RUN`: one file with all that a stranger needs to compute the figures of a run again.

use std::path::PathBuf;

use tailmark_providers::progress::Progress as _;
use tailmark_reports::record::{self, RunStatus};
use tailmark_reports::units;

use super::error::cannot;
use super::output::print;
use super::{BundleArguments, CommandError, Exit};
use crate::bundle;
use crate::run::{self, VerifyError};
use crate::screen::{Screen, shown};

/// Makes a bundle.
///
/// # Errors
/// What stopped it, with its exit code: a run that is not over, a file that is there.
pub fn run(arguments: &BundleArguments) -> Result<Exit, CommandError> {
    let folder = &arguments.folder;
    let record = record::read(folder)?;
    if record.status == RunStatus::Running || run::is_going_on(folder) {
        return Err(VerifyError::NoEnd { id: record.id }.into());
    }
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => {
            let name = std::fs::canonicalize(folder).map_err(cannot("find the run folder"))?;
            let name = name.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            std::path::absolute(PathBuf::from(format!("{name}.tailmark.tar.gz")))
                .map_err(cannot("find the working folder"))?
        }
    };
    let screen = Screen::new();
    screen.step("packing");
    let manifest = bundle::pack(folder, &out)?;
    screen.clear();
    let bytes = std::fs::metadata(&out).map_err(cannot("look at the bundle"))?.len();
    let files = units::counted(manifest.members.len() as u64, "file");
    let out = shown(&out);
    print(format!("{}\n", out.display()).as_bytes())?;
    screen.say(&format!(
        "{files}, {}; `tailmark report --verify {}` computes the figures again",
        units::bytes(bytes),
        out.display()
    ));
    Ok(Exit::Pass)
}
