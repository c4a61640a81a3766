//! The `tailmark` command.

use std::process::ExitCode;

use clap::Parser as _;
use tailmark::cli::{self, Cli};

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => error.report(),
    }
}
