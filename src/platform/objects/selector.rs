//! Label selectors as Kubernetes parses them (`k8s.io/apimachinery/pkg/labels`).

use crate::model::operation::Selection;
use crate::model::{Failure, Map, Value};

/// A parsed label selector; all its requirements must hold. The empty one chooses everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

impl Selector {
    /// Parses `a=b,c!=d,e in (x,y),f notin (z),g,!h,n>1`. Errors name the position, counted in characters from 1.
    pub fn parse(text: &str) -> Result<Selector, Failure> {
        let mut parser = Parser { text, at: 0 };
        let mut requirements = Vec::new();
        parser.space();
        while parser.at < text.len() {
            requirements.push(parser.requirement()?);
            parser.space();
            if parser.at == text.len() {
                break;
            }
            parser.expect(",")?;
            parser.space();
            if parser.at == text.len() {
                return Err(parser.wrong("a label after the comma"));
            }
        }
        Ok(Selector(requirements))
    }

    /// The selector of a selection; everything where it has none.
    pub fn of(selection: &Selection) -> Result<Selector, Failure> {
        selection.selector.as_deref().map_or(Ok(Selector::default()), Selector::parse)
    }

    /// Whether labels satisfy every requirement. `!=` and `notin` hold where the label is missing, as in Kubernetes.
    pub fn matches(&self, labels: Option<&Map>) -> bool {
        self.0.iter().all(|requirement| {
            let label = labels.and_then(|labels| labels.get(requirement.key.as_str())).and_then(Value::as_str);
            let number = || label.and_then(|label| label.parse::<i64>().ok());
            match &requirement.rule {
                Rule::Exists => label.is_some(),
                Rule::Absent => label.is_none(),
                Rule::In(values) => label.is_some_and(|label| values.iter().any(|value| value == label)),
                Rule::NotIn(values) => label.is_none_or(|label| values.iter().all(|value| value != label)),
                Rule::Above(bound) => number().is_some_and(|number| number > *bound),
                Rule::Below(bound) => number().is_some_and(|number| number < *bound),
            }
        })
    }

    /// Whether an object's `metadata.labels` satisfy every requirement.
    pub fn chooses(&self, object: &Value) -> bool {
        self.0.is_empty() || self.matches(object.at(&["metadata", "labels"]).and_then(Value::as_map))
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), Failure> {
        if self.take(token) { Ok(()) } else { Err(self.wrong(&format!("`{token}`"))) }
    }

    fn wrong(&self, expected: &str) -> Failure {
        let position = self.text[..self.at].chars().count() + 1;
        let found = self.rest().chars().next().map_or_else(|| "the end".to_owned(), |c| format!("{c:?}"));
        Failure::bad_argument(format!("the selector {:?} is wrong at position {position}: expected {expected}, found {found}", self.text))
            .hint("selectors read \"app=api,tier!=cache,zone in (a,b),!canary\"")
    }

    fn word(&mut self) -> &str {
        let start = self.at;
        let end = self.rest().find(|c: char| c.is_whitespace() || "=!,()<>".contains(c)).unwrap_or(self.rest().len());
        self.at += end;
        &self.text[start..start + end]
    }

    fn requirement(&mut self) -> Result<Requirement, Failure> {
        let absent = self.take("!");
        self.space();
        let key = self.key()?;
        self.space();
        let rule = if absent {
            Rule::Absent
        } else if self.rest().is_empty() || self.rest().starts_with(',') {
            Rule::Exists
        } else if self.take("==") || self.take("=") {
            Rule::In(vec![self.value()?])
        } else if self.take("!=") {
            Rule::NotIn(vec![self.value()?])
        } else if self.take(">") {
            Rule::Above(self.number()?)
        } else if self.take("<") {
            Rule::Below(self.number()?)
        } else {
            let start = self.at;
            match self.word() {
                "in" => Rule::In(self.values()?),
                "notin" => Rule::NotIn(self.values()?),
                _ => {
                    self.at = start;
                    return Err(self.wrong("`=`, `!=`, `in`, `notin` or `,`"));
                }
            }
        };
        Ok(Requirement { key, rule })
    }

    /// A label's key: an optional DNS prefix and `/`, then a name of at most 63 characters.
    fn key(&mut self) -> Result<String, Failure> {
        let start = self.at;
        let key = self.word().to_owned();
        let name = match key.split_once('/') {
            Some((prefix, name)) if crate::model::resource::check_name(prefix).is_ok() => Some(name),
            Some(_) => None,
            None => Some(key.as_str()),
        };
        if name.is_some_and(|name| !name.is_empty() && is_label(name)) {
            return Ok(key);
        }
        self.at = start;
        Err(self.wrong("a label's name"))
    }

    fn value(&mut self) -> Result<String, Failure> {
        self.space();
        let start = self.at;
        let value = self.word().to_owned();
        if is_label(&value) {
            return Ok(value);
        }
        self.at = start;
        Err(self.wrong("a label's value (letters, digits, `-`, `_`, `.`; at most 63)"))
    }

    fn number(&mut self) -> Result<i64, Failure> {
        self.space();
        let start = self.at;
        if let Ok(number) = self.word().parse() {
            return Ok(number);
        }
        self.at = start;
        Err(self.wrong("a whole number"))
    }

    fn values(&mut self) -> Result<Vec<String>, Failure> {
        self.space();
        self.expect("(")?;
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            self.space();
            if self.take(")") {
                return Ok(values);
            }
            self.expect(",").map_err(|_| self.wrong("`,` or `)`"))?;
        }
    }
}

/// A label's value: empty, or letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let outer = |c: Option<&u8>| c.is_none_or(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && bytes.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
        && outer(bytes.first())
        && outer(bytes.last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn requirements_hold_as_in_kubernetes() {
        let labels = map! { "app" => "api", "tier" => "web", "app.kubernetes.io/name" => "x", "n" => "7", "empty" => "" };
        for (selector, holds) in [
            ("", true),
            ("app=api", true),
            ("app==api", true),
            ("app = api , tier != db", true),
            ("app!=api", false),
            ("zone!=a", true),
            ("app in (web, api)", true),
            ("app in (web)", false),
            ("zone notin (a,b)", true),
            ("tier notin (web)", false),
            ("app", true),
            ("!app", false),
            ("! zone", true),
            ("app.kubernetes.io/name=x,!zone,tier", true),
            ("n>6,n<8", true),
            ("n>7", false),
            ("app>1", false),
            ("empty=", true),
            ("app=", false),
        ] {
            assert_eq!(Selector::parse(selector).unwrap().matches(labels.as_map()), holds, "{selector}");
        }
        assert!(!Selector::parse("app=api").unwrap().matches(None));
    }

    #[test]
    fn errors_name_the_position() {
        for (selector, position, expected) in [
            ("app=api,", 9, "a label after the comma"),
            ("app in api", 8, "`(`"),
            ("app in (a", 10, "`,` or `)`"),
            ("app=a b", 7, "`,`"),
            ("=a", 1, "a label's name"),
            ("app ~ b", 5, "`=`, `!=`"),
            ("ünit=a", 1, "a label's name"),
            ("app=-x", 5, "a label's value"),
            ("n>x", 3, "a whole number"),
            ("a=b,,c", 5, "a label's name"),
            ("A/b/c=d", 1, "a label's name"),
        ] {
            let failure = Selector::parse(selector).unwrap_err();
            let wanted = format!("is wrong at position {position}: expected {expected}");
            assert!(failure.message.contains(&wanted), "{selector}: {}", failure.message);
        }
    }
}
