//! What lies in a folder, in words, so that a refusal names what is there. It reads names alone.

use std::fmt;
use std::fs;
use std::path::Path;

/// So many names say what kind of folder it is; more would bury the rest of the message.
const NAMED_AT_MOST: usize = 10;

/// The names in a folder: its files, its folders with a `/` behind them, and the graphs in `onnx/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    names: Vec<String>,
}

impl Contents {
    /// What is in the folder now; nothing if it cannot be read.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let mut names = listed(folder);
        let graphs = listed(&folder.join("onnx")).into_iter().filter(|name| name.ends_with(".onnx"));
        names.extend(graphs.map(|name| format!("onnx/{name}")));
        names.sort();
        Self { names }
    }
}

/// The end of a sentence about the folder.
impl fmt::Display for Contents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, more) = self.names.split_at(self.names.len().min(NAMED_AT_MOST));
        match (shown, more.len()) {
            ([], _) => write!(formatter, "it is empty"),
            (_, 0) => write!(formatter, "it contains {}", shown.join(", ")),
            (_, more) => write!(formatter, "it contains {} and {more} more", shown.join(", ")),
        }
    }
}

fn listed(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
        })
        .filter(|name| !name.starts_with('.'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_folder_is_named_and_a_long_list_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Contents::of(folder.path()).to_string(), "it is empty");
        fs::create_dir(folder.path().join("onnx")).unwrap();
        for name in ["onnx/model.onnx", "onnx/notes.txt", "config.json", ".gitattributes"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(
            Contents::of(folder.path()).to_string(),
            "it contains config.json, onnx/, onnx/model.onnx"
        );
        for number in 0..9 {
            fs::write(folder.path().join(format!("shard-{number}")), "").unwrap();
        }
        let text = Contents::of(folder.path()).to_string();
        assert!(text.ends_with("shard-5, shard-6 and 2 more"), "{text}");
    }
}
