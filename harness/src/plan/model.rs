//! The model of a plan: a known one by its name, or one of the user's own by its folder.

use std::path::Path;

use tailmark_providers::model;
use tailmark_providers::model::hub_repository;
use tailmark_providers::model::manifest::MANIFEST;
use tailmark_providers::model::own;

use super::ModelPlan;
use crate::scenario::ModelSection;

/// What is run where a scenario names no model.
const USUAL: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// Fills in what a scenario leaves out, and makes the folder's path absolute: workers with another working folder load from it. The
/// folder of a model of one's own has its name, and is used where it is.
pub(super) fn fill_in(section: &mut ModelSection) {
    // A path that cannot be made absolute is empty, and is refused as no folder.
    section.folder = section.folder.take().map(|folder| std::path::absolute(&folder).unwrap_or(folder));
    let manifest = section.folder.as_deref().and_then(|folder| own::read(folder).ok());
    section.in_place.get_or_insert(manifest.is_some());
    section.name.get_or_insert_with(|| manifest.map_or_else(|| USUAL.to_owned(), |manifest| manifest.name));
}

/// The key at fault in `[model]`, and why.
type Fault = (&'static str, String);

/// The model, or everything that is wrong with what the scenario says of it.
pub(super) fn model_plan(section: &ModelSection) -> Result<ModelPlan, Vec<Fault>> {
    let mut faults = Vec::new();
    let name = section.name.clone().unwrap_or_default();
    let in_place = section.in_place.unwrap_or(false);
    let own = section.folder.as_deref().is_some_and(own::is_in);
    match &section.folder {
        Some(folder) if !folder.is_dir() => {
            faults.push(("folder", format!("{} is not a folder", folder.display())));
        }
        None if in_place => {
            faults.push((
                "in_place",
                "true, but there is no `folder`; set `folder` to the folder to use".to_owned(),
            ));
        }
        Some(folder) if own => faults.extend(check_own(folder, &name, in_place)),
        Some(folder) => faults.extend(check_known(folder, &name)),
        None => {}
    }
    // Of a known model tailmark has files of its own; whoever names a revision wants the repository's.
    let is_known = model::find(&name).is_ok() && section.revision.is_none();
    let hub = section.folder.is_none() && !is_known && hub_repository::is_name(&name);
    if section.revision.is_some() && !hub {
        let why = format!("`{name}` is no repository of the model hub; remove `revision`");
        faults.push(("revision", why));
    }
    if !own
        && !hub
        && let Err(unknown) = model::find(&name)
    {
        let mut message = format!(
            "unknown model `{name}`; known models are {}, and a repository of the model hub has a name such as \
             BAAI/bge-small-en-v1.5",
            unknown.known.join(", ")
        );
        if let Some(folder) = section.folder.as_deref().filter(|folder| folder.is_dir()) {
            let folder = folder.display();
            message.push_str(&format!(
                ", and {folder} has no {}: `tailmark model export {folder} --name {name}` makes a model of it",
                MANIFEST
            ));
        }
        faults.push(("name", message));
    }
    if faults.is_empty() {
        Ok(ModelPlan {
            name,
            folder: section.folder.clone(),
            in_place,
            own,
            hub,
            revision: section.revision.clone(),
        })
    } else {
        Err(faults)
    }
}

/// A folder without a manifest can only be the known model of that name. Whatever else it is, it was named to be measured, and
/// a known model in its place would be another one.
fn check_known(folder: &Path, name: &str) -> Option<Fault> {
    let error = model::named_folder::check(model::find(name).ok()?, folder).err()?;
    Some(("folder", one_line(&error.to_string())))
}

fn check_own(folder: &Path, name: &str, in_place: bool) -> Option<Fault> {
    match own::read(folder) {
        // Another name may be a slip, and the run would be recorded under a model that it did not measure.
        Ok(manifest) if manifest.name != name => Some((
            "name",
            format!(
                "`{name}`, but the model in {} is `{}`; write that name, or remove `name`",
                folder.display(),
                manifest.name
            ),
        )),
        Ok(_) if !in_place => {
            let why = "false, but your own model is always used in place; remove `in_place`".to_owned();
            Some(("in_place", why))
        }
        Ok(_) => None,
        Err(error) => Some(("folder", one_line(&error.to_string()))),
    }
}

/// A remedy is a paragraph of its own where it stands alone; a fault of a scenario is a line among others.
fn one_line(error: &str) -> String {
    error.replace("\n\nhint: ", "; ")
}
