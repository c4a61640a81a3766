//! How to start a worker process. Who starts it, and what is said to it, is not known here.

use std::ffi::OsString;
use std::path::PathBuf;

/// A program with its arguments and the environment variables it needs beside those it inherits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program, as a path or as a name to be found on the search path.
    pub program: PathBuf,
    /// Its arguments, in order.
    pub args: Vec<OsString>,
    /// Variables set on top of the inherited ones.
    pub envs: Vec<(OsString, OsString)>,
}
