//! Where a world came from: parsing its file, and saying where in it something is wrong.

use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::file::{self, WorldFile};
use crate::model::{Failure, Kind, suggest};

/// The text of a world, and what to call it.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file's path as it was given, or what stands for it.
    pub(super) name: String,
    text: String,
}

impl Source {
    /// A world that no file describes.
    pub(super) fn none() -> Self {
        Self { name: "the healthy world (no file)".to_owned(), text: String::new() }
    }

    /// Reads a file.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::BadArgument };
            let failure = Failure::new(kind, format!("the world file {name} cannot be read: {error}"));
            if kind == Kind::NotFound { failure.hint("`--world` without a file is the healthy platform of runbook.toml") } else { failure }
        })?;
        Ok(Self { name, text })
    }

    /// Parses the text. Errors read `file:line:column: …`, with the nearest right key as the hint.
    pub(super) fn parse(&self) -> Result<WorldFile, Failure> {
        file::yaml(&self.text).map_err(|error: serde_saphyr::Error| {
            let error = error.without_snippet();
            let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
            let place = format!("{}:{line}:{column}", self.name);
            if let serde_saphyr::Error::SerdeUnknownField { field, expected, .. } = error {
                let mut failure = Failure::bad_argument(format!("{place}: unknown key {field:?}"));
                failure.hint = suggest::hint(field, expected.iter().copied());
                return failure;
            }
            let text = error.to_string();
            let message = text.strip_suffix(&format!(" at line {line}, column {column}")).unwrap_or(&text);
            Failure::bad_argument(format!("{place}: {message}"))
        })
    }

    /// A mistake at a path of keys and list indices.
    pub(super) fn wrong(&self, path: &[&str], message: impl std::fmt::Display) -> Failure {
        match self.locate(path) {
            Some((line, column)) => Failure::bad_argument(format!("{}:{line}:{column}: {message}", self.name)),
            None => Failure::bad_argument(format!("{}: {}: {message}", self.name, path.join("."))),
        }
    }

    /// An unknown name at a path of keys whose last is the name.
    pub(super) fn unknown<'a>(&self, path: &[&str], what: &str, known: impl IntoIterator<Item = &'a str>) -> Failure {
        let name = path.last().copied().unwrap_or_default();
        let mut failure = self.wrong(path, format_args!("unknown {what} {name:?}"));
        failure.hint = suggest::hint(name, known);
        failure
    }

    /// The line and column of a key. Parses the text a second time, since mistakes are rare and values need no spans then.
    fn locate(&self, path: &[&str]) -> Option<(u64, u64)> {
        let tree: Tree = file::yaml(&self.text).ok()?;
        let mut here = &tree;
        let mut place = None;
        for key in path {
            let Some(entry) = here.0.iter().find(|entry| entry.key == *key) else { break };
            place = Some((entry.line, entry.column));
            here = &entry.below;
        }
        place
    }
}

/// A regular expression, or on one line what is wrong with it.
pub(super) fn regex(pattern: &str) -> Result<regex::Regex, String> {
    regex::Regex::new(pattern).map_err(|error| {
        let shown = error.to_string();
        let cause = shown.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("{pattern:?} is no regular expression: {cause}")
    })
}

/// The keys of a document with their places; list items are keyed by their index.
#[derive(Default)]
struct Tree(Vec<Entry>);

struct Entry {
    key: String,
    line: u64,
    column: u64,
    below: Tree,
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Tree;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("any data")
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::default())
            }
            fn visit_none<E>(self) -> Result<Tree, E> {
                Ok(Tree::default())
            }
            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::default())
            }
            fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::default())
            }
            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::default())
            }
            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::default())
            }
            fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
                let mut entries = Vec::new();
                while let Some(item) = access.next_element::<Spanned<Tree>>()? {
                    let (line, column) = (item.referenced.line(), item.referenced.column());
                    entries.push(Entry { key: entries.len().to_string(), line, column, below: item.value });
                }
                Ok(Tree(entries))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, below)) = access.next_entry::<Spanned<String>, Tree>()? {
                    entries.push(Entry { line: key.referenced.line(), column: key.referenced.column(), key: key.value, below });
                }
                Ok(Tree(entries))
            }
        }
        deserializer.deserialize_any(Keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "w.yaml".into(), text: text.into() }
    }

    #[test]
    fn mistakes_name_file_line_column_and_the_nearest_key() {
        for (text, message, hint) in [
            ("about: x\nworkloads:\n  a: { replcas: 3 }\n", "w.yaml:3:8: unknown key \"replcas\"", Some("did you mean `replicas`?")),
            ("wrokloads: {}\n", "w.yaml:1:1: unknown key \"wrokloads\"", Some("did you mean `workloads`?")),
            ("workloads:\n  a:\n    ready_after: 4\n", "w.yaml:3:18: \"4\" is not a duration; write a number with its unit", None),
            (
                "workloads:\n  a: { logs: [ok, { aftr: 1s, line: x }] }\n",
                "w.yaml:2:21: unknown key \"aftr\"",
                Some("did you mean `after`?"),
            ),
            ("nodes: { n: { memory: lots } }", "w.yaml:1:23: \"lots\" is no quantity", None),
            ("about: x\nabout: y\n", "w.yaml:2:1: duplicate mapping key: about", None),
            ("workloads: 3", "w.yaml:1:12: expected mapping start", None),
            ("services: [", "w.yaml:1:11: expected mapping start", None),
            ("start: yesterday", "w.yaml:1:8: ", None),
        ] {
            let failure = source(text).parse().unwrap_err();
            assert!(failure.message.starts_with(message), "{text}: {}", failure.message);
            assert_eq!(failure.hint.as_deref(), hint, "{text}");
        }
    }

    #[test]
    fn keys_are_located() {
        let source = source("a:\n  b: 3\n  c: [x, {y: 1}]\n");
        assert!(source.wrong(&["a", "c", "1", "y"], "no").message.starts_with("w.yaml:3:11: no"));
        assert!(source.wrong(&["a", "c", "1", "missing"], "no").message.starts_with("w.yaml:3:10: no"));
        assert_eq!(source.wrong(&["z"], "no").message, "w.yaml: z: no");
    }
}
