//! The two lists that are kept of models: the variants beside a model, and the registered folders in the store.

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tailmark_providers::model::{ModelStore, variants};

use super::examples::made;
use super::scratch::Scratch;
use super::target::{Seen, Target};

const VARIANTS: &str = r#"[{"file": {"name": "model_fp16.onnx", "bytes": 3, "sha256": "00"}, "form": "float16",
  "made_from": "00", "figures": {"min_cosine": 0.9999, "spearman": -0.5}, "made_with": {"onnx": "1.2"}}]"#;

#[test]
fn every_list_of_models_is_read_or_is_refused_with_the_reason() {
    let folders =
        json!([{"name": "me/my-model", "folder": "/models/mine"}, {"name": "b", "folder": "relative"}]);
    let examples = vec![made("variants", VARIANTS), made("folders", folders.to_string()), made("none", "[]")];
    Target { name: "lists_of_models", cases: 1_000, examples, made: None, check }.run();
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let folder = Scratch::new();
    folder.write("own-models.json", input);
    let mut seen = Seen::Refused;
    let refused = |why: String, name: &str| {
        let named = why.contains(name) && why.contains("hint: ") && why.len() < 4 * input.len() + 2_000;
        if named { Ok(()) } else { Err(format!("{name} or what to do is not named: {why:.300}")) }
    };
    match ModelStore::at(folder.path()).registered() {
        Ok(_) => seen = Seen::Taken,
        Err(why) => refused(why.to_string(), "own-models.json")?,
    }
    // As it stands, and under a hash that is right: a change that the hash finds ends there.
    let list = String::from_utf8_lossy(input);
    let list = list.trim();
    let hash: String = Sha256::digest(list).iter().map(|byte| format!("{byte:02x}")).collect();
    let hashed = format!("{{\"sha256\": \"{hash}\", \"variants\": {list}}}");
    for text in [input, hashed.as_bytes()] {
        folder.write(variants::VARIANTS, text);
        match variants::read(folder.path()) {
            Ok(list) => {
                if let Some(variant) = list.iter().find(|variant| variant.file.name.contains('/')) {
                    return Err(format!("`{}` leads out of the folder", variant.file.name));
                }
                seen = Seen::Taken;
            }
            Err(why) => refused(why.to_string(), variants::VARIANTS)?,
        }
    }
    Ok(seen)
}
