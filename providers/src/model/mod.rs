//! Models: which ones are known, and how their files come to lie, checked, in a folder that every backend can run.
//!
//! Read in this order: [`recipe`] says how texts become vectors and [`head`] computes the last part of it, [`manifest`] says what
//! a model is made of, [`catalogue`] which are known, [`store`] keeps the files, `sources` and [`hub`] fetch them, [`own`] is the
//! user's own models, [`variants`] their other graphs; [`verify`] and `remove` are what their names say. Nothing here loads a
//! model or knows which backend will.

pub mod aside;
pub mod catalogue;
mod contents;
mod delivery;
mod digest;
mod error;
pub mod graph_difference;
pub mod head;
pub mod hub;
mod hub_cache;
pub mod hub_repository;
mod hub_store;
pub mod inventory;
pub mod manifest;
pub mod named_folder;
pub mod own;
pub mod recipe;
mod reference;
pub mod remove;
mod sources;
pub mod store;
pub(crate) mod table;
pub mod variants;
pub mod verify;

pub use catalogue::{KnownModel, find, known};
pub use contents::Contents;
pub use digest::PinnedFile;
pub(crate) use digest::check as check_file;
pub use error::{SourceFailure, StoreError};
pub use hub::Hub;
pub use manifest::Manifest;
pub use recipe::Recipe;
pub use reference::{GradedPair, GradedPairs, KnownNeighbours, Reference};
pub use sources::{PackageInstaller, Sources};
pub use store::{ModelStore, ResolvedModel};
