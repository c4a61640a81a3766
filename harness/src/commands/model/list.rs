//! `tailmark model list`: what is there, by a look at the sizes.

use std::path::Path;

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::style::Style;
use tabled::settings::{Alignment, Modify, Padding};
use tailmark_providers::model::ModelStore;
use tailmark_providers::model::inventory;
use tailmark_providers::model::verify::{self, Stock};
use tailmark_reports::units;

use super::output::print;
use crate::commands::{CommandError, Exit};

/// Lists models. A store that is not there is an empty one.
pub(super) fn run(store: &ModelStore) -> Result<Exit, CommandError> {
    let mut rows = Builder::default();
    rows.push_record(["model", "state", "size", "graphs"]);
    let mut places = Vec::new();
    for model in tailmark_providers::model::known() {
        let folder = store.folder_of(model);
        let stock = verify::stock_of_known(store, model);
        if stock != Stock::Absent {
            places.push((model.name(), folder.clone()));
        }
        push(&mut rows, model.name(), &folder, &stock);
    }
    let registered = store.registered()?;
    for own in &registered {
        // Shown even where nothing is: it tells which folder was moved or removed.
        places.push((own.name.as_str(), own.folder.clone()));
        push(&mut rows, &own.name, &own.folder, &verify::stock_of_own(&own.folder));
    }
    let mut table = rows.build();
    table
        .with(Style::blank())
        .with(Padding::new(0, 2, 0, 0))
        .with(Modify::new(Columns::one(2)).with(Alignment::right()));
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    // Paths and long lists of graphs would make the table wider than a terminal.
    for (name, folder) in places {
        text.push_str(&format!("\n{name} is in {}\n", folder.display()));
    }
    print(&text)?;
    Ok(Exit::Pass)
}

fn push(rows: &mut Builder, name: &str, folder: &Path, stock: &Stock) {
    let (state, there) = match stock {
        Stock::Absent => ("not there".to_owned(), false),
        Stock::Whole => ("whole".to_owned(), true),
        Stock::Damaged(names) => (format!("damaged: {}", names.join(", ")), true),
    };
    let size = if there { units::bytes(inventory::size(folder)) } else { String::new() };
    let graphs = if there { inventory::graph_files(folder).join("\n") } else { String::new() };
    rows.push_record([name.to_owned(), state, size, graphs]);
}
