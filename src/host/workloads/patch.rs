//! `patch`: any field of an object.

use super::changes::{ERRORS, RETURNS, TIER, TIMEOUT, rows};
use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, NAMESPACE};
use crate::model::operation::{PatchKind, PatchVerb};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Spec, Tier, Value, Write};
use crate::platform::objects::seal_patch;

/// The function.
pub static PATCH: Function = Function {
    spec: Spec {
        name: "patch",
        group: Group::Workloads,
        summary: "Changes fields of an object, as `kubectl patch` does.",
        params: &[
            Param {
                name: "target",
                ty: Type::Target,
                required: true,
                help: "\"deployment/api-gateway\", \"configmap/x\", or a service's name for its workload",
            },
            Param {
                name: "patch",
                ty: Type::Patch,
                required: true,
                help: "the fields as they are to be, `()` for none; or the operations of a JSON patch",
            },
        ],
        options: &[
            Opt {
                name: "type",
                ty: Type::Choice(&["strategic", "merge", "json"]),
                default: "",
                help: "how the patch is read: strategic (the default for a map) merges lists by their elements' names; merge (RFC 7386) replaces them; json (RFC 6902, the default for an array) is an array of operations",
            },
            NAMESPACE,
            TIER,
            TIMEOUT,
        ],
        returns: RETURNS,
        tier: Tier::Moderate,
        keep: Keep::Line,
        errors: ERRORS,
        examples: &[
            Example {
                title: "Another image for one container",
                code: "let done = patch(\"deployment/billing\", #{ spec: #{ template: #{ spec: #{ containers: [#{ name: \"billing\", image: \"registry.example/billing:2\" }] } } } });\ndone.after",
                result: "{\"spec.template.spec.containers[0].image\":\"registry.example/billing:2\"}",
            },
            Example {
                title: "A field that is taken away",
                code: "patch(\"deployment/billing\", #{ metadata: #{ labels: #{ team: () } } }, #{ type: \"merge\" }).status",
                result: "\"unchanged\"",
            },
        ],
    },
    body: Body::Change(plan, rows),
};

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let (target, namespace) = (args.str(0), targets::namespace(cx, args.option_str("namespace")));
    if targets::is_selector(target) {
        return Err(Failure::bad_argument("a selector names several objects, and one is patched at a time")
            .on(target)
            .hint("`for object in get(SELECTOR) { patch(…) }` patches each"));
    }
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let mut patch = args.get(1).cloned().unwrap_or_default();
    let operations = matches!(patch, Value::List(_));
    let kind = args.option_str("type").and_then(PatchKind::from_name);
    let kind = kind.unwrap_or(if operations { PatchKind::Json } else { PatchKind::Strategic });
    if operations != (kind == PatchKind::Json) {
        let (wants, has) = if operations { ("a map", "an array of operations") } else { ("an array of operations", "a map") };
        return Err(Failure::bad_argument(format!("a patch of the type {:?} is {wants}, not {has}", kind.name()))
            .hint("a map is read as \"strategic\" or \"merge\", an array of operations as \"json\""));
    }
    let mut writes = Vec::new();
    for object in targets::objects(cx, target, &namespace, timeout)? {
        if object.kind.singular == "secret" {
            seal_patch(&object.name, kind, &mut patch)?;
        }
        writes.push(Write::Patch { object, subresource: None, patch: patch.clone(), kind, verb: PatchVerb::Patch, timeout });
    }
    Ok(writes)
}
