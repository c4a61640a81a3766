//! `tailmark worker <kind>`: serves a Rust backend over standard input and output.

use std::io::BufReader;

use tailmark_providers::kinds::{self, KINDS, Runtime};
use tailmark_providers::wire::server;

use super::WorkerArguments;
use super::exit::broken;
use super::{CommandError, Exit};

/// Serves a Rust backend until standard input ends.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn run(arguments: &WorkerArguments) -> Result<Exit, CommandError> {
    let served = || {
        KINDS
            .iter()
            .filter(|kind| matches!(kind.runtime, Runtime::Rust { .. }))
            .map(|kind| kind.name)
            .collect::<Vec<_>>()
    };
    let Some(kind) = kinds::find(&arguments.kind) else {
        let message =
            format!("unknown kind `{}`; kinds served here are {}", arguments.kind, served().join(", "));
        return Err(CommandError::Usage(message));
    };
    let Runtime::Rust { backend, .. } = kind.runtime else {
        let message = format!(
            "`{}` is served by Python: python -m tailmark_worker {}; kinds served here are {}",
            kind.name,
            kind.name,
            served().join(", ")
        );
        return Err(CommandError::Usage(message));
    };
    let output = server::take_wire().map_err(broken("take standard output for the wire"))?;
    let input = BufReader::new(std::io::stdin().lock());
    server::serve(kind.name, backend(), input, output).map_err(broken("serve"))?;
    Ok(Exit::Pass)
}
