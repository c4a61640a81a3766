//! Folders as sentence-transformers writes them, and some that it would not write.

use std::fs;

use super::*;
use crate::model::recipe::{PoolingMode, Side};

/// A folder with these files beside weights and a tokenizer that nobody reads here.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("tokenizer.json", "{}"), (WEIGHTS, "weights")].iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn of(files: &[(&str, &str)]) -> Description {
    describe(folder(files).path()).unwrap()
}

/// The error without the folder's name.
fn refused(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let error = describe(folder.path()).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

const BERT: (&str, &str) =
    ("config.json", r#"{"model_type": "bert", "hidden_size": 32, "max_position_embeddings": 64}"#);
const MODULES_OF_MINILM: (&str, &str) = (
    "modules.json",
    r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]"#,
);

#[test]
fn a_sentence_transformers_folder_says_everything() {
    let found = of(&[
        BERT,
        MODULES_OF_MINILM,
        ("1_Pooling/config.json", r#"{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#),
        ("sentence_bert_config.json", r#"{"max_seq_length": 48, "do_lower_case": false}"#),
        ("tokenizer_config.json", r#"{"model_max_length": 60}"#),
    ]);
    let expected = Description {
        model_type: "bert".to_owned(),
        dimensions: 32,
        recipe: Recipe {
            head: vec![Module::Pooling { mode: PoolingMode::Mean }, Module::Normalize],
            ..Recipe::pooling(PoolingMode::Mean, 48)
        },
        files: [
            "config.json",
            "tokenizer.json",
            "model.safetensors",
            "modules.json",
            "sentence_bert_config.json",
            "tokenizer_config.json",
            "1_Pooling/config.json",
        ]
        .map(str::to_owned)
        .into(),
        notes: Vec::new(),
    };
    assert_eq!(found, expected);
}

#[test]
fn a_folder_that_holds_a_transformer_alone_is_pooled_by_the_mean_and_says_so() {
    let found = of(&[BERT]);
    assert_eq!(found.recipe, Recipe::pooling(PoolingMode::Mean, 64));
    let note = "there is no 1_Pooling/config.json, so vectors are the mean over a text's tokens";
    assert_eq!(found.notes, [note]);
}

#[test]
fn positions_are_counted_as_the_model_type_counts_them() {
    for (config, expected) in [
        (
            r#"{"model_type": "roberta", "hidden_size": 8, "max_position_embeddings": 514, "pad_token_id": 1}"#,
            512,
        ),
        (
            r#"{"model_type": "mpnet", "hidden_size": 8, "max_position_embeddings": 514, "pad_token_id": 0}"#,
            512,
        ),
        (r#"{"model_type": "xlm-roberta", "hidden_size": 8, "max_position_embeddings": 514}"#, 512),
        (r#"{"model_type": "distilbert", "dim": 8, "max_position_embeddings": 512}"#, 512),
    ] {
        let found = of(&[("config.json", config)]);
        assert_eq!((found.dimensions, found.recipe.max_tokens), (8, expected), "{config}");
    }
}

#[test]
fn a_length_without_limit_is_none_and_one_beyond_the_positions_is_cut_to_them() {
    let unlimited =
        of(&[BERT, ("tokenizer_config.json", r#"{"model_max_length": 1000000000000000019884624838656}"#)]);
    assert_eq!(unlimited.recipe.max_tokens, 64);
    let longer = of(&[BERT, ("sentence_bert_config.json", r#"{"max_seq_length": 512}"#)]);
    assert_eq!(longer.recipe.max_tokens, 64);
    let note =
        "sentence_bert_config.json allows 512 tokens and the model has positions for 64: texts are cut to 64";
    assert!(longer.notes.contains(&note.to_owned()), "{:?}", longer.notes);
}

#[test]
fn cls_pooling_is_read_in_the_older_and_in_the_newer_form() {
    for settings in [
        r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#,
        r#"{"embedding_dimension": 32, "pooling_mode": "cls"}"#,
    ] {
        let found = of(&[BERT, ("1_Pooling/config.json", settings)]);
        assert_eq!(found.recipe, Recipe::pooling(PoolingMode::Cls, 64), "{settings}");
    }
}

#[test]
fn another_pooling_and_two_at_once_are_refused_by_name() {
    for (settings, expected) in [
        (
            r#"{"pooling_mode_max_tokens": true}"#,
            "its pooling is max_tokens; supported are mean and cls, one at a time",
        ),
        (
            r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#,
            "its pooling is cls_token with mean_tokens; supported are mean and cls, one at a time",
        ),
        (
            r#"{"pooling_mode": "lasttoken"}"#,
            "its pooling is lasttoken; supported are mean and cls, one at a time",
        ),
        (r#"{"pooling_mode_mean_tokens": false}"#, "it names no pooling; supported are mean and cls"),
    ] {
        let found = refused(&[BERT, ("1_Pooling/config.json", settings)]);
        assert_eq!(found, format!("1_Pooling/config.json: {expected}"));
    }
}

#[test]
fn a_dense_module_and_an_unknown_one_are_refused_by_name() {
    let with = |kind: &str| {
        let modules = format!(
            r#"[{{"path": "", "type": "m.Transformer"}}, {{"path": "2_{kind}", "type": "m.{kind}"}}]"#
        );
        refused(&[BERT, ("modules.json", &modules)])
    };
    let dense = with("Dense");
    assert!(
        dense.starts_with("modules.json: it has a module `Dense` (2_Dense), and supported are"),
        "{dense}"
    );
    assert!(dense.contains("\n\nhint: tailmark cannot run a model with a Dense module"), "{dense}");
    assert!(with("CNN").starts_with("modules.json: it has a module `CNN` (2_CNN)"));
}

#[test]
fn what_is_missing_is_listed_in_one_go() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), "{}").unwrap();
    let error = describe(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains(
            "it lacks tokenizer.json, model.safetensors; it contains config.json\n\nhint: a sentence-"
        ),
        "{error}"
    );
}

#[test]
fn files_that_say_nothing_are_named() {
    assert!(refused(&[("config.json", "{")]).starts_with("config.json: it is not JSON: "));
    assert_eq!(refused(&[("config.json", "[]")]), "config.json: it is not a JSON object");
    assert_eq!(
        refused(&[("config.json", r#"{"max_position_embeddings": 64}"#)]),
        "config.json: it does not say how long a vector is: there is no `hidden_size` and no `dim`"
    );
    assert!(refused(&[("config.json", r#"{"hidden_size": 8}"#)]).contains("how many tokens the model takes"));
    assert_eq!(
        refused(&[BERT, ("modules.json", r#"[{"path": ""}]"#)]),
        "modules.json: it is not a list of modules with a `type` and a `path`"
    );
}

/// The prompts of a model, its default, and how much of its vectors is used.
fn sentence_transformers(content: &str) -> (&str, &str) {
    ("config_sentence_transformers.json", content)
}

#[test]
fn a_default_prompt_is_put_before_every_text_and_others_are_named() {
    let prompts = r#"{"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "query"}"#;
    let found = of(&[BERT, sentence_transformers(prompts)]);
    assert_eq!(found.recipe.prompt(), "query: ");
    assert!(
        found.notes.contains(&"its default prompt `query` is put before every text".to_owned()),
        "{:?}",
        found.notes
    );
    let named = of(&[BERT, sentence_transformers(&prompts.replace("\"query\"}", "null}"))]);
    assert_eq!((named.recipe.prompt(), named.recipe.prompts.len()), ("", 1));
    assert!(
        named.notes.iter().any(|note| note.starts_with("it has the prompts `query`, none of them")),
        "{:?}",
        named.notes
    );
    let none = of(&[BERT, sentence_transformers(&prompts.replace("query: ", ""))]);
    assert_eq!(none.recipe, of(&[BERT]).recipe, "prompts without a text are none");
}

#[test]
fn a_default_prompt_that_is_not_there_or_is_not_pooled_is_refused() {
    let missing = refused(&[BERT, sentence_transformers(r#"{"default_prompt_name": "query"}"#)]);
    assert!(
        missing.contains("its default prompt is `query`, and it has no prompt of that name"),
        "{missing}"
    );
    let prompts = r#"{"prompts": {"query": "query: "}, "default_prompt_name": "query"}"#;
    let pooling = r#"{"pooling_mode": "mean", "include_prompt": false}"#;
    let left_out = refused(&[BERT, sentence_transformers(prompts), ("1_Pooling/config.json", pooling)]);
    assert_eq!(
        left_out,
        "1_Pooling/config.json: its pooling leaves out the tokens of the default prompt `query`, and no backend here does"
    );
}

#[test]
fn vectors_that_are_cut_are_as_long_as_what_is_left() {
    let found = of(&[BERT, MODULES_OF_MINILM, sentence_transformers(r#"{"truncate_dim": 8}"#)]);
    let pooling = Module::Pooling { mode: PoolingMode::Mean };
    assert_eq!(found.recipe.head, [pooling, Module::Normalize, Module::Truncate { dimensions: 8 }]);
    assert_eq!(found.dimensions, 8);
    let longer = refused(&[BERT, sentence_transformers(r#"{"truncate_dim": 33}"#)]);
    assert!(longer.contains("it keeps 33 numbers of a vector that has 32"), "{longer}");
}

#[test]
fn case_is_lowered_by_either_file_and_the_tokenizers_class_takes_accents_away_too() {
    let cased = ("tokenizer.json", r#"{"normalizer": {"type": "BertNormalizer", "lowercase": false}}"#);
    let uncased = ("tokenizer.json", r#"{"normalizer": {"type": "BertNormalizer", "lowercase": true}}"#);
    let sentences = ("sentence_bert_config.json", r#"{"max_seq_length": 64, "do_lower_case": true}"#);
    let class = ("tokenizer_config.json", r#"{"do_lower_case": true}"#);
    let keeping = ("tokenizer_config.json", r#"{"do_lower_case": true, "strip_accents": false}"#);
    for (files, expected) in [
        (&[BERT, cased][..], (false, false)),
        (&[BERT, cased, sentences], (true, false)),
        (&[BERT, cased, class], (true, true)),
        (&[BERT, cased, keeping], (true, false)),
        (&[BERT, uncased, class], (false, false)),
    ] {
        let found = of(files).recipe;
        assert_eq!((found.lower_case, found.strip_accents), expected, "{files:?}");
    }
}

#[test]
fn the_end_that_is_cut_and_the_token_of_padding_come_from_the_tokenizers_files() {
    let vocabulary = r#"{"model": {"vocab": {"<pad>": 7}}, "truncation": {"direction": "Left"}}"#;
    let unigram = r#"{"model": {"vocab": [["<s>", 0.0], ["<pad>", -1.0]]}}"#;
    let config = ("config.json", r#"{"hidden_size": 8, "max_position_embeddings": 64, "pad_token_id": 3}"#);
    let named =
        ("tokenizer_config.json", r#"{"pad_token": {"content": "<pad>"}, "truncation_side": "right"}"#);
    for (files, side, padding) in [
        (&[config][..], Side::Right, 3),
        (&[config, ("tokenizer.json", vocabulary)], Side::Left, 3),
        (&[config, ("tokenizer.json", vocabulary), named], Side::Right, 7),
        (&[config, ("tokenizer.json", unigram), named], Side::Right, 1),
        (&[config, ("tokenizer.json", r#"{"padding": {"pad_id": 9}}"#), named], Side::Right, 9),
        (
            &[config, ("tokenizer.json", r#"{"added_tokens": [{"id": 4, "content": "<pad>"}]}"#), named],
            Side::Right,
            4,
        ),
        (&[config, ("tokenizer_config.json", r#"{"truncation_side": "left"}"#)], Side::Left, 3),
    ] {
        let found = of(files).recipe;
        assert_eq!((found.truncation_side, found.padding_id), (side, padding), "{files:?}");
    }
}

#[test]
fn what_takes_its_vector_from_elsewhere_is_refused() {
    let modules = (
        "modules.json",
        r#"[{"path": "", "type": "m.Transformer"}, {"path": "1_Normalize", "type": "m.Normalize"}]"#,
    );
    let pooled = refused(&[BERT, modules]);
    assert!(
        pooled.starts_with(
            "modules.json: it has no module `Pooling`: its vector is the model's own pooled output"
        ),
        "{pooled}"
    );
    let causal =
        r#"{"hidden_size": 8, "max_position_embeddings": 64, "architectures": ["Qwen3ForCausalLM"]}"#;
    let last = refused(&[("config.json", causal)]);
    assert!(
        last.contains("it is a `Qwen3ForCausalLM`, and without modules.json its vector is that of the last"),
        "{last}"
    );
    let outside = r#"[{"path": "", "type": "m.Transformer"}, {"path": "../p", "type": "m.Pooling"}]"#;
    let led = refused(&[BERT, ("modules.json", outside)]);
    assert_eq!(led, "modules.json: its pooling is in `../p`, which is no folder below this one");
}

#[test]
fn a_model_in_another_form_is_told_what_it_is_and_what_makes_it_readable() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "pytorch_model.bin"] {
        fs::write(folder.path().join(name), "{}").unwrap();
    }
    let error = describe(folder.path()).unwrap_err().to_string();
    let at = folder.path().display();
    assert_eq!(
        error,
        format!(
            "{at} is not a model folder: it lacks model.safetensors; it contains config.json, pytorch_model.bin, \
             tokenizer.json\n\nhint: its weights are in pytorch_model.bin; model.safetensors is written by \
             `AutoModel.from_pretrained(\"{at}\").save_pretrained(\"{at}\")` of transformers"
        )
    );
    let modules = r#"[{"path": "", "type": "sentence_transformers.models.StaticEmbedding"}]"#;
    fs::write(folder.path().join("modules.json"), modules).unwrap();
    let error = describe(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("it has a module `StaticEmbedding`") && error.contains("a table of vectors"),
        "{error}"
    );
}

#[test]
fn a_byte_order_mark_before_a_file_is_no_part_of_it() {
    let marked = format!("\u{feff}{}", BERT.1);
    assert_eq!(of(&[("config.json", &marked)]), of(&[BERT]));
}

#[test]
fn weights_in_half_precision_are_named() {
    let config = r#"{"hidden_size": 8, "max_position_embeddings": 64, "torch_dtype": "bfloat16"}"#;
    let found = of(&[("config.json", config)]);
    assert!(
        found.notes.iter().any(|note| note.starts_with("its configuration says bfloat16, in which")),
        "{:?}",
        found.notes
    );
}
