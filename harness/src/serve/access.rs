//! Who may ask: whoever has the key, if there is one. The key itself is not kept, only its hash.

use std::fmt;
use std::path::Path;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A key that requests must bring, as `authorization: Bearer KEY`.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

impl Key {
    /// The key in an environment variable.
    ///
    /// # Errors
    /// When there is none, by the variable's name.
    pub fn from_variable(name: &str) -> Result<Self, String> {
        let value = std::env::var(name).ok();
        value.as_deref().and_then(Self::of).ok_or_else(|| {
            format!(
                "--api-key-env {name}: found no key in that environment variable; set it to the key that requests must bring"
            )
        })
    }

    /// The key in a file, without the white space around it.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no key.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("--api-key-file {shown}: it cannot be read: {error}"))?;
        Self::of(&text).ok_or_else(|| {
            format!("--api-key-file {shown}: found no key; it must hold the key that requests must bring")
        })
    }

    fn of(text: &str) -> Option<Self> {
        let key = text.trim();
        (!key.is_empty()).then(|| Self(Sha256::digest(key.as_bytes()).into()))
    }

    /// Whether a request brings it. How long the comparison takes says nothing of the key: hashes are compared, all of them.
    #[must_use]
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        let brought = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
        let Some((scheme, key)) = brought.split_at_checked("Bearer ".len()) else { return false };
        let hash: [u8; 32] = Sha256::digest(key.trim_ascii()).into();
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(hash.ct_eq(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_lets_in_and_nothing_else_does() {
        let key = Key::of(" s3cret\n").unwrap();
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            key.is_in(&headers)
        };
        assert!(with("Bearer s3cret") && with("bearer s3cret"));
        for wrong in ["Bearer s3cre", "Bearer s3crets", "Basic s3cret", "s3cret", "Bearer ", ""] {
            assert!(!with(wrong), "{wrong}");
        }
        assert!(!key.is_in(&HeaderMap::new()));
        assert_eq!(format!("{key:?}"), "Key");
    }

    #[test]
    fn an_empty_key_is_none() {
        assert!(Key::of(" \n").is_none());
        let error = Key::from_variable("TAILMARK_NO_SUCH_VARIABLE").unwrap_err();
        assert!(error.starts_with("--api-key-env TAILMARK_NO_SUCH_VARIABLE: found no key"), "{error}");
    }
}
