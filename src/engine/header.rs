//! The header of a runbook: `runbook(#{ … })`, read from the script's text without running it.

use std::collections::BTreeMap;

use rhai::{AST, Expr, Stmt};

use super::convert;
use super::diagnostic::{self, Diagnostic};
use crate::model::{Failure, Map, Position, Value, duration, suggest};

/// What a runbook says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// The title.
    pub title: String,
    /// The whole map.
    pub fields: Map,
    /// Its parameters by name.
    pub params: BTreeMap<String, Param>,
    /// Where it stands.
    pub at: Position,
}

/// One parameter of a runbook.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// What it may be.
    pub ty: ParamType,
    /// What holds without `--param`; required if there is none.
    pub default: Option<Value>,
    /// The least number.
    pub min: Option<f64>,
    /// The greatest number.
    pub max: Option<f64>,
    /// The only values.
    pub choices: Option<Vec<Value>>,
    /// What it means.
    pub help: String,
}

/// Types of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// Text.
    String,
    /// `true` or `false`.
    Bool,
    /// A duration such as `30s`.
    Duration,
}

const TYPES: [(&str, ParamType); 5] = [
    ("int", ParamType::Int),
    ("float", ParamType::Float),
    ("string", ParamType::String),
    ("bool", ParamType::Bool),
    ("duration", ParamType::Duration),
];

const FIELDS: [&str; 9] = ["title", "severity", "service", "owner", "version", "last_tested", "next_drill", "params", "description"];
const PARAM_FIELDS: [&str; 6] = ["type", "default", "min", "max", "choices", "help"];

/// Reads the header of an unoptimised script; none if its first statement is no call of `runbook`.
pub fn read(ast: &AST, file: &str) -> Result<Option<Header>, Diagnostic> {
    let (header, wrong) = examine(ast, file);
    match wrong.into_iter().next() {
        Some(first) => Err(first),
        None => Ok(header.map(|found| found.header)),
    }
}

/// A header as it stands in a script.
pub struct Found<'a> {
    /// What it says.
    pub header: Header,
    /// The variable that holds the parameters.
    pub variable: Option<&'a str>,
    literal: &'a Expr,
}

impl Found<'_> {
    /// Where a field stands, or the header.
    pub fn place(&self, path: &[&str]) -> rhai::Position {
        place(self.literal, path).unwrap_or_else(|| self.literal.start_position())
    }
}

/// Where a key of a map of maps stands, or the deepest one on the way to it.
fn place(literal: &Expr, path: &[&str]) -> Option<rhai::Position> {
    let Expr::Map(map, _) = literal else { return None };
    let (key, value) = map.0.iter().find(|(key, _)| path.first().is_some_and(|wanted| *wanted == key.name))?;
    place(value, &path[1..]).or(Some(key.pos))
}

/// Reads a header, and tells everything that is wrong with it.
pub fn examine<'a>(ast: &'a AST, file: &str) -> (Option<Found<'a>>, Vec<Diagnostic>) {
    let (variable, call) = match ast.statements().first() {
        Some(Stmt::Var(var, ..)) => (Some(var.0.name.as_str()), called(&var.1)),
        Some(Stmt::FnCall(call, at)) => (None, Some((&**call, *at))),
        Some(Stmt::Expr(expr)) => (None, called(expr)),
        _ => (None, None),
    };
    let Some((call, place)) = call.filter(|(call, _)| call.name == "runbook") else { return (None, Vec::new()) };
    let literal = call.args.first().filter(|_| call.args.len() == 1);
    let fields = literal.and_then(|literal| convert::to_value(&literal.get_literal_value(None)?).ok());
    let (Some(literal), Some(Value::Map(fields))) = (literal, fields) else {
        let hint = "it is read without running the script: write `runbook(#{ title: \"…\", … })` with plain values";
        let failure = Failure::bad_argument("the header of a runbook is one map of literals").hint(hint);
        return (None, vec![Diagnostic::at(failure, diagnostic::position(file, place))]);
    };
    let mut wrong = Vec::new();
    let at = diagnostic::position(file, place);
    let header = header(fields, at, &mut |path, failure| {
        let place = self::place(literal, path).unwrap_or(place);
        wrong.push(Diagnostic::at(failure, diagnostic::position(file, place)));
    });
    wrong.sort_by_key(|diagnostic| (diagnostic.at.line, diagnostic.at.column));
    (Some(Found { header, variable, literal }), wrong)
}

fn called(expr: &Expr) -> Option<(&rhai::FnCallExpr, rhai::Position)> {
    match expr {
        Expr::FnCall(call, at) => Some((call, *at)),
        _ => None,
    }
}

/// Notes what is wrong with a field: its path, the failure.
type Note<'n> = dyn FnMut(&[&str], Failure) + 'n;

fn header(fields: Map, at: Position, wrong: &mut Note<'_>) -> Header {
    for (key, value) in &fields {
        if !FIELDS.contains(&key.as_str()) {
            wrong(&[key], Failure::unknown("field of the header", key, FIELDS));
        } else if !["params", "version"].contains(&key.as_str()) && value.as_str().is_none() {
            wrong(&[key], Failure::bad_argument(format!("`{key}` must be a string, not {}", value.type_name())));
        }
    }
    let title = fields.get("title").and_then(Value::as_str).unwrap_or_default().to_owned();
    // A title that is no string, or whose key is misspelt, has been told of.
    let told = match fields.get("title") {
        Some(title) => title.as_str().is_none(),
        None => fields.keys().any(|key| !FIELDS.contains(&key.as_str()) && suggest::nearest(key, FIELDS) == Some("title")),
    };
    if title.is_empty() && !told {
        wrong(&["title"], Failure::bad_argument("the header has no title").hint("add `title: \"…\"`"));
    }
    let mut params = BTreeMap::new();
    match fields.get("params") {
        None => {}
        Some(Value::Map(map)) => {
            for (name, spec) in map {
                match param(name, spec) {
                    Ok(param) => drop(params.insert(name.to_string(), param)),
                    Err((key, failure)) => wrong(&["params", name, key], failure),
                }
            }
        }
        Some(other) => wrong(&["params"], Failure::bad_argument(format!("`params` must be a map, not {}", other.type_name()))),
    }
    Header { title, fields, params, at }
}

fn param<'a>(name: &str, spec: &'a Value) -> Result<Param, (&'a str, Failure)> {
    let Value::Map(map) = spec else {
        let failure = Failure::bad_argument(format!("the parameter `{name}` must be a map"));
        return Err(("", failure.hint("such as `#{ type: \"int\", default: 3, help: \"…\" }`")));
    };
    if let Some(key) = map.keys().find(|key| !PARAM_FIELDS.contains(&key.as_str())) {
        return Err((key, Failure::unknown(&format!("field of the parameter `{name}`:"), key, PARAM_FIELDS)));
    }
    let ty = match map.get("type").and_then(Value::as_str) {
        None => {
            let failure = Failure::bad_argument(format!("the parameter `{name}` has no type"));
            return Err(("type", failure.hint("add `type: \"int\"`, or float, string, bool, duration")));
        }
        Some(text) => {
            let known = TYPES.iter().find(|(known, _)| *known == text);
            let unknown = || Failure::unknown(&format!("type of the parameter `{name}`:"), text, TYPES.map(|(name, _)| name));
            known.ok_or_else(|| ("type", unknown()))?.1
        }
    };
    let number = |key: &str| match map.get(key) {
        Some(Value::Int(n)) => Some(*n as f64),
        Some(Value::Float(x)) => Some(*x),
        _ => None,
    };
    let param = Param {
        ty,
        default: map.get("default").cloned(),
        min: number("min"),
        max: number("max"),
        choices: map.get("choices").and_then(Value::as_list).map(<[Value]>::to_vec),
        help: map.get("help").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    match &param.default {
        Some(default) => param.check(name, default.clone()).map(|_| param).map_err(|failure| ("default", failure)),
        None => Ok(param),
    }
}

impl Param {
    /// The type's name.
    pub fn type_name(&self) -> &'static str {
        TYPES.iter().find(|(_, ty)| *ty == self.ty).map_or("", |(name, _)| name)
    }

    /// Checks a value against type, range and choices.
    fn check(&self, name: &str, value: Value) -> Result<Value, Failure> {
        let number = match (self.ty, &value) {
            (ParamType::Int, Value::Int(n)) => Some(*n as f64),
            (ParamType::Float, Value::Int(n)) => Some(*n as f64),
            (ParamType::Float, Value::Float(x)) => Some(*x),
            (ParamType::String, Value::Str(_)) | (ParamType::Bool, Value::Bool(_)) => None,
            (ParamType::Duration, Value::Str(text)) => {
                duration::parse(text)
                    .map_err(|failure| Failure { message: format!("the parameter `{name}`: {}", failure.message), ..failure })?;
                None
            }
            _ => return Err(Failure::bad_argument(format!("the parameter `{name}` must be {}, not {value}", self.type_name()))),
        };
        if let Some(number) = number
            && (self.min.is_some_and(|min| number < min) || self.max.is_some_and(|max| number > max))
        {
            return Err(Failure::bad_argument(format!("the parameter `{name}` must be {}, not {value}", self.range())));
        }
        match &self.choices {
            Some(choices) if !choices.contains(&value) => {
                let known: Vec<String> =
                    choices.iter().map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned)).collect();
                let given = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Err(Failure::unknown(&format!("value of the parameter `{name}`:"), &given, known.iter().map(String::as_str)))
            }
            _ => Ok(value),
        }
    }

    /// `1 to 20`, `at least 1` or `at most 20`.
    fn range(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "a number".to_owned(),
        }
    }

    /// Reads a value from the command line.
    fn parse(&self, name: &str, text: &str) -> Result<Value, Failure> {
        let wrong = || Failure::bad_argument(format!("the parameter `{name}` must be {}, not {text:?}", self.type_name()));
        let value = match self.ty {
            ParamType::Int => Value::Int(text.parse().map_err(|_| wrong())?),
            ParamType::Float => Value::Float(text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(wrong)?),
            ParamType::Bool => Value::Bool(text.parse().map_err(|_| wrong())?),
            ParamType::String | ParamType::Duration => Value::Str(text.to_owned()),
        };
        self.check(name, value)
    }
}

/// The parameters of a run: what was given, else the defaults. Unknown and missing ones are errors.
pub fn parameters(header: Option<&Header>, given: &[(String, String)]) -> Result<Value, Failure> {
    let none = BTreeMap::new();
    let known = header.map_or(&none, |header| &header.params);
    let mut values = Map::new();
    for (name, text) in given {
        let param = known.get(name).ok_or_else(|| {
            let failure = Failure::unknown("parameter", name, known.keys().map(String::as_str));
            if known.is_empty() { failure.hint("this runbook takes no parameters") } else { failure }
        })?;
        if values.insert(name.into(), param.parse(name, text)?).is_some() {
            return Err(Failure::bad_argument(format!("the parameter `{name}` is given twice")));
        }
    }
    for (name, param) in known {
        if values.contains_key(name.as_str()) {
            continue;
        }
        let missing = || {
            Failure::bad_argument(format!("the parameter `{name}` ({}) is missing", param.help))
                .hint(format!("pass --param {name}=<{}>", param.type_name()))
        };
        values.insert(name.into(), param.default.clone().ok_or_else(missing)?);
    }
    Ok(Value::Map(values))
}
