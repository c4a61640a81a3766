//! What a load model is: when requests are due, how many may wait, and how one is read from a scenario. Knows none of them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::scenario::LoadSection;

/// When requests are due, and how many may wait or be in flight.
pub trait Rule: fmt::Debug + Send + Sync {
    /// The kind's name in a scenario.
    fn kind(&self) -> &'static str;

    /// The load in a few words, for example `poisson, 30.0/s`.
    fn text(&self) -> String;

    /// One sentence for the report: what kind of caller this is, and what it leaves out.
    fn note(&self) -> String;

    /// How many requests may be in flight, and wait for a slot.
    fn limits(&self) -> Limits;

    /// How many requests become due in so long from the beginning of a schedule, at most or on average; infinite if the backend
    /// alone decides.
    fn due_within(&self, time: Duration) -> f64;

    /// A schedule from its beginning. Schedules with different `stream` are different draws, where anything is drawn.
    fn schedule(&self, stream: u64) -> Box<dyn Schedule>;

    /// The texts of its requests in their order, where the load brings its own.
    fn texts(&self) -> Option<&[Arc<str>]> {
        None
    }

    /// Whether warm-up must not use the schedule up: it is then driven by one caller, and the schedule begins with the
    /// steady state. Otherwise one schedule runs through both, so that the steady state does not begin with an empty
    /// queue.
    fn warms_up_apart(&self) -> bool {
        false
    }
}

/// When requests are due, as offsets from the beginning of the schedule, never falling.
pub trait Schedule: Send {
    /// When the next request is due; `None` when there is none, or none until an answer has come.
    fn next(&mut self) -> Option<Duration>;

    /// An answer came at this offset, and its slot is free.
    fn answered(&mut self, at: Duration);
}

/// How many requests may be in flight, and wait for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// A closed model: so many callers, each with one request at a time. Nothing ever waits for a slot.
    Callers(u32),
    /// An open model: a request that finds no free slot waits, and the wait counts.
    Queue {
        /// Requests in flight at most; `None` for as many as the backend says it works on at once.
        max_in_flight: Option<u32>,
        /// Requests waiting at most; one more, and the backend is overloaded.
        max_queue: u32,
    },
}

impl Limits {
    /// Whether requests come at their own time and wait for no answer.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queue { .. })
    }

    /// Requests in flight at most, where that is fixed.
    #[must_use]
    pub fn max_in_flight(self) -> Option<u32> {
        match self {
            Self::Callers(callers) => Some(callers),
            Self::Queue { max_in_flight, .. } => max_in_flight,
        }
    }

    /// Requests in flight and waiting at most, for a backend that works on so many at once.
    #[must_use]
    pub fn for_backend(self, at_once: usize) -> (usize, usize) {
        match self {
            Self::Callers(callers) => (callers as usize, usize::MAX),
            Self::Queue { max_in_flight, max_queue } => {
                (max_in_flight.map_or(at_once.max(1), |most| most as usize), max_queue as usize)
            }
        }
    }
}

/// A load model that passed its checks.
pub type LoadModel = Arc<dyn Rule>;

/// The key at fault in `[load]`, and why.
pub type ReadFault = (&'static str, String);

/// A kind of load model.
#[derive(Clone, Copy, Debug)]
pub struct LoadKind {
    /// Name in a scenario.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// The keys of `[load]` that it reads, beside `kind`.
    pub keys: &'static [&'static str],
    /// Writes the defaults of its keys into a section that leaves them out.
    pub fill_in: fn(&mut LoadSection),
    /// The load of one rate, in requests per second, with the seed and the bounds of a section; `None` for a load that has no
    /// rate to be given.
    pub at_rate: Option<fn(f64, &LoadSection) -> LoadModel>,
    /// Reads and checks the section; paths are relative to the folder.
    pub(super) read: fn(&LoadSection, Option<&Path>) -> Result<LoadModel, Vec<ReadFault>>,
}

impl LoadKind {
    /// Reads and checks the section; a trace's file is looked for in the folder, too.
    ///
    /// # Errors
    /// Every key at fault: keys that this kind does not read among them.
    pub fn read(&self, section: &LoadSection, folder: Option<&Path>) -> Result<LoadModel, Vec<ReadFault>> {
        let keys = self.keys.join(", ");
        let mut faults: Vec<ReadFault> = section
            .written()
            .into_iter()
            .filter(|key| !self.keys.contains(key))
            .map(|key| (key, format!("a `{}` load has no such key; it reads {keys}", self.name)))
            .collect();
        match (self.read)(section, folder) {
            Ok(model) if faults.is_empty() => Ok(model),
            Ok(_) => Err(faults),
            Err(more) => {
                faults.extend(more);
                Err(faults)
            }
        }
    }
}
