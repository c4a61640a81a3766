//! What a server says of itself: a line of JSON on standard error for each thing that happens to it. Nothing of a request's texts.

use std::io::Write as _;

use serde_json::{Map, Value};

/// Writes lines. Clones write to the same place.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// Whether requests have a line each, too.
    pub verbose: bool,
}

impl Log {
    /// A line: the time, the event, and what there is to know of it, an object.
    pub fn event(self, event: &str, fields: Value) {
        let mut line = Map::new();
        line.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
        line.insert("event".to_owned(), event.into());
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        // That nobody listens must not end a server.
        let _ = writeln!(std::io::stderr(), "{}", Value::Object(line));
    }
}
