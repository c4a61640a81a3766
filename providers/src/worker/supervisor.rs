//! Watches one worker until it has ended and was reaped, and tells whoever waits for an answer why none will come.

use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::group::Group;
use super::standard_error::Tail;
use crate::provider::ProviderError;
use crate::wire::InFlight;
use crate::wire::client::Ending;

/// How long the second half of an ending may come after the first: the exit after the end of the output, or the end
/// of the output after the exit. The system does both at once; a descendant that kept the output open never does.
const SECOND_HALF: Duration = Duration::from_secs(1);

/// What there is of a worker once it was spawned.
pub(super) struct Parts {
    pub(super) child: Child,
    pub(super) group: Arc<Group>,
    pub(super) listener: JoinHandle<Ending>,
    pub(super) drain: JoinHandle<()>,
    pub(super) tail: Arc<Tail>,
    pub(super) in_flight: Arc<InFlight>,
}

/// Kills the group when the runtime ends before the worker does.
struct KillWhenDropped(Arc<Group>);

impl Drop for KillWhenDropped {
    fn drop(&mut self) {
        self.0.kill();
    }
}

impl Parts {
    /// Returns when the process was reaped; every request is failed by then.
    pub(super) async fn watch(mut self) -> Option<ExitStatus> {
        let guard = KillWhenDropped(Arc::clone(&self.group));
        let status = tokio::select! {
            status = self.child.wait() => status,
            ending = &mut self.listener => self.reap(ending.unwrap_or(Ending::EndOfStream)).await,
        };
        self.group.leader_reaped();
        drop(guard);
        if !self.listener.is_finished() && timeout(SECOND_HALF, &mut self.listener).await.is_err() {
            self.listener.abort();
        }
        if timeout(SECOND_HALF, &mut self.drain).await.is_err() {
            self.drain.abort();
        }
        let status = status.ok();
        // When the protocol was broken first, that is the reason that stays.
        self.in_flight.close(&ProviderError::Exited {
            status: status.map_or_else(|| "its status is not known".to_owned(), |status| status.to_string()),
            stderr_tail: self.tail.text(),
        });
        status
    }

    /// The worker has no output any more: sees to it that it ends.
    async fn reap(&mut self, ending: Ending) -> std::io::Result<ExitStatus> {
        if ending == Ending::EndOfStream {
            if self.group.end_expected() {
                return self.child.wait().await;
            }
            if let Ok(status) = timeout(SECOND_HALF, self.child.wait()).await {
                return status;
            }
            self.in_flight.close(&ProviderError::Protocol {
                found: "the end of its standard output, while the worker went on".to_owned(),
                expected: "an answer to every request\n\nhint: a worker must keep its standard output open until it \
                           ends"
                    .to_owned(),
            });
        }
        self.group.kill();
        self.child.wait().await
    }
}
