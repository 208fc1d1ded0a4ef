//! Labels and annotations: what `label` and `annotate` share.

use crate::call::Cx;
use crate::host::targets;
use crate::model::operation::{PatchKind, PatchVerb};
use crate::model::spec::Args;
use crate::model::{Failure, Map, ObjectRef, Read, Value, Write};

/// Where in the metadata they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `metadata.labels`.
    Labels,
    /// `metadata.annotations`.
    Annotations,
}

impl Place {
    fn field(self) -> &'static str {
        match self {
            Place::Labels => "labels",
            Place::Annotations => "annotations",
        }
    }

    fn one(self) -> &'static str {
        match self {
            Place::Labels => "label",
            Place::Annotations => "annotation",
        }
    }
}

/// One write for each object that the target means.
pub(super) fn plan(args: &Args, cx: &Cx<'_>, place: Place) -> Result<Vec<Write>, Failure> {
    let (target, namespace) = (args.str(0), targets::namespace(cx, args.option_str("namespace")));
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let Some(Value::Map(marks)) = args.get(1) else { return Ok(Vec::new()) };
    check(marks, place)?;
    let objects = targets::objects(cx, target, &namespace, timeout)?;
    if !args.option_bool("overwrite") {
        let reads: Vec<Read> = objects.iter().cloned().map(Read::Object).collect();
        for (object, answer) in objects.iter().zip(cx.read_all(&reads)?) {
            refuse_overwriting(object, &answer?, marks, place)?;
        }
    }
    let mut patch = Value::Null;
    patch.set(&["metadata", place.field()], Value::Map(marks.clone()));
    let verb = if place == Place::Labels { PatchVerb::Label } else { PatchVerb::Annotate };
    let write = |object| Write::Patch { object, subresource: None, patch: patch.clone(), kind: PatchKind::Merge, verb, timeout };
    Ok(objects.into_iter().map(write).collect())
}

fn refuse_overwriting(object: &ObjectRef, found: &Value, marks: &Map, place: Place) -> Result<(), Failure> {
    let known = found.at(&["metadata", place.field()]).and_then(Value::as_map);
    let other = |(key, value): &(&crate::model::Key, &Value)| {
        !matches!(value, Value::Null) && known.and_then(|known| known.get(*key)).is_some_and(|known| known != *value)
    };
    let Some((key, _)) = marks.iter().find(other) else { return Ok(()) };
    let known = known.and_then(|known| known.get(key)).map(Value::to_string).unwrap_or_default();
    Err(Failure::bad_argument(format!("{object} has the {} {key} already, as {known}", place.one()))
        .on(object.to_string())
        .hint("`overwrite: true` replaces it, as kubectl's --overwrite does"))
}

/// Whether keys and values are such as Kubernetes takes.
fn check(marks: &Map, place: Place) -> Result<(), Failure> {
    if marks.is_empty() {
        return Err(Failure::bad_argument(format!("no {} is given", place.one())).hint("write #{ key: \"value\" }"));
    }
    for (key, value) in marks {
        let (prefix, name) = key.rsplit_once('/').map_or((None, key.as_str()), |(prefix, name)| (Some(prefix), name));
        let prefix_fits = prefix.is_none_or(|prefix| crate::model::resource::check_name(prefix).is_ok());
        if name.is_empty() || !is_label(name) || !prefix_fits {
            return Err(Failure::bad_argument(format!("{key:?} is no key of a {}", place.one()))
                .hint("keys read \"tier\" or \"example.com/tier\": letters, digits, `-`, `_` and `.`, at most 63 behind the slash"));
        }
        match value {
            Value::Null => {}
            Value::Str(text) if place == Place::Annotations || is_label(text) => {}
            Value::Str(text) => {
                return Err(Failure::bad_argument(format!("{text:?} is no value of a label, for {key}"))
                    .hint("values are at most 63 letters, digits, `-`, `_` and `.`; `annotate` takes any text"));
            }
            other => {
                return Err(Failure::bad_argument(format!("the {} {key} must be text or (), not {}", place.one(), other.type_name()))
                    .hint("put the value into quotes"));
            }
        }
    }
    Ok(())
}

/// Whether a text may be a label's value, or the name in its key: at most 63 letters, digits and `-_.`, none of these at an end.
fn is_label(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric();
    text.len() <= 63
        && text.chars().all(|c| plain(c) || matches!(c, '-' | '_' | '.'))
        && [text.chars().next(), text.chars().last()].into_iter().flatten().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_kubernetes_own() {
        let fits = |key: &str, value: Value, place| {
            let map: Map = [(key, value)].into_iter().collect();
            check(&map, place).is_ok()
        };
        for (key, value, labels, annotations) in [
            ("tier", Value::from("x"), true, true),
            ("example.com/tier", "a-b_c.d".into(), true, true),
            ("tier", "".into(), true, true),
            ("tier", "any text".into(), false, true),
            ("tier", Value::Null, true, true),
            ("tier", 3.into(), false, false),
            ("a b", "x".into(), false, false),
            ("Example.com/tier", "x".into(), false, false),
            ("a/b/c", "x".into(), false, false),
            ("-a", "x".into(), false, false),
        ] {
            assert_eq!(fits(key, value.clone(), Place::Labels), labels, "{key} {value}");
            assert_eq!(fits(key, value.clone(), Place::Annotations), annotations, "{key} {value}");
        }
    }
}
