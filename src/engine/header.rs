//! The header of a runbook: `runbook(#{ … })`, read from the script's text without running it.

use std::collections::BTreeMap;

use rhai::{AST, Expr, Stmt};

use super::convert;
use super::diagnostic::Diagnostic;
use crate::model::{Failure, Map, Position, Value, duration};

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
    let call = match ast.statements().first() {
        Some(Stmt::Var(var, ..)) => called(&var.1),
        Some(Stmt::FnCall(call, at)) => Some((&**call, *at)),
        Some(Stmt::Expr(expr)) => called(expr),
        _ => None,
    };
    let Some((call, place)) = call.filter(|(call, _)| call.name == "runbook") else { return Ok(None) };
    let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let at = Position { file: file.into(), line: number(place.line()), column: number(place.position()) };
    let wrong = |failure: Failure| Diagnostic::at(failure, at.clone());
    let literal = call.args.first().filter(|_| call.args.len() == 1).and_then(|expr| expr.get_literal_value(None));
    let fields = literal.as_ref().and_then(|literal| convert::to_value(literal).ok());
    let Some(Value::Map(fields)) = fields else {
        let hint = "it is read without running the script: write `runbook(#{ title: \"…\", … })` with plain values";
        return Err(wrong(Failure::bad_argument("the header of a runbook is one map of literals").hint(hint)));
    };
    header(fields, at.clone()).map(Some).map_err(wrong)
}

fn called(expr: &Expr) -> Option<(&rhai::FnCallExpr, rhai::Position)> {
    match expr {
        Expr::FnCall(call, at) => Some((call, *at)),
        _ => None,
    }
}

fn header(fields: Map, at: Position) -> Result<Header, Failure> {
    for key in fields.keys() {
        if !FIELDS.contains(&key.as_str()) {
            return Err(Failure::unknown("field of the header", key, FIELDS));
        }
    }
    let title = fields.get("title").and_then(Value::as_str).unwrap_or_default().to_owned();
    if title.is_empty() {
        return Err(Failure::bad_argument("the header has no title").hint("add `title: \"…\"`"));
    }
    let mut params = BTreeMap::new();
    match fields.get("params") {
        None => {}
        Some(Value::Map(map)) => {
            for (name, spec) in map {
                params.insert(name.clone(), param(name, spec)?);
            }
        }
        Some(other) => return Err(Failure::bad_argument(format!("`params` must be a map, not {}", other.type_name()))),
    }
    Ok(Header { title, fields, params, at })
}

fn param(name: &str, spec: &Value) -> Result<Param, Failure> {
    let Value::Map(map) = spec else {
        return Err(Failure::bad_argument(format!("the parameter `{name}` must be a map"))
            .hint("such as `#{ type: \"int\", default: 3, help: \"…\" }`"));
    };
    for key in map.keys() {
        if !PARAM_FIELDS.contains(&key.as_str()) {
            return Err(Failure::unknown(&format!("field of the parameter `{name}`:"), key, PARAM_FIELDS));
        }
    }
    let ty = match map.get("type").and_then(Value::as_str) {
        None => {
            return Err(Failure::bad_argument(format!("the parameter `{name}` has no type"))
                .hint("add `type: \"int\"`, or float, string, bool, duration"));
        }
        Some(text) => {
            let known = TYPES.iter().find(|(known, _)| *known == text);
            known.ok_or_else(|| Failure::unknown(&format!("type of the parameter `{name}`:"), text, TYPES.map(|(name, _)| name)))?.1
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
        Some(default) => param.check(name, default.clone()).map(|_| param),
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
        if values.insert(name.clone(), param.parse(name, text)?).is_some() {
            return Err(Failure::bad_argument(format!("the parameter `{name}` is given twice")));
        }
    }
    for (name, param) in known {
        if values.contains_key(name) {
            continue;
        }
        let missing = || {
            Failure::bad_argument(format!("the parameter `{name}` ({}) is missing", param.help))
                .hint(format!("pass --param {name}=<{}>", param.type_name()))
        };
        values.insert(name.clone(), param.default.clone().ok_or_else(missing)?);
    }
    Ok(Value::Map(values))
}
