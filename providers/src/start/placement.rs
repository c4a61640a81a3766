//! Where a backend runs, by the names that a scenario and a record write.

/// Where a backend runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In a process of its own, which tailmark starts and ends.
    Worker,
    /// In tailmark's own process.
    InProcess,
    /// Elsewhere, started by somebody else: tailmark is its client, and sees no process of it.
    Client,
}

impl Placement {
    /// Every placement.
    pub const ALL: [Self; 3] = [Self::Worker, Self::InProcess, Self::Client];

    /// Its name in a scenario and in a record.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::InProcess => "in-process",
            Self::Client => "client",
        }
    }

    /// The placement of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|placement| placement.name() == name)
    }
}
