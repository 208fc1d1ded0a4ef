//! The taints that the node controller puts on nodes.

use jiff::Timestamp;

use super::render;
use crate::map;
use crate::model::Value;

const CORDONED: &str = "node.kubernetes.io/unschedulable";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

fn taint(key: &str, effect: &str, start: Timestamp, at: i64) -> Value {
    map! { "key" => key, "effect" => effect, "timeAdded" => render::time(start, at) }
}

/// The taints of a node that nobody hears of any more.
pub(super) fn unreachable(start: Timestamp, at: i64) -> Vec<Value> {
    ["NoSchedule", "NoExecute"].map(|effect| taint(UNREACHABLE, effect, start, at)).into()
}

/// A patch of a node with what the controller adds when the patch cordons the node, and takes away when it uncordons it.
pub(super) fn with_cordon(before: &Value, mut patch: Value, start: Timestamp, at: i64) -> Value {
    let Some(cordons) = patch.at(&["spec", "unschedulable"]).map(|value| value.as_bool().unwrap_or(false)) else { return patch };
    let given = patch.at(&["spec", "taints"]).or_else(|| before.at(&["spec", "taints"]));
    let mut taints = given.and_then(Value::as_list).unwrap_or_default().to_vec();
    let is_cordoned = taints.iter().any(|taint| taint.str_at(&["key"]) == Some(CORDONED));
    match (cordons, is_cordoned) {
        (true, false) => taints.push(taint(CORDONED, "NoSchedule", start, at)),
        (false, true) => taints.retain(|taint| taint.str_at(&["key"]) != Some(CORDONED)),
        _ => return patch,
    }
    patch.set(&["spec", "taints"], if taints.is_empty() { Value::Null } else { taints.into() });
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cordon_is_a_taint_and_leaves_others_alone() {
        let other = map! { "key" => "gpu", "effect" => "NoSchedule" };
        let before = map! { "spec" => map! { "taints" => vec![other.clone()] } };
        let cordon = map! { "spec" => map! { "unschedulable" => true } };
        let cordoned = with_cordon(&before, cordon.clone(), Timestamp::UNIX_EPOCH, 5_000_000);
        let added = map! { "key" => CORDONED, "effect" => "NoSchedule", "timeAdded" => "1970-01-01T00:00:05Z" };
        assert_eq!(cordoned.at(&["spec", "taints"]), Some(&vec![other.clone(), added].into()));
        assert_eq!(with_cordon(&cordoned, cordon.clone(), Timestamp::UNIX_EPOCH, 9_000_000), cordon);
        let uncordon = map! { "spec" => map! { "unschedulable" => Value::Null } };
        let free = with_cordon(&cordoned, uncordon, Timestamp::UNIX_EPOCH, 9_000_000);
        assert_eq!(free.at(&["spec", "taints"]), Some(&vec![other].into()));
        let label = map! { "metadata" => map! { "labels" => map! { "a" => "b" } } };
        assert_eq!(with_cordon(&cordoned, label.clone(), Timestamp::UNIX_EPOCH, 0), label);
    }
}
