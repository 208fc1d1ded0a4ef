//! Maps that copies share.

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use compact_str::CompactString;

use super::Value;

/// A map's key. Short ones stand in the map itself, so that a copy of it copies no texts.
pub type Key = CompactString;

/// A map with its keys in order, as Rhai's own maps are. Copies share one map until one of them is changed, so that a
/// platform's objects pass through a run without being copied.
#[derive(Clone, Default)]
pub struct Map(Arc<BTreeMap<Key, Value>>);

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// The map itself, where no copy shares it.
    pub fn into_unshared(self) -> Result<BTreeMap<Key, Value>, Self> {
        Arc::try_unwrap(self.0).map_err(Self)
    }
}

impl Deref for Map {
    type Target = BTreeMap<Key, Value>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Map {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K: Into<Key>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(items: I) -> Self {
        Self(Arc::new(items.into_iter().map(|(key, value)| (key.into(), value)).collect()))
    }
}

impl From<BTreeMap<String, Value>> for Map {
    fn from(items: BTreeMap<String, Value>) -> Self {
        items.into_iter().collect()
    }
}

impl IntoIterator for Map {
    type Item = (Key, Value);
    type IntoIter = btree_map::IntoIter<Key, Value>;
    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a Key, &'a Value);
    type IntoIter = btree_map::Iter<'a, Key, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a mut Map {
    type Item = (&'a Key, &'a mut Value);
    type IntoIter = btree_map::IterMut<'a, Key, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn a_changed_copy_leaves_the_other_and_all_else_is_shared() {
        let first = map! { "spec" => map! { "replicas" => 3 }, "status" => map! { "ready" => 3 } };
        let mut second = first.clone();
        second.set(&["spec", "replicas"], 5.into());
        assert_eq!((first.int_at(&["spec", "replicas"]), second.int_at(&["spec", "replicas"])), (Some(3), Some(5)));
        assert_ne!(first, second);
        let status = |value: &Value| value.get("status").and_then(Value::as_map).map(|map| Arc::as_ptr(&map.0));
        assert_eq!(status(&first), status(&second));
    }
}
