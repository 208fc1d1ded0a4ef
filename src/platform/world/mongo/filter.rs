//! MongoDB's filters in a world: equality and the operators that people use, on fields by their dotted paths.

use super::{equals, field};
use crate::model::{Map, Value};

/// A filter all of whose operators are simulated.
#[derive(Debug)]
pub(super) struct Filter(Vec<Test>);

#[derive(Debug)]
enum Test {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    None(Vec<Filter>),
    Field(String, Vec<Operator>),
}

#[derive(Debug)]
enum Operator {
    Equals(Value),
    Differs(Value),
    Compares(&'static str, Value),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    Exists(bool),
    Not(Vec<Operator>),
}

const COMPARING: [&str; 4] = ["$gt", "$gte", "$lt", "$lte"];

impl Filter {
    /// Reads a filter; the error is what is not simulated.
    pub(super) fn new(filter: &Map) -> Result<Self, String> {
        let test = |(key, value): (&crate::model::Key, &Value)| {
            let several = || -> Result<Vec<Filter>, String> {
                value.as_list().unwrap_or_default().iter().map(|one| Filter::new(one.as_map().ok_or("a filter that is no map")?)).collect()
            };
            Ok(match key.as_str() {
                "$and" => Test::All(several()?),
                "$or" => Test::Any(several()?),
                "$nor" => Test::None(several()?),
                other if other.starts_with('$') => return Err(other.to_owned()),
                name => Test::Field(name.to_owned(), operators(value)?),
            })
        };
        filter.iter().map(test).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn fits(&self, document: &Value) -> bool {
        self.0.iter().all(|test| match test {
            Test::All(all) => all.iter().all(|filter| filter.fits(document)),
            Test::Any(any) => any.iter().any(|filter| filter.fits(document)),
            Test::None(none) => !none.iter().any(|filter| filter.fits(document)),
            Test::Field(name, operators) => operators.iter().all(|operator| operator.fits(field(document, name))),
        })
    }

    /// The fields that an upsert begins with: those that the filter gives one value.
    pub(super) fn given(&self) -> Map {
        let equal = |test: &Test| match test {
            Test::Field(name, operators) => match operators.as_slice() {
                [Operator::Equals(value)] => Some((name.clone(), value.clone())),
                _ => None,
            },
            _ => None,
        };
        self.0.iter().filter_map(equal).collect()
    }
}

fn operators(value: &Value) -> Result<Vec<Operator>, String> {
    let Some(map) = value.as_map().filter(|map| map.keys().any(|key| key.starts_with('$'))) else {
        return Ok(vec![Operator::Equals(value.clone())]);
    };
    if let extended @ (Value::Str(_) | Value::Int(_)) = super::change::plain(value) {
        return Ok(vec![Operator::Equals(extended)]);
    }
    let operator = |(key, value): (&crate::model::Key, &Value)| {
        let list = || value.as_list().map(<[Value]>::to_vec).unwrap_or_default();
        Ok(match key.as_str() {
            "$eq" => Operator::Equals(value.clone()),
            "$ne" => Operator::Differs(value.clone()),
            "$in" => Operator::In(list()),
            "$nin" => Operator::NotIn(list()),
            "$exists" => Operator::Exists(!matches!(value, Value::Bool(false) | Value::Int(0))),
            "$not" => Operator::Not(operators(value)?),
            name => match COMPARING.into_iter().find(|known| *known == name) {
                Some(name) => Operator::Compares(name, super::change::plain(value)),
                None => return Err(name.to_owned()),
            },
        })
    };
    map.iter().map(operator).collect()
}

impl Operator {
    fn fits(&self, found: Option<&Value>) -> bool {
        match self {
            Operator::Equals(wanted) => equals(found, wanted),
            Operator::Differs(wanted) => !equals(found, wanted),
            Operator::In(wanted) => wanted.iter().any(|wanted| equals(found, wanted)),
            Operator::NotIn(wanted) => !wanted.iter().any(|wanted| equals(found, wanted)),
            Operator::Exists(wanted) => found.is_some() == *wanted,
            Operator::Not(operators) => !operators.iter().all(|operator| operator.fits(found)),
            Operator::Compares(name, wanted) => {
                let items = found.and_then(Value::as_list);
                let one = |found: &Value| {
                    order(found, wanted).is_some_and(|order| match *name {
                        "$gt" => order.is_gt(),
                        "$gte" => order.is_ge(),
                        "$lt" => order.is_lt(),
                        _ => order.is_le(),
                    })
                };
                items.map_or_else(|| found.is_some_and(one), |items| items.iter().any(one))
            }
        }
    }
}

/// The order of two values of one type; others have none.
pub(super) fn order(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Float(b)) => (*a as f64).partial_cmp(b),
        (Value::Float(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn operators_choose_as_the_servers() {
        let document = map! { "n" => 5, "tags" => vec!["a".into(), "b".into()], "who" => map! { "name" => "ann" } };
        let fits = |filter: Value| Filter::new(filter.as_map().unwrap()).unwrap().fits(&document);
        for (filter, expected) in [
            (map! { "n" => map! { "$gt" => 4, "$lte" => 5.0 } }, true),
            (map! { "n" => map! { "$gt" => "4" } }, false),
            (map! { "n" => map! { "$in" => vec![1.into(), 5.into()] } }, true),
            (map! { "tags" => map! { "$nin" => vec!["b".into()] } }, false),
            (map! { "nothing" => map! { "$exists" => false } }, true),
            (map! { "who.name" => map! { "$ne" => "bob" } }, true),
            (map! { "$or" => vec![map! { "n" => 1 }, map! { "who.name" => "ann" }] }, true),
            (map! { "$nor" => vec![map! { "n" => 5 }] }, false),
            (map! { "n" => map! { "$not" => map! { "$lt" => 3 } } }, true),
        ] {
            assert_eq!(fits(filter.clone()), expected, "{filter}");
        }
        assert_eq!(Filter::new(map! { "n" => map! { "$mod" => vec![] } }.as_map().unwrap()).unwrap_err(), "$mod");
        assert_eq!(Filter::new(map! { "$expr" => map! {} }.as_map().unwrap()).unwrap_err(), "$expr");
    }
}
