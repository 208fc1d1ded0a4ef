//! What a host function states about itself. One table of these drives registration, argument checks,
//! completion, `runbook functions` and the reference. There is no `Default`: every field is a decision.

use super::operation::Since;
use super::{Failure, Kind, Map, Tier, Value, duration, suggest};

/// The groups of the reference, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Deployments, pods, logs.
    Workloads,
    /// Nodes and the cluster.
    Nodes,
    /// ConfigMaps and secrets.
    Configuration,
    /// HTTP services.
    Http,
    /// Databases.
    Data,
    /// Messages and questions to people.
    People,
    /// The incident's record.
    Incident,
    /// Clock, environment and files of this machine.
    Machine,
    /// Control flow.
    Flow,
    /// Showing and shaping values.
    Values,
}

impl Group {
    /// All groups, in order.
    pub const ALL: [Group; 10] = [
        Group::Workloads,
        Group::Nodes,
        Group::Configuration,
        Group::Http,
        Group::Data,
        Group::People,
        Group::Incident,
        Group::Machine,
        Group::Flow,
        Group::Values,
    ];

    /// The heading.
    pub fn name(self) -> &'static str {
        match self {
            Group::Workloads => "workloads",
            Group::Nodes => "nodes",
            Group::Configuration => "configuration",
            Group::Http => "HTTP",
            Group::Data => "data",
            Group::People => "people",
            Group::Incident => "incident",
            Group::Machine => "this machine",
            Group::Flow => "flow",
            Group::Values => "values",
        }
    }
}

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// Text.
    Str,
    /// A target: `"deployment/x"`, `"app=x"`, a bare name.
    Target,
    /// One target, or an array of them.
    Targets,
    /// A workload: `"deployment/x"`, or a service's or database's name.
    Workload,
    /// A workload, or an array of them.
    Workloads,
    /// Pods: `"app=x"`, `"pod/x"`, a workload, or a service's or database's name.
    Pods,
    /// A node: `"node/x"`, its name, or a selector of nodes.
    Node,
    /// A configured service, or an array of them; each by name, or as the map that `services()` answers.
    Services,
    /// A URL, or a configured service's name with a path: `"api/health"`.
    Address,
    /// A configured database.
    Database,
    /// A configured channel, or an array of them.
    Channels,
    /// A configured severity.
    Severity,
    /// A whole number from..=to.
    Int(i64, i64),
    /// A truth value.
    Bool,
    /// A duration such as `"30s"`.
    Duration,
    /// A duration such as `"30s"` back from now, or a time (RFC 3339).
    Since,
    /// A program and its arguments, words only.
    Argv,
    /// A regular expression.
    Regex,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An array of strings.
    Strings,
    /// An array of whole numbers.
    Ints,
    /// An array of anything.
    List,
    /// A map.
    Map,
    /// What is sent as it is: text, or a map or an array as JSON, secrets among it. Lines hold its shape and its SHA-256; its
    /// content stands beside the journal.
    Body,
    /// A patch: a map, or an array of operations.
    Patch,
    /// An array whose values are data, such as what a statement binds. Its shape is on record, not its content.
    Values,
    /// A MongoDB command document. On record are its name, its operand and the shapes of the rest.
    Command,
    /// A Redis command, an array. On record are its words but for data, which stand there by their shapes.
    Words,
    /// Anything at all; only these may be unsent answers.
    Any,
    /// Anything that is known. Its shape is on record, not its content; so of those that follow.
    Data,
    /// Text that is read as something else.
    Document,
    /// An array of maps.
    Rows,
    /// Text, an array of texts, or an array of maps.
    Lines,
    /// An array of numbers.
    Numbers,
    /// A number from..=to.
    Number(i64, i64),
    /// A closure.
    Closure,
    /// An array of closures.
    Closures,
}

impl Type {
    /// How the reference and messages name it.
    pub fn name(&self) -> String {
        match self {
            Type::Str => "string".into(),
            Type::Target => "target".into(),
            Type::Targets => "target or array of targets".into(),
            Type::Workload => "workload".into(),
            Type::Workloads => "workload or array of workloads".into(),
            Type::Pods => "target of pods".into(),
            Type::Node => "node".into(),
            Type::Services => "service or array of services".into(),
            Type::Address => "service and path, or URL".into(),
            Type::Database => "database".into(),
            Type::Channels => "channel or array of channels".into(),
            Type::Severity => "severity".into(),
            Type::Int(i64::MIN, i64::MAX) => "int".into(),
            Type::Int(low, i64::MAX) => format!("int ≥ {low}"),
            Type::Int(low, high) => format!("int {low}..{high}"),
            Type::Bool => "bool".into(),
            Type::Duration => "duration".into(),
            Type::Since => "duration or time".into(),
            Type::Argv => "array of words".into(),
            Type::Regex => "regular expression".into(),
            Type::Choice(words) => words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" | "),
            Type::Strings => "array of strings".into(),
            Type::Ints => "array of ints".into(),
            Type::List | Type::Values | Type::Words => "array".into(),
            Type::Map | Type::Command => "map".into(),
            Type::Body => "string, map or array".into(),
            Type::Patch => "map or array of operations".into(),
            Type::Any | Type::Data => "any value".into(),
            Type::Document => "string".into(),
            Type::Rows => "array of maps".into(),
            Type::Lines => "string, array of strings or array of maps".into(),
            Type::Numbers => "array of numbers".into(),
            Type::Number(low, high) => format!("number {low}..{high}"),
            Type::Closure => "closure".into(),
            Type::Closures => "array of closures".into(),
        }
    }

    /// Whether a value fits; the error says what was expected and what came.
    pub fn check(&self, what: &str, value: &Value) -> Result<(), Failure> {
        let strings = |items: &[Value]| items.iter().all(|item| matches!(item, Value::Str(_)));
        let maps = |items: &[Value]| items.iter().all(|item| matches!(item, Value::Map(_)));
        let ok = match (self, value) {
            (Type::Any | Type::Data | Type::Closure | Type::Closures, _)
            | (Type::Document | Type::Lines, Value::Str(_))
            | (Type::Services, Value::Map(_))
            | (Type::Bool, Value::Bool(_))
            | (Type::List | Type::Values | Type::Words, Value::List(_))
            | (Type::Map | Type::Command | Type::Patch, Value::Map(_))
            | (Type::Patch, Value::List(_))
            | (Type::Body, Value::Str(_) | Value::Map(_) | Value::List(_) | Value::Secret(_)) => true,
            (ty, Value::Str(_)) if ty.is_text() => true,
            (Type::Services, Value::List(items)) => items.iter().all(|item| matches!(item, Value::Str(_) | Value::Map(_))),
            (Type::Targets | Type::Workloads | Type::Channels | Type::Strings, Value::List(items)) => strings(items),
            (Type::Ints, Value::List(items)) => items.iter().all(|item| matches!(item, Value::Int(_))),
            (Type::Rows, Value::List(items)) => maps(items),
            (Type::Lines, Value::List(items)) => strings(items) || maps(items),
            (Type::Numbers, Value::List(items)) => items.iter().all(|item| item.as_number().is_some()),
            (Type::Number(low, high), Value::Int(_) | Value::Float(_)) => {
                if value.as_number().is_none_or(|n| n.is_nan() || n < *low as f64 || n > *high as f64) {
                    return Err(Failure::bad_argument(format!("{what} must be {}, not {value}", self.name())));
                }
                true
            }
            (Type::Int(low, high), Value::Int(n)) => {
                if n < low || n > high {
                    return Err(Failure::bad_argument(format!("{what} must be {}, not {n}", self.name())));
                }
                true
            }
            (Type::Duration, Value::Str(text)) => {
                duration::parse(text).map_err(|failure| Failure { message: format!("{what}: {}", failure.message), ..failure })?;
                true
            }
            (Type::Since, Value::Str(text)) => {
                since(text).ok_or_else(|| self.mismatch(what, &described(value)).hint(SINCE))?;
                true
            }
            (Type::Argv, Value::List(words)) => {
                argv(what, words)?;
                true
            }
            (Type::Argv, Value::Str(text)) => {
                let words: Vec<&str> = text.split_whitespace().collect();
                let hint = format!("there is no shell: write its words apart, {words:?}");
                return Err(self.mismatch(what, &described(value)).hint(hint));
            }
            (Type::Regex, Value::Str(text)) => {
                // Checked here so that a bad pattern fails before anything is asked.
                regex::Regex::new(text).map_err(|e| {
                    let cause = e.to_string();
                    Failure::bad_argument(format!("{what}: {text:?} is no regular expression"))
                        .hint(cause.lines().last().unwrap_or_default().trim().trim_start_matches("error: "))
                })?;
                true
            }
            (Type::Choice(words), Value::Str(text)) => {
                if !words.contains(&text.as_str()) {
                    return Err(Failure::unknown(what, text, words.iter().copied()));
                }
                true
            }
            _ => false,
        };
        if ok {
            return Ok(());
        }
        let mut failure = self.mismatch(what, &described(value));
        if matches!((self, value), (Type::Duration | Type::Since, Value::Int(_))) {
            failure = failure.hint(format!("write the unit: \"{value}s\""));
        }
        Err(failure)
    }

    /// The error of a value of another type, described in words.
    pub fn mismatch(&self, what: &str, value: &str) -> Failure {
        Failure::bad_argument(format!("{what} must be {}, not {value}", article(&self.name())))
    }

    /// Whether a value of that type name (`string`, `int`, `map` …) can fit at all.
    pub fn takes(&self, kind: &str) -> bool {
        match self {
            Type::Any | Type::Data => true,
            Type::Document => kind == "string",
            Type::Lines => matches!(kind, "string" | "array"),
            Type::Number(..) => matches!(kind, "int" | "float"),
            Type::Services => matches!(kind, "string" | "array" | "map"),
            Type::Targets | Type::Workloads | Type::Channels => matches!(kind, "string" | "array"),
            ty if ty.is_text() || matches!(ty, Type::Duration | Type::Since | Type::Regex | Type::Choice(_)) => kind == "string",
            Type::Int(..) => kind == "int",
            Type::Bool => kind == "bool",
            Type::Map | Type::Command => kind == "map",
            Type::Body => matches!(kind, "string" | "map" | "array"),
            Type::Patch => matches!(kind, "map" | "array"),
            Type::Closure => kind == "closure",
            _ => kind == "array",
        }
    }

    /// Whether it names what a call is about.
    pub fn is_target(&self) -> bool {
        use Type::{Channels, Database, Node, Pods, Services, Target, Targets, Workload, Workloads};
        matches!(self, Target | Targets | Workload | Workloads | Pods | Node | Services | Database | Channels)
    }

    /// Whether it may hold personal data, so that its shape is on record and not its content.
    pub fn is_content(&self) -> bool {
        use Type::{Any, Body, Data, Document, Lines, Numbers, Rows};
        matches!(self, Any | Body | Data | Document | Rows | Lines | Numbers)
    }

    /// Whether any text fits, as far as its type goes.
    fn is_text(&self) -> bool {
        use Type::{Address, Channels, Database, Node, Pods, Services, Severity, Str, Target, Targets, Workload, Workloads};
        matches!(self, Str | Target | Targets | Workload | Workloads | Pods | Node | Services | Address | Database | Channels | Severity)
    }
}

const SINCE: &str = "write `\"15m\"`, or a time such as `\"2026-01-01T03:00:00Z\"`";

/// A moment as a script says it: a duration back from now, or a time.
pub fn since(text: &str) -> Option<Since> {
    let time = || text.parse::<jiff::Timestamp>().ok().map(Since::Time);
    duration::parse(text).ok().map(Since::Ago).or_else(time)
}

/// Checks a program and its arguments.
fn argv(what: &str, words: &[Value]) -> Result<(), Failure> {
    let wrong = |message: String, hint: &str| Err(Failure::bad_argument(message).hint(hint));
    for (number, word) in words.iter().enumerate() {
        match word {
            Value::Str(text) if text.contains('\0') => {
                return wrong(format!("{what}[{number}] holds a NUL character"), "no argument can; pass such data by `stdin`");
            }
            Value::Str(_) => {}
            Value::Secret(secret) => {
                let message = format!("{what}[{number}] is the secret {}", secret.name());
                return wrong(message, "arguments stand in process lists and logs: pass it by `stdin`, or by `env` where there is one");
            }
            other => {
                return wrong(format!("{what}[{number}] must be a string, not {}", described(other)), "write it as text: `${…}`");
            }
        }
    }
    match words.first().and_then(Value::as_str) {
        None | Some("") => wrong(format!("{what} names no program"), "the program first, then its arguments: [\"date\", \"-u\"]"),
        Some(_) => Ok(()),
    }
}

fn article(name: &str) -> String {
    let vowel = name.starts_with(['a', 'e', 'i', 'o', 'u']);
    match name {
        _ if name.starts_with('"') => format!("one of {name}"),
        "any value" => name.to_owned(),
        _ if vowel => format!("an {name}"),
        _ => format!("a {name}"),
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null | Value::List(_) | Value::Map(_) | Value::Secret(_) | Value::Unsent(_) => value.type_name().to_owned(),
        plain => format!("{} {plain}", plain.type_name()),
    }
}

/// One parameter of a function.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name in the reference.
    pub name: &'static str,
    /// What it may be.
    pub ty: Type,
    /// Whether it may be left out.
    pub required: bool,
    /// What it means, units included.
    pub help: &'static str,
}

/// One key of a function's options map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opt {
    /// The key.
    pub name: &'static str,
    /// What it may be.
    pub ty: Type,
    /// What holds without it, as a script would write it; empty for nothing.
    pub default: &'static str,
    /// What it means, units included.
    pub help: &'static str,
}

/// A runnable example: it is printed in the reference and run as a test in the healthy world.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// The script.
    pub code: &'static str,
    /// What the script's last expression must be, as compact JSON; empty where it varies.
    pub result: &'static str,
}

/// How a call's answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In the journal's line; large ones as payloads.
    Line,
    /// Always as a payload beside the journal: rows, documents, bodies, logs may hold personal data.
    Payload,
    /// As a payload, and shown as counts and shapes until revealed: rows of databases.
    Rows,
}

/// What a host function states about itself.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The name that scripts use.
    pub name: &'static str,
    /// Where the reference lists it.
    pub group: Group,
    /// One line, third person.
    pub summary: &'static str,
    /// Positional parameters.
    pub params: &'static [Param],
    /// Keys of the options map; empty where the function takes none.
    pub options: &'static [Opt],
    /// The shape of the answer, with units.
    pub returns: &'static str,
    /// How grave its changes are; `Mild` for what changes nothing.
    pub tier: Tier,
    /// How its answer is kept.
    pub keep: Keep,
    /// The kinds of failure that it may end in, beyond `bad_argument`, `cancelled` and `timeout`.
    pub errors: &'static [Kind],
    /// Examples, run as tests.
    pub examples: &'static [Example],
}

impl Spec {
    /// `scale(target, replicas, options?)`.
    pub fn signature(&self) -> String {
        let mut parts: Vec<String> =
            self.params.iter().map(|param| if param.required { param.name.to_owned() } else { format!("{}?", param.name) }).collect();
        if !self.options.is_empty() {
            parts.push("options?".into());
        }
        format!("{}({})", self.name, parts.join(", "))
    }

    /// Checks arguments against this specification and gives them names.
    ///
    /// Errors are `bad_argument` and name the parameter, or the nearest right option.
    pub fn bind(&self, mut values: Vec<Value>) -> Result<Args, Failure> {
        let required = self.params.iter().filter(|param| param.required).count();
        let options = if self.has_options(&values) { values.pop() } else { None };
        if values.len() < required || values.len() > self.params.len() {
            return Err(self.wrong_count(values.len()));
        }
        for (number, (param, value)) in self.params.iter().zip(&values).enumerate() {
            param
                .ty
                .check(&format!("`{}`", param.name), value)
                .map_err(|failure| self.swapped(failure, number, &|n| values.get(n).cloned()))?;
        }
        let options = match options {
            Some(Value::Map(map)) => map,
            _ => Map::new(),
        };
        for (key, value) in &options {
            let option = self.option(key)?;
            option.ty.check(&format!("option `{key}`"), value)?;
        }
        Ok(Args { spec: *self, values, options })
    }

    /// The option of that name; the error names the nearest.
    pub fn option(&self, key: &str) -> Result<&'static Opt, Failure> {
        self.options.iter().find(|option| option.name == key).ok_or_else(|| {
            let mut failure = Failure::unknown("option", key, self.options.iter().map(|option| option.name));
            if self.options.is_empty() {
                failure.hint = Some(format!("`{}` takes no options", self.name));
            }
            failure
        })
    }

    /// The failure of an argument, with a hint if it and another one would fit in each other's place.
    pub fn swapped(&self, failure: Failure, number: usize, value: &dyn Fn(usize) -> Option<Value>) -> Failure {
        let fits = |param: usize, value: &Value| self.params.get(param).is_some_and(|param| param.ty.check("", value).is_ok());
        let Some(own) = value(number).filter(|_| failure.hint.is_none()) else { return failure };
        let other = (0..self.params.len())
            .filter(|other| *other != number)
            .find(|other| value(*other).is_some_and(|theirs| fits(number, &theirs) && fits(*other, &own) && !fits(*other, &theirs)));
        match other {
            Some(_) => failure.hint(format!("{SWAPPED}: it reads {}", self.signature())),
            None => failure,
        }
    }

    /// A map in the last optional position is the options map unless that parameter wants a map itself.
    pub fn last_is_options(&self, count: usize) -> bool {
        !self.options.is_empty()
            && count > self.params.iter().filter(|param| param.required).count()
            && self
                .params
                .get(count - 1)
                .is_none_or(|param| !matches!(param.ty, Type::Map | Type::Patch | Type::Body | Type::Any | Type::Data | Type::Services))
    }

    /// Whether the last of these arguments is the options map.
    pub fn has_options(&self, values: &[Value]) -> bool {
        let surplus = values.len() > self.params.len();
        matches!(values.last(), Some(Value::Map(_))) && (surplus || self.last_is_options(values.len()))
    }

    /// The error of a number of arguments, options apart, that it does not take.
    pub fn wrong_count(&self, count: usize) -> Failure {
        let verb = if count == 1 { "1 argument was" } else { &format!("{count} arguments were") };
        Failure::bad_argument(format!("{verb} given to `{}`", self.name)).hint(format!("it reads {}", self.signature()))
    }
}

/// How the hint begins where two arguments would fit in each other's place.
pub const SWAPPED: &str = "two arguments are swapped";

/// Checked arguments of one call.
#[derive(Clone, Debug)]
pub struct Args {
    spec: Spec,
    values: Vec<Value>,
    options: Map,
}

impl Args {
    /// The positional argument of that number, from 0.
    pub fn get(&self, number: usize) -> Option<&Value> {
        self.values.get(number)
    }

    /// The positional argument as text; empty if it was left out or is none.
    pub fn str(&self, number: usize) -> &str {
        self.values.get(number).and_then(Value::as_str).unwrap_or_default()
    }

    /// The positional argument as a number; 0 if it was left out or is none.
    pub fn int(&self, number: usize) -> i64 {
        self.values.get(number).and_then(Value::as_int).unwrap_or_default()
    }

    /// The positional argument as text or array of texts.
    pub fn strs(&self, number: usize) -> Vec<&str> {
        match self.values.get(number) {
            Some(Value::Str(text)) => vec![text],
            Some(Value::List(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether no option was given.
    pub fn options_are_empty(&self) -> bool {
        self.options.is_empty()
    }

    /// An option that was given.
    pub fn option(&self, key: &str) -> Option<&Value> {
        debug_assert!(self.spec.options.iter().any(|option| option.name == key), "{} has no option {key}", self.spec.name);
        self.options.get(key)
    }

    /// The options as they were given.
    pub fn options(&self) -> &Map {
        &self.options
    }

    /// An option as text, or its stated default; none where that is empty.
    pub fn option_str(&self, key: &str) -> Option<&str> {
        match self.option(key) {
            Some(value) => value.as_str(),
            None => self.default(key).map(|text| text.trim_matches('"')),
        }
    }

    /// An option as texts; none where it was left out.
    pub fn option_strs(&self, key: &str) -> Vec<&str> {
        self.option(key).and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str).collect()
    }

    /// An option as a number, or its stated default.
    pub fn option_int(&self, key: &str) -> Option<i64> {
        match self.option(key) {
            Some(value) => value.as_int(),
            None => self.default(key)?.parse().ok(),
        }
    }

    /// An option as whole numbers, if it was given.
    pub fn option_ints(&self, key: &str) -> Option<Vec<i64>> {
        self.option(key)?.as_list().map(|items| items.iter().filter_map(Value::as_int).collect())
    }

    /// An option as a truth value, or its stated default, or false.
    pub fn option_bool(&self, key: &str) -> bool {
        match self.option(key) {
            Some(value) => value.as_bool().unwrap_or_default(),
            None => self.default(key) == Some("true"),
        }
    }

    /// An option as a duration, or its stated default.
    pub fn option_duration(&self, key: &str) -> Option<std::time::Duration> {
        self.option_str(key).and_then(|text| duration::parse(text).ok())
    }

    /// The call's own longest wait; none of a function without such an option.
    pub fn timeout(&self) -> Option<std::time::Duration> {
        let has = self.spec.options.iter().any(|option| option.name == "timeout");
        if has { self.option_duration("timeout") } else { None }
    }

    /// An option as a moment.
    pub fn option_since(&self, key: &str) -> Option<Since> {
        self.option_str(key).and_then(since)
    }

    /// The specification that the arguments were checked against.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    fn default(&self, key: &str) -> Option<&'static str> {
        self.spec.options.iter().find(|option| option.name == key).map(|option| option.default).filter(|text| !text.is_empty())
    }
}

/// The nearest function name, for messages about unknown functions.
pub fn nearest<'a>(name: &str, specs: impl IntoIterator<Item = &'a Spec>) -> Option<&'a str> {
    suggest::nearest(name, specs.into_iter().map(|spec| spec.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    const SPEC: Spec = Spec {
        name: "scale",
        group: Group::Workloads,
        summary: "Sets the number of replicas.",
        params: &[
            Param { name: "target", ty: Type::Target, required: true, help: "" },
            Param { name: "replicas", ty: Type::Int(0, 1000), required: true, help: "" },
        ],
        options: &[
            Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "" },
            Opt { name: "tier", ty: Type::Choice(&["moderate", "severe"]), default: "", help: "" },
        ],
        returns: "",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[],
    };

    #[test]
    fn arguments_are_bound_by_position_and_options_by_name() {
        let args = SPEC.bind(vec!["api".into(), 3.into(), map! { "timeout" => "1m" }]).unwrap();
        assert_eq!((args.str(0), args.int(1), args.option_duration("timeout").unwrap().as_secs()), ("api", 3, 60));
        let args = SPEC.bind(vec!["api".into(), 3.into()]).unwrap();
        assert_eq!((args.option_duration("timeout").unwrap().as_secs(), args.option_str("tier")), (30, None));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_name_and_a_remedy() {
        let failure = |values: Vec<Value>| {
            let failure = SPEC.bind(values).unwrap_err();
            format!("{}; {}", failure.message, failure.hint.unwrap_or_default())
        };
        assert_eq!(failure(vec!["api".into()]), "1 argument was given to `scale`; it reads scale(target, replicas, options?)");
        assert_eq!(failure(vec!["api".into(), "3".into()]), "`replicas` must be an int 0..1000, not string \"3\"; ");
        assert_eq!(failure(vec!["api".into(), (-1).into()]), "`replicas` must be int 0..1000, not -1; ");
        assert_eq!(failure(vec!["api".into(), 3.into(), map! { "timeot" => "1m" }]), "unknown option \"timeot\"; did you mean `timeout`?");
        assert_eq!(
            failure(vec!["api".into(), 3.into(), map! { "timeout" => 30 }]),
            "option `timeout` must be a duration, not int 30; write the unit: \"30s\""
        );
    }
}
