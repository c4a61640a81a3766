//! Starts every backend once and compares its vectors with the reference, falling back where that was allowed.

use tailmark_providers::kinds::Kind;
use tailmark_providers::provider::{Loaded, ProviderError};
use tailmark_reports::record::{BackendOutcome, Equivalence, Fallback};

use super::gate;
use super::launch::{Provision, lacking};
use super::measure::{Run, Stopped};
use super::provide::outcome_of;
use super::session::Session;

impl Run<'_> {
    /// Starts every backend once and compares its vectors with the reference, falling back where that was allowed.
    pub(super) async fn check(&mut self, provision: &mut Provision<'_>) -> Result<(), Stopped> {
        for index in 0..self.tracks.len() {
            if self.tracks[index].launch.is_none() {
                continue;
            }
            let name = self.tracks[index].plan.name.clone();
            self.screen.phase(&format!("{name}: checking its vectors"), None);
            let during = format!("the check of {name}'s vectors");
            let mut checked = self.or_stopped(&during, check_one(self, index)).await?;
            if let Err(ProviderError::ModelFile { path, why }) = &checked
                && let Some(to) = self.tracks[index].plan.fallback
            {
                let file =
                    path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
                let why = format!("{file}: {why}");
                self.fall_back(index, to, why, provision);
                if self.tracks[index].launch.is_none() {
                    continue;
                }
                checked = self.or_stopped(&during, check_one(self, index)).await?;
            }
            let track = &mut self.tracks[index];
            match checked {
                Ok((loaded, equivalence)) => {
                    track.set_loaded(&loaded);
                    if let Equivalence::Checked { min_cosine, accepted: false, .. } = &equivalence {
                        track.outcome = BackendOutcome::Wrong {
                            why: format!(
                                "its vectors are not the model's: cosine similarity to the reference falls to \
                                 {min_cosine:.4}; it was not timed"
                            ),
                        };
                    }
                    track.equivalence = equivalence;
                }
                Err(error @ ProviderError::Answer { .. }) => {
                    track.outcome = BackendOutcome::Wrong { why: format!("{error}; it was not timed") };
                }
                Err(error) => track.outcome = outcome_of(lacking(error)),
            }
        }
        Ok(())
    }

    fn fall_back(&mut self, index: usize, to: &'static Kind, why: String, provision: &mut Provision<'_>) {
        let track = &mut self.tracks[index];
        let from = track.plan.kind.name.to_owned();
        self.screen.say(&format!("{}: falling back from {from} to {}: {why}", track.plan.name, to.name));
        track.fallback = Some(Fallback { from, to: to.name.to_owned(), why });
        match provision.launch(&track.plan, to) {
            Ok(launch) => track.launch = Some(launch),
            Err(lacking) => {
                track.launch = None;
                track.outcome = outcome_of(lacking);
            }
        }
    }
}

async fn check_one(run: &Run<'_>, index: usize) -> Result<(Loaded, Equivalence), ProviderError> {
    let track = &run.tracks[index];
    let Some(launch) = &track.launch else {
        unreachable!("only what can be started is checked: this is a bug")
    };
    let session = Session::open(launch, run.plan.deadlines, &run.folder.stderr_of(&track.plan.name)).await?;
    let compared = if launch.load.model.is_some() {
        let spec = tailmark_providers::model::find(&run.plan.model.name)
            .expect("a plan names a known model: this is a bug");
        gate::compare(session.provider(), spec.dimensions, &spec.reference()).await
    } else {
        Ok(Equivalence::NotChecked { why: "it answers without a model".to_owned() })
    };
    let loaded = session.loaded.clone();
    session.close().await;
    compared.map(|equivalence| (loaded, equivalence))
}
