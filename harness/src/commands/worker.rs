//! `tailmark worker <kind>`: serves a Rust backend over standard input and output, for as long as whoever started it lives.

use std::io::BufReader;
use std::os::unix::process::parent_id;
use std::time::Duration;

use tailmark_providers::kinds::{self, KINDS, OwnBackend};
use tailmark_providers::wire::server;

use super::WorkerArguments;
use super::error::cannot;
use super::{CommandError, Exit};

/// How often a worker looks whether whoever started it is still there.
const LOOKS: Duration = Duration::from_secs(1);

/// Serves a Rust backend until standard input ends.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn run(arguments: &WorkerArguments) -> Result<Exit, CommandError> {
    let served = || KINDS.iter().filter(|kind| kind.own.is_some()).map(|kind| kind.name).collect::<Vec<_>>();
    let Some(kind) = kinds::find(&arguments.kind) else {
        return Err(CommandError::UnknownKind { kind: arguments.kind.clone(), served: served() });
    };
    let Some(OwnBackend { serve, .. }) = kind.own else {
        return Err(CommandError::ServedByPython { kind: kind.name, served: served() });
    };
    end_with(parent_id()).map_err(cannot("start the thread that watches tailmark"))?;
    let output = server::take_wire().map_err(cannot("take standard output for the wire"))?;
    let input = BufReader::new(std::io::stdin().lock());
    server::serve(kind.name, serve(), input, output).map_err(cannot("serve"))?;
    Ok(Exit::Pass)
}

/// Ends this process once it has another parent than that one, which is then gone. The end of the input says the same, but is
/// only read between requests: a worker whose tailmark was killed would finish loading for nobody.
fn end_with(parent: u32) -> std::io::Result<()> {
    let watch = move || {
        while parent_id() == parent {
            std::thread::sleep(LOOKS);
        }
        std::process::exit(0);
    };
    std::thread::Builder::new().name("parent".to_owned()).spawn(watch).map(|_| ())
}
