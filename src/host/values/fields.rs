//! Fields of rows by their paths: what `table`, `sort_by`, `group_by` and `grep` share.

use std::collections::BTreeSet;

use crate::model::{Failure, Value};

/// The value at a path such as `metadata.name`. A key with dots in it is found whole: `metadata.labels.app.kubernetes.io/name`.
pub(super) fn at<'a>(row: &'a Value, path: &str) -> Option<&'a Value> {
    let map = row.as_map()?;
    map.get(path).or_else(|| path.match_indices('.').find_map(|(dot, _)| at(map.get(&path[..dot])?, &path[dot + 1..])))
}

/// The value at a path, `()` where the row lacks it.
pub(super) fn or_null<'a>(row: &'a Value, path: &str) -> &'a Value {
    at(row, path).unwrap_or(&Value::Null)
}

/// Fails where there are rows and none of them has the field; names the nearest.
pub(super) fn known(what: &str, path: &str, rows: &[Value]) -> Result<(), Failure> {
    if rows.is_empty() || rows.iter().any(|row| at(row, path).is_some()) {
        return Ok(());
    }
    let keys: BTreeSet<&str> = rows.iter().filter_map(Value::as_map).flat_map(|row| row.keys().map(|key| key.as_str())).collect();
    Err(Failure::unknown(what, path, keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn paths_lead_into_maps_and_around_dots_in_keys() {
        let row = map! { "a.b" => 1, "a" => map! { "b" => 2, "c" => map! { "d.e/f" => 3 } } };
        assert_eq!(at(&row, "a.b"), Some(&1.into()));
        assert_eq!(at(&row, "a.c.d.e/f"), Some(&3.into()));
        assert_eq!((at(&row, "a.x"), at(&row, ""), at(&1.into(), "a")), (None, None, None));
    }

    #[test]
    fn a_field_that_no_row_has_is_named_with_the_nearest() {
        let rows = [map! { "memory_bytes" => 1 }, map! { "pod" => "a" }];
        let failure = known("column", "memory_byte", &rows).unwrap_err();
        assert_eq!(
            (failure.message.as_str(), failure.hint.as_deref()),
            ("unknown column \"memory_byte\"", Some("did you mean `memory_bytes`?"))
        );
        assert!(known("column", "pod", &rows).is_ok() && known("column", "any", &[]).is_ok());
    }
}
