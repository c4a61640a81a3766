//! `tailmark model`: models in the store and the user's own, and their graphs. It finds out which model is meant; what is done
//! with it is one module for each command.

mod arguments;
mod export;
mod fetch;
mod list;
mod output;
mod own_export;
mod remove;
mod subject;
mod variant;
mod verify;

pub use self::arguments::{
    ExportArguments, FetchArguments, Form, ModelArguments, ModelCommand, OptimizeArguments,
    QuantizeArguments, RemoveArguments, StoreOption, ToolOptions, VerifyArguments,
};
use super::{CommandError, Exit};
use crate::screen::Screen;

/// Carries out a command on models.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn run(arguments: &ModelArguments) -> Result<Exit, CommandError> {
    let screen = Screen::new();
    let done = match &arguments.command {
        ModelCommand::List(arguments) => list::run(arguments),
        ModelCommand::Fetch(arguments) => fetch::run(arguments, &screen),
        ModelCommand::Verify(arguments) => verify::run(arguments, &screen),
        ModelCommand::Export(arguments) => export::run(arguments, &screen),
        ModelCommand::Optimize(arguments) => variant::optimize(arguments, &screen),
        ModelCommand::Quantize(arguments) => variant::quantize(arguments, &screen),
        ModelCommand::Remove(arguments) => remove::run(arguments, &screen),
    };
    screen.clear();
    done
}
