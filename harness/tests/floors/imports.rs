//! Which file imports from which, read from their texts: `use` lists and paths within code, `crate::`, `super::` and `self::`.
//!
//! A name is followed to the file that defines it: a `pub use` passes a name on and is not an import, unless the file uses the
//! name itself. `mod` imports nothing, and neither does anything that is compiled for tests alone.

use std::collections::{BTreeMap, BTreeSet};

/// For each file the files it imports from, and one path by which it does.
pub(crate) type Graph = BTreeMap<String, BTreeMap<String, String>>;

/// A module by its names from the crate's folder on: `["harness", "plan", "resolve"]`.
type Module = Vec<String>;

#[derive(Default)]
struct File {
    path: String,
    imports: Vec<Import>,
    /// Words of its own code.
    words: BTreeSet<String>,
    test_modules: Vec<String>,
}

struct Import {
    path: Vec<String>,
    passed_on: bool,
}

/// The graph of these files, each with its path from the workspace on. The crates' roots are left out: they name every module.
pub(crate) fn graph(sources: &[(String, String)]) -> Graph {
    let files: BTreeMap<Module, File> =
        sources.iter().map(|(path, text)| (module_of(path), read(path, text))).collect();
    let for_tests: BTreeSet<Module> = files
        .iter()
        .flat_map(|(module, file)| file.test_modules.iter().map(|name| within(module, name)))
        .collect();
    let is_for_tests =
        |module: &Module| (1..=module.len()).any(|length| for_tests.contains(&module[..length]));
    let mut graph = Graph::new();
    for (module, file) in files.iter().filter(|(module, _)| module.len() > 1 && !is_for_tests(module)) {
        for import in &file.imports {
            let name = import.path.last().map_or("", String::as_str);
            let Some(to) = followed(&files, module, &import.path, 0) else { continue };
            let is_import = !import.passed_on || file.words.contains(name);
            if is_import && to.len() > 1 && to != *module && !is_for_tests(&to) {
                let imports = graph.entry(file.path.clone()).or_default();
                imports.entry(files[&to].path.clone()).or_insert_with(|| import.path.join("::"));
            }
        }
    }
    graph
}

fn module_of(path: &str) -> Module {
    let place = path.replacen("/src", "", 1);
    let place = place.trim_end_matches(".rs").trim_end_matches("/mod");
    let place = place.strip_suffix("/lib").or_else(|| place.strip_suffix("/main")).unwrap_or(place);
    place.split('/').map(str::to_owned).collect()
}

fn within(module: &[String], name: &str) -> Module {
    let mut below = module.to_vec();
    below.push(name.to_owned());
    below
}

/// The module whose file defines what a path names, as seen from a module; `None` for what is none of these files.
fn followed(files: &BTreeMap<Module, File>, from: &Module, path: &[String], passes: usize) -> Option<Module> {
    let mut rest = path;
    let mut at = match path.first()?.as_str() {
        "crate" => vec![from[0].clone()],
        "self" => from.clone(),
        "super" => {
            let up = path.iter().take_while(|step| *step == "super").count();
            rest = &path[up - 1..];
            from[..from.len().checked_sub(up)?].to_vec()
        }
        child => {
            files.get(&within(from, child))?;
            within(from, child)
        }
    };
    let mut item = None;
    for name in &rest[1..] {
        if !files.contains_key(&within(&at, name)) {
            item = Some(name);
            break;
        }
        at = within(&at, name);
    }
    let file = files.get(&at)?;
    // A chain of names that are passed on ends; should one not, this does.
    if let Some(item) = item.filter(|_| passes < 8)
        && let Some(other) =
            file.imports.iter().find(|import| import.passed_on && import.path.last() == Some(item))
        && let Some(found) = followed(files, &at, &other.path, passes + 1)
    {
        return Some(found);
    }
    Some(at)
}

fn read(path: &str, text: &str) -> File {
    let mut file = File { path: path.to_owned(), ..File::default() };
    let all = tokens(text);
    let mut at = 0;
    while at < all.len() {
        let token = all[at].as_str();
        let starts_with = |expected: &[&str]| {
            all[at..].iter().zip(expected).filter(|(a, b)| a == b).count() == expected.len()
        };
        if starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            at += 7;
            if all[at] == "mod" && all[at + 2] == ";" {
                file.test_modules.push(all[at + 1].clone());
            }
            at = end_of_item(&all, at);
        } else if token == "mod" && all.get(at + 2).is_some_and(|token| token == ";") {
            at += 3;
        } else if token == "use" {
            // After `pub` or `pub(...)` the name is passed on.
            let passed_on = at > 0 && ["pub", ")"].contains(&all[at - 1].as_str());
            let end = at + all[at..].iter().position(|token| token == ";").expect("a `use` ends");
            for path in tree(&all[at + 1..end]) {
                file.imports.push(Import { path, passed_on });
            }
            at = end + 1;
        } else if is_word(token) {
            let mut path = vec![token.to_owned()];
            while all.get(at + 1).is_some_and(|next| next == "::")
                && all.get(at + 2).is_some_and(|next| is_word(next))
            {
                path.push(all[at + 2].clone());
                at += 2;
            }
            file.words.insert(token.to_owned());
            if path.len() > 1 {
                file.imports.push(Import { path, passed_on: false });
            }
            at += 1;
        } else {
            at += 1;
        }
    }
    file
}

/// Behind the item that begins there: behind its `;`, or behind its first block.
fn end_of_item(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && [";", "}"].contains(&tokens[at].as_str()) {
            return at + 1;
        }
        at += 1;
    }
    at
}

/// The paths of a `use`, without what comes after `as`.
fn tree(tokens: &[String]) -> Vec<Vec<String>> {
    let brace = tokens.iter().position(|token| token == "{");
    let before = &tokens[..brace.unwrap_or(tokens.len())];
    let names =
        before.iter().take_while(|token| *token != "as").filter(|token| is_word(token) && *token != "self");
    // `self` stands for the module itself behind a name, and for this module in front of one.
    let leading = before.first().filter(|first| *first == "self");
    let prefix: Vec<String> = leading.into_iter().chain(names).cloned().collect();
    let Some(brace) = brace else { return vec![prefix] };
    let (mut depth, mut found) = (0_usize, Vec::new());
    let inside = &tokens[brace + 1..tokens.len() - 1];
    for part in inside.split(|token| {
        depth = depth + usize::from(token == "{") - usize::from(token == "}");
        depth == 0 && token == ","
    }) {
        if part.first().is_some_and(|first| first == "self") {
            found.push(prefix.clone());
        } else if !part.is_empty() {
            found.extend(tree(part).into_iter().map(|path| [&prefix[..], &path].concat()));
        }
    }
    found
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::` and single signs; comments, strings and characters left out.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|rest| rest.trim_start_matches('#'));
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = raw.filter(|raw| raw.starts_with('"')) {
            let hashes = "#".repeat(rest.len() - raw.len() - 1);
            let opened = rest.len() - raw.len() + 1;
            rest[opened..]
                .find(&format!("\"{hashes}"))
                .map_or(rest.len(), |end| opened + end + 1 + hashes.len())
        } else if first == '"' {
            end_of_quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            end_of_quoted(rest, '\'')
        } else if is_word(rest) {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
            end
        } else if rest.starts_with("::") {
            found.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                found.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

/// A character in quotes, as against a lifetime.
fn is_character(text: &str) -> bool {
    let mut inside = text.chars().skip(1);
    match inside.next() {
        Some('\\') => true,
        _ => inside.next() == Some('\''),
    }
}

fn end_of_quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}
