//! The arguments of each command.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use tailmark_reports::format::FORMATS;

use crate::comparison::ASPECTS;

/// Reads a path, which may be relative to the working folder, so that it stays right in a process with another one.
pub(super) fn absolute_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(std::path::absolute)
}

/// Arguments of `scenario`.
#[derive(Debug, Args)]
pub struct ScenarioArguments {
    /// A TOML file; a bare name is also looked up in scenarios/ and among the shipped scenarios
    pub file: PathBuf,
    /// Also run this optional backend of the scenario (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub backend: Vec<String>,
    /// Run only this backend (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Change a key of the scenario, for example phases.steady.max_seconds=60 or backend.NAME.options.threads=2 (may be given
    /// several times)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder in which the run's folder is created
    #[arg(long, value_name = "FOLDER", default_value = "runs", value_parser = absolute_path())]
    pub runs: PathBuf,
    /// Python interpreter that has the workers' packages, instead of an environment that tailmark creates
    #[arg(long, value_name = "PATH", value_parser = absolute_path())]
    pub python: Option<PathBuf>,
    /// Folder that holds the models [default: tailmark/models in the user's cache folder]
    #[arg(long, value_name = "FOLDER", env = "TAILMARK_MODEL_STORE", value_parser = absolute_path())]
    pub model_store: Option<PathBuf>,
    /// Decide as early as the evidence allows, in one process; the verdict then assumes that requests are independent
    #[arg(long)]
    pub quick: bool,
    /// Print every reason and the conditions of the run, and not only what fits one screen
    #[arg(long, short)]
    pub verbose: bool,
    /// Check the scenario and print what would run, with every default filled in
    #[arg(long)]
    pub plan: bool,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// The folder of a run; with --verify also a bundle
    pub folder: PathBuf,
    /// Compute every figure again from the samples, and name each that is not what the record says (exit code 1); writes nothing
    #[arg(long, conflicts_with_all = ["format", "markdown"])]
    pub verify: bool,
    /// Print the report in this format and write nothing; without it, print the table and write the report's files again
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(formats()))]
    pub format: Option<String>,
    /// In a terminal, print every reason and the conditions of the run, and not only what fits one screen
    #[arg(long, short)]
    pub verbose: bool,
    /// What --format markdown was called before
    #[arg(long, hide = true, conflicts_with = "format")]
    pub markdown: bool,
}

/// Arguments of `bundle`.
#[derive(Debug, Args)]
pub struct BundleArguments {
    /// The folder of a run
    #[arg(value_name = "RUN")]
    pub folder: PathBuf,
    /// The archive to write; it must not exist [default: <RUN>.tailmark.tar.gz in the working folder]
    #[arg(long, value_name = "FILE", value_parser = absolute_path())]
    pub out: Option<PathBuf>,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// Folders of runs, or their run.json; the first is what the others are compared with
    #[arg(value_name = "RUN", num_args = 2.., required = true)]
    pub runs: Vec<PathBuf>,
    /// Changes within this share are no changes
    #[arg(long, value_name = "SHARE", default_value = "5%")]
    pub within: String,
    /// Compare runs that are unlike in this all the same (may be given several times)
    #[arg(long, value_name = "WHAT", value_parser = PossibleValuesParser::new(ASPECTS))]
    pub ignore: Vec<String>,
    /// Exit code 1 if a figure of a backend is worse by more than the share
    #[arg(long)]
    pub fail_on_regression: bool,
    /// Print the comparison in this format
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(formats().chain([json()])))]
    pub format: Option<String>,
}

/// The comparison as data.
fn json() -> PossibleValue {
    PossibleValue::new("json").help("the figures, for programs")
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// The kind of backend; `tailmark backends` lists them
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    pub kind: Option<String>,
    /// Serve a backend of this run, and nothing that differs from what it measured
    #[arg(long, value_name = "RUN", requires = "backend")]
    pub from: Option<PathBuf>,
    /// The name of that backend in the run
    #[arg(long, value_name = "NAME", requires = "from")]
    pub backend: Option<String>,
    /// A model by its name, or a folder, as in [model] of a scenario
    #[arg(long, value_name = "NAME|FOLDER", conflicts_with = "from")]
    pub model: Option<String>,
    /// Branch, tag or commit of a repository of the model hub
    #[arg(long, value_name = "REVISION", requires = "model")]
    pub revision: Option<String>,
    /// The model's prompt to put before every text, or none [default: what the model itself puts there]
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    pub prompt: Option<String>,
    /// What requests call the model [default: its name, or the kind of a backend without a model]
    #[arg(long, value_name = "NAME")]
    pub model_name: Option<String>,
    /// Set an option of the backend, for example threads=2 (may be given several times)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Workers side by side [default: 1, or as many as the run had]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub replicas: Option<u32>,
    /// Requests that each worker answers before it is ready [default: 50, or as many as the slowest restart of the run took]
    #[arg(long, value_name = "NUMBER")]
    pub warm_up: Option<u64>,
    /// Where to listen; port 0 takes any that is free, and the first line of output says which
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub address: std::net::SocketAddr,
    /// Requests that may wait for a worker; one more is answered 429
    #[arg(long, value_name = "NUMBER", default_value_t = 64)]
    pub queue: usize,
    /// Texts in a request
    #[arg(long, value_name = "NUMBER", default_value_t = 32)]
    pub max_texts: usize,
    /// Bytes of a request's body, with a unit
    #[arg(long, value_name = "SIZE", default_value = "2MiB")]
    pub max_body: String,
    /// Connections at once; more wait
    #[arg(long, value_name = "NUMBER", default_value_t = 512, value_parser = positive)]
    pub max_connections: usize,
    /// How long a request may wait for a worker and be worked on
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub request_timeout: String,
    /// How long a request's head, and then its body, may take to come
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub read_timeout: String,
    /// How long requests that are under way may take once the server is told to end
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub drain_timeout: String,
    /// Require the key in this environment variable, as authorization: Bearer KEY
    #[arg(long, value_name = "NAME", conflicts_with = "api_key_file")]
    pub api_key_env: Option<String>,
    /// Require the key in this file
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Python interpreter that has the workers' packages, instead of an environment that tailmark creates
    #[arg(long, value_name = "PATH", value_parser = absolute_path())]
    pub python: Option<PathBuf>,
    /// Folder that holds the models [default: tailmark/models in the user's cache folder]
    #[arg(long, value_name = "FOLDER", env = "TAILMARK_MODEL_STORE", value_parser = absolute_path())]
    pub model_store: Option<PathBuf>,
    /// Log every request, and not only what happens to the server
    #[arg(long, short)]
    pub verbose: bool,
}

/// A number above zero, at most as many as a semaphore has.
fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse::<u32>().ok().filter(|number| *number > 0);
    number.map(|number| number as usize).ok_or_else(|| "write a whole number above 0".to_owned())
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArguments {
    /// Which files: scenarios, or the run.json of runs
    #[arg(value_enum, default_value_t = Described::Scenario)]
    pub of: Described,
}

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Described {
    /// Scenario files
    Scenario,
    /// The record of a run, run.json
    Run,
}

/// Arguments of `worker`.
#[derive(Debug, Args)]
pub struct WorkerArguments {
    /// The kind of backend to serve
    pub kind: String,
}

/// The report formats, with what each is good for.
fn formats() -> impl Iterator<Item = PossibleValue> {
    FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.summary))
}
