//! What the commands on models print.

use std::io::Write as _;

use crate::commands::CommandError;
use crate::commands::error::cannot;

/// Prints to standard output.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(cannot("print"))
}
