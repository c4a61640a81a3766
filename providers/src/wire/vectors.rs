//! Vectors on the wire: the result of `embed`, to bytes and back. Base64 is decoded straight from the line into the
//! numbers, with no string in between. Knows nothing of what was asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::message::{Encoding, begin_answer, unreadable};
use crate::provider::{Embeddings, ProviderError, StageTimes};

/// Appends the answer to an `embed` and its line break to the buffer.
///
/// # Errors
/// [`ProviderError::Embed`] when a number is not finite and the encoding has no way to write it; the buffer is then
/// as it was. Base64 carries such numbers, and the caller refuses them.
pub fn write_embeddings(
    buffer: &mut Vec<u8>,
    id: &str,
    embeddings: &Embeddings,
    encoding: Encoding,
) -> Result<(), ProviderError> {
    let numbers = &embeddings.vectors;
    if let (Encoding::Float, Some(found)) = (encoding, numbers.iter().find(|number| !number.is_finite())) {
        return Err(ProviderError::Embed(format!("the vectors hold {found}, which JSON has no number for")));
    }
    begin_answer(buffer, id);
    buffer.extend_from_slice(b",\"result\":{\"vectors\":[");
    for (index, row) in numbers.chunks((embeddings.dimensions as usize).max(1)).enumerate() {
        if index > 0 {
            buffer.push(b',');
        }
        match encoding {
            Encoding::Base64 => push_base64(buffer, row),
            Encoding::Float => push_json(buffer, row),
        }
    }
    buffer.push(b']');
    if let Some(counts) = &embeddings.token_counts {
        buffer.extend_from_slice(b",\"token_counts\":");
        push_json(buffer, counts);
    }
    if let Some(truncated) = &embeddings.truncated {
        buffer.extend_from_slice(b",\"truncated\":");
        push_json(buffer, truncated);
    }
    buffer.extend_from_slice(b",\"stages\":");
    let StageTimes { tokenize_ns, infer_ns, pool_ns, worker_ns, .. } = embeddings.stages;
    push_json(buffer, &Stages { tokenize_ns, infer_ns, pool_ns, worker_ns });
    buffer.extend_from_slice(b"}}\n");
    Ok(())
}

/// The stage times that a worker may know; the caller adds its own.
#[derive(Default, serde::Serialize, Deserialize)]
struct Stages {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokenize_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    infer_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worker_ns: Option<u64>,
}

fn push_json<T: serde::Serialize + ?Sized>(buffer: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(buffer, value).expect("finite numbers are always JSON: this is a bug");
}

fn push_base64(buffer: &mut Vec<u8>, row: &[f32]) {
    let mut bytes = Vec::with_capacity(row.len() * 4);
    bytes.extend(row.iter().flat_map(|number| number.to_le_bytes()));
    buffer.push(b'"');
    let start = buffer.len();
    buffer.resize(start + bytes.len().div_ceil(3) * 4, 0);
    BASE64
        .encode_slice(&bytes, &mut buffer[start..])
        .expect("four characters for every three bytes are enough: this is a bug");
    buffer.push(b'"');
}

/// Reads the result of an `embed`, in either encoding.
///
/// # Errors
/// [`ProviderError::Protocol`] when it has the wrong shape, [`ProviderError::Answer`] when it has no vectors or
/// vectors of different lengths.
pub fn read_embeddings(result: &RawValue) -> Result<Embeddings, ProviderError> {
    #[derive(Deserialize)]
    struct Members {
        vectors: Rows,
        #[serde(default)]
        token_counts: Option<Vec<u32>>,
        #[serde(default)]
        truncated: Option<u32>,
        #[serde(default)]
        stages: Stages,
    }
    let Members { vectors, token_counts, truncated, stages } =
        serde_json::from_str(result.get()).map_err(|fault| unreadable("embed", &fault))?;
    let answer =
        |found: String, expected: &str| ProviderError::Answer { found, expected: expected.to_owned() };
    if let Some((index, length)) = vectors.uneven {
        return Err(answer(
            format!("{} numbers in the vector of text 0 and {length} in that of text {index}", vectors.width),
            "vectors of one length",
        ));
    }
    if vectors.width == 0 {
        return Err(answer("no vectors, or empty ones".to_owned(), "one vector for each text"));
    }
    let Stages { tokenize_ns, infer_ns, pool_ns, worker_ns } = stages;
    Ok(Embeddings {
        vectors: vectors.numbers,
        dimensions: u32::try_from(vectors.width).unwrap_or(u32::MAX),
        token_counts,
        tokens_in_all: None,
        truncated,
        stages: StageTimes { tokenize_ns, infer_ns, pool_ns, worker_ns, ..StageTimes::default() },
    })
}

/// All vectors of an answer, one after the other.
#[derive(Default)]
struct Rows {
    numbers: Vec<f32>,
    /// Length of the first vector.
    width: usize,
    /// Index and length of the first vector that is not as long as the first one.
    uneven: Option<(usize, usize)>,
    /// Bytes of one vector, kept from one to the next.
    bytes: Vec<u8>,
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rows, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Rows;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an array of vectors")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut vectors: A) -> Result<Rows, A::Error> {
                let mut rows = Rows::default();
                let mut index = 0;
                loop {
                    let before = rows.numbers.len();
                    if vectors.next_element_seed(Row(&mut rows))?.is_none() {
                        return Ok(rows);
                    }
                    let length = rows.numbers.len() - before;
                    if index == 0 {
                        rows.width = length;
                    } else if length != rows.width {
                        rows.uneven.get_or_insert((index, length));
                    }
                    index += 1;
                }
            }
        }
        deserializer.deserialize_seq(All)
    }
}

/// One vector, appended to those before it.
struct Row<'r>(&'r mut Rows);

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("base64 of little-endian binary32, or an array of numbers")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        let Rows { numbers, bytes, .. } = self.0;
        bytes.clear();
        BASE64
            .decode_vec(text, bytes)
            .map_err(|fault| E::custom(format!("a vector is not base64: {fault}")))?;
        let (whole, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom(format!(
                "a vector has {} bytes, which is not a multiple of four",
                bytes.len()
            )));
        }
        numbers.extend(whole.iter().map(|four| f32::from_le_bytes(*four)));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(number) = elements.next_element()? {
            self.0.numbers.push(number);
        }
        Ok(())
    }
}
