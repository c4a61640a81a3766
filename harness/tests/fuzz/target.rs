//! Runs a target: its examples as they stand, then inputs made from them, and says how to repeat a failure.
//!
//! How much is run is said by three variables: TAILMARK_FUZZ_SEED and TAILMARK_FUZZ_CASES choose the inputs exactly, and
//! TAILMARK_FUZZ_SECONDS goes on with the next seeds for that long. Knows nothing of what is tested.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use proptest::strategy::{BoxedStrategy, Strategy as _};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::examples::{self, Example};
use super::mutate::mutated;

/// The longest input. Everything that reads one does work in proportion to it, which is what bounds a case.
pub(super) const LONGEST: usize = 32 * 1024;

/// The seed of the ordinary test run.
const ORDINARY_SEED: u64 = 1;

/// The most cases that a failure is made smaller in.
const SHRINKING: u32 = 4_000;

/// What became of an input that did no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was taken, and everything that is promised of a valid input held.
    Taken,
    /// It was refused with an error that keeps the rules for errors.
    Refused,
}

/// Something that is fed inputs.
pub(super) struct Target {
    /// The test's name, and that of its folder in `corpus/`.
    pub(super) name: &'static str,
    /// Cases of the ordinary test run.
    pub(super) cases: u32,
    /// Examples beside those in `corpus/`.
    pub(super) examples: Vec<Example>,
    /// Another source of inputs, used for one in four.
    pub(super) made: Option<BoxedStrategy<Vec<u8>>>,
    /// Feeds it an input; the error is what does not hold.
    pub(super) check: fn(&[u8]) -> Result<Seen, String>,
}

impl Target {
    /// Runs it.
    pub(super) fn run(mut self) {
        self.examples.extend(examples::in_corpus(self.name));
        assert!(!self.examples.is_empty(), "{} has no example to begin with", self.name);
        for example in &self.examples {
            if let Err(why) = guarded(self.check, &example.bytes) {
                panic!("{}: the example {} does harm: {why}", self.name, example.origin);
            }
        }
        let seed = number("TAILMARK_FUZZ_SEED").unwrap_or(ORDINARY_SEED);
        let cases = number("TAILMARK_FUZZ_CASES").map_or(self.cases, |cases| cases as u32);
        let budget = std::env::var("TAILMARK_FUZZ_SECONDS").ok();
        let budget = budget.map(|text| text.parse().expect("TAILMARK_FUZZ_SECONDS is a number of seconds"));
        let strategy = self.inputs();
        let (began, mut tally) = (Instant::now(), Tally::default());
        for seed in seed.. {
            self.round(&strategy, seed, cases, &mut tally);
            if budget.is_none_or(|seconds| began.elapsed() >= Duration::from_secs_f64(seconds)) {
                break;
            }
        }
        tally.print(self.name, began.elapsed());
        assert!(tally.taken > 0 && tally.refused > 0, "{}: all inputs end alike: {tally:?}", self.name);
    }

    fn inputs(&self) -> BoxedStrategy<Vec<u8>> {
        let examples: Vec<Vec<u8>> = self.examples.iter().map(|example| example.bytes.clone()).collect();
        let changed = mutated(examples);
        match &self.made {
            Some(made) => proptest::prop_oneof![3 => changed, 1 => made.clone()].boxed(),
            None => changed,
        }
    }

    /// One seed's cases.
    fn round(&self, strategy: &BoxedStrategy<Vec<u8>>, seed: u64, cases: u32, tally: &mut Tally) {
        let config =
            Config { cases, max_shrink_iters: SHRINKING, failure_persistence: None, ..Config::default() };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let counted = Cell::new(*tally);
        // What overflows the stack or never ends cannot be caught, and is found in this file.
        let last = Last::create(self.name);
        let result = runner.run(strategy, |mut input| {
            input.truncate(LONGEST);
            last.overwrite(&input);
            let seen = guarded(self.check, &input).map_err(TestCaseError::fail)?;
            counted.set(counted.get().and(seen));
            Ok(())
        });
        *tally = counted.get();
        match result {
            Ok(()) => {}
            Err(TestError::Fail(why, input)) => self.report(seed, cases, &why.to_string(), &input),
            Err(TestError::Abort(why)) => panic!("{}: no inputs can be made: {why}", self.name),
        }
    }

    /// An input that fails has parts taken out for as long as what is left fails too.
    fn smallest(&self, mut input: Vec<u8>, mut why: String) -> (Vec<u8>, String) {
        let mut tries = SHRINKING;
        let mut part = input.len().div_ceil(2);
        while part > 0 && tries > 0 {
            let mut at = 0;
            while at < input.len() && tries > 0 {
                tries -= 1;
                let mut less = input.clone();
                less.drain(at..(at + part).min(input.len()));
                match guarded(self.check, &less) {
                    Err(found) => (input, why) = (less, found),
                    Ok(_) => at += part,
                }
            }
            part /= 2;
        }
        (input, why)
    }

    fn report(&self, seed: u64, cases: u32, why: &str, input: &[u8]) -> ! {
        let Self { name, .. } = self;
        let (input, why) = self.smallest(input.to_vec(), why.to_owned());
        let file = temporary(&format!("fuzz-{name}-{seed}"));
        std::fs::write(&file, &input).expect("the folder for temporary files can be written to");
        panic!(
            "{name}: {why}\n\nthe input, made small: {:?}\nit is in {}; copy it to harness/tests/fuzz/corpus/{name}/ once \
             the fault is mended\nto see it again: TAILMARK_FUZZ_SEED={seed} TAILMARK_FUZZ_CASES={cases} cargo test -p \
             tailmark --test fuzz -- {name}::",
            String::from_utf8_lossy(&input[..input.len().min(2_000)]),
            file.display()
        );
    }
}

/// The input that is being tried, on disk.
struct Last(File);

impl Last {
    fn create(name: &str) -> Self {
        let file = File::create(temporary(&format!("fuzz-{name}-last")));
        Self(file.expect("the folder for temporary files can be written to"))
    }

    /// Into the same open file: one that is made anew each time has a file system wait for its disk, ten times as long as a case.
    fn overwrite(&self, input: &[u8]) {
        let mut file = &self.0;
        let written = file.rewind().and_then(|()| file.write_all(input));
        written.and_then(|()| file.set_len(input.len() as u64)).expect("the disk has room for an input");
    }
}

/// Files that are left behind, for people and for `ci/fuzz.sh`.
fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

thread_local! {
    /// What the last panic in an input's check said, and where.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static CHECKING: Cell<bool> = const { Cell::new(false) };
}

/// Feeds an input, and makes of a panic what it said. It is not printed, because a failing input is made small by thousands
/// that fail as well.
fn guarded(check: fn(&[u8]) -> Result<Seen, String>, input: &[u8]) -> Result<Seen, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| match CHECKING.get() {
            true => PANIC.set(Some(panic.to_string())),
            false => before(panic),
        }));
    });
    CHECKING.set(true);
    let seen = panic::catch_unwind(AssertUnwindSafe(|| check(input)));
    CHECKING.set(false);
    seen.unwrap_or_else(|_| Err(PANIC.take().unwrap_or_else(|| "it panicked".to_owned())))
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, and must be a whole number")))
}

/// How many inputs were tried, and what became of them.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    taken: u64,
    refused: u64,
}

impl Tally {
    fn and(mut self, seen: Seen) -> Self {
        match seen {
            Seen::Taken => self.taken += 1,
            Seen::Refused => self.refused += 1,
        }
        self
    }

    #[expect(clippy::print_stdout, reason = "shown with --nocapture, as ci/fuzz.sh runs it")]
    fn print(self, name: &str, took: Duration) {
        let all = self.taken + self.refused;
        let (seconds, share) = (took.as_secs_f64(), 100.0 * self.taken as f64 / all.max(1) as f64);
        let rate = all as f64 / seconds.max(1e-9);
        println!(
            "fuzz {name:15} {all:9} cases in {seconds:6.1} s, {rate:7.0}/s, {share:3.0} % of them valid"
        );
    }
}
