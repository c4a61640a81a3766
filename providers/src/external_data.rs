//! Which files an ONNX graph takes its weights from. Knows no runtime.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use crate::protobuf::fields;

// Numbers of fields in ONNX's own description of the format.
const MODEL_GRAPH: u64 = 7;
const GRAPH_INITIALIZER: u64 = 5;
const GRAPH_OUTPUT: u64 = 12;
const VALUE_NAME: u64 = 1;
const TENSOR_EXTERNAL_DATA: u64 = 13;
const ENTRY_KEY: u64 = 1;
const ENTRY_VALUE: u64 = 2;

/// The files that initializers of a graph name, by their plain names, sorted; none of what is not a graph.
///
/// Names that lead into other folders are left out: a graph from elsewhere has no business there.
pub(crate) fn files_named_in(model: &[u8]) -> BTreeSet<String> {
    let inside = |message, number| {
        let fields = fields(message).unwrap_or_default().into_iter();
        fields.filter(move |(found, _)| *found == number).map(|(_, content)| content)
    };
    inside(model, MODEL_GRAPH)
        .flat_map(|graph| inside(graph, GRAPH_INITIALIZER))
        .flat_map(|tensor| inside(tensor, TENSOR_EXTERNAL_DATA))
        .filter(|entry| inside(entry, ENTRY_KEY).any(|key| key == b"location"))
        .flat_map(|entry| inside(entry, ENTRY_VALUE))
        .filter_map(|name| std::str::from_utf8(name).ok())
        .filter(|name| is_plain(name))
        .map(str::to_owned)
        .collect()
}

/// The names of a graph's outputs, in its order; none of what is not a graph.
pub(crate) fn outputs_of(model: &[u8]) -> Vec<String> {
    let inside = |message, number| {
        let fields = fields(message).unwrap_or_default().into_iter();
        fields.filter(move |(found, _)| *found == number).map(|(_, content)| content)
    };
    inside(model, MODEL_GRAPH)
        .flat_map(|graph| inside(graph, GRAPH_OUTPUT))
        .flat_map(|output| inside(output, VALUE_NAME))
        .filter_map(|name| std::str::from_utf8(name).ok())
        .map(str::to_owned)
        .collect()
}

fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        // Lengths have seven bits a byte; two bytes are enough here.
        let length = u16::try_from(content.len()).unwrap();
        let [low, high] = [(length & 0x7f) as u8 | 0x80, (length >> 7) as u8];
        [&[number << 3 | 2, low, high], content].concat()
    }

    /// An initializer with these entries of external data.
    fn tensor(entries: &[(&str, &str)]) -> Vec<u8> {
        let entry = |(key, value): &(&str, &str)| {
            field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
        };
        field(5, &entries.iter().flat_map(entry).collect::<Vec<u8>>())
    }

    #[test]
    fn each_file_of_the_graphs_own_folder_is_named_once() {
        let graph = [
            tensor(&[("location", "b.onnx_data"), ("offset", "0")]),
            tensor(&[("location", "a.onnx_data"), ("offset", "16")]),
            tensor(&[("offset", "16"), ("location", "b.onnx_data")]),
            tensor(&[("location", "../elsewhere.onnx_data")]),
            tensor(&[("location", "/etc/passwd")]),
            tensor(&[]),
        ];
        let found = files_named_in(&field(7, &graph.concat()));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a.onnx_data", "b.onnx_data"]);
        assert!(files_named_in(b"no graph").is_empty());
    }

    #[test]
    fn the_committed_graph_names_its_weights() {
        for spec in crate::model::known() {
            let found = files_named_in(spec.graph);
            assert_eq!(found.into_iter().collect::<Vec<_>>(), ["model.onnx_data"]);
            assert_eq!(outputs_of(spec.graph), ["last_hidden_state"]);
        }
    }
}
