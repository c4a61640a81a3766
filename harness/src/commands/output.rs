//! What goes to standard output.

use std::io::{self, Write as _};

use super::CommandError;
use super::error::cannot;

/// Prints data. That its reader has gone (`tailmark report RUN | head -1`) is no fault: it has read what it wanted.
///
/// # Errors
/// When it cannot be written for any other reason, such as a full disk.
pub(super) fn print(text: &[u8]) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(cannot("print to standard output")),
    }
}
