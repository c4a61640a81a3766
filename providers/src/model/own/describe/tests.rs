//! Folders as sentence-transformers writes them, and some that it would not write.

use std::fs;

use super::*;
use crate::model::recipe::{Activation, Dense, PoolingMode, PoolingModes, Side};

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
            head: vec![Module::pooling(PoolingMode::Mean), Module::Normalize],
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
        weights: vec!["model.safetensors".to_owned()],
        graphs: Vec::new(),
        is_table: false,
        assumed_pooling: false,
        converted: Vec::new(),
        makes_tokenizer: false,
        custom_code: Vec::new(),
        notes: Vec::new(),
    };
    assert_eq!(found, expected);
}

#[test]
fn a_folder_that_holds_a_transformer_alone_is_pooled_by_the_mean_and_says_so() {
    let found = of(&[BERT]);
    assert_eq!(found.recipe, Recipe::pooling(PoolingMode::Mean, 64));
    let note = "neither modules.json nor 1_Pooling/config.json is there, so a text's vector is the mean over a text's tokens, as \
                sentence-transformers has it";
    assert_eq!(found.notes, [note]);
    let causal = of(&[(
        "config.json",
        r#"{"model_type": "qwen3", "hidden_size": 32, "max_position_embeddings": 64, "architectures": ["Qwen3ForCausalLM"]}"#,
    )]);
    assert_eq!(causal.recipe, Recipe::pooling(PoolingMode::Last, 64));
    assert!(causal.notes[0].contains("that of a text's last token"), "{:?}", causal.notes);
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
fn every_pooling_of_sentence_transformers_is_read_and_several_stand_side_by_side() {
    let head = |settings: &str| of(&[BERT, ("1_Pooling/config.json", settings)]).recipe.head;
    for (name, flag, mode) in [
        ("mean", "mean_tokens", PoolingMode::Mean),
        ("cls", "cls_token", PoolingMode::Cls),
        ("max", "max_tokens", PoolingMode::Max),
        ("mean_sqrt_len_tokens", "mean_sqrt_len_tokens", PoolingMode::MeanSqrtLen),
        ("weightedmean", "weightedmean_tokens", PoolingMode::WeightedMean),
        ("lasttoken", "lasttoken", PoolingMode::Last),
    ] {
        assert_eq!(head(&format!(r#"{{"pooling_mode": "{name}"}}"#)), [Module::pooling(mode)]);
        assert_eq!(head(&format!(r#"{{"pooling_mode_{flag}": true}}"#)), [Module::pooling(mode)]);
    }
    let both =
        |modes: [PoolingMode; 2]| Module::Pooling { mode: PoolingModes(modes.into()), include_prompt: true };
    let (cls, mean) = (PoolingMode::Cls, PoolingMode::Mean);
    assert_eq!(head(r#"{"pooling_mode": ["mean", "cls"]}"#), [both([mean, cls])]);
    // A row of flags has an order of its own.
    assert_eq!(
        head(r#"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}"#),
        [both([cls, mean])]
    );
    let found = of(&[BERT, ("1_Pooling/config.json", r#"{"pooling_mode": ["mean", "cls"]}"#)]);
    assert_eq!(found.dimensions, 64, "two vectors of 32 numbers");
    let left_out = head(r#"{"pooling_mode": "mean", "include_prompt": false}"#);
    assert_eq!(left_out, [Module::Pooling { mode: mean.into(), include_prompt: false }]);
}

#[test]
fn another_pooling_and_none_are_refused_by_name() {
    let supported = "supported are cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken";
    for (settings, expected) in [
        (r#"{"pooling_mode": "median"}"#, "its pooling is median"),
        (r#"{"pooling_mode_median_tokens": true}"#, "its pooling is median_tokens"),
        (r#"{"pooling_mode_mean_tokens": false}"#, "it names no pooling"),
    ] {
        let found = refused(&[BERT, ("1_Pooling/config.json", settings)]);
        assert_eq!(found, format!("1_Pooling/config.json: {expected}; {supported}"));
    }
}

/// A list of modules: a transformer, the pooling, and these.
fn with_modules(modules: &[(&str, &str)]) -> String {
    let more = modules.iter().map(|(kind, place)| format!(r#", {{"path": "{place}", "type": "m.{kind}"}}"#));
    format!(r#"[{{"path": "", "type": "m.Transformer"}}{}]"#, more.collect::<String>())
}

const POOLING: (&str, &str) = ("1_Pooling/config.json", r#"{"pooling_mode": "cls"}"#);

#[test]
fn dense_and_layer_norm_are_read_with_the_files_of_their_numbers() {
    let modules = with_modules(&[
        ("Pooling", "1_Pooling"),
        ("Dense", "2_Dense"),
        ("LayerNorm", "3_LayerNorm"),
        ("Dropout", "4"),
    ]);
    let dense = r#"{"in_features": 32, "out_features": 16, "bias": false, "activation_function": "torch.nn.modules.activation.ReLU"}"#;
    let files = [
        BERT,
        POOLING,
        ("modules.json", &modules),
        ("2_Dense/config.json", dense),
        ("2_Dense/model.safetensors", "numbers"),
        ("3_LayerNorm/config.json", r#"{"dimension": 16}"#),
        ("3_LayerNorm/pytorch_model.bin", "numbers"),
    ];
    let found = of(&files);
    let expected = [
        Module::pooling(PoolingMode::Cls),
        Module::Dense(Dense {
            file: "2_Dense/model.safetensors".to_owned(),
            inputs: 32,
            dimensions: 16,
            activation: Activation::Relu,
            bias: false,
            residual: false,
        }),
        Module::LayerNorm { file: "3_LayerNorm/model.safetensors".to_owned(), dimensions: 16 },
    ];
    assert_eq!((found.recipe.head.as_slice(), found.dimensions), (&expected[..], 16));
    assert!(found.files.contains(&"2_Dense/model.safetensors".to_owned()), "{:?}", found.files);
    let made = Converted {
        from: "3_LayerNorm/pytorch_model.bin".to_owned(),
        to: "3_LayerNorm/model.safetensors".to_owned(),
    };
    assert_eq!(found.converted, [made]);
    let unnamed = files.map(|(name, content)| match name {
        "2_Dense/config.json" => (name, r#"{"in_features": 32, "out_features": 16}"#),
        _ => (name, content),
    });
    assert!(
        matches!(
            &of(&unnamed).recipe.head[1],
            Module::Dense(Dense { activation: Activation::Tanh, bias: true, .. })
        ),
        "what a Dense module leaves out is as in sentence-transformers"
    );
}

#[test]
fn modules_that_cannot_be_followed_are_refused_by_name() {
    let dense = r#"{"in_features": 32, "out_features": 16, "bias": true, "activation_function": "torch.nn.Identity"}"#;
    let with = |modules: &[(&str, &str)], dense: &str| {
        let modules = with_modules(modules);
        refused(&[BERT, POOLING, ("modules.json", &modules), ("2_Dense/config.json", dense)])
    };
    let (pooling, dense_module) = (("Pooling", "1_Pooling"), ("Dense", "2_Dense"));
    for (said, part) in [
        (with(&[dense_module, pooling], dense), "modules.json: its module `Dense` comes before the pooling"),
        (with(&[pooling, pooling], dense), "modules.json: it has a second module `Pooling`"),
        (
            with(&[("Normalize", "2"), pooling], dense),
            "modules.json: its module `Normalize` comes before the pooling",
        ),
        (with(&[], dense), "modules.json: it has no module `Pooling`"),
        (
            with(&[pooling, ("CNN", "2_CNN")], dense),
            "modules.json: it has a module `CNN` (2_CNN), and supported are",
        ),
        (
            with(&[pooling, ("Dense", "../x")], dense),
            "its module `Dense` is in `../x`, which is no folder below",
        ),
        (
            with(&[pooling, dense_module], &dense.replace("32", "31")),
            "its module `dense` takes vectors of 31 numbers and gives 16, and the module before it gives 32",
        ),
        (
            with(&[pooling, dense_module], &dense.replace("torch.nn.Identity", "mine.Swish")),
            "2_Dense/config.json: its activation is `mine.Swish`; supported are torch's Identity, Tanh,",
        ),
        (
            with(
                &[pooling, dense_module],
                &dense.replace("true", r#"true, "module_input_name": "token_embeddings""#),
            ),
            "2_Dense/config.json: its `module_input_name` is `token_embeddings`",
        ),
        (
            with(&[pooling, dense_module], "{}"),
            "2_Dense/config.json: it does not say how long its vectors are",
        ),
    ] {
        assert!(said.contains(part), "{said}");
    }
    for (kind, hint) in [
        ("SpladePooling", "its vectors are sparse"),
        ("Router", "queries and documents by different models"),
        ("CLIPModel", "it is CLIP"),
    ] {
        let modules = format!(r#"[{{"path": "", "type": "m.{kind}"}}]"#);
        let said = refused(&[BERT, ("modules.json", &modules)]);
        assert!(said.contains(&format!("it has a module `{kind}`")) && said.contains(hint), "{said}");
    }
}

#[test]
fn what_is_no_model_of_texts_vectors_is_refused_by_name() {
    let ranker =
        r#"{"model_type": "bert", "hidden_size": 8, "architectures": ["BertForSequenceClassification"]}"#;
    let said = refused(&[("config.json", ranker)]);
    assert!(said.contains("it is a `BertForSequenceClassification`, a re-ranker or a classifier"), "{said}");
    let said = refused(&[("config.json", r#"{"model_type": "clip"}"#)]);
    assert!(said.contains("its model type is `clip`: it embeds images or sound too"), "{said}");
}

#[test]
fn weights_in_shards_are_all_named_and_a_missing_one_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    write(BERT.0, BERT.1);
    write("tokenizer.json", "{}");
    let index = r#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;
    write("model.safetensors.index.json", index);
    write("model-00001-of-00002.safetensors", "weights");
    let error = describe(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("it names files of weights that are not there: model-00002-of-00002.safetensors"),
        "{error}"
    );
    write("model-00002-of-00002.safetensors", "weights");
    let found = describe(folder.path()).unwrap();
    assert_eq!(found.weights, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
    assert!(found.files.contains(&"model.safetensors.index.json".to_owned()), "{:?}", found.files);
    write("model.safetensors.index.json", r#"{"weight_map": {"a": "../elsewhere.safetensors"}}"#);
    let error = describe(folder.path()).unwrap_err().to_string();
    assert!(error.contains("there is no usable `weight_map`"), "{error}");
}

#[test]
fn graphs_alone_are_a_model_and_the_one_in_single_precision_stands_for_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("onnx")).unwrap();
    let write = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    for (name, content) in [
        BERT,
        ("tokenizer.json", "{}"),
        ("onnx/model_quantized.onnx", "graph"),
        ("onnx/model.onnx", "graph"),
        ("onnx/model_fp16.onnx", "graph"),
    ] {
        write(name, content);
    }
    let found = describe(folder.path()).unwrap();
    assert_eq!(found.weights, Vec::<String>::new());
    let names: Vec<&str> = found.graphs.iter().map(|graph| graph.name.as_str()).collect();
    assert_eq!(names, ["onnx/model.onnx", "onnx/model_fp16.onnx", "onnx/model_quantized.onnx"]);
    assert_eq!(usual_graph(&found.graphs).map(|graph| graph.name.as_str()), Some("onnx/model.onnx"));
    let without = &found.graphs[1..];
    assert_eq!(usual_graph(without).map(|graph| graph.name.as_str()), Some("onnx/model_fp16.onnx"));
    assert!(is_reduced("onnx/model_fp16.onnx") && is_reduced("onnx/model_qint8_arm64.onnx"));
    assert!(!is_reduced("onnx/model.onnx") && !is_reduced("onnx/decoder.onnx"));
}

#[test]
fn a_tokenizer_in_another_form_is_made_and_code_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    write(
        "config.json",
        r#"{"hidden_size": 8, "max_position_embeddings": 64, "auto_map": {"AutoModel": "modeling_x.X"}}"#,
    );
    for name in ["model.safetensors", "vocab.txt", "modeling_x.py"] {
        write(name, "content");
    }
    let found = describe(folder.path()).unwrap();
    assert!(found.makes_tokenizer && found.files.contains(&"vocab.txt".to_owned()), "{found:?}");
    assert_eq!(found.custom_code, ["modeling_x.py"]);
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
        "config.json: it does not say how long a token's vector is: there is none of `hidden_size`, `dim`, `d_model`, `n_embd`"
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
fn a_default_prompt_that_is_not_there_is_refused() {
    let missing = refused(&[BERT, sentence_transformers(r#"{"default_prompt_name": "query"}"#)]);
    assert!(
        missing.contains("its default prompt is `query`, and it has no prompt of that name"),
        "{missing}"
    );
}

#[test]
fn vectors_that_are_cut_are_as_long_as_what_is_left() {
    let found = of(&[BERT, MODULES_OF_MINILM, sentence_transformers(r#"{"truncate_dim": 8}"#)]);
    let pooling = Module::pooling(PoolingMode::Mean);
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
    let outside = r#"[{"path": "", "type": "m.Transformer"}, {"path": "../p", "type": "m.Pooling"}]"#;
    let led = refused(&[BERT, ("modules.json", outside)]);
    assert_eq!(led, "modules.json: its module `Pooling` is in `../p`, which is no folder below this one");
}

#[test]
fn a_model_in_another_form_is_told_what_it_is_and_what_makes_it_readable() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.gguf"] {
        fs::write(folder.path().join(name), "{}").unwrap();
    }
    let error = describe(folder.path()).unwrap_err().to_string();
    let at = folder.path().display();
    assert_eq!(
        error,
        format!(
            "{at} is not a model folder: it lacks model.safetensors; it contains config.json, model.gguf, tokenizer.json\n\nhint: \
             its weights are in GGUF, which no backend here reads: take the safetensors files of the model's own repository"
        )
    );
}

/// A safetensors file whose header says this, with no numbers.
fn header(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

#[test]
fn a_table_of_vectors_is_a_model_of_its_own_kind_in_either_layout() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content).unwrap();
    write("tokenizer.json", b"{}");
    write(
        "model.safetensors",
        &header(r#"{"embeddings": {"dtype": "F32", "shape": [9, 4], "data_offsets": [0, 0]}}"#),
    );
    write("config.json", br#"{"model_type": "model2vec", "normalize": true}"#);
    let found = describe(folder.path()).unwrap();
    assert_eq!((found.is_table, found.dimensions, found.model_type.as_str()), (true, 4, "model2vec"));
    assert_eq!(found.recipe.head, [Module::pooling(PoolingMode::Mean), Module::Normalize]);
    assert!(!found.recipe.special_tokens);

    fs::remove_file(folder.path().join("config.json")).unwrap();
    write("modules.json", br#"[{"path": "", "type": "m.StaticEmbedding"}]"#);
    let found = describe(folder.path()).unwrap();
    assert_eq!(
        (found.is_table, found.dimensions, found.model_type.as_str()),
        (true, 4, "a table of vectors")
    );
    assert_eq!(found.recipe.head, [Module::pooling(PoolingMode::Mean)]);
    write(
        "model.safetensors",
        &header(r#"{"weight": {"dtype": "F32", "shape": [9, 4], "data_offsets": [0, 0]}}"#),
    );
    let error = describe(folder.path()).unwrap_err().to_string();
    assert!(error.contains("none of its tensors is `embedding.weight` or `embeddings`"), "{error}");
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

#[test]
fn a_graph_that_a_model_was_made_of_stays_one_that_was_there_and_what_tailmark_made_does_not() {
    let folder = tempfile::tempdir().unwrap();
    crate::model::own::tests::write_model(folder.path());
    fs::write(folder.path().join(BERT.0), BERT.1).unwrap();
    fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    let graphs = || -> Vec<String> {
        describe(folder.path()).unwrap().graphs.into_iter().map(|graph| graph.name).collect()
    };
    assert_eq!(graphs(), Vec::<String>::new(), "the model's graph was exported");
    let path = folder.path().join("tailmark-model.json");
    let text = fs::read_to_string(&path).unwrap();
    let against =
        r#""checked_against": {"library": "onnxruntime", "version": "1", "graph": "model.onnx"}, "weights""#;
    fs::write(&path, text.replacen("\"weights\"", against, 1)).unwrap();
    assert_eq!(graphs(), ["model.onnx"]);
}

#[test]
fn a_tokenizer_that_makes_a_memory_full_of_a_word_is_refused_before_it_is_run() {
    let doubles = r#"{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}"#;
    let sequence = |parts: &[&str]| {
        format!(r#"{{"normalizer": {{"type": "Sequence", "normalizers": [{}]}}}}"#, parts.join(","))
    };
    let long = format!(
        r#"{{"normalizer": {{"type": "Replace", "pattern": {{"Regex": "."}}, "content": "{}"}}}}"#,
        "x".repeat(5000)
    );
    for (bomb, made) in [
        (sequence(&[doubles; 40]), "more than a billion"),
        (sequence(&[doubles; 10]), "1024"),
        (long, "5001"),
    ] {
        let error = refused(&[BERT, ("tokenizer.json", &bomb)]);
        let expected = format!(
            "tokenizer.json: its normalizer can make {made} characters of one, and 1000 are the most"
        );
        assert!(error.starts_with(&expected), "{error}");
    }
    let usual = [
        r#"{"type": "Prepend", "prepend": "_"}"#,
        r#"{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "_"}"#,
        r#"{"type": "NFKC"}"#,
    ];
    of(&[BERT, ("tokenizer.json", &sequence(&usual))]);
}

#[test]
fn settings_that_no_model_has_so_many_of_are_not_read() {
    let folder = folder(&[BERT]);
    let file = fs::File::options().write(true).open(folder.path().join("tokenizer.json")).unwrap();
    // A file with a hole: it takes no space.
    file.set_len(1 << 40).unwrap();
    let error = describe(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("tokenizer.json: it has 1099511627776 bytes, and at most 536870912 are read"),
        "{error}"
    );
}
