//! `tailmark model remove`: takes a model or its variants out of the store, and says what went.

use std::path::Path;

use tailmark_providers::model::inventory::Inventory;
use tailmark_reports::units;

use super::RemoveArguments;
use super::output::print;
use super::subject::{Subject, only_commit};
use crate::commands::{CommandError, Exit};
use crate::screen::Screen;

/// Removes what is meant. A whole model goes only with `--yes`.
pub(super) fn run(arguments: &RemoveArguments, screen: &Screen) -> Result<Exit, CommandError> {
    let store = arguments.store.open()?;
    let name = &arguments.name;
    let subject = Subject::named(&store, name)?;
    if !arguments.variants && !arguments.yes {
        return Err(CommandError::Usage(format!(
            "`{name}` would be removed, and nothing was\n\nhint: `tailmark model remove {name} --yes` removes the whole model, with \
             `--variants` only the graphs that were made from its own"
        )));
    }
    match subject {
        Subject::Known(model) => {
            let removed = if arguments.variants {
                store.remove_variants(model, screen)
            } else {
                store.remove(model, screen)
            };
            show(&removed?)
        }
        Subject::Hub { repository, .. } if !arguments.variants => {
            show(&store.remove_of_hub(&repository, screen)?)
        }
        Subject::Hub { repository, commits } => {
            Err(variants_stay(name, only_commit(&repository, &commits)?, "with its own graphs"))
        }
        Subject::Own(folder) if arguments.variants => {
            Err(variants_stay(name, &folder, "outside the model store"))
        }
        Subject::Own(folder) => {
            store.forget(name)?;
            print(&format!(
                "`{name}` is no longer on the list; its folder {} is as it was, 0 bytes were removed\n",
                folder.display()
            ))?;
            Ok(Exit::Pass)
        }
    }
}

fn variants_stay(name: &str, folder: &Path, place: &str) -> CommandError {
    CommandError::Usage(format!(
        "the variants of `{name}` are in {}, {place}: nothing was removed\n\nhint: remove there what is not wanted, and {} with it",
        folder.display(),
        tailmark_providers::model::variants::VARIANTS
    ))
}

fn show(removed: &Inventory) -> Result<Exit, CommandError> {
    let mut text = String::new();
    for (path, bytes) in &removed.files {
        text.push_str(&format!("removed  {}: {} bytes\n", path.display(), units::count(*bytes)));
    }
    text.push_str(&format!("{} bytes are free again\n", units::count(removed.bytes)));
    print(&text)?;
    Ok(Exit::Pass)
}
