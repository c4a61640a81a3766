//! How two ONNX graphs differ, for a person who expected them to be one: bytes, nodes, initializers. It reads just enough of
//! the format to count these, and nothing of what they mean.

use std::collections::BTreeMap;

use crate::protobuf::fields;

/// What differs between two graphs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphDifference {
    /// Lengths of the two files.
    pub bytes: (usize, usize),
    /// Where the first byte differs, counted from 0.
    pub first_byte: usize,
    /// How many bytes differ, those that only one has included.
    pub differing_bytes: usize,
    /// What is in the two graphs; `None` when one of them cannot be read.
    pub contents: Option<Contents>,
}

/// What is in two graphs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Nodes of each.
    pub nodes: (usize, usize),
    /// Initializers of each.
    pub initializers: (usize, usize),
    /// Initializers that only one has, or that both have and that differ; by name.
    pub differing_initializers: usize,
}

/// Compares two graphs; `None` when they are the same, byte for byte.
#[must_use]
pub fn compare(one: &[u8], other: &[u8]) -> Option<GraphDifference> {
    let pairs = || one.iter().zip(other);
    let shorter = one.len().min(other.len());
    let unequal = pairs().filter(|(one, other)| one != other).count();
    let differing_bytes = unequal + one.len().max(other.len()) - shorter;
    (differing_bytes > 0).then(|| GraphDifference {
        bytes: (one.len(), other.len()),
        first_byte: pairs().position(|(one, other)| one != other).unwrap_or(shorter),
        differing_bytes,
        contents: contents(one, other),
    })
}

// Numbers of fields in ONNX's own description of the format.
const MODEL_GRAPH: u64 = 7;
const GRAPH_NODE: u64 = 1;
const GRAPH_INITIALIZER: u64 = 5;
const TENSOR_NAME: u64 = 8;

fn contents(one: &[u8], other: &[u8]) -> Option<Contents> {
    let (one, other) = (read(one)?, read(other)?);
    let names: std::collections::BTreeSet<_> =
        one.initializers.keys().chain(other.initializers.keys()).collect();
    Some(Contents {
        nodes: (one.nodes, other.nodes),
        initializers: (one.initializers.len(), other.initializers.len()),
        differing_initializers: names
            .into_iter()
            .filter(|name| one.initializers.get(*name) != other.initializers.get(*name))
            .count(),
    })
}

struct Graph<'a> {
    nodes: usize,
    /// The whole of each, by name.
    initializers: BTreeMap<&'a [u8], &'a [u8]>,
}

fn read(model: &[u8]) -> Option<Graph<'_>> {
    let mut graph = Graph { nodes: 0, initializers: BTreeMap::new() };
    let (_, inner) = fields(model)?.into_iter().find(|(number, _)| *number == MODEL_GRAPH)?;
    for (number, content) in fields(inner)? {
        match number {
            GRAPH_NODE => graph.nodes += 1,
            GRAPH_INITIALIZER => {
                let name = fields(content)?.into_iter().find(|(number, _)| *number == TENSOR_NAME);
                graph.initializers.insert(name.map_or(&[], |(_, name)| name), content);
            }
            _ => {}
        }
    }
    Some(graph)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        bytes.extend(content);
        bytes
    }

    /// A model with a node and these initializers.
    fn model(initializers: &[(&str, &[u8])]) -> Vec<u8> {
        let mut graph = field(1, b"");
        for (name, data) in initializers {
            graph.extend(field(5, &[field(8, name.as_bytes()), field(9, data)].concat()));
        }
        // The version of the format, a plain number, comes first.
        [vec![8, 8], field(7, &graph)].concat()
    }

    #[test]
    fn equal_graphs_have_no_difference() {
        let graph = model(&[("a", b"1")]);
        assert_eq!(compare(&graph, &graph), None);
    }

    #[test]
    fn initializers_are_compared_by_name_and_counted() {
        let one = model(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
        let other = model(&[("a", b"1"), ("b", b"9"), ("d", b"3")]);
        let found = compare(&one, &other).unwrap();
        assert_eq!((found.bytes, found.differing_bytes), ((one.len(), other.len()), 2));
        assert_eq!(one[..found.first_byte], other[..found.first_byte]);
        assert_ne!(one[found.first_byte], other[found.first_byte]);
        let expected = Contents { nodes: (1, 1), initializers: (3, 3), differing_initializers: 3 };
        assert_eq!(found.contents, Some(expected));
    }

    #[test]
    fn what_is_no_graph_still_has_its_bytes_compared() {
        let found = compare(b"abc", b"abcde").unwrap();
        assert_eq!((found.first_byte, found.differing_bytes, found.contents), (3, 2, None));
    }

    #[test]
    fn the_committed_graph_can_be_read() {
        for model in crate::model::known() {
            let graph = read(model.graph).unwrap();
            // That many of its initializers lie in the weights file; constants may come on top.
            assert!(graph.initializers.len() >= 101 && graph.nodes > 100, "{}", graph.nodes);
        }
    }
}
