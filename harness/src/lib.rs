//! tailmark: benchmarks text-embedding backends and verifies a latency SLA, with the chance of being wrong.
//!
//! Read in this order: [`scenario`] is the file as written, [`plan`] the same with nothing left to fail but the world;
//! [`workload`] is which texts, [`load`] when requests are started; [`driver`] starts them and makes a [`sample`] of
//! each; [`statistics`] turns samples into figures, [`verdict`] figures into PASS, FAIL or INCONCLUSIVE; [`validity`] says
//! whether the run under those conditions ([`environment`]) can be believed at all; [`run`] carries a plan out from end to
//! end; [`serve`] serves a backend over HTTP; [`commands`] are what can be asked for, and [`cli`] is what is typed. [`capacity`] searches for the rates worth
//! judging; [`equivalence`] and [`requirement`] are what a backend must meet before it is timed; [`making`] makes models of folders; [`screen`] is what a
//! person sees while a command works.
//!
//! The modules stand on floors, and import from lower ones only, which a test holds: `cli` > `commands` > `run`, `serve` > `driver`,
//! `monitor`, `plan`, `validity`, `verdict` > `capacity`, `environment`, `equivalence`, `load`, `making`,
//! `objective`, `requirement`, `statistics`, `workload` > `sample`, `scenario`, `screen`.

pub mod bundle;
pub mod capacity;
pub mod cli;
pub mod commands;
pub mod comparison;
pub mod decision;
pub mod driver;
pub mod environment;
pub mod equivalence;
pub mod load;
pub mod making;
pub mod monitor;
pub mod objective;
pub mod pairing;
pub mod plan;
pub mod requirement;
pub mod run;
pub mod sample;
pub mod scenario;
pub mod screen;
pub mod serve;
pub mod statistics;
pub mod validity;
pub mod verdict;
pub mod workload;
