//! What could be meant at the cursor.

use rustyline::completion::Pair;

use super::commands::COMMANDS;
use super::context::{self, Context, Wanted};
use super::known::Known;
use crate::host;
use crate::model::ResourceKind;
use crate::model::spec::Type;
use crate::run::repl::scan::KEYWORDS;

/// Methods of arrays, maps and texts that are wanted most.
const METHODS: [&str; 22] = [
    "all",
    "contains",
    "filter",
    "for_each",
    "get",
    "index_of",
    "is_empty",
    "keys",
    "len",
    "map",
    "pop",
    "push",
    "reduce",
    "replace",
    "reverse",
    "some",
    "sort",
    "split",
    "to_string",
    "to_upper",
    "trim",
    "values",
];

/// More than this is no help to anybody.
const MOST: usize = 1000;

/// Where the completed part begins, and what may stand there.
pub(super) fn complete(line: &str, cursor: usize, known: &dyn Known) -> (usize, Vec<Pair>) {
    let (Some(text), Some(after)) = (line.get(..cursor), line.get(cursor..)) else { return (cursor, Vec::new()) };
    let (so_far, mut found) = match context::at(text) {
        Context::Command { word, rest: None } => (word, plain(COMMANDS.iter().map(|command| command.word.to_owned()), word, " ")),
        Context::Command { word, rest: Some(rest) } => {
            let last = rest.rsplit(' ').next().unwrap_or_default();
            (last, argument(word, rest, known))
        }
        Context::Text { text, wanted } => (text, texts(text, wanted, after, known)),
        Context::Key { key, given, options } => {
            let names = options.iter().filter(|option| !given.contains(&option.name));
            let pairs = names.filter(|option| option.name.starts_with(key)).map(|option| Pair {
                display: format!("{}: {}", option.name, option.ty.name()),
                replacement: format!("{}: ", option.name),
            });
            (key, pairs.collect())
        }
        Context::Field { field, path } => {
            let keys = if path.is_empty() { Vec::new() } else { known.keys(&path) };
            let keys = keys.into_iter().filter(|key| !key.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
            // A map's own keys are what is meant; methods come where there are none.
            let mut found = plain(keys, field, "");
            if found.is_empty() {
                found.extend(plain(METHODS.iter().map(|name| (*name).to_owned()), field, opening(after)));
            }
            (field, found)
        }
        Context::InModule { name, alias } => {
            let functions = known.imports().into_iter().filter(|(known, _)| known == alias).flat_map(|(_, functions)| functions);
            (name, plain(functions, name, opening(after)))
        }
        Context::Word(word) => (word, words(word, after, known)),
        Context::Nothing => ("", Vec::new()),
    };
    found.sort_by(|a, b| a.display.cmp(&b.display));
    found.dedup_by(|a, b| a.replacement == b.replacement);
    found.truncate(MOST);
    (cursor - so_far.len(), found)
}

fn plain(names: impl IntoIterator<Item = String>, so_far: &str, end: &str) -> Vec<Pair> {
    let fitting = names.into_iter().filter(|name| name.starts_with(so_far));
    fitting.map(|name| Pair { replacement: format!("{name}{end}"), display: name }).collect()
}

fn opening(after: &str) -> &'static str {
    if after.starts_with('(') { "" } else { "(" }
}

fn words(word: &str, after: &str, known: &dyn Known) -> Vec<Pair> {
    let hosts = host::FUNCTIONS.iter().map(|function| &function.spec).filter(|spec| spec.name.starts_with(word));
    let mut found: Vec<Pair> = hosts
        .map(|spec| {
            let end = if after.starts_with('(') {
                ""
            } else if spec.params.is_empty() && spec.options.is_empty() {
                "()"
            } else {
                "("
            };
            Pair { display: spec.name.to_owned(), replacement: format!("{}{end}", spec.name) }
        })
        .collect();
    let own = known.functions().into_iter().filter_map(|signature| signature.split_once('(').map(|(name, _)| name.to_owned()));
    found.extend(plain(own, word, opening(after)));
    found.extend(plain(known.variables(), word, ""));
    found.extend(plain(known.imports().into_iter().map(|(alias, _)| alias), word, "::"));
    // Keywords are short, and a list of everything is not for them.
    if !word.is_empty() {
        found.extend(plain(KEYWORDS.iter().map(|name| (*name).to_owned()), word, ""));
    }
    found
}

fn texts(text: &str, wanted: Wanted, after: &str, known: &dyn Known) -> Vec<Pair> {
    let end = if after.starts_with('"') { "" } else { "\"" };
    let names = match wanted {
        Wanted::Module => known.modules(),
        Wanted::Value(Type::Severity) => known.severities(),
        Wanted::Value(Type::Choice(words)) => words.iter().map(|word| (*word).to_owned()).collect(),
        Wanted::Value(Type::Database) => known.databases(),
        Wanted::Value(Type::Channels) => known.channels(),
        Wanted::Value(Type::Services) => known.services(),
        // A path follows the service's name.
        Wanted::Value(Type::Address) => return plain(known.services(), text, ""),
        Wanted::Value(ty) if is_on_platform(ty) => return targets(text, ty, end, known),
        Wanted::Value(_) | Wanted::Unknown => Vec::new(),
    };
    plain(names, text, end)
}

/// Whether names of this type are the platform's.
pub(super) fn is_on_platform(ty: Type) -> bool {
    matches!(ty, Type::Target | Type::Targets | Type::Workload | Type::Workloads | Type::Pods | Type::Node)
}

fn targets(text: &str, ty: Type, end: &str, known: &dyn Known) -> Vec<Pair> {
    let found = known.found();
    // Before the platform has answered nobody knows whether a name is the only one.
    let end = if found.read { end } else { "" };
    let prefixed = |kind: &str, names: &[String]| names.iter().map(|name| format!("{kind}/{name}")).collect::<Vec<_>>();
    if let Some((kind, _)) = text.split_once('/') {
        let names = match ResourceKind::find(kind).map(|kind| kind.singular) {
            Some("pod") => prefixed(kind, &found.pods),
            Some("node") => prefixed(kind, &found.nodes),
            // `deploy/x` is the same as `deployment/x`.
            Some(singular) => {
                let own = found.workloads.iter().filter_map(|name| name.strip_prefix(singular)?.strip_prefix('/').map(str::to_owned));
                prefixed(kind, &own.collect::<Vec<_>>())
            }
            None => Vec::new(),
        };
        return plain(names, text, end);
    }
    if ty == Type::Node {
        return plain(found.nodes.iter().cloned(), text, end);
    }
    let mut names = found.workloads.clone();
    names.extend(known.services());
    names.extend(known.databases());
    // Bare names of workloads are targets too.
    names.extend(found.workloads.iter().filter_map(|name| name.split_once('/').map(|(_, name)| name.to_owned())));
    let mut kinds = Vec::new();
    if !matches!(ty, Type::Workload | Type::Workloads) {
        names.extend(found.pods.iter().cloned());
        kinds.push("pod/");
    }
    if matches!(ty, Type::Target | Type::Targets) {
        kinds.push("node/");
    }
    let mut pairs = plain(names, text, end);
    let kinds = kinds.into_iter().filter(|kind| !text.is_empty() && kind.starts_with(text));
    pairs.extend(kinds.map(|kind| Pair { display: kind.to_owned(), replacement: kind.to_owned() }));
    pairs
}

fn argument(command: &str, rest: &str, known: &dyn Known) -> Vec<Pair> {
    let first = !rest.contains(' ');
    match command {
        ":run" if first => plain(known.scripts(), rest, ""),
        ":env" if first => plain(known.environments(), rest, ""),
        ":dry-run" if first => plain(["on".to_owned(), "off".to_owned()], rest, ""),
        ":help" | ":functions" if first => plain(host::FUNCTIONS.iter().map(|function| function.spec.name.to_owned()), rest, ""),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::run::repl::names::Found;

    struct Fixed;
    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }
    impl Known for Fixed {
        fn variables(&self) -> Vec<String> {
            owned(&["before", "scaled"])
        }
        fn keys(&self, path: &[&str]) -> Vec<String> {
            if path == ["before", "spec"] { owned(&["replicas", "selector", "x-y"]) } else { Vec::new() }
        }
        fn functions(&self) -> Vec<String> {
            owned(&["scales(a, b)"])
        }
        fn imports(&self) -> Vec<(String, Vec<String>)> {
            vec![("health".into(), owned(&["down", "slow"]))]
        }
        fn found(&self) -> Arc<Found> {
            let pods = (0..500).map(|n| format!("web-{n:03}")).collect();
            Arc::new(Found {
                read: true,
                workloads: owned(&["deployment/api-gateway", "statefulset/postgres"]),
                pods,
                nodes: owned(&["node-1"]),
            })
        }
        fn services(&self) -> Vec<String> {
            owned(&["api-gateway", "audit-logging"])
        }
        fn databases(&self) -> Vec<String> {
            owned(&["postgres", "redis"])
        }
        fn channels(&self) -> Vec<String> {
            owned(&["incidents", "pager"])
        }
        fn severities(&self) -> Vec<String> {
            owned(&["P0", "P1"])
        }
        fn environments(&self) -> Vec<String> {
            owned(&["prod", "staging"])
        }
        fn modules(&self) -> Vec<String> {
            owned(&["lib/x", "std/health", "std/rollout"])
        }
        fn scripts(&self) -> Vec<String> {
            owned(&["emergency/system-outage"])
        }
    }

    /// The line with each completion, the cursor at `|`.
    fn completed(line: &str) -> Vec<String> {
        let cursor = line.find('|').unwrap();
        let line = line.replacen('|', "", 1);
        let (start, found) = complete(&line, cursor, &Fixed);
        found.into_iter().map(|pair| format!("{}{}{}", &line[..start], pair.replacement, &line[cursor..])).collect()
    }

    #[test]
    fn functions_variables_and_words_of_the_language() {
        assert_eq!(completed("let x = sca|"), ["let x = scale(", "let x = scaled", "let x = scales("]);
        assert_eq!(completed("cluster_i|"), ["cluster_info()"]);
        assert_eq!(completed("scal|(\"a\", 1)"), ["scale(\"a\", 1)", "scaled(\"a\", 1)", "scales(\"a\", 1)"]);
        assert_eq!(completed("heal|"), ["health::"]);
        assert_eq!(completed("health::|"), ["health::down(", "health::slow("]);
        assert_eq!(completed("before.spec.re|"), ["before.spec.replicas"]);
        assert_eq!(completed("before.fil|"), ["before.filter("]);
        assert_eq!(completed("before.spec.|"), ["before.spec.replicas", "before.spec.selector"]);
        assert!(completed("12|").is_empty() && completed("// sca|").is_empty());
    }

    #[test]
    fn names_of_the_platform_in_the_places_that_take_them() {
        assert_eq!(completed("scale(\"ap|"), ["scale(\"api-gateway\""]);
        assert_eq!(completed("scale(\"ap|\", 3)"), ["scale(\"api-gateway\", 3)"]);
        assert_eq!(completed("scale(\"deployment/|"), ["scale(\"deployment/api-gateway\""]);
        assert_eq!(completed("scale(\"deploy/|"), ["scale(\"deploy/api-gateway\""]);
        assert_eq!(completed("wait_ready([\"api-gateway\", \"post|"), ["wait_ready([\"api-gateway\", \"postgres\""]);
        assert_eq!(completed("logs(\"web-49|").len(), 10);
        assert_eq!(completed("get(\"pod/web-123|"), ["get(\"pod/web-123\""]);
        assert_eq!(completed("get(\"nod|"), ["get(\"node/"]);
        assert_eq!(completed("nodes(\"n|"), ["nodes(\"node-1\""]);
        assert!(completed("scale(\"web-1|").is_empty(), "pods are not scaled");
        assert_eq!(completed("sql(\"po|"), ["sql(\"postgres\""]);
        assert_eq!(completed("notify([\"pager\", \"|"), ["notify([\"pager\", \"incidents\"", "notify([\"pager\", \"pager\""]);
        assert_eq!(
            completed("notify(\"pager\", \"x\", #{ severity: \"|"),
            ["notify(\"pager\", \"x\", #{ severity: \"P0\"", "notify(\"pager\", \"x\", #{ severity: \"P1\""]
        );
        assert_eq!(completed("http_health(\"au|"), ["http_health(\"audit-logging\""]);
        assert_eq!(completed("http_get(\"au|"), ["http_get(\"audit-logging"]);
        assert_eq!(completed("import \"std/h|"), ["import \"std/health\""]);
    }

    #[test]
    fn option_keys_without_those_that_are_there() {
        assert_eq!(completed("scale(\"a\", 1, #{ ti|"), ["scale(\"a\", 1, #{ tier: ", "scale(\"a\", 1, #{ timeout: "]);
        assert_eq!(completed("scale(\"a\", 1, #{ tier: \"severe\", ti|"), ["scale(\"a\", 1, #{ tier: \"severe\", timeout: "]);
        assert_eq!(completed("scale(\"a\", 1, #{ tier: \"se|"), ["scale(\"a\", 1, #{ tier: \"severe\""]);
        assert_eq!(completed("step \"x\" #{ ro|"), ["step \"x\" #{ rollback: "]);
    }

    #[test]
    fn commands_and_their_arguments() {
        assert_eq!(completed(":r|"), [":run "]);
        assert_eq!(completed(":run eme|"), [":run emergency/system-outage"]);
        assert_eq!(completed(":env |"), [":env prod", ":env staging"]);
        assert_eq!(completed(":help scal|"), [":help scale"]);
    }
}
