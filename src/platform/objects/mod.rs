//! The object store that worlds and rehearsals share, with the merge-patch engine and label selectors.

mod patch;
mod selector;

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::model::operation::Selection;
use crate::model::{Failure, ObjectRef, ResourceKind, Secret, Value};

pub use patch::{leaves, merge_patch, path_text};
pub use selector::Selector;

/// Objects by kind, namespace and name. Lookups compare borrowed names only, so they cost tens of nanoseconds.
#[derive(Clone, Debug)]
pub struct Objects<V = Value> {
    kinds: BTreeMap<&'static str, BTreeMap<String, BTreeMap<String, V>>>,
}

impl<V> Default for Objects<V> {
    fn default() -> Self {
        Self { kinds: BTreeMap::new() }
    }
}

/// The namespace that a reference's object is filed under; empty for cluster-wide kinds.
fn namespace(object: &ObjectRef) -> &str {
    object.namespace.as_deref().unwrap_or_default()
}

impl<V> Objects<V> {
    /// The object, if it is there.
    pub fn get(&self, object: &ObjectRef) -> Option<&V> {
        self.kinds.get(object.kind.singular)?.get(namespace(object))?.get(&object.name)
    }

    /// The object, to be changed.
    pub fn get_mut(&mut self, object: &ObjectRef) -> Option<&mut V> {
        self.kinds.get_mut(object.kind.singular)?.get_mut(namespace(object))?.get_mut(&object.name)
    }

    /// Puts an object; answers the one that it replaces.
    pub fn put(&mut self, object: &ObjectRef, value: V) -> Option<V> {
        let names = self.kinds.entry(object.kind.singular).or_default().entry(namespace(object).to_owned()).or_default();
        names.insert(object.name.clone(), value)
    }

    /// Takes an object out.
    pub fn remove(&mut self, object: &ObjectRef) -> Option<V> {
        self.kinds.get_mut(object.kind.singular)?.get_mut(namespace(object))?.remove(&object.name)
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.kinds.values().flat_map(BTreeMap::values).all(BTreeMap::is_empty)
    }

    /// Objects of a kind in one namespace (none: in all), ordered by namespace and name.
    pub fn of_kind<'a>(
        &'a self,
        kind: &ResourceKind,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'a V)> + use<'a, V> {
        let chosen = self.kinds.get(kind.singular).map(|all| all.range::<str, _>(bounds(namespace)));
        chosen
            .into_iter()
            .flatten()
            .flat_map(|(namespace, names)| names.iter().map(|(name, value)| (namespace.as_str(), name.as_str(), value)))
    }

    /// [`Objects::of_kind`], to be changed.
    pub fn of_kind_mut<'a>(
        &'a mut self,
        kind: &ResourceKind,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'a mut V)> + use<'a, V> {
        let chosen = self.kinds.get_mut(kind.singular).map(|all| all.range_mut::<str, _>(bounds(namespace)));
        chosen
            .into_iter()
            .flatten()
            .flat_map(|(namespace, names)| names.iter_mut().map(|(name, value)| (namespace.as_str(), name.as_str(), value)))
    }
}

/// One namespace, or all.
fn bounds(namespace: Option<&str>) -> (Bound<&str>, Bound<&str>) {
    namespace.map_or((Bound::Unbounded, Bound::Unbounded), |name| (Bound::Included(name), Bound::Included(name)))
}

impl Objects<Value> {
    /// The objects that a selection chooses, ordered by namespace and name. Fails on a selector that cannot be parsed.
    pub fn list(&self, selection: &Selection) -> Result<Vec<&Value>, Failure> {
        let selector = Selector::of(selection)?;
        let namespace = selection.namespace.as_deref().filter(|_| selection.kind.namespaced);
        Ok(self.of_kind(selection.kind, namespace).map(|(_, _, value)| value).filter(|value| selector.chooses(value)).collect())
    }
}

/// Makes the data of a Kubernetes `Secret` object opaque: each value under `data` and `stringData` becomes a
/// [`Value::Secret`] named `secret/NAME/KEY` that holds the decoded text, and so does the copy that `kubectl apply` leaves.
/// What is no UTF-8 stays base64 inside the secret. Other kinds are left alone.
pub fn seal_secret(object: &mut Value) {
    use base64::Engine as _;
    const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
    if object.str_at(&["kind"]) != Some("Secret") {
        return;
    }
    let name = object.str_at(&["metadata", "name"]).unwrap_or_default().to_owned();
    let Some(map) = object.as_map_mut() else { return };
    for (field, encoded) in [("data", true), ("stringData", false)] {
        let Some(data) = map.get_mut(field).and_then(Value::as_map_mut) else { continue };
        for (key, value) in data {
            if matches!(value, Value::Secret(_) | Value::Null) {
                continue;
            }
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let decoded = encoded.then(|| base64::prelude::BASE64_STANDARD.decode(&text).ok()).flatten();
            let content = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(text);
            *value = Value::Secret(Secret::new(format!("secret/{name}/{key}"), content));
        }
    }
    let annotations = map.get_mut("metadata").and_then(Value::as_map_mut).and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(copy) = annotations.and_then(Value::as_map_mut).and_then(|annotations| annotations.get_mut(LAST_APPLIED)) {
        let content = copy.as_str().unwrap_or_default().to_owned();
        *copy = Value::Secret(Secret::new(format!("secret/{name}#last-applied"), content));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::map;
    use crate::model::operation::Freshness;

    fn pod(namespace: &str, name: &str) -> ObjectRef {
        ObjectRef::new(ResourceKind::named("pod").unwrap(), namespace, name)
    }

    fn labelled(name: &str, app: &str) -> Value {
        map! { "metadata" => map! { "name" => name, "labels" => map! { "app" => app } } }
    }

    #[test]
    fn objects_are_found_by_reference_and_listed_in_order() {
        let mut objects = Objects::default();
        for (namespace, name, app) in [("b", "x", "api"), ("a", "z", "api"), ("a", "y", "web")] {
            assert_eq!(objects.put(&pod(namespace, name), labelled(name, app)), None);
        }
        assert_eq!(objects.get(&pod("a", "z")).and_then(|o| o.str_at(&["metadata", "name"])), Some("z"));
        assert_eq!(objects.get(&pod("b", "z")), None);
        let names = |namespace: Option<&str>, selector: Option<&str>| {
            let selection = Selection {
                kind: ResourceKind::named("pod").unwrap(),
                namespace: namespace.map(str::to_owned),
                selector: selector.map(str::to_owned),
                freshness: Freshness::Now,
                timeout: Duration::ZERO,
            };
            objects
                .list(&selection)
                .map(|found| found.into_iter().map(|o| o.str_at(&["metadata", "name"]).unwrap_or_default().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(names(None, None).unwrap(), ["y", "z", "x"]);
        assert_eq!(names(Some("a"), Some("app=api")).unwrap(), ["z"]);
        assert!(names(None, Some("app in")).is_err());
        assert!(objects.remove(&pod("a", "z")).is_some());
        assert_eq!(objects.get(&pod("a", "z")), None);
    }

    #[test]
    fn the_data_of_secrets_is_opaque_on_every_path() {
        let copy = r#"{"data":{"key":"aHVudGVyMmh1bnRlcjI="}}"#;
        let mut object = map! {
            "kind" => "Secret",
            "metadata" => map! { "name" => "auth", "annotations" => map! { "kubectl.kubernetes.io/last-applied-configuration" => copy } },
            "data" => map! { "key" => "aHVudGVyMmh1bnRlcjI=" },
            "stringData" => map! { "plain" => "hunter2hunter2" },
        };
        seal_secret(&mut object);
        let Some(Value::Secret(secret)) = object.at(&["data", "key"]) else { panic!("not sealed") };
        assert_eq!((secret.name(), secret.expose()), ("secret/auth/key", "hunter2hunter2"));
        let shown = format!("{object} {object:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVy"), "{shown}");
    }
}
