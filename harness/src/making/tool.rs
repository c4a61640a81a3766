//! Runs the Python tools that make graphs: their lines pass through as they come, and what they made is in their last one.
//! What is done with it is not known here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tailmark_providers::model::Recipe;
use tailmark_providers::model::manifest::CheckedAgainst;
use tailmark_providers::model::variants::{Figures, Int8};
use tailmark_providers::python_environment::PythonEnvironment;

use super::MakingError;
use crate::screen::Screen;

/// The tools in an environment that has what they need.
pub(crate) struct ToolRunner<'a> {
    environment: PythonEnvironment,
    screen: &'a Screen,
}

/// What a tool says of the graph it made.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Made {
    /// What it is, for example `graph-only` or `float16`.
    pub(crate) form: String,
    min_cosine: Option<f64>,
    mean_cosine: Option<f64>,
    max_abs_difference: Option<f64>,
    neighbour_agreement: Option<f64>,
    spearman: Option<f64>,
    reduced_range: Option<bool>,
    kernels_saturate: Option<bool>,
    exact: Option<Compared>,
    /// The files that a graph takes its weights from.
    #[serde(default)]
    pub(crate) data: Vec<MadeData>,
    /// What the vectors were compared with.
    pub(crate) checked_against: Option<CheckedAgainst>,
    /// Libraries and their versions.
    #[serde(default)]
    pub(crate) made_with: BTreeMap<String, String>,
}

/// A file that a graph takes weights from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct MadeData {
    /// Its name, beside the graph.
    pub(crate) name: String,
    /// The file of weights that it is, under another name.
    pub(crate) of: Option<String>,
}

/// What a tool says that makes no graph.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct MadeReference {
    /// Libraries and their versions.
    #[serde(default)]
    pub(crate) made_with: BTreeMap<String, String>,
}

/// Figures as a tool says them, which may be more than are kept.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Compared {
    min_cosine: Option<f64>,
    mean_cosine: Option<f64>,
    max_abs_difference: Option<f64>,
    neighbour_agreement: Option<f64>,
    spearman: Option<f64>,
}

impl Made {
    /// What its int8 products come to, if the tool says so. `processor` is the one that it ran on.
    pub(crate) fn int8(&self, processor: Option<String>) -> Option<Int8> {
        let exact = self.exact?;
        Some(Int8 {
            reduced_range: self.reduced_range?,
            kernels_saturate: self.kernels_saturate?,
            processor,
            exact: Figures {
                min_cosine: exact.min_cosine,
                mean_cosine: exact.mean_cosine,
                max_abs_difference: exact.max_abs_difference,
                neighbour_agreement: exact.neighbour_agreement,
                spearman: exact.spearman,
            },
        })
    }

    /// How close its vectors are to torch's.
    pub(crate) fn figures(&self) -> Figures {
        Figures {
            min_cosine: self.min_cosine,
            mean_cosine: self.mean_cosine,
            max_abs_difference: self.max_abs_difference,
            neighbour_agreement: self.neighbour_agreement,
            spearman: self.spearman,
        }
    }
}

/// A recipe as the tools take it, so that they need not read the model's files for it.
pub(crate) fn recipe_flag(recipe: &Recipe) -> String {
    serde_json::to_string(recipe).expect("a recipe is JSON: this is a bug")
}

/// Figures as one part of a sentence.
pub(crate) fn in_words(figures: &Figures) -> String {
    let mut parts = Vec::new();
    if let (Some(min), Some(mean)) = (figures.min_cosine, figures.mean_cosine) {
        parts.push(format!("cosine to torch {min:.6} at least, {mean:.6} on average"));
    }
    if let Some(agreement) = figures.neighbour_agreement {
        let share = tailmark_reports::units::percent(agreement);
        parts.push(format!("{share} of the ten nearest neighbors stay"));
    }
    if let Some(spearman) = figures.spearman {
        parts.push(format!("Spearman correlation {spearman:.3}"));
    }
    if parts.is_empty() { "no figures".to_owned() } else { parts.join(", ") }
}

impl<'a> ToolRunner<'a> {
    /// Finds or makes the environment, or checks the user's: one with torch and the exporter.
    pub(crate) fn new(cache: &Path, python: Option<&Path>, screen: &'a Screen) -> Result<Self, MakingError> {
        Self::within(PythonEnvironment::for_tools(cache, python, screen)?, screen)
    }

    /// The same without torch, for tools that run a graph or a table.
    pub(crate) fn of_graphs(
        cache: &Path,
        python: Option<&Path>,
        screen: &'a Screen,
    ) -> Result<Self, MakingError> {
        Self::within(PythonEnvironment::for_graphs(cache, python, screen)?, screen)
    }

    fn within(environment: PythonEnvironment, screen: &'a Screen) -> Result<Self, MakingError> {
        screen.clear();
        Ok(Self { environment, screen })
    }

    /// Runs a tool to its end. `shown` is what its output calls a folder, and what a person is to read instead.
    ///
    /// There is no deadline: how long a conversion takes is the model's affair, and a person is watching.
    pub(crate) fn run(
        &self,
        tool: &str,
        arguments: &[&OsStr],
        shown: (&Path, &Path),
    ) -> Result<Option<String>, MakingError> {
        let mut command = self.environment.worker_command(tool).to_command();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |what: String| MakingError::Tool { tool: tool.to_owned(), what };
        let mut child = command.spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
        let (from, to) = (shown.0.display().to_string(), shown.1.display().to_string());
        let say = |line: &str| self.screen.say(&line.replace(&from, &to));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (last, trouble) = std::thread::scope(|scope| {
            let trouble = scope.spawn(|| hold_back_trouble(stderr, &say));
            (hold_back_last(stdout, &say), trouble.join().unwrap_or_default())
        });
        let status = child.wait().map_err(|error| failed(format!("cannot be waited for: {error}")))?;
        if !status.success() {
            // Unlike after a success, the last line is one for a person.
            last.iter().for_each(|line| say(line));
            let trouble = trouble.join("\n").replace(&from, &to);
            let trouble = trouble.trim_end().trim_start_matches("error: ");
            let said = if trouble.is_empty() { "and did not say why" } else { "and says" };
            return Err(failed(format!(
                "failed ({status}) {said}{}{trouble}",
                if trouble.is_empty() { "" } else { ":\n" }
            )));
        }
        trouble.iter().for_each(|line| say(line));
        match last {
            Some(line) if line.starts_with('{') => Ok(Some(line)),
            Some(line) => {
                say(&line);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Runs a tool that says in its last line what it made.
    pub(crate) fn make<T: DeserializeOwned>(
        &self,
        tool: &str,
        arguments: &[&OsStr],
        shown: (&Path, &Path),
    ) -> Result<T, MakingError> {
        let last = self.run(tool, arguments, shown)?;
        last.and_then(|line| serde_json::from_str(&line).ok()).ok_or_else(|| MakingError::Tool {
            tool: tool.to_owned(),
            what:
                "ended well and did not say what it made: its last line is not the JSON object it should be"
                    .to_owned(),
        })
    }
}

/// Passes lines on, all but the last.
fn hold_back_last(output: Option<impl Read>, say: &impl Fn(&str)) -> Option<String> {
    let mut held: Option<String> = None;
    for line in lines(output) {
        if let Some(line) = held.replace(line) {
            say(&line);
        }
    }
    held
}

/// Passes lines on up to the one that says what went wrong: it and those after it belong into the error.
fn hold_back_trouble(output: Option<impl Read>, say: &impl Fn(&str)) -> Vec<String> {
    let mut held: Vec<String> = Vec::new();
    for line in lines(output) {
        let begins = line.starts_with("error: ") || line.starts_with("Traceback (most recent call last)");
        if begins || !held.is_empty() {
            held.push(line);
        } else {
            say(&line);
        }
    }
    held
}

fn lines(output: Option<impl Read>) -> impl Iterator<Item = String> {
    let mut reader = output.map(BufReader::new);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.as_mut()?.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_last_line_is_kept_and_the_others_are_said() {
        let said = Mutex::new(Vec::new());
        let say = |line: &str| said.lock().unwrap().push(line.to_owned());
        let last = hold_back_last(Some(&b"one\ntwo\xff\n{\"a\": 1}\n"[..]), &say);
        assert_eq!(last.as_deref(), Some("{\"a\": 1}"));
        assert_eq!(*said.lock().unwrap(), ["one", "two\u{fffd}"]);
    }

    #[test]
    fn what_went_wrong_is_kept_whole_and_what_was_said_before_is_not_repeated() {
        let said = Mutex::new(Vec::new());
        let say = |line: &str| said.lock().unwrap().push(line.to_owned());
        let held = hold_back_trouble(Some(&b"warning: slow\nerror: no\n\nhint: yes\n"[..]), &say);
        assert_eq!(held, ["error: no", "", "hint: yes"]);
        assert_eq!(*said.lock().unwrap(), ["warning: slow"]);
    }

    #[test]
    fn figures_that_are_there_are_put_into_words() {
        let figures = Figures {
            min_cosine: Some(0.984_321_9),
            mean_cosine: Some(0.99),
            neighbour_agreement: Some(0.93),
            spearman: Some(0.8125),
            ..Figures::default()
        };
        assert_eq!(
            in_words(&figures),
            "cosine to torch 0.984322 at least, 0.990000 on average, 93 % of the ten nearest neighbors stay, Spearman \
             correlation 0.812"
        );
        assert_eq!(in_words(&Figures::default()), "no figures");
    }
}
