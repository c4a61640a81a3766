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

/// A shape in which models are stored and that tailmark does not read, with what makes of it one that it does.
struct Shape {
    is: fn(&str) -> bool,
    /// A sentence; `{}` stands for the folder.
    remedy: &'static str,
}

/// What a folder that lacks files may be instead, the surest sign first.
const SHAPES: [Shape; 6] = [
    Shape {
        is: |name| name.starts_with("model-0") && name.ends_with(".safetensors"),
        remedy: "its weights are in several files, and the list of them, model.safetensors.index.json, is not there: fetch the model \
                 again, with all of its files",
    },
    Shape {
        is: |name| name.ends_with(".gguf"),
        remedy: "its weights are in GGUF, which no backend here reads: take the safetensors files of the model's own repository",
    },
    Shape {
        is: |name| name == "0_Transformer/",
        remedy: "sentence-transformers wrote it before version 1; the present form is written by \
                 `SentenceTransformer(\"{}\").save_pretrained(OTHER_FOLDER)`",
    },
    Shape {
        is: |name| name.ends_with(".onnx"),
        remedy: "it has an ONNX graph, and beside it tailmark needs config.json and tokenizer.json: take them from the model's own \
                 repository",
    },
    Shape {
        is: |name| name == "adapter_config.json",
        remedy: "it holds an adapter and not a model: merge it into its base model and save that",
    },
    Shape {
        is: |name| ["vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model"].contains(&name),
        remedy: "its tokenizer is in another form; tokenizer.json is written by \
                 `AutoTokenizer.from_pretrained(\"{}\").save_pretrained(\"{}\")` of transformers",
    },
];

impl Contents {
    /// What makes a model's folder of this one, by what lies there.
    #[must_use]
    pub fn remedy(&self, folder: &Path) -> String {
        let found = SHAPES.iter().find(|shape| self.names.iter().any(|name| (shape.is)(name)));
        let usual =
            "a sentence-transformers model saved with `model.save_pretrained(folder)` has these files";
        found.map_or(usual, |shape| shape.remedy).replace("{}", &folder.display().to_string())
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

    #[test]
    fn each_other_form_of_a_model_has_a_remedy_of_its_own() {
        let of = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Contents { names }.remedy(Path::new("/m"))
        };
        for (names, part) in [
            (&["config.json", "model-00001-of-00002.safetensors"][..], "its weights are in several files"),
            (&["model.gguf", "tokenizer.json"], "its weights are in GGUF"),
            (&["0_Transformer/", "modules.json"], "before version 1"),
            (&["onnx/", "onnx/model.onnx", "tokenizer.json"], "it has an ONNX graph"),
            (&["adapter_config.json", "adapter_model.safetensors"], "it holds an adapter"),
            (&["model.safetensors", "vocab.txt"], "tokenizer.json is written by"),
            (&["README.md"], "saved with `model.save_pretrained(folder)` has these files"),
        ] {
            let said = of(names);
            assert!(said.contains(part), "{names:?}: {said}");
        }
    }
}
