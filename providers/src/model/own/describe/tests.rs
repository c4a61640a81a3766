//! Folders as sentence-transformers writes them, and some that it would not write.

use super::*;

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
        max_tokens: 48,
        pooling: Pooling::Mean,
        normalize: true,
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
    assert_eq!((found.pooling, found.normalize, found.max_tokens), (Pooling::Mean, false, 64));
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
        assert_eq!((found.dimensions, found.max_tokens), (8, expected), "{config}");
    }
}

#[test]
fn a_length_without_limit_is_none_and_one_beyond_the_positions_is_cut_to_them() {
    let unlimited =
        of(&[BERT, ("tokenizer_config.json", r#"{"model_max_length": 1000000000000000019884624838656}"#)]);
    assert_eq!(unlimited.max_tokens, 64);
    let longer = of(&[BERT, ("sentence_bert_config.json", r#"{"max_seq_length": 512}"#)]);
    assert_eq!(longer.max_tokens, 64);
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
        assert_eq!(of(&[BERT, ("1_Pooling/config.json", settings)]).pooling, Pooling::Cls, "{settings}");
    }
}

#[test]
fn another_pooling_and_two_at_once_are_refused_by_name() {
    for (settings, expected) in [
        (
            r#"{"pooling_mode_max_tokens": true}"#,
            "its pooling is max_tokens, and known are mean or cls, one of them alone",
        ),
        (
            r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#,
            "its pooling is cls_token with mean_tokens, and known are mean or cls, one of them alone",
        ),
        (
            r#"{"pooling_mode": "lasttoken"}"#,
            "its pooling is lasttoken, and known are mean or cls, one of them alone",
        ),
        (r#"{"pooling_mode_mean_tokens": false}"#, "it names no pooling; known are mean and cls"),
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
    assert!(dense.starts_with("modules.json: it has a module `Dense` (2_Dense), and known are"), "{dense}");
    assert!(dense.contains("\n\nhint: a model with a Dense module"), "{dense}");
    assert!(with("CNN").starts_with("modules.json: it has a module `CNN` (2_CNN)"));
}

#[test]
fn what_is_missing_is_listed_in_one_go() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), "{}").unwrap();
    let error = describe(folder.path()).unwrap_err().to_string();
    assert!(error.contains("it lacks tokenizer.json, model.safetensors\n\nhint: "), "{error}");
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

#[test]
fn a_default_prompt_is_said_not_to_be_used() {
    let found = of(&[BERT, ("config_sentence_transformers.json", r#"{"default_prompt_name": "query"}"#)]);
    assert!(found.notes.iter().any(|note| note.starts_with("its default prompt `query` is not put")));
}
