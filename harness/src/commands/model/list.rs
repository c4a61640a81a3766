//! `tailmark model list`: what is there, by a look at the sizes.

use std::path::Path;

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::style::Style;
use tabled::settings::{Alignment, Modify, Padding};
use tailmark_providers::model::manifest::GraphForm;
use tailmark_providers::model::verify::{self, Stock};
use tailmark_providers::model::{Manifest, inventory, own};
use tailmark_reports::units;

use super::arguments::ListArguments;
use super::output::print;
use crate::commands::{CommandError, Exit};

/// Lists models. A store that is not there is an empty one.
pub(super) fn run(arguments: &ListArguments) -> Result<Exit, CommandError> {
    let store = arguments.store.open()?;
    let mut rows = Builder::default();
    rows.push_record(["model", "state", "size", "dim.", "tokens", "pooling", "prompts", "graphs"]);
    let mut places = Vec::new();
    for model in tailmark_providers::model::known() {
        let folder = store.folder_of(model);
        let stock = verify::stock_of_known(&store, model);
        if stock != Stock::Absent {
            places.push((model.name().to_owned(), folder.clone(), from(&model.manifest)));
        }
        push(&mut rows, model.name(), &folder, &stock, Some(&model.manifest));
    }
    let own = store.registered()?.into_iter().map(|own| (own.name, own.folder));
    let hub =
        store.of_the_hub().into_iter().filter_map(|folder| Some((own::read(&folder).ok()?.name, folder)));
    for (name, folder) in own.chain(hub) {
        let manifest = own::read(&folder).ok();
        push(&mut rows, &name, &folder, &verify::stock_of_own(&folder), manifest.as_ref());
        // Shown even where nothing is: it tells which folder was moved or removed.
        places.push((name, folder, manifest.as_ref().map_or_else(String::new, from)));
    }
    let mut table = rows.build();
    table
        .with(Style::blank())
        .with(Padding::new(0, 2, 0, 0))
        .with(Modify::new(Columns::new(2..=4)).with(Alignment::right()));
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if arguments.verbose {
        text.push('\n');
        for (name, folder, from) in places {
            text.push_str(&format!("{name}: {}{from}\n", folder.display()));
        }
    } else if !places.is_empty() {
        text.push_str("\n--verbose shows where each one is and where it comes from\n");
    }
    print(&text)?;
    Ok(Exit::Pass)
}

/// Where a model comes from, as the end of a line.
fn from(manifest: &Manifest) -> String {
    manifest.source.as_ref().map_or_else(String::new, |source| {
        format!(", from the model hub's {} at {}", source.repository, source.revision)
    })
}

fn push(rows: &mut Builder, name: &str, folder: &Path, stock: &Stock, manifest: Option<&Manifest>) {
    let (state, there) = match stock {
        Stock::Absent => ("not there".to_owned(), false),
        Stock::Whole => ("whole".to_owned(), true),
        Stock::Damaged(names) => (format!("damaged: {}", names.join(", ")), true),
    };
    let size = if there { units::bytes(inventory::size(folder)) } else { String::new() };
    let graphs = if there { graphs_in(folder, manifest).to_string() } else { String::new() };
    let of = |read: &dyn Fn(&Manifest) -> String| manifest.map_or_else(String::new, read);
    rows.push_record([
        name.to_owned(),
        state,
        size,
        of(&|manifest| manifest.dimensions.to_string()),
        of(&|manifest| match manifest.form {
            GraphForm::Table => "any".to_owned(),
            _ => manifest.recipe.max_tokens.to_string(),
        }),
        of(&|manifest| manifest.recipe.pooling_in_short()),
        of(&|manifest| {
            let names: Vec<&str> = manifest.recipe.prompts.keys().map(String::as_str).collect();
            if names.is_empty() { "-".to_owned() } else { names.join(", ") }
        }),
        graphs,
    ]);
}

/// How many graphs a model has: those that it came with, and those that were made of it.
fn graphs_in(folder: &Path, manifest: Option<&Manifest>) -> usize {
    let top = inventory::graph_files(folder);
    let below =
        manifest.into_iter().flat_map(Manifest::all_graphs).filter(|graph| !top.contains(&graph.name));
    below.count() + top.len()
}
