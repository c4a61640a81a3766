//! Which graph of a model folder is run, and in which fixed shapes: the option values that the runtimes of graphs share.
//! Knows no runtime.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::variants::{self, Variant};
use crate::provider::LoadRequest;

/// Name of a graph in the model's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GraphFile(String);

impl GraphFile {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Default for GraphFile {
    fn default() -> Self {
        Self("model.onnx".to_owned())
    }
}

impl<'de> Deserialize<'de> for GraphFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rule = "allowed is the name of a file in the model's folder, or in a folder below it, that ends in .onnx";
        let name = serde_json::Value::deserialize(deserializer)?;
        let name = name.as_str().ok_or_else(|| D::Error::custom(rule))?;
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        let allowed = !name.contains(['\\', '\0'])
            && name.split('/').all(plain)
            && name
                .rsplit('/')
                .next()
                .is_some_and(|last| last.len() > ".onnx".len() && last.ends_with(".onnx"));
        if allowed { Ok(Self(name.to_owned())) } else { Err(D::Error::custom(rule)) }
    }
}

impl JsonSchema for GraphFile {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GraphFile".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^([^/\\]+/)*[^/\\]+\.onnx$" })
    }
}

/// What is known of the graph that a backend is to run: nothing of the model's own graph, or of one that tailmark did not make.
#[must_use]
pub fn variant_of(request: &LoadRequest) -> Option<Variant> {
    let folder = &request.model.as_ref()?.folder;
    let name = request.options.get("graph")?.as_str()?;
    // A list that was damaged is said by `tailmark model verify`; here it only means that nothing is known.
    variants::read(folder).ok()?.into_iter().find(|variant| variant.file.name == name)
}

/// Instructions that a quantized graph was made for. Any processor runs it; what it gains in time and loses in its vectors is known
/// of these alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// Those of 64-bit ARM.
    Arm64,
    /// AVX2, of x86.
    Avx2,
    /// AVX-512, of x86.
    Avx512,
    /// AVX-512 with VNNI, of x86.
    Avx512Vnni,
}

impl InstructionSet {
    /// The processors that have it, as the end of `made for`.
    #[must_use]
    pub fn processors(self) -> &'static str {
        match self {
            Self::Arm64 => "ARM64 processors",
            Self::Avx2 => "processors with AVX2",
            Self::Avx512 => "processors with AVX-512",
            Self::Avx512Vnni => "processors with AVX-512 VNNI",
        }
    }

    /// What the name of a graph says that it was made for: sentence-transformers and Optimum call them, for example,
    /// `model_qint8_avx512_vnni.onnx` and `model_quint8_avx2.onnx`.
    #[must_use]
    pub fn named_in(graph: &str) -> Option<Self> {
        let stem = graph.rsplit('/').next()?.strip_suffix(".onnx")?.to_ascii_lowercase();
        let words: Vec<&str> = stem.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let has = |word: &str| words.contains(&word);
        if has("arm64") || has("aarch64") {
            Some(Self::Arm64)
        } else if has("vnni") {
            Some(Self::Avx512Vnni)
        } else if has("avx512") {
            Some(Self::Avx512)
        } else {
            has("avx2").then_some(Self::Avx2)
        }
    }
}

/// Texts per run and tokens per text, both fixed: what is smaller is padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StaticShape(u32, u32);

/// Texts per run at most, and tokens per text at most.
const MOST: (u32, u32) = (1024, 65_536);

impl StaticShape {
    /// Texts.
    #[must_use]
    pub fn batch(self) -> usize {
        self.0 as usize
    }

    /// Tokens of each.
    #[must_use]
    pub fn tokens(self) -> usize {
        self.1 as usize
    }
}

impl<'de> Deserialize<'de> for StaticShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = <[u32; 2]>::deserialize(deserializer).ok();
        found
            .filter(|[batch, tokens]| (1..=MOST.0).contains(batch) && (1..=MOST.1).contains(tokens))
            .map(|[batch, tokens]| Self(batch, tokens))
            .ok_or_else(|| {
                D::Error::custom(format!(
                    "allowed are pairs [texts, tokens] up to [{}, {}], for example [[1, 32], [1, 256]]",
                    MOST.0, MOST.1
                ))
            })
    }
}

impl JsonSchema for StaticShape {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StaticShape".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "prefixItems": [
                { "type": "integer", "minimum": 1, "maximum": MOST.0 },
                { "type": "integer", "minimum": 1, "maximum": MOST.1 }
            ],
            "items": false,
            "minItems": 2
        })
    }
}

/// A stretch of a batch's texts and the shape it is run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The first text.
    pub(crate) first: usize,
    /// How many texts.
    pub(crate) texts: usize,
    /// Index of the shape.
    pub(crate) shape: usize,
}

/// Cuts a batch into pieces, each in the shape that computes the fewest tokens per text of it.
///
/// `None` when a text is longer than every shape.
pub(crate) fn pieces(shapes: &[StaticShape], token_counts: &[u32]) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut first = 0;
    while first < token_counts.len() {
        let left = &token_counts[first..];
        let fitting = shapes.iter().enumerate().filter_map(|(index, shape)| {
            // As many of the next texts as the shape has room for, up to the first that is too long.
            let texts = left
                .iter()
                .take(shape.batch())
                .take_while(|tokens| **tokens as usize <= shape.tokens())
                .count();
            (texts > 0).then_some((shape.batch() * shape.tokens(), texts, index))
        });
        // Fewest computed tokens per text; as cross products, so that equals are equal.
        let (_, texts, shape) =
            fitting.min_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)))?;
        pieces.push(Piece { first, texts, shape });
        first += texts;
    }
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shapes(pairs: &[[u32; 2]]) -> Vec<StaticShape> {
        serde_json::from_value(json!(pairs)).expect("shapes")
    }

    #[test]
    fn the_name_of_a_quantized_graph_says_which_instructions_it_was_made_for() {
        let sets = [
            ("onnx/model_qint8_arm64.onnx", Some(InstructionSet::Arm64)),
            ("onnx/model_quint8_avx2.onnx", Some(InstructionSet::Avx2)),
            ("model_qint8_avx512.onnx", Some(InstructionSet::Avx512)),
            ("onnx/model_qint8_avx512_vnni.onnx", Some(InstructionSet::Avx512Vnni)),
            ("onnx/model_quantized.onnx", None),
            ("arm64/model.onnx", None),
            ("onnx/model_O4.onnx", None),
        ];
        for (name, set) in sets {
            assert_eq!(InstructionSet::named_in(name), set, "{name}");
        }
    }

    #[test]
    fn a_text_takes_the_smallest_shape_that_holds_it() {
        let shapes = shapes(&[[1, 256], [1, 16], [1, 64]]);
        let of = |tokens| pieces(&shapes, &[tokens]).expect("it fits")[0].shape;
        assert_eq!([of(3), of(16), of(17), of(64), of(65), of(256)], [1, 1, 2, 2, 0, 0]);
        assert_eq!(pieces(&shapes, &[257]), None);
    }

    #[test]
    fn a_batch_is_cut_into_pieces_in_its_order_and_a_larger_shape_is_taken_where_it_is_cheaper() {
        let shapes = shapes(&[[1, 32], [4, 32], [1, 256]]);
        let found = pieces(&shapes, &[10, 10, 200, 10, 10, 10, 10, 10]).expect("it fits");
        let as_numbers: Vec<_> = found.iter().map(|piece| (piece.first, piece.texts, piece.shape)).collect();
        // Two short texts cost 64 tokens in two runs and 128 in one; four cost 128 either way, and one run is taken.
        assert_eq!(as_numbers, [(0, 1, 0), (1, 1, 0), (2, 1, 2), (3, 4, 1), (7, 1, 0)]);
    }

    #[test]
    fn what_is_no_shape_or_no_file_of_the_folder_is_refused_with_the_rule() {
        for shape in [json!([0, 16]), json!([1]), json!([1, 70_000]), json!("1x16"), json!([1, 2, 3])] {
            let error = serde_json::from_value::<StaticShape>(shape).expect_err("no shape");
            assert!(error.to_string().contains("pairs [texts, tokens] up to [1024, 65536]"), "{error}");
        }
        for name in [
            "../model.onnx",
            "/model.onnx",
            "onnx//model.onnx",
            "onnx/./model.onnx",
            "model.bin",
            ".onnx",
            "onnx/.onnx",
        ]
        .map(|name| json!(name))
        .into_iter()
        .chain([json!(7)])
        {
            let error = serde_json::from_value::<GraphFile>(name).expect_err("no file");
            assert!(error.to_string().contains("ends in .onnx"), "{error}");
        }
        let fused = serde_json::from_value::<GraphFile>(json!("model.fused.onnx")).expect("a name");
        assert_eq!(fused.name(), "model.fused.onnx");
        let below = serde_json::from_value::<GraphFile>(json!("onnx/model_quantized.onnx")).expect("a name");
        assert_eq!(below.name(), "onnx/model_quantized.onnx");
    }
}
