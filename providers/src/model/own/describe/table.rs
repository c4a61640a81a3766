//! A model that is a table with a vector for each token: how long its vectors are.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::settings::{DescribeError, wrong};
use crate::model::manifest::WEIGHTS;
use crate::model::table::NAMES;

/// A header of tensors is far shorter than this; what is longer is no safetensors file.
const LONGEST_HEADER: u64 = 100 << 20;

/// The length of the table's rows, by the header of its file.
pub(super) fn dimensions(folder: &Path, weights: &[String]) -> Result<u32, DescribeError> {
    let path = folder.join(WEIGHTS);
    if weights != [WEIGHTS] {
        let why = "there is no such file, and a table of vectors is read from it alone";
        let hint = "save it again with a current sentence-transformers: `SentenceTransformer(folder).save_pretrained(other)`";
        return Err(wrong(&path, why, Some(hint)));
    }
    let header = header(&path).ok_or_else(|| wrong(&path, "it is not a safetensors file", None))?;
    let length = NAMES.iter().find_map(|name| header.get(*name)?.get("shape")?.get(1)?.as_u64());
    length.and_then(|length| u32::try_from(length).ok()).filter(|length| *length > 0).ok_or_else(|| {
        wrong(
            &path,
            &format!("it has no table of vectors: none of its tensors is `{}`", NAMES.join("` or `")),
            None,
        )
    })
}

fn header(path: &Path) -> Option<Map<String, Value>> {
    let mut file = File::open(path).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return None;
    }
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
