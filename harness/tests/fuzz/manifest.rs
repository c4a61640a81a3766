//! Manifests of models (`tailmark-model.json`): read and written again, or refused with the folder and the reason.

use tailmark_providers::model::manifest::MANIFEST;
use tailmark_providers::model::own;

use super::examples::{in_repository, made};
use super::scratch::Scratch;
use super::target::{Seen, Target};

/// As an earlier tailmark wrote it.
const EARLIER: &str = r#"{
  "name": "me/my-model",
  "dimensions": 384,
  "max_tokens": 256,
  "pooling": "mean",
  "normalize": true,
  "files": [
    { "name": "config.json", "bytes": 2, "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" },
    { "name": "1_Pooling/config.json", "bytes": 190, "sha256": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23" },
    { "name": "model.safetensors", "bytes": 90868376, "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db" }
  ],
  "form": "graph-only",
  "graph": { "name": "model.onnx", "bytes": 128923, "sha256": "0a" },
  "reference": { "name": "reference.json", "bytes": 170000, "sha256": "0b" }
}
"#;

const EVERY_MODULE: &str = r#"{
  "name": "b",
  "dimensions": 128,
  "recipe": {
    "prompts": { "query": "query: ", "document": "" },
    "default_prompt": "query",
    "strip_accents": true,
    "lower_case": true,
    "max_tokens": 512,
    "truncation_side": "left",
    "padding_id": 1,
    "head": [
      { "module": "pooling", "mode": "cls" },
      { "module": "truncate", "dimensions": 128 },
      { "module": "normalize" }
    ]
  },
  "files": [{ "name": "model.safetensors", "bytes": 1, "sha256": "00" }],
  "form": "self-contained",
  "graph": { "name": "model.onnx", "bytes": 2, "sha256": "0a" },
  "reference": { "name": "reference.json", "bytes": 3, "sha256": "0b" }
}
"#;

#[test]
fn every_manifest_is_read_or_is_refused_with_the_reason() {
    let mut examples = in_repository("providers/models/all-MiniLM-L6-v2", MANIFEST);
    examples.push(made("an earlier tailmark", EARLIER));
    examples.push(made("every module", EVERY_MODULE));
    Target { name: "manifest", cases: 1_000, examples, made: None, check }.run();
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let folder = Scratch::new();
    folder.write(MANIFEST, input);
    let told = |why: String| {
        let named = why.contains(&*folder.path().to_string_lossy()) && why.len() < 4 * input.len() + 2_000;
        if named { Ok(Seen::Refused) } else { Err(format!("the folder is not named: {why:.300}")) }
    };
    let manifest = match own::read(folder.path()) {
        Ok(manifest) => manifest,
        Err(why) => return told(why.to_string()),
    };
    for file in manifest.all_files() {
        if file.name.starts_with('/') || file.name.split('/').any(|part| part == "..") {
            return Err(format!("`{}` leads out of the folder", file.name));
        }
    }
    for dimensions in [0, 1, manifest.dimensions, u32::MAX] {
        let _ = manifest.recipe.dimensions(dimensions);
    }
    manifest.write(folder.path()).map_err(|why| format!("it cannot be written: {why}"))?;
    let again = own::read(folder.path()).map_err(|why| format!("it cannot be read again: {why}"))?;
    if again != manifest {
        return Err(format!("{manifest:?} is written and read again as {again:?}"));
    }
    match own::resolve(folder.path()) {
        Ok(_) => Err("a folder with nothing but a manifest is a model".to_owned()),
        Err(why) => told(why.to_string()).map(|_| Seen::Taken),
    }
}
