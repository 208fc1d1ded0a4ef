//! The object store that worlds and rehearsals share, with the patch engines and label selectors.

mod change;
mod json;
mod patch;
mod recreate;
mod sealed;
mod selector;
mod strategic;

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::model::operation::{PatchKind, Selection};
use crate::model::{Failure, ObjectRef, ResourceKind, Value};

pub use change::{Difference, same};
pub use patch::{leaves, merge_patch, path_text};
pub use recreate::{is_controlled, recreatable};
pub use sealed::{seal_patch, seal_secret, with_base64};
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

/// Applies a patch of a kind to an object. Fails with `bad_argument` on a patch that is none of its kind or does not fit.
pub fn apply(kind: PatchKind, object: &mut Value, patch: &Value) -> Result<(), Failure> {
    match kind {
        PatchKind::Merge if patch.as_map().is_none() => {
            Err(Failure::bad_argument(format!("a merge patch must be a map, not {}", patch.type_name())))
        }
        PatchKind::Merge => {
            merge_patch(object, patch);
            Ok(())
        }
        PatchKind::Strategic => strategic::apply(object, patch),
        PatchKind::Json => json::apply(object, patch),
    }
}

/// Whether an object has the fields that a selection asks for; a field's path is dotted.
pub fn has_fields(object: &Value, fields: &[(&str, String)]) -> bool {
    fields.iter().all(|(path, wanted)| {
        let keys: Vec<&str> = path.split('.').collect();
        object.str_at(&keys).unwrap_or_default() == wanted
    })
}

impl Objects<Value> {
    /// The objects that a selection chooses, ordered by namespace and name. Fails on a selector that cannot be parsed.
    pub fn list(&self, selection: &Selection) -> Result<Vec<&Value>, Failure> {
        let selector = Selector::of(selection)?;
        let namespace = selection.namespace.as_deref().filter(|_| selection.kind.namespaced);
        Ok(self
            .of_kind(selection.kind, namespace)
            .map(|(_, _, value)| value)
            .filter(|value| selector.chooses(value) && has_fields(value, &selection.fields))
            .collect())
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
                fields: Vec::new(),
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
}
