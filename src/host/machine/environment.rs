//! `environment`: where the script runs.

use crate::call::{Body, Cx, Function};
use crate::map;
use crate::model::spec::{Args, Example, Group, Keep};
use crate::model::{Failure, Spec, Tier, Value};

/// The function.
pub static ENVIRONMENT: Function = Function {
    spec: Spec {
        name: "environment",
        group: Group::Machine,
        summary: "Says where the script runs and whether changes are done.",
        params: &[],
        options: &[],
        returns: "`#{ name, namespace, protected, platform, dry_run, run }`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example { title: "Whether this is a rehearsal", code: "environment().dry_run", result: "false" }],
    },
    body: Body::Local(body),
};

fn body(_: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let environment = cx.environment();
    Ok(map! {
        "name" => environment.name.clone(),
        "namespace" => environment.namespace.clone(),
        "protected" => environment.protected,
        "platform" => cx.platform_name(),
        "dry_run" => cx.rehearsing(),
        "run" => cx.run_id(),
    })
}
