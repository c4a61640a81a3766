//! What the tokenizer's files say of case, padding and cutting. Whether the tokens are those that other software makes of the same
//! files is compared when the model is exported.

use std::path::Path;

use serde_json::{Map, Value};

use super::settings::{DescribeError, object, wrong};
use crate::model::recipe::Side;

/// Compatible forms of Unicode make up to 18 characters of one, and tokenizers in use replace one by one.
const MOST_GROWTH: f64 = 1000.0;

/// What they say.
pub(super) struct Tokens {
    pub(super) strip_accents: bool,
    pub(super) lower_case: bool,
    pub(super) truncation_side: Side,
    pub(super) padding_id: u32,
}

/// Reads `tokenizer.json` and the files beside it.
pub(super) fn read(folder: &Path, config: &Map<String, Value>) -> Result<Tokens, DescribeError> {
    let file = |name: &str| object(&folder.join(name)).map(Option::unwrap_or_default);
    let (tokenizer, settings) = (file("tokenizer.json")?, file("tokenizer_config.json")?);
    refuse_to_blow_up(&folder.join("tokenizer.json"), tokenizer.get("normalizer"))?;
    let (sentences, special) = (file("sentence_bert_config.json")?, file("special_tokens_map.json")?);
    let is_set = |of: &Map<String, Value>, key: &str| of.get(key).and_then(Value::as_bool);
    // A class of tokenizer that lower-cases removes accents too, unless it is told not to; what it does goes before what the
    // tokenizer's own file says.
    let by_class =
        is_set(&settings, "do_lower_case") == Some(true) && keeps_case(tokenizer.get("normalizer"));
    let side = settings
        .get("truncation_side")
        .and_then(Value::as_str)
        .map(str::to_lowercase)
        .or_else(|| Some(tokenizer.get("truncation")?.get("direction")?.as_str()?.to_lowercase()));
    Ok(Tokens {
        strip_accents: by_class && is_set(&settings, "strip_accents") != Some(false),
        lower_case: by_class || is_set(&sentences, "do_lower_case") == Some(true),
        truncation_side: if side.as_deref() == Some("left") { Side::Left } else { Side::Right },
        padding_id: padding_id(&tokenizer, [&settings, &special], config),
    })
}

/// Refuses a normalizer that can make so much of a short text that memory ends.
fn refuse_to_blow_up(path: &Path, normalizer: Option<&Value>) -> Result<(), DescribeError> {
    let growth = normalizer.map_or(1.0, growth);
    if growth <= MOST_GROWTH {
        return Ok(());
    }
    let made = if growth < 1e9 { format!("{growth:.0}") } else { "more than a billion".to_owned() };
    let why = format!(
        "its normalizer can make {made} characters of one, and {MOST_GROWTH} are the most allowed: a short text would fill the memory"
    );
    Err(wrong(
        path,
        &why,
        Some("no tokenizer of a model that is in use does that: take the file of the model's own repository"),
    ))
}

/// How many characters a normalizer can make of one, at most. Only replacements make more than a few.
fn growth(normalizer: &Value) -> f64 {
    let text = |key: &str| normalizer.get(key).and_then(Value::as_str).map_or(0, |text| text.chars().count());
    match normalizer.get("type").and_then(Value::as_str) {
        Some("Sequence") => {
            let parts = normalizer.get("normalizers").and_then(Value::as_array);
            parts.into_iter().flatten().map(growth).product()
        }
        // An expression can match nothing, which is everywhere; a text is as long as it is.
        Some("Replace") => {
            let pattern = normalizer.get("pattern").and_then(|pattern| pattern.get("String")?.as_str());
            let matched = pattern.map_or(0, |pattern| pattern.chars().count());
            let content = text("content") as f64;
            if matched == 0 { 1.0 + content } else { (content / matched as f64).max(1.0) }
        }
        Some("Prepend") => 1.0 + text("prepend") as f64,
        _ => 1.0,
    }
}

/// Whether a normalizer is BERT's and leaves case as it is.
fn keeps_case(normalizer: Option<&Value>) -> bool {
    let Some(normalizer) = normalizer else { return false };
    let within = normalizer.get("normalizers").and_then(Value::as_array);
    match normalizer.get("type").and_then(Value::as_str) {
        Some("BertNormalizer") => normalizer.get("lowercase").and_then(Value::as_bool) == Some(false),
        Some("Sequence") => within.into_iter().flatten().any(|one| keeps_case(Some(one))),
        _ => false,
    }
}

/// From the tokenizer's own padding, from the token that is named as padding, or from the model. A RoBERTa tells its positions from
/// which ids are padding, so that another id would not do.
fn padding_id(
    tokenizer: &Map<String, Value>,
    named: [&Map<String, Value>; 2],
    config: &Map<String, Value>,
) -> u32 {
    let number = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let own = tokenizer.get("padding").and_then(|padding| padding.get("pad_id")).and_then(number);
    let by_name = || {
        named.iter().find_map(|settings| {
            let token = settings.get("pad_token")?;
            id_of(tokenizer, token.as_str().or_else(|| token.get("content")?.as_str())?)
        })
    };
    own.or_else(by_name).or_else(|| config.get("pad_token_id").and_then(number)).unwrap_or(0)
}

/// The id of a token, by the tokenizer's vocabulary in any of its forms.
fn id_of(tokenizer: &Map<String, Value>, token: &str) -> Option<u32> {
    let added = tokenizer.get("added_tokens").and_then(Value::as_array).into_iter().flatten();
    let named = |entry: &&Value| entry.get("content").and_then(Value::as_str) == Some(token);
    let id = added.into_iter().find(named).and_then(|entry| entry.get("id")?.as_u64()).or_else(|| {
        match tokenizer.get("model")?.get("vocab")? {
            Value::Object(ids) => ids.get(token)?.as_u64(),
            // That of a unigram model is a list of tokens with their scores.
            Value::Array(entries) => entries
                .iter()
                .position(|entry| entry.get(0).and_then(Value::as_str) == Some(token))
                .map(|at| at as u64),
            _ => None,
        }
    });
    id.and_then(|id| u32::try_from(id).ok())
}
