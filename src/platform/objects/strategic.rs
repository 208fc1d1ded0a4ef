//! Strategic merge patches: merge patches whose lists of maps are merged by the key that Kubernetes gives each list.

use crate::model::{Failure, Key, Map, Value};

/// How a list is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Merge {
    /// Elements are maps that one of their fields tells apart.
    By(&'static str),
    /// Elements are plain values, each of which is there once.
    Set,
    /// The patch's list replaces the object's.
    Replace,
}

/// Lists by their field's name, with the field that tells their elements apart (`patchMergeKey` of the API's types).
const BY: [(&str, &str); 18] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("imagePullSecrets", "name"),
    ("secrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("resourceClaims", "name"),
    ("schedulingGates", "name"),
    ("conditions", "type"),
    ("addresses", "type"),
    ("ownerReferences", "uid"),
    ("podIPs", "ip"),
    ("hostIPs", "ip"),
];

fn merge_of(field: &str, patch: &[Value]) -> Merge {
    match field {
        // A container's ports and a service's are told apart by fields of other names.
        "ports" if patch.iter().any(|port| port.get("containerPort").is_some()) => Merge::By("containerPort"),
        "ports" => Merge::By("port"),
        "finalizers" | "podCIDRs" => Merge::Set,
        _ => match BY.iter().find(|(name, _)| *name == field) {
            Some((_, key)) => Merge::By(key),
            None => Merge::Replace,
        },
    }
}

/// Applies a strategic merge patch. Fails with `bad_argument` on directives that are not supported, and on list elements
/// without the field that tells them apart.
pub(super) fn apply(target: &mut Value, patch: &Value) -> Result<(), Failure> {
    let Value::Map(patch) = patch else {
        return Err(Failure::bad_argument(format!("a strategic merge patch must be a map, not {}", patch.type_name())));
    };
    merge(target, patch, &mut Vec::new())
}

fn merge(target: &mut Value, patch: &Map, path: &mut Vec<Key>) -> Result<(), Failure> {
    let directive = directive(patch, path)?;
    if !matches!(target, Value::Map(_)) || matches!(directive, Some("replace" | "delete")) {
        *target = Value::Map(Map::new());
    }
    let Value::Map(target) = target else { return Ok(()) };
    if directive == Some("delete") {
        return Ok(());
    }
    for (key, value) in patch.iter().filter(|(key, _)| *key != "$patch") {
        path.push(key.clone());
        match value {
            Value::Null => drop(target.remove(key)),
            Value::Map(map) => merge(target.entry(key.clone()).or_default(), map, path)?,
            Value::List(items) => {
                let own = target.get(key).and_then(Value::as_list).unwrap_or_default();
                let merged = list(own, items, merge_of(key, items), path)?;
                target.insert(key.clone(), Value::List(merged));
            }
            plain => drop(target.insert(key.clone(), plain.clone())),
        }
        path.pop();
    }
    Ok(())
}

/// What a map's `$patch` says; other directives are refused.
fn directive<'a>(patch: &'a Map, path: &[Key]) -> Result<Option<&'a str>, Failure> {
    let place = || if path.is_empty() { "the patch".to_owned() } else { super::path_text(path) };
    if let Some(key) = patch.keys().find(|key| key.starts_with('$') && *key != "$patch") {
        return Err(Failure::bad_argument(format!("{}: the directive {key:?} is not supported", place()))
            .hint("`$patch: \"delete\"` and `\"replace\"` are; or write the list as it is to be, with `type: \"merge\"`"));
    }
    match patch.get("$patch") {
        None => Ok(None),
        Some(Value::Str(word)) if matches!(word.as_str(), "merge" | "replace" | "delete") => Ok(Some(word)),
        Some(other) => Err(Failure::bad_argument(format!("{}: `$patch` is \"merge\", \"replace\" or \"delete\", not {other}", place()))),
    }
}

fn list(own: &[Value], patch: &[Value], how: Merge, path: &mut Vec<Key>) -> Result<Vec<Value>, Failure> {
    let key = match how {
        Merge::By(key) => key,
        Merge::Set => {
            let new = patch.iter().filter(|item| !own.contains(item));
            return Ok(own.iter().chain(new).cloned().collect());
        }
        Merge::Replace => return Ok(patch.to_vec()),
    };
    let (mut merged, mut named, mut replaced) = (own.to_vec(), Vec::new(), false);
    for item in patch {
        let Value::Map(map) = item else {
            return Err(Failure::bad_argument(format!("{}: an element is a map, not {}", super::path_text(path), item.type_name())));
        };
        let directive = directive(map, path)?;
        if directive == Some("replace") && map.get(key).is_none() {
            replaced = true;
            continue;
        }
        let Some(name) = map.get(key) else {
            return Err(Failure::bad_argument(format!("{}: an element has no `{key}`, which tells them apart", super::path_text(path)))
                .hint("name each element, or write the whole list with `type: \"merge\"`"));
        };
        if directive == Some("delete") {
            merged.retain(|known| known.get(key) != Some(name));
            continue;
        }
        let mut element = merged.iter().find(|known| known.get(key) == Some(name)).cloned().unwrap_or_default();
        merge(&mut element, map, path)?;
        merged.retain(|known| known.get(key) != Some(name));
        merged.push(element.clone());
        named.push(element);
    }
    let rest: Vec<Value> = merged.into_iter().filter(|item| !named.iter().any(|named| named.get(key) == item.get(key))).collect();
    Ok(if replaced { named } else { woven(&rest, &named, own, key) })
}

/// The elements that the patch names in its order, and the others where the object had them: before the first named one that
/// stood behind them. This is the order that the API server gives them.
fn woven(rest: &[Value], named: &[Value], own: &[Value], key: &str) -> Vec<Value> {
    let place = |item: &Value| own.iter().position(|known| known.get(key) == item.get(key));
    let (mut rest, mut named, mut all) = (rest.iter().peekable(), named.iter().peekable(), Vec::new());
    while let (Some(other), Some(next)) = (rest.peek(), named.peek()) {
        let first = matches!((place(other), place(next)), (Some(other), Some(next)) if other < next);
        all.extend(if first { rest.next() } else { named.next() });
    }
    all.into_iter().chain(rest).chain(named).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn patched(object: &str, patch: &str) -> String {
        let mut value = json(object);
        match apply(&mut value, &json(patch)) {
            Ok(()) => value.to_string(),
            Err(failure) => failure.message,
        }
    }

    #[test]
    fn lists_are_merged_by_the_key_that_tells_their_elements_apart() {
        let two = r#"{"containers":[{"name":"a","image":"a:1","env":[{"name":"X","value":"1"}]},{"name":"b","image":"b:1"}]}"#;
        for (object, patch, result) in [
            (
                two,
                r#"{"containers":[{"name":"a","image":"a:2"}]}"#,
                r#"{"containers":[{"env":[{"name":"X","value":"1"}],"image":"a:2","name":"a"},{"image":"b:1","name":"b"}]}"#,
            ),
            (
                two,
                r#"{"containers":[{"name":"a","env":[{"name":"Y","value":"2"},{"name":"X","$patch":"delete"}]}]}"#,
                r#"{"containers":[{"env":[{"name":"Y","value":"2"}],"image":"a:1","name":"a"},{"image":"b:1","name":"b"}]}"#,
            ),
            (two, r#"{"containers":[{"name":"a","$patch":"delete"}]}"#, r#"{"containers":[{"image":"b:1","name":"b"}]}"#),
            (two, r#"{"containers":[{"$patch":"replace"},{"name":"c"}]}"#, r#"{"containers":[{"name":"c"}]}"#),
            (r#"{"ports":[{"port":80,"name":"web"}]}"#, r#"{"ports":[{"port":80,"name":"x"}]}"#, r#"{"ports":[{"name":"x","port":80}]}"#),
            (
                r#"{"ports":[{"containerPort":80}]}"#,
                r#"{"ports":[{"containerPort":80,"protocol":"UDP"}]}"#,
                r#"{"ports":[{"containerPort":80,"protocol":"UDP"}]}"#,
            ),
            (
                r#"{"volumeMounts":[{"mountPath":"/a","name":"v"}]}"#,
                r#"{"volumeMounts":[{"mountPath":"/a","readOnly":true}]}"#,
                r#"{"volumeMounts":[{"mountPath":"/a","name":"v","readOnly":true}]}"#,
            ),
            (r#"{"args":["a","b"]}"#, r#"{"args":["c"]}"#, r#"{"args":["c"]}"#),
            (r#"{"finalizers":["a","b"]}"#, r#"{"finalizers":["b","c"]}"#, r#"{"finalizers":["a","b","c"]}"#),
            (r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"b":null,"d":3}}"#, r#"{"a":{"c":2,"d":3}}"#),
            (r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"$patch":"replace","d":3}}"#, r#"{"a":{"d":3}}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"$patch":"delete"}}"#, r#"{"a":{}}"#),
        ] {
            assert_eq!(patched(object, patch), result, "{object} patched with {patch}");
        }
    }

    #[test]
    fn named_elements_come_in_the_patchs_order_and_others_stay_before_those_they_stood_before() {
        let own = r#"{"volumes":[{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"}]}"#;
        for (patch, order) in
            [(r#"[{"name":"new"}]"#, "new a b c d"), (r#"[{"name":"c"}]"#, "a b c d"), (r#"[{"name":"d"},{"name":"b"}]"#, "a c d b")]
        {
            let mut value = json(own);
            apply(&mut value, &json(&format!(r#"{{"volumes":{patch}}}"#))).unwrap();
            let names: Vec<_> =
                value.get("volumes").and_then(Value::as_list).unwrap().iter().filter_map(|item| item.str_at(&["name"])).collect();
            assert_eq!(names.join(" "), order, "{patch}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (patch, message) in [
            (r#"{"spec":{"$setElementOrder/containers":[]}}"#, "spec: the directive \"$setElementOrder/containers\" is not supported"),
            (r#"{"$retainKeys":["a"]}"#, "the patch: the directive \"$retainKeys\" is not supported"),
            (r#"{"spec":{"$patch":"drop"}}"#, "spec: `$patch` is \"merge\", \"replace\" or \"delete\", not \"drop\""),
            (r#"{"containers":[{"image":"x"}]}"#, "containers: an element has no `name`, which tells them apart"),
            (r#"{"containers":["x"]}"#, "containers: an element is a map, not string"),
            (r#"[]"#, "a strategic merge patch must be a map, not array"),
        ] {
            assert_eq!(patched("{}", patch), message);
        }
    }
}
