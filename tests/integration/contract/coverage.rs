//! What has no case yet: a function, an option, a kind of error of the specifications.

use std::collections::BTreeSet;

use runbook::host::FUNCTIONS;

use super::case::{self, Case, Expected};
use super::{ALONE, METRICS, TOGETHER};

/// What no case can show on both platforms: a function, or the group of several; what it is; why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("runbook", "the function", "it is the first statement of a script, and is read without any platform"),
    ("workloads", "forbidden", "a world's cluster has no users; services.rs has it of the API server"),
    ("workloads", "auth", "a world's cluster asks nobody who he is"),
    ("workloads", "unavailable", "a world's API server always answers"),
    ("workloads", "conflict", "only `patch` can say which version it has seen"),
    ("workloads", "in_doubt", "a world's API server loses no reply"),
    ("workloads", "not_confirmed", "worlds ask nobody; services.rs has it of a protected environment"),
    ("workloads", "too_large", "more than 8 MiB would have to stand in the world file"),
    ("nodes", "forbidden", "as of workloads"),
    ("nodes", "auth", "as of workloads"),
    ("nodes", "unavailable", "as of workloads"),
    ("nodes", "conflict", "as of workloads"),
    ("nodes", "in_doubt", "as of workloads"),
    ("nodes", "not_confirmed", "as of workloads"),
    ("configuration", "forbidden", "as of workloads"),
    ("configuration", "auth", "as of workloads"),
    ("configuration", "unavailable", "as of workloads"),
    ("tcp_check", "forbidden", "as of workloads"),
    ("tcp_check", "auth", "as of workloads"),
    ("command", "not_confirmed", "as of workloads"),
    ("command", "too_large", "as of workloads"),
    ("logs", "failed", "a file that cannot be written is no platform's matter; save.rs has it"),
    ("HTTP", "too_large", "as of workloads"),
    ("HTTP", "not_confirmed", "as of workloads"),
    ("data", "not_confirmed", "as of workloads"),
    ("data", "in_doubt", "a world's databases lose no reply; failures/changes.rs has it of the real ones"),
    ("mongo_execute", "too_large", "as of workloads"),
    ("redis_execute", "too_large", "as of workloads"),
    ("mongo_execute", "forbidden", "FerretDB has no users"),
    ("mongo_execute", "auth", "FerretDB has no users"),
    ("mongo_execute", "conflict", "FerretDB reports no write conflicts"),
    ("redis_execute", "forbidden", "a world's Redis has no users"),
    ("redis_execute", "auth", "a world's Redis has no users"),
    ("mongo", "too_large", "as of workloads"),
    ("redis", "too_large", "as of workloads"),
    ("mongo", "forbidden", "FerretDB has no users"),
    ("mongo", "auth", "FerretDB has no users"),
    ("redis", "forbidden", "a world's Redis has no users"),
    ("redis", "auth", "a world's Redis has no users"),
];

/// The functions that a piece of code calls, each with the keys of its options map.
fn calls(code: &str) -> Vec<(String, BTreeSet<String>)> {
    let bare = without_text(code);
    let mut found = Vec::new();
    for (at, _) in bare.match_indices('(') {
        let name: String = bare[..at].chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let name: String = name.chars().rev().collect();
        if !name.is_empty() {
            found.push((name, options(&bare[at + 1..])));
        }
    }
    found
}

/// Code with its strings and comments emptied, so that brackets and commas mean what they seem to.
fn without_text(code: &str) -> String {
    let mut out = String::new();
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '"' || c == '`' {
            while let Some(inner) = chars.next() {
                match inner {
                    '\\' => drop(chars.next()),
                    end if end == c => break,
                    _ => {}
                }
            }
            out.push(c);
        }
    }
    out
}

/// The keys of the map that is the last argument of a call; `rest` begins behind its opening bracket.
fn options(rest: &str) -> BTreeSet<String> {
    let (mut depth, mut last, mut end) = (0usize, 0, rest.len());
    for (at, c) in rest.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => {
                end = at;
                break;
            }
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => last = at + 1,
            _ => {}
        }
    }
    let Some(map) = rest[last..end].trim().strip_prefix("#{") else { return BTreeSet::new() };
    let (mut depth, mut keys, mut word) = (0usize, BTreeSet::new(), String::new());
    for c in map.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => drop(keys.insert(std::mem::take(&mut word))),
            ',' if depth == 0 => word.clear(),
            c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
            _ => {}
        }
    }
    keys
}

/// What the suite shows: functions, their options, the kinds that they fail with.
fn shown(cases: &[Case]) -> BTreeSet<(String, String)> {
    let mut shown = BTreeSet::new();
    for case in cases {
        for (name, options) in calls(&case.code) {
            shown.insert((name.clone(), "the function".to_owned()));
            shown.extend(options.into_iter().map(|option| (name.clone(), format!("option {option}"))));
        }
        if let Expected::Failure(kind, _) = &case.expected {
            shown.insert((case.function().to_owned(), kind.clone()));
        }
    }
    shown
}

#[test]
fn every_function_option_and_error_has_a_case() {
    let cases: Vec<Case> = TOGETHER.iter().chain([&ALONE, &METRICS]).flat_map(|text| case::parse(text)).collect();
    let titles: BTreeSet<&str> = cases.iter().map(|case| case.title.as_str()).collect();
    assert_eq!(titles.len(), cases.len(), "two cases have one title");
    for case in cases.iter().filter(|case| case.function() != "step") {
        let called = calls(&case.code).iter().any(|(name, _)| name == case.function());
        assert!(called, "{:?} does not call what its title says", case.title);
    }
    let shown = shown(&cases);
    let mut missing = Vec::new();
    let mut excused = BTreeSet::new();
    for function in FUNCTIONS {
        let spec = function.spec;
        let wanted = ["the function".to_owned()]
            .into_iter()
            .chain(spec.options.iter().map(|option| format!("option {}", option.name)))
            .chain(spec.errors.iter().map(|kind| kind.name().to_owned()));
        for what in wanted.filter(|what| !shown.contains(&(spec.name.to_owned(), what.clone()))) {
            match EXCEPTIONS.iter().position(|(name, which, _)| [spec.group.name(), spec.name].contains(name) && *which == what) {
                Some(place) => drop(excused.insert(place)),
                None => missing.push(format!("{}: {what}", spec.name)),
            }
        }
    }
    assert!(missing.is_empty(), "without a case in tests/integration/contract/cases:\n{}", missing.join("\n"));
    let idle: Vec<_> = EXCEPTIONS.iter().enumerate().filter(|(place, _)| !excused.contains(place)).collect();
    assert!(idle.is_empty(), "exceptions that excuse nothing: {idle:?}");
}

#[test]
fn calls_are_found_with_their_options() {
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
    let code = r#"let it = retry(|| http_get("a)b", #{ headers: #{ "X, y": f(1) }, ok_status: [1, 2] }), #{ times: 3 }); g(#{a: 1}, 2)"#;
    let found: Vec<_> = calls(code).into_iter().collect();
    assert_eq!(
        found,
        [
            ("retry".to_owned(), keys(&["times"])),
            ("http_get".to_owned(), keys(&["headers", "ok_status"])),
            ("f".to_owned(), keys(&[])),
            ("g".to_owned(), keys(&[])),
        ]
    );
}
