//! `tailmark serve`: any local backend as a server, freely chosen or as a run judged it.

mod judged;
mod wanted;

use std::time::Duration;

use judged::Judged;
use serde_json::json;
use tailmark_reports::record::Model;

use super::error::cannot;
use super::output::print;
use super::{CommandError, Exit, ServeArguments};
use crate::plan::{Plan, WarmUp};
use crate::run::{self, Alone};
use crate::scenario::{self, TimeSpan};
use crate::screen::Screen;
use crate::serve::{Key, Limits, Log, Served, Settings, serve};
use crate::workload::Batches;

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// What stopped it, with its exit code.
pub fn run(arguments: &ServeArguments) -> Result<Exit, CommandError> {
    let settings = settings(arguments)?;
    let judged = match (&arguments.from, &arguments.backend) {
        (Some(folder), Some(name)) => Some(Judged::read(folder, name)?),
        _ => None,
    };
    let text = match &judged {
        Some(judged) => judged.scenario(arguments)?,
        None => wanted::scenario(arguments)?,
    };
    let plan = wanted::plan(&text, arguments)?;
    let screen = Screen::new();
    let store = arguments.model_store.as_deref();
    let alone = run::prepare(&plan, arguments.python.as_deref(), store, &screen)?;
    screen.clear();
    if let Some(judged) = &judged {
        judged.check_before(&plan, &alone)?;
        settings.log.event("judged", judged.about());
    }
    let served = served(arguments, &plan, &alone, judged.as_ref());
    let same = |loaded: &_| judged.as_ref().map_or(Ok(()), |judged| judged.check_loaded(&plan, loaded));
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot("start the runtime"))?
        .block_on(async {
            let stop = run::on_signal()?;
            let log = settings.log;
            let bound = |address| {
                let said = print(format!("listening on http://{address}\n").as_bytes());
                if let Err(error) = said {
                    log.event("address_not_printed", json!({ "why": error.to_string() }));
                }
            };
            serve(served, settings, bound, same, stop).await.map_err(CommandError::from)
        })?;
    Ok(Exit::Pass)
}

fn settings(arguments: &ServeArguments) -> Result<Settings, CommandError> {
    let usage = CommandError::Usage;
    let key = match (&arguments.api_key_env, &arguments.api_key_file) {
        (Some(name), _) => Some(Key::from_variable(name).map_err(usage)?),
        (None, Some(path)) => Some(Key::from_file(path).map_err(usage)?),
        (None, None) => None,
    };
    let max_body = scenario::memory(&arguments.max_body)
        .map_err(|why| usage(format!("--max-body {}: {why}", arguments.max_body)))?;
    Ok(Settings {
        address: arguments.address,
        limits: Limits {
            queue: arguments.queue,
            max_texts: arguments.max_texts,
            patience: time("--request-timeout", &arguments.request_timeout)?,
        },
        max_body: max_body as usize,
        max_connections: arguments.max_connections,
        read_within: time("--read-timeout", &arguments.read_timeout)?,
        drain_within: time("--drain-timeout", &arguments.drain_timeout)?,
        key,
        log: Log { verbose: arguments.verbose },
    })
}

fn time(option: &str, text: &str) -> Result<Duration, CommandError> {
    match text.parse::<TimeSpan>() {
        Ok(TimeSpan(time)) if !time.is_zero() => Ok(time),
        Ok(_) => Err(CommandError::Usage(format!(
            "{option} {text}: found no time; write one above 0, such as \"10s\""
        ))),
        Err(why) => Err(CommandError::Usage(format!("{option} {text}: {why}"))),
    }
}

fn served(arguments: &ServeArguments, plan: &Plan, alone: &Alone, judged: Option<&Judged>) -> Served {
    let backend = plan.backends.first().expect("a plan has a backend: this is a bug");
    let model = alone.model.as_ref();
    let fewest = match backend.phases.warm_up {
        WarmUp::Fixed(requests) => requests,
        WarmUp::Found { fewest, .. } => fewest,
    };
    Served {
        launch: alone.launch.clone(),
        replicas: backend.replicas,
        deadlines: plan.deadlines,
        model: name(arguments, model, alone.launch.kind),
        max_tokens: model.map(|model| model.max_tokens),
        pooling: alone.pooling.as_ref().map(|pooling| pooling.to_lowercase()),
        texts: Batches::new(&plan.corpus, backend.batch_size, plan.seed),
        warm_up: arguments.warm_up.or_else(|| judged.and_then(Judged::warm_up)).unwrap_or(fewest),
    }
}

fn name(arguments: &ServeArguments, model: Option<&Model>, kind: &str) -> String {
    let own = || model.map_or_else(|| kind.to_owned(), |model| model.name.clone());
    arguments.model_name.clone().unwrap_or_else(own)
}
