//! The files by which a model's folder says what it is: read, or refused with the file. Each line of the input is one file,
//! its name first.

use tailmark_providers::model::own::describe::describe;

use super::examples::made;
use super::scratch::Scratch;
use super::target::{Seen, Target};

const FILES: &str = r#"config.json {"model_type": "bert", "hidden_size": 384, "max_position_embeddings": 512, "pad_token_id": 0}
modules.json [{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}, {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}, {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]
1_Pooling/config.json {"word_embedding_dimension": 384, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}
sentence_bert_config.json {"max_seq_length": 256, "do_lower_case": false}
tokenizer_config.json {"model_max_length": 512, "padding_side": "right", "do_lower_case": true}
special_tokens_map.json {"pad_token": "[PAD]"}
config_sentence_transformers.json {"similarity_fn_name": null, "prompts": {"query": "query: "}}
"#;

/// Names that a line may begin with; any other is left out.
const NAMES: [&str; 7] = [
    "config.json",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "config_sentence_transformers.json",
];

#[test]
fn every_model_folder_is_described_or_is_refused_with_the_file() {
    let alone = "config.json {\"model_type\": \"mpnet\", \"dim\": 8, \"hidden_size\": 8, \"max_position_embeddings\": 514}\n";
    let examples = vec![made("sentence-transformers", FILES), made("a transformer alone", alone)];
    Target { name: "model_folder", cases: 1_000, examples, made: None, check }.run();
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let folder = Scratch::new();
    folder.write("model.safetensors", b"");
    folder.write("tokenizer.json", b"{}");
    for line in input.split(|byte| *byte == b'\n') {
        let at = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let name = String::from_utf8_lossy(&line[..at]);
        if NAMES.contains(&&*name) {
            folder.write(&name, &line[at..]);
        }
    }
    match describe(folder.path()) {
        Ok(described) if described.dimensions == 0 || described.recipe.max_tokens == 0 => {
            Err(format!("vectors or texts of no length: {described:?}"))
        }
        Ok(_) => Ok(Seen::Taken),
        Err(why) => {
            let why = why.to_string();
            let named =
                why.contains(&*folder.path().to_string_lossy()) && why.len() < 4 * input.len() + 2_000;
            if named { Ok(Seen::Refused) } else { Err(format!("the file is not named: {why:.300}")) }
        }
    }
}
