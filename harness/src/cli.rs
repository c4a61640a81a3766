//! The command line: what can be typed, and which command carries it out.

use clap::{Parser, Subcommand};

use crate::commands::{
    self, BundleArguments, CommandError, CompareArguments, Exit, ModelArguments, ReportArguments,
    ScenarioArguments, SchemaArguments, ServeArguments, WorkerArguments,
};

/// Benchmarks text-embedding backends and verifies a latency SLA, with a stated chance of being wrong
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 PASS, 1 FAIL, 2 bad arguments or scenario, 3 INCONCLUSIVE or interrupted, 4 a backend or \
                          tailmark broke";

/// What tailmark can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario: measure its backends, judge them, leave a report
    Scenario(ScenarioArguments),
    /// Render a run's report again from its run.json
    Report(ReportArguments),
    /// Compare runs: what became of each backend, with how sure that is
    ///
    /// Ratios are those of each later run to the first, with intervals that take restarts as what varies. Runs of different models,
    /// texts, batch sizes, loads or machines are refused, with everything in which they differ.
    Compare(CompareArguments),
    /// Put a run into one file from which others can compute every figure again
    ///
    /// `tailmark report --verify FILE` does that. Texts, model files and the logs of workers stay out. The record goes in, and with it the
    /// command line, paths, the names of the machine's processor and system, prompts and other settings of the scenario, the messages of
    /// failures, and the last lines that a worker which broke wrote to standard error.
    Bundle(BundleArguments),
    /// Serve a backend over HTTP, as it was measured
    ///
    /// It answers as OpenAI's API, Ollama, Text Embeddings Inference and akidb do, each at its own path. /ready says 200 once the model is
    /// loaded and warm. With --from, what is served is what a run judged: another model file, option or library version is refused.
    Serve(Box<ServeArguments>),
    /// Fetch, check, convert and remove models
    Model(ModelArguments),
    /// List the shipped scenarios and corpora
    Scenarios,
    /// List the kinds of backends, what each needs and its options
    Backends,
    /// Print the JSON Schema of scenario files, or of run.json
    Schema(SchemaArguments),
    /// Serve a Rust backend over standard input and output (started by tailmark itself)
    Worker(WorkerArguments),
}

/// Runs the command that was typed.
///
/// # Errors
/// What stopped the command, with its exit code.
pub fn run(cli: Cli) -> Result<Exit, CommandError> {
    match cli.command {
        Command::Scenario(arguments) => commands::scenario(&arguments),
        Command::Report(arguments) => commands::report(&arguments),
        Command::Compare(arguments) => commands::compare(&arguments),
        Command::Bundle(arguments) => commands::bundle(&arguments),
        Command::Serve(arguments) => commands::serve(&arguments),
        Command::Model(arguments) => commands::model(&arguments),
        Command::Scenarios => commands::list_scenarios(),
        Command::Backends => commands::list_backends(),
        Command::Schema(arguments) => commands::schema(&arguments),
        Command::Worker(arguments) => commands::worker(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::commands::ModelCommand;

    fn parsed(words: &[&str]) -> Command {
        let words = ["tailmark"].iter().chain(words);
        Cli::try_parse_from(words).expect("a command line").command
    }

    #[test]
    fn every_folder_and_program_that_is_typed_is_absolute_once_it_was_read() {
        let relative = ["--runs", "out", "--python", "./venv/bin/python", "--model-store", "models"];
        let Command::Scenario(scenario) = parsed(&[&["scenario", "x.toml"], &relative[..]].concat()) else {
            panic!("the command scenario");
        };
        let python = ["--python", "./venv/bin/python", "--model-store", "models", "--output", "here"];
        let Command::Model(export) = parsed(&[&["model", "export", "m"], &python[..]].concat()) else {
            panic!("the command model");
        };
        let ModelCommand::Export(export) = export.command else { panic!("the command export") };
        let fetch = ["model", "fetch", "m", "--from", "there", "--model-store", "models"];
        let Command::Model(fetch) = parsed(&fetch) else { panic!("the command model") };
        let ModelCommand::Fetch(fetch) = fetch.command else { panic!("the command fetch") };
        let paths: Vec<Option<PathBuf>> = vec![
            Some(scenario.runs),
            scenario.python,
            scenario.model_store,
            export.output,
            export.tools.python,
            export.tools.store.model_store,
            fetch.from,
            fetch.tools.store.model_store,
        ];
        for path in paths {
            assert!(path.as_ref().is_some_and(|path| path.is_absolute()), "{path:?}");
        }
    }
}
