//! What is wrong with a part of a scenario, and where. Each part of the plan gathers its own and returns them; which lines they
//! stand on, only [`resolve`](super::resolve) knows.

use crate::scenario::Step;

/// What is wrong with a part: the way to each fault, from where the part begins, and why.
#[derive(Debug, Default)]
pub(super) struct Wrong(Vec<(Vec<Step>, String)>);

impl Wrong {
    /// Adds a fault.
    pub(super) fn add(&mut self, at: &[Step], why: impl Into<String>) {
        self.0.push((at.to_vec(), why.into()));
    }

    /// Adds the faults of a part that begins there.
    pub(super) fn add_all(&mut self, at: &[Step], part: impl Into<Self>) {
        self.0.extend(part.into().0.into_iter().map(|(within, why)| ([at, &within].concat(), why)));
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults, in the order in which they were found.
    pub(super) fn into_list(self) -> Vec<(Vec<Step>, String)> {
        self.0
    }
}

/// The faults of one section, each at a key of it.
impl From<Vec<(&'static str, String)>> for Wrong {
    fn from(faults: Vec<(&'static str, String)>) -> Self {
        Self(faults.into_iter().map(|(name, why)| (vec![key(name)], why)).collect())
    }
}

/// A step by key.
pub(super) fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

/// Letters of a name at most.
const LONGEST_NAME: usize = 64;

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

/// A name made of any text, such as that of a file: what cannot stand in a name becomes `_`.
pub(super) fn fitting_name(text: &str) -> String {
    let plain = text.chars().map(|c| if is_plain(c) { c } else { '_' });
    let name: String = plain.skip_while(|c| *c == '.').take(LONGEST_NAME).collect();
    if name.is_empty() { "scenario".to_owned() } else { name }
}

/// Why a name is none that can be a file's name and a cell of a table; `None` when it can be both.
pub(super) fn unfit_name(name: &str) -> Option<String> {
    let fits =
        (1..=LONGEST_NAME).contains(&name.len()) && !name.starts_with('.') && name.chars().all(is_plain);
    (!fits).then(|| {
        format!("`{name}` is not a name; write 1 to {LONGEST_NAME} letters, digits, `.`, `_` or `-`, not beginning with `.`")
    })
}
