//! Ctrl-C and SIGTERM as something that can be waited for.

use tokio::sync::watch;

use super::error::{RunError, cannot};

/// Becomes true once the user, or whoever manages the process, asks it to stop. Needs a tokio runtime.
///
/// # Errors
/// When the system has no signal to listen for.
pub fn on_signal() -> Result<watch::Receiver<bool>, RunError> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot("listen for Ctrl-C"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot("listen for SIGTERM"))?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // Nobody listens any more when the run is over; then there is nothing to cancel.
        let _ = sender.send(true);
        std::future::pending::<()>().await;
    });
    Ok(receiver)
}
