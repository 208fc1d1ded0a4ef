//! `services`: the configured services.

use crate::call::{Body, Cx, Function};
use crate::map;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Type};
use crate::model::{Failure, Spec, Tier, Value};

/// The function.
pub static SERVICES: Function = Function {
    spec: Spec {
        name: "services",
        group: Group::Flow,
        summary: "Lists the configured services, by tier of restoration and name.",
        params: &[],
        options: &[Opt { name: "tier", ty: Type::Int(1, 1000), default: "", help: "only this tier" }],
        returns: "an array of `#{ service, workload, url, health, tier, replicas }`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example { title: "How many there are", code: "services().len()", result: "20" }],
    },
    body: Body::Local(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let wanted = args.option_int("tier");
    let mut services: Vec<_> =
        cx.environment().services.iter().filter(|(_, service)| wanted.is_none() || service.tier.map(i64::from) == wanted).collect();
    services.sort_by_key(|(name, service)| (service.tier.unwrap_or(u32::MAX), *name));
    let rows = services.into_iter().map(|(name, service)| {
        map! {
            "service" => name.as_str(),
            "workload" => service.workload.clone(),
            "url" => service.url.clone(),
            "health" => service.health.as_str(),
            "tier" => service.tier,
            "replicas" => service.replicas,
        }
    });
    Ok(rows.collect::<Vec<_>>().into())
}
