//! What `cordon`, `uncordon` and `drain` share.

use std::time::Duration;

use crate::call::Cx;
use crate::host::targets::{self, meta};
use crate::model::operation::{PatchKind, PatchVerb};
use crate::model::resource::Target;
use crate::model::spec::{Args, Param, Type};
use crate::model::{Failure, ObjectRef, ResourceKind, Value, Write};

pub(super) const PARAMS: &[Param] =
    &[Param { name: "target", ty: Type::Node, required: true, help: "a node's name, or labels for several: \"node-type=gpu\"" }];

pub(super) const RETURNS: &str = "`#{ target, before, after, status }`, an array of them for labels; `status` is `changed`, `would_change`, `unchanged`, `skipped` or `refused`";

/// One write for each node that the target means.
pub(super) fn plan(args: &Args, cx: &Cx<'_>, verb: PatchVerb) -> Result<Vec<Write>, Failure> {
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let kind = ResourceKind::named("node")?;
    let nodes = match targets::of_node(args.str(0))? {
        Target::Bare(name) | Target::Object(_, name) => vec![ObjectRef::new(kind, "", &name)],
        Target::Selector(_, selector) => {
            let found = targets::list(cx, kind, "", Some(selector), timeout)?;
            found.iter().map(|node| ObjectRef::new(kind, "", meta(node, "name"))).collect()
        }
    };
    Ok(nodes.into_iter().map(|node| write(node, verb, timeout)).collect())
}

/// A node's cordon, or its end.
pub(super) fn write(node: ObjectRef, verb: PatchVerb, timeout: Duration) -> Write {
    let mut patch = Value::Null;
    patch.set(&["spec", "unschedulable"], if verb == PatchVerb::Cordon { true.into() } else { Value::Null });
    Write::Patch { object: node, subresource: None, patch, kind: PatchKind::Merge, verb, timeout }
}
