//! What the commands on models print.

use crate::commands::{CommandError, output};

/// Prints to standard output.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    output::print(text.as_bytes())
}
