//! `tailmark model verify`: every file against its SHA-256, a line for each.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tailmark_providers::model::manifest::HubRevision;
use tailmark_providers::model::own::{self, OwnModelError};
use tailmark_providers::model::verify::{self, FileState, Finding, Stock};
use tailmark_providers::model::{KnownModel, ModelStore};
use tailmark_providers::progress::Progress as _;

use super::VerifyArguments;
use super::output::print;
use super::subject::Subject;
use crate::commands::{CommandError, Exit};
use crate::screen::Screen;

/// What has files to compare.
enum Verified {
    /// A known model in the store.
    Known(&'static KnownModel),
    /// A model with a manifest, in this folder.
    In(PathBuf),
}

/// Verifies the models that are meant; damage is exit code 4.
pub(super) fn run(arguments: &VerifyArguments, screen: &Screen) -> Result<Exit, CommandError> {
    let store = arguments.store.open()?;
    let subjects = match &arguments.model {
        Some(model) => match Subject::named_or_in(&store, model)? {
            Subject::Known(known) => vec![(model.clone(), Verified::Known(known))],
            Subject::Own(folder) => vec![(model.clone(), Verified::In(folder))],
            Subject::Hub { commits, .. } => commits.into_iter().map(of_a_commit).collect(),
        },
        None => everything(&store)?,
    };
    if subjects.is_empty() {
        screen
            .say(&format!("no model is in the store {} or on the list of your own", store.root().display()));
    }
    let mut damaged = false;
    for (name, subject) in &subjects {
        screen.step(&format!("comparing the files of {name}"));
        let (findings, remedy) = match subject {
            Verified::Known(model) => {
                let remedy = format!("`tailmark model fetch {}` repairs it", model.name());
                (verify::known(&store, model), remedy)
            }
            Verified::In(folder) => {
                let remedy = match of_the_hub(folder).filter(|_| folder.starts_with(store.root())) {
                    Some(source) => format!(
                        "`tailmark model remove {0} --yes`, then `tailmark model fetch {0} --revision {1}`",
                        source.repository, source.revision
                    ),
                    None => format!(
                        "put the right files back, or make graph, reference vectors and manifest of what is there now with \
                         `tailmark model export {}`",
                        folder.display()
                    ),
                };
                match verify::own(folder) {
                    Ok(findings) => (findings, remedy),
                    // Of many, one that is gone must not hide the others; of one, its error is the answer.
                    Err(error) if arguments.all => (vec![gone(&error)], remedy),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        screen.clear();
        let faults = show(name, &findings, subjects.len() > 1)?;
        if faults.main + faults.variants > 0 {
            damaged = true;
            let count = tailmark_reports::units::counted(faults.main + faults.variants, "file");
            screen.say(&format!(
                "{name}: {count} damaged or missing\n\nhint: {}",
                faults.remedy(name, subject, &remedy)
            ));
        }
    }
    Ok(if damaged { Exit::Broken } else { Exit::Pass })
}

/// Every model of which something is there.
fn everything(store: &ModelStore) -> Result<Vec<(String, Verified)>, CommandError> {
    let known = tailmark_providers::model::known().iter();
    let there = known.filter(|model| verify::stock_of_known(store, model) != Stock::Absent);
    let mut all: Vec<_> = there.map(|model| (model.name().to_owned(), Verified::Known(model))).collect();
    let registered = store.registered()?;
    all.extend(registered.into_iter().map(|own| (own.name, Verified::In(own.folder))));
    all.extend(store.of_the_hub().into_iter().map(of_a_commit));
    Ok(all)
}

/// A model of the hub, by its name and its commit.
fn of_a_commit(folder: PathBuf) -> (String, Verified) {
    let name = of_the_hub(&folder).map_or_else(
        || folder.display().to_string(),
        |source| format!("{} at {}", source.repository, source.revision),
    );
    (name, Verified::In(folder))
}

/// Where on the hub a folder comes from, if it does.
fn of_the_hub(folder: &Path) -> Option<HubRevision> {
    own::read(folder).ok()?.source
}

fn gone(error: &OwnModelError) -> Finding {
    let why = error.to_string();
    let why = why.split("\n\n").next().unwrap_or_default().to_owned();
    let name = tailmark_providers::model::manifest::MANIFEST.to_owned();
    Finding { name, state: FileState::Damaged(why), is_variant: false }
}

/// How many files are not right: the model's own, and those that were made from it.
struct Faults {
    main: u64,
    variants: u64,
}

impl Faults {
    fn remedy(&self, name: &str, subject: &Verified, of_main: &str) -> String {
        let mut parts = Vec::new();
        if self.main > 0 {
            parts.push(of_main.to_owned());
        }
        if self.variants > 0 {
            let typed = match subject {
                Verified::Known(_) => name.to_owned(),
                Verified::In(folder) => folder.display().to_string(),
            };
            parts.push(format!(
                "`tailmark model optimize {typed}` and `tailmark model quantize {typed}` make variants anew"
            ));
        }
        parts.join("; ")
    }
}

/// Prints a line for each file and counts those that are not right.
fn show(name: &str, findings: &[Finding], headed: bool) -> Result<Faults, CommandError> {
    let mut text = String::new();
    if headed {
        let _ = writeln!(text, "{name}");
    }
    let mut faults = Faults { main: 0, variants: 0 };
    for finding in findings {
        let file = &finding.name;
        let _ = match &finding.state {
            FileState::Right(what) => writeln!(text, "OK       {file}: {what}"),
            FileState::Damaged(why) => writeln!(text, "DAMAGED  {file} {why}"),
            FileState::Unknown => {
                writeln!(
                    text,
                    "unknown  {file}: not in variants.json, so there is nothing to compare it with"
                )
            }
        };
        if matches!(finding.state, FileState::Damaged(_)) {
            *(if finding.is_variant { &mut faults.variants } else { &mut faults.main }) += 1;
        }
    }
    print(&text)?;
    Ok(faults)
}
