//! The methods that a worker answers, by the names they have on the wire.

/// What can be asked of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Who are you? The first message.
    Initialize,
    /// Load the model.
    Load,
    /// Embed texts.
    Embed,
    /// Record what executes the model.
    Prove,
    /// A round trip that does nothing.
    Ping,
    /// Answer, then end.
    Shutdown,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 6] =
        [Method::Initialize, Method::Load, Method::Embed, Method::Prove, Method::Ping, Method::Shutdown];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Initialize => "initialize",
            Method::Load => "load",
            Method::Embed => "embed",
            Method::Prove => "prove",
            Method::Ping => "ping",
            Method::Shutdown => "shutdown",
        }
    }

    /// The method of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.name() == name)
    }
}
