//! What differs between two states of an object: field by field as people read it, and as the merge patch that leads from one to the other.

use super::path_text;
use crate::model::{Key, Map, Value};

/// What the server and the controllers write, and no patch of a person's.
const BOOKKEEPING: [&[&str]; 7] = [
    &["status"],
    &["metadata", "resourceVersion"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "uid"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
];

/// A change from one state of an object to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// The fields that differ, as they are: `#{ "spec.template.spec.containers[0].image": … }`.
    pub before: Map,
    /// The same fields, as they will be.
    pub after: Map,
    /// The merge patch (RFC 7386) that leads there; `Null` where nothing differs. Lists are whole in it.
    pub patch: Value,
    /// The merge patch that leads back.
    pub back: Value,
}

impl Difference {
    /// What differs, bookkeeping aside.
    pub fn between(before: &Value, after: &Value) -> Self {
        let (before, after) = (without_bookkeeping(before), without_bookkeeping(after));
        let mut found = Self::default();
        found.fields(&before, &after, String::new(), &mut Vec::new());
        found.patch = leading(&before, &after);
        found.back = leading(&after, &before);
        found
    }

    fn fields(&mut self, before: &Value, after: &Value, head: String, path: &mut Vec<Key>) {
        match (before, after) {
            _ if same(before, after) => {}
            (Value::Map(old), Value::Map(new)) if !old.is_empty() && !new.is_empty() => {
                let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
                for key in keys.cloned().collect::<Vec<_>>() {
                    path.push(key.clone());
                    let nothing = Value::Null;
                    self.fields(old.get(&key).unwrap_or(&nothing), new.get(&key).unwrap_or(&nothing), head.clone(), path);
                    path.pop();
                }
            }
            (Value::List(old), Value::List(new)) if old.len() == new.len() && old.iter().chain(new).all(|item| item.as_map().is_some()) => {
                let head = joined(&head, path);
                for (number, (old, new)) in old.iter().zip(new).enumerate() {
                    self.fields(old, new, format!("{head}[{number}]"), &mut Vec::new());
                }
            }
            _ => {
                let field = Key::from(joined(&head, path));
                self.before.insert(field.clone(), before.clone());
                self.after.insert(field, after.clone());
            }
        }
    }

    /// For a Kubernetes secret: two secrets of one name count as equal, so that those to come need names of their own.
    pub fn of_secret(mut self) -> Self {
        for value in self.after.values_mut() {
            if let Value::Secret(secret) = value {
                *value = Value::Secret(secret.renamed(format!("{} as patched", secret.name())));
            }
        }
        self
    }
}

/// Whether two values are the same to the last secret's content: secrets by themselves are equal by name.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Secret(a), Value::Secret(b)) => a.expose() == b.expose(),
        // A secret that was written where plain text stands reads as that text.
        (Value::Str(text), Value::Secret(secret)) | (Value::Secret(secret), Value::Str(text)) => text == secret.expose(),
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a == b && !holds_secret(a) || a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

fn holds_secret(map: &Map) -> bool {
    map.values().any(|value| value.find(&|item| matches!(item, Value::Secret(_))).is_some())
}

fn joined(head: &str, path: &[Key]) -> String {
    let tail = path_text(path);
    let dot = if head.is_empty() || tail.is_empty() || tail.starts_with('[') { "" } else { "." };
    format!("{head}{dot}{tail}")
}

/// The merge patch that leads from one value to another.
fn leading(from: &Value, to: &Value) -> Value {
    let (Value::Map(old), Value::Map(new)) = (from, to) else { return to.clone() };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        match old.get(key) {
            Some(known) if same(known, value) => {}
            Some(known) => drop(patch.insert(key.clone(), leading(known, value))),
            None => drop(patch.insert(key.clone(), value.clone())),
        }
    }
    if patch.is_empty() { Value::Null } else { Value::Map(patch) }
}

fn without_bookkeeping(object: &Value) -> Value {
    let mut object = object.clone();
    for path in BOOKKEEPING {
        let (Some((last, parents)), true) = (path.split_last(), object.at(path).is_some()) else { continue };
        if let Some(map) = object.at_mut(parents).and_then(Value::as_map_mut) {
            map.remove(*last);
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::map;
    use crate::model::Secret;
    use crate::platform::objects::merge_patch;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn fields_that_differ_are_named_to_the_element_of_a_list() {
        let before = json(r#"{"metadata":{"resourceVersion":"1"},"spec":{"a":[{"n":"x","v":1},{"n":"y"}],"b":[1],"c":{},"d":1}}"#);
        let after =
            json(r#"{"metadata":{"resourceVersion":"2"},"spec":{"a":[{"n":"x","v":2},{"n":"y"}],"b":[1,2],"c":{"e.f":1}},"status":1}"#);
        let found = Difference::between(&before, &after);
        assert_eq!(Value::Map(found.before), json(r#"{"spec.a[0].v":1,"spec.b":[1],"spec.c":{},"spec.d":1}"#));
        assert_eq!(Value::Map(found.after), json(r#"{"spec.a[0].v":2,"spec.b":[1,2],"spec.c":{"e.f":1},"spec.d":null}"#));
        assert_eq!(found.patch, json(r#"{"spec":{"a":[{"n":"x","v":2},{"n":"y"}],"b":[1,2],"c":{"e.f":1},"d":null}}"#));
        let none = Difference::between(&before, &before);
        assert_eq!((none.patch, none.before.len()), (Value::Null, 0));
    }

    #[test]
    fn what_a_secret_holds_is_compared_and_never_shown() {
        let of = |content: &str| map! { "data" => map! { "a" => Value::Secret(Secret::new("secret/x/a", content)), "b" => "Yg==" } };
        assert_eq!(Difference::between(&of("one"), &of("one")).patch, Value::Null);
        let plain = map! { "data" => map! { "a" => "one", "b" => "Yg==" } };
        assert_eq!(Difference::between(&plain, &of("one")).patch, Value::Null);
        let found = Difference::between(&of("one"), &of("two")).of_secret();
        assert_ne!(found.before, found.after);
        let mut back = of("two");
        merge_patch(&mut back, &found.back);
        assert!(matches!(back.at(&["data", "a"]), Some(Value::Secret(secret)) if secret.expose() == "one"));
        let shown = format!("{:?} {:?} {} {}", found.before, found.after, found.patch, found.back);
        assert!(!shown.contains("one") && !shown.contains("two"), "{shown}");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<i64>().prop_map(Value::Int), "[a-c]{0,2}".prop_map(Value::Str), any::<bool>().prop_map(Value::Bool)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
                prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| Value::Map(map.into())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_way_there_and_the_way_back_lead_there(a in value(), b in value()) {
            let (a, b) = (map! { "spec" => a }, map! { "spec" => b });
            let found = Difference::between(&a, &b);
            let (mut there, mut back) = (a.clone(), b.clone());
            if found.patch != Value::Null {
                merge_patch(&mut there, &found.patch);
                merge_patch(&mut back, &found.back);
            }
            prop_assert_eq!(there, b);
            prop_assert_eq!(back, a);
        }
    }
}
