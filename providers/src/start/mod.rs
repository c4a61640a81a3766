//! Starting backends: what is got once for a run, and what a run then opens.
//!
//! [`Provision`] gets models, Python environments and libraries, each once; a [`Kind`](crate::kinds::Kind) takes from it
//! what it needs and gives a [`Launch`]; that opens the backend as often as wanted, wherever its [`Placement`] is.

mod lacking;
mod launch;
mod placement;
mod provision;

pub use lacking::Lacking;
pub use launch::{Kill, Launch, MakeClient, MakeProvider, Opened, Opening, Process};
pub use placement::Placement;
pub use provision::{ModelError, Provision, WantedModel};
