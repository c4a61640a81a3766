//! Where the time of a request went, as far as its provider says.

/// Nanoseconds a request spent in each stage. Stages that did not happen are zero; those that the backend does not tell are
/// `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Turning the request into bytes, at the caller's end.
    pub serialize_ns: u64,
    /// Texts to token ids, in the backend.
    pub tokenize_ns: Option<u64>,
    /// The model's forward pass, in the backend.
    pub infer_ns: Option<u64>,
    /// Pooling and normalizing, in the backend.
    pub pool_ns: Option<u64>,
    /// From the request's last byte read to the vectors being ready, in the worker; at least the three above.
    pub worker_ns: Option<u64>,
    /// Turning the answer's bytes into numbers, at the caller's end.
    pub deserialize_ns: u64,
    /// The way to a server and back, by the caller's clock; `None` for a backend that is not asked over a network.
    pub network: Option<NetworkTimes>,
}

/// Nanoseconds that a request to a server spent on its way, by the caller's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkTimes {
    /// Opening a connection for it: name, TCP and TLS. Zero when one was open.
    pub connect_ns: u64,
    /// From handing the request over to its last byte being with the system.
    pub send_ns: u64,
    /// From then to the first byte of the answer: both ways, and all that the server does.
    pub wait_ns: u64,
    /// From the first byte of the answer to its last.
    pub receive_ns: u64,
}

impl StageTimes {
    /// Nothing happened in any stage.
    pub const ZERO: Self = Self {
        serialize_ns: 0,
        tokenize_ns: Some(0),
        infer_ns: Some(0),
        pool_ns: Some(0),
        worker_ns: Some(0),
        deserialize_ns: 0,
        network: None,
    };

    /// The time in which a text that is not computed shows: the wait for a server, or else the worker's own time.
    #[must_use]
    pub fn computing_ns(&self) -> Option<u64> {
        self.network.map(|network| network.wait_ns).or(self.worker_ns)
    }
}
