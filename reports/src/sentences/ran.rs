//! What ran and how close its vectors are, together: in two columns, in a line, in full.

use super::equivalence;
use crate::execution;
use crate::record::{BackendRecord, Equivalence, Execution};
use crate::units::ABSENT;
use crate::view::{trouble, was_timed};

/// Heads of the two columns.
pub(crate) const HEADS: [&str; 2] = ["ran on", "vectors"];

/// What stands under [`HEADS`], for example `CPU` and `exact`.
pub(crate) fn in_columns(backend: &BackendRecord) -> [String; 2] {
    [execution::in_short(&backend.execution), equivalence::in_short(&backend.equivalence).to_owned()]
}

/// The same as parts of a line: `ran on CPU` and `vectors exact`.
fn in_words(backend: &BackendRecord) -> [String; 2] {
    let vectors = format!("vectors {}", equivalence::in_short(&backend.equivalence));
    [execution::ran_on(&backend.execution), vectors]
}

/// The same with their figures.
fn in_sentences(backend: &BackendRecord) -> [String; 2] {
    [execution::in_full(&backend.execution), equivalence::in_full(&backend.equivalence)]
}

/// The same as a line: `ran on CPU, vectors exact`.
pub(crate) fn in_short(backend: &BackendRecord) -> String {
    in_words(backend).join(", ")
}

/// The backend's label, and in brackets what of it is not what the label says: `onnx-coreml (CoreML 11 % of the time,
/// vectors fp16)`.
pub(crate) fn labeled(backend: &BackendRecord) -> String {
    let [ran, vectors] = [execution::in_short(&backend.execution), in_words(backend)[1].clone()];
    let partial = Some(ran).filter(|_| execution::is_partial(&backend.execution));
    let checked = matches!(backend.equivalence, Equivalence::Checked { .. });
    let changed = Some(vectors).filter(|_| checked && !equivalence::is_exact(&backend.equivalence));
    let remarks: Vec<String> = [partial, changed].into_iter().flatten().collect();
    match remarks.is_empty() {
        true => backend.label.clone(),
        false => format!("{} ({})", backend.label, remarks.join(", ")),
    }
}

/// What ran, how close its vectors are, what was found to be wrong with them, and what was required, a line each; where
/// there is nothing to remark, one line. Of a backend that was not timed, only what is known.
pub(crate) fn in_full(backend: &BackendRecord) -> Vec<String> {
    let (execution, equivalence) = (&backend.execution, &backend.equivalence);
    let mut said = Vec::new();
    if was_timed(backend) || matches!(execution, Execution::Measured { .. }) {
        said.push(execution::in_full(execution));
        said.extend(execution::residence(execution));
        said.extend(execution::notes(execution).iter().cloned());
    }
    if was_timed(backend) || matches!(equivalence, Equivalence::Checked { .. }) {
        let vectors = equivalence::in_full(equivalence);
        match said.as_mut_slice() {
            [ran] if execution::is_plain(execution) && equivalence::is_exact(equivalence) => {
                ran.push_str(&format!("; {vectors}"));
            }
            _ => said.push(vectors),
        }
    }
    said.extend(equivalence::findings(equivalence).iter().map(|finding| format!("found: {finding}")));
    let untroubled = trouble(backend).is_none();
    said.extend(backend.requirement.as_ref().map(|required| execution::requirement(required, untroubled)));
    said
}

/// Backends that are shown in one table, which has a column only for that in which those that were timed differ; what they
/// have in common is said once.
#[derive(Debug)]
pub(crate) struct Among<'a> {
    first: Option<&'a BackendRecord>,
    differs: [bool; 2],
    /// Whether they differ in the figures behind the words, such as the smallest cosine.
    differs_in_full: [bool; 2],
    /// Whether they differ in what their vectors are good for, so that it stands beside the class.
    differs_in_quality: bool,
}

/// Head of the column of the rank correlation with similarities as people graded them.
const QUALITY: &str = "Spearman";

impl<'a> Among<'a> {
    /// The backends of one table.
    pub(crate) fn of(backends: impl IntoIterator<Item = &'a BackendRecord>) -> Self {
        let mut timed = backends.into_iter().filter(|backend| was_timed(backend));
        let first = timed.next();
        let (mut differs, mut differs_in_full) = ([false; 2], [false; 2]);
        let mut differs_in_quality = false;
        for (first, other) in timed.filter_map(|other| Some((first?, other))) {
            let (here, there) = (in_columns(first), in_columns(other));
            let (here_in_full, there_in_full) = (in_sentences(first), in_sentences(other));
            for index in 0..differs.len() {
                differs[index] |= here[index] != there[index];
                differs_in_full[index] |= here_in_full[index] != there_in_full[index];
            }
            // Vectors of another class that rank as well are worth to be seen, too.
            let known =
                [first, other].iter().any(|backend| equivalence::quality(&backend.equivalence).is_some());
            let apart = here[1] != there[1]
                || equivalence::quality(&first.equivalence) != equivalence::quality(&other.equivalence);
            differs_in_quality |= known && apart;
        }
        Self { first, differs, differs_in_full, differs_in_quality }
    }

    /// What all have in common, with its figures if these are the same too; `None` when nothing.
    pub(crate) fn common(&self) -> Option<String> {
        let [words, sentences] = [in_words(self.first?), in_sentences(self.first?)];
        let said = words.into_iter().zip(sentences).zip(self.differs_in_full);
        let said = said.map(|((word, sentence), differs)| if differs { word } else { sentence });
        let common: Vec<String> =
            said.zip(self.differs).filter(|(_, differs)| !differs).map(|(said, _)| said).collect();
        Some(common.join("; ")).filter(|common| !common.is_empty())
    }

    /// How far the vectors of one of them are off, where they are and it was not said of all.
    pub(crate) fn vectors_apart(&self, backend: &BackendRecord) -> Option<String> {
        let apart = self.differs_in_full[1]
            && matches!(backend.equivalence, Equivalence::Checked { .. })
            && !equivalence::is_exact(&backend.equivalence);
        (apart && was_timed(backend)).then(|| equivalence::in_full(&backend.equivalence))
    }

    /// Heads of the columns in which they differ.
    pub(crate) fn heads(&self) -> Vec<&'static str> {
        let quality = self.differs_in_quality.then_some(QUALITY);
        self.differing(HEADS).into_iter().chain(quality).collect()
    }

    /// What stands under these heads.
    pub(crate) fn cells(&self, backend: &BackendRecord) -> Vec<String> {
        let untold = || HEADS.map(|_| ABSENT.to_owned());
        let quality = || {
            let known = equivalence::quality(&backend.equivalence).filter(|_| was_timed(backend));
            known.unwrap_or_else(|| ABSENT.to_owned())
        };
        let words = self.differing(if was_timed(backend) { in_columns(backend) } else { untold() });
        words.into_iter().chain(self.differs_in_quality.then(quality)).collect()
    }

    /// The same at the end of a line: `, ran on CPU`, or nothing.
    pub(crate) fn after(&self, backend: &BackendRecord) -> String {
        let told = if was_timed(backend) { self.differing(in_words(backend)) } else { Vec::new() };
        let quality = equivalence::quality(&backend.equivalence)
            .filter(|_| self.differs_in_quality && was_timed(backend))
            .map(|quality| format!("{QUALITY} {quality}"));
        told.iter().chain(&quality).map(|word| format!(", {word}")).collect()
    }

    fn differing<T>(&self, of: [T; 2]) -> Vec<T> {
        of.into_iter().zip(self.differs).filter(|(_, differs)| *differs).map(|(item, _)| item).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn what_needs_no_remark_is_one_line_and_what_is_not_known_of_an_untimed_backend_none() {
        let said = |name: &str| {
            let record = fixture::executions();
            in_full(record.backends.iter().find(|backend| backend.name == name).unwrap())
        };
        assert_eq!(said("onnx-cpu"), ["ran on CPU, all 458 nodes; vectors exact (cosine >= 0.9999997)"]);
        assert_eq!(
            said("echo"),
            [
                "execution not measured: it answers without a model",
                "vectors not checked: it answers without a model"
            ]
        );
        assert_eq!(
            said("onnx-coreml").last().map(|last| last.contains("not met: CoreML took 11 %")),
            Some(true)
        );
        assert_eq!(said("python-onnx-cls").len(), 4);
        let record = fixture::five();
        assert_eq!(in_full(&record.backends[3]), Vec::<String>::new());
    }

    #[test]
    fn a_label_has_in_brackets_what_it_does_not_say_itself() {
        let record = fixture::executions();
        let labels: Vec<String> = record.backends.iter().take(5).map(labeled).collect();
        assert_eq!(
            labels,
            [
                "onnx-cpu",
                "onnx-coreml (CoreML 11 % of the time, vectors fp16)",
                "python-torch-mps (mps 92 % of the calls)",
                "onnx-int8 (vectors int8)",
                "http-openai"
            ]
        );
    }

    #[test]
    fn how_far_vectors_are_off_is_said_of_all_or_else_of_each() {
        let record = fixture::executions();
        let [plain, int8] = [0, 3].map(|index| &record.backends[index]);
        let among = Among::of([plain, int8]);
        assert_eq!(among.vectors_apart(plain), None);
        let said = "vectors int8-class: cosine >= 0.984, mean 0.989; 93 % of the 10 nearest neighbors kept; \
                    Spearman 0.881 against the reference's 0.893";
        assert_eq!(among.vectors_apart(int8).as_deref(), Some(said));
        let among = Among::of([int8, int8]);
        assert_eq!(among.vectors_apart(int8), None);
        assert_eq!(among.common(), Some(format!("ran on CPU, all 458 nodes; {said}")));
    }

    #[test]
    fn a_table_has_columns_only_for_what_differs_in_it() {
        let [plain, coreml, mps, int8] =
            [0, 1, 2, 3].map(|index| fixture::executions().backends.remove(index));
        let told = |backends: &[&BackendRecord]| {
            let among = Among::of(backends.iter().copied());
            let last = backends[backends.len() - 1];
            (among.common().unwrap_or_default(), among.heads(), among.cells(last), among.after(last))
        };
        let (common, heads, cells, after) = told(&[&plain, &plain]);
        assert_eq!(
            (common.as_str(), heads.len(), cells.len(), after.as_str()),
            ("ran on CPU, all 458 nodes; vectors exact (cosine >= 0.9999997)", 0, 0, "")
        );
        let (common, heads, cells, after) = told(&[&plain, &mps]);
        assert_eq!((common.as_str(), heads), ("vectors exact (cosine >= 0.9999997)", vec!["ran on"]));
        assert_eq!(
            (cells, after),
            (vec!["mps 92 % of the calls".to_owned()], ", ran on mps 92 % of the calls".into())
        );
        let (common, heads, cells, after) = told(&[&plain, &int8]);
        assert_eq!((common.as_str(), heads), ("ran on CPU, all 458 nodes", vec!["vectors", "Spearman"]));
        assert_eq!(
            (cells, after.as_str()),
            (vec!["int8".to_owned(), "0.881".to_owned()], ", vectors int8, Spearman 0.881")
        );
        let (common, heads, ..) = told(&[&plain, &coreml]);
        assert_eq!((common.as_str(), heads), ("", vec!["ran on", "vectors", "Spearman"]));

        let untimed = fixture::five().backends.remove(3);
        let (common, heads, ..) = told(&[&plain, &untimed]);
        assert_eq!(
            (common.as_str(), heads.len()),
            ("ran on CPU, all 458 nodes; vectors exact (cosine >= 0.9999997)", 0),
            "what was not timed is no difference"
        );
        let (.., cells, after) = told(&[&plain, &coreml, &untimed]);
        assert_eq!((cells, after.as_str()), (vec!["-".to_owned(); 3], ""));
        assert_eq!(Among::of([&untimed]).common(), None);
    }
}
