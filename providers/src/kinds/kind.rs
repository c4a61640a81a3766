//! What a kind of backend is: its name, its options, where it can run, and how it is started. Does not know which
//! kinds there are.

use crate::options::{OptionFault, OptionRules};
use crate::platform::Platform;
use crate::provider::{Backend, LoadRequest, Options, Provider, ProviderError};
use crate::start::{Lacking, Launch, MakeProvider, Opening, Placement, Provision};
use crate::threaded::Threaded;
use crate::worker::Deadlines;

/// A kind of backend.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// As it is written in a scenario and on a worker's command line.
    pub name: &'static str,
    /// What it is, one sentence.
    pub summary: &'static str,
    /// Where it can run; the first is where it does unless the scenario says otherwise.
    pub placements: &'static [Placement],
    /// Its options.
    pub options: OptionRules,
    /// What is wrong with options, each of them right, in this placement.
    pub check_placed: fn(&Options, Placement) -> Vec<OptionFault>,
    /// Whether a machine like this can have what the options ask for, as far as that is known without starting
    /// anything: [`ProviderError::NotAvailable`] when it cannot, [`ProviderError::Option`] for faulty options.
    pub available: fn(&Options, &Platform) -> Result<(), ProviderError>,
    /// Whether it runs the model, which is then fetched before it is started.
    pub needs_model: bool,
    /// Whether it reads the model's own files of weights, which are not fetched from the model hub for others.
    pub needs_weights: bool,
    /// How it is served and made, if it is written in this crate.
    pub own: Option<OwnBackend>,
    /// Gets what it needs, and says what is opened.
    pub(super) start: fn(Ask<'_>, &mut Provision<'_>) -> Result<Started, Lacking>,
}

/// A backend that is written in this crate.
#[derive(Clone, Copy, Debug)]
pub struct OwnBackend {
    /// Makes one for a worker to serve.
    pub serve: fn() -> Box<dyn Backend>,
    /// Makes one in the caller's own process.
    pub in_process: MakeProvider,
}

/// How a backend is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Its options, with nothing wrong with them.
    pub options: &'a Options,
    /// Where.
    pub placement: Placement,
    /// How many workers side by side.
    pub replicas: u32,
}

/// What a kind adds to what was asked.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) opening: Opening,
    pub(super) load: LoadRequest,
}

impl Kind {
    /// Gets everything that the backend needs, and says how it is opened.
    ///
    /// # Errors
    /// What this machine lacks, or what broke.
    pub fn start(&self, ask: Ask<'_>, provision: &mut Provision<'_>) -> Result<Launch, Lacking> {
        (self.available)(ask.options, &Platform::here())?;
        self.launch(ask, provision)
    }

    /// The same for a backend that this machine cannot have, if all it takes to ask its runtime is there already: so that
    /// the runtime says it itself. Nothing is fetched for it.
    pub fn start_to_be_refused(&self, ask: Ask<'_>, provision: &mut Provision<'_>) -> Option<Launch> {
        provision.with_what_is_there(|provision| self.launch(ask, provision)).ok()
    }

    fn launch(&self, mut ask: Ask<'_>, provision: &mut Provision<'_>) -> Result<Launch, Lacking> {
        // What is asked of one kind may be started as another, its fallback, which cannot run in the same places.
        if !self.placements.contains(&ask.placement) {
            ask.placement = self.placements[0];
        }
        let Started { opening, load } = (self.start)(ask, provision)?;
        let (replicas, max_memory) = (ask.replicas, provision.max_memory());
        Ok(Launch { kind: self.name, opening, load, replicas, max_memory })
    }

    /// Whether the model has to be fetched for these options on this machine. What the machine cannot have at all is no
    /// reason to fetch a model for it.
    #[must_use]
    pub fn wants_model(&self, options: &Options) -> bool {
        self.needs_model && (self.available)(options, &Platform::here()).is_ok()
    }

    /// Options for this kind from those of another: what both kinds know is carried over, and the rest has its default.
    #[must_use]
    pub fn options_from(&self, others: &Options) -> Options {
        let known = self.options.keys();
        let shared = others.iter().filter(|(key, _)| known.contains(key));
        self.options.resolve(&shared.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// The placements of what is written in this crate.
pub(super) const WORKER_OR_HERE: &[Placement] = &[Placement::Worker, Placement::InProcess];

/// Options that are as good in one placement as in another.
pub(super) fn placed_anywhere(_: &Options, _: Placement) -> Vec<OptionFault> {
    Vec::new()
}

/// A backend on a thread of the caller's process.
pub(super) fn threaded(backend: Box<dyn Backend>, deadlines: Deadlines) -> Box<dyn Provider> {
    Box::new(Threaded::new(backend).with_deadlines(deadlines.load, deadlines.request))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::time::Duration;

    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::evidence::{Evidence, ProveRequest};
    use crate::null::NullProvider;
    use crate::options::{self, OptionSet};
    use crate::progress::Silent;
    use crate::provider::{BoxFuture, EmbedRequest, Embeddings, Loaded, Runs};
    use crate::start::MakeClient;
    use crate::worker_command::WorkerCommand;

    /// A client, as one of a server would be: it needs an address, and has no process.
    const CLIENT: Kind = Kind {
        name: "client",
        summary: "asks a server that is there already",
        placements: &[Placement::Client],
        options: OptionRules::of::<ClientOptions>(),
        check_placed: placed_anywhere,
        available: |options, _| options::parse::<ClientOptions>(options).map(|_| ()),
        needs_model: false,
        needs_weights: false,
        own: None,
        start: |ask, _| {
            let load = LoadRequest { model: None, options: ask.options.clone() };
            let make = MakeClient::new(|_| Box::new(Client(NullProvider::default())));
            Ok(Started { opening: Opening::Client(make), load })
        },
    };

    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct ClientOptions {
        /// The server's address.
        #[schemars(example = "http://127.0.0.1:8080")]
        url: String,
    }

    impl OptionSet for ClientOptions {}

    /// Answers as `null` does, once it was told where the server is.
    struct Client(NullProvider);

    impl Provider for Client {
        fn load<'a>(&'a self, request: &'a LoadRequest) -> BoxFuture<'a, Result<Loaded, ProviderError>> {
            Box::pin(async move {
                let ClientOptions { url } = options::parse(&request.options)?;
                let plain = LoadRequest { model: None, options: Options::new() };
                let loaded = self.0.load(&plain).await?;
                Ok(Loaded { runs: Runs { engine: Some(url), ..Runs::default() }, import_ns: None, ..loaded })
            })
        }

        fn embed<'a>(
            &'a self,
            request: &'a EmbedRequest,
        ) -> BoxFuture<'a, Result<Embeddings, ProviderError>> {
            self.0.embed(request)
        }

        fn prove<'a>(&'a self, request: &'a ProveRequest) -> BoxFuture<'a, Result<Evidence, ProviderError>> {
            self.0.prove(request)
        }
    }

    fn provision() -> Provision<'static> {
        let server = WorkerCommand {
            program: "tailmark".into(),
            args: vec!["worker".into()],
            ..WorkerCommand::default()
        };
        Provision::new("/nowhere".into(), server, None, &Silent)
    }

    const MINUTE: Duration = Duration::from_secs(60);
    const DEADLINES: Deadlines = Deadlines { start: MINUTE, load: MINUTE, request: MINUTE, shutdown: MINUTE };

    #[tokio::test]
    async fn a_client_opens_is_driven_and_closes_and_has_no_process_to_look_at() {
        let options = CLIENT.options.example();
        let ask = Ask { options: &options, placement: CLIENT.placements[0], replicas: 1 };
        let launch = CLIENT.start(ask, &mut provision().with_max_memory(Some(1))).unwrap();
        let opened = launch.open(DEADLINES, Path::new("/nowhere/no.log")).await.unwrap();
        assert_eq!(opened.spawn_time(), None, "nothing was spawned");
        assert!(opened.workers().is_empty(), "there is no process whose memory could be asked for");
        let loaded = opened.provider().load(&launch.load).await.unwrap();
        assert_eq!(loaded.runs.engine.as_deref(), Some("http://127.0.0.1:8080"));
        let request = EmbedRequest { texts: vec!["a".into(), "b".into()], normalize: true };
        let answer = opened.provider().embed(&request).await.unwrap();
        assert_eq!(answer.check(2, loaded.dimensions), Ok(()));
        opened.close().await;
    }

    #[test]
    fn without_its_mandatory_option_a_kind_does_not_start() {
        let ask = Ask { options: &Options::new(), placement: Placement::Client, replicas: 1 };
        let lacking = CLIENT.start(ask, &mut provision()).unwrap_err();
        assert_eq!(
            lacking.to_string(),
            "option `url`: missing; it is the server's address, for example \"http://127.0.0.1:8080\""
        );
    }

    #[test]
    fn an_own_backend_is_served_by_the_program_that_serves_workers() {
        let null = crate::kinds::find("null").unwrap();
        let options = null.options.example();
        let ask = Ask { options: &options, placement: Placement::Worker, replicas: 3 };
        let launch = null.start(ask, &mut provision()).unwrap();
        assert_eq!((launch.kind, launch.replicas), ("null", 3));
        let Opening::Worker(command) = launch.opening else { panic!("{launch:?}") };
        assert_eq!((command.program.as_path(), command.args.len()), (Path::new("tailmark"), 2));
        assert_eq!(command.args[1], "null");
    }

    #[test]
    fn what_two_kinds_both_know_is_carried_over_and_the_rest_has_its_default() {
        let [from, to] = ["python-onnx", "python-torch"].map(|name| crate::kinds::find(name).unwrap());
        let mut options = from.options.resolve(&from.options.example());
        options.insert("threads".to_owned(), 3.into());
        let carried = to.options_from(&options);
        let found: BTreeMap<_, _> =
            carried.iter().map(|(key, value)| (key.as_str(), value.to_string())).collect();
        let expected = [
            ("device", "\"auto\""),
            ("dtype", "\"float32\""),
            ("threads", "3"),
            ("trust_remote_code", "false"),
        ];
        assert_eq!(found, expected.map(|(key, value)| (key, value.to_owned())).into());
    }

    #[test]
    fn a_kind_that_needs_more_than_is_there_is_not_asked_to_refuse() {
        let onnx = crate::kinds::find("onnx").unwrap();
        let options = onnx.options.example();
        let ask = Ask { options: &options, placement: Placement::Worker, replicas: 1 };
        assert!(onnx.start_to_be_refused(ask, &mut provision()).is_none(), "nothing is fetched for it");
    }
}
