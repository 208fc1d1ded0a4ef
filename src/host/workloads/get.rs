//! `get`: an object as the API server returns it.

use std::time::Duration;

use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, NAMESPACE};
use crate::model::operation::{Freshness, Selection};
use crate::model::resource::Target;
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Kind, ObjectRef, Read, Spec, Tier, Value};

/// The function.
pub static GET: Function = Function {
    spec: Spec {
        name: "get",
        group: Group::Workloads,
        summary: "Reads an object, or the objects that a selector chooses, as the API server returns them.",
        params: &[Param {
            name: "target",
            ty: Type::Target,
            required: true,
            help: "\"deployment/api-gateway\", \"node/gpu-1\", \"configmap/x\", a selector, or a service's name for its workload",
        }],
        options: &[NAMESPACE],
        returns: "the object as a map, or an array of objects for a selector; the data of Kubernetes secrets are secrets",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[Example {
            title: "How many replicas are asked for",
            code: "get(\"deployment/api-gateway\").spec.replicas",
            result: "5",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let read = match Target::parse(args.str(0))? {
        Target::Object(kind, name) => Read::Object(ObjectRef::new(kind, &namespace, &name)),
        Target::Selector(kind, selector) => Read::Objects(Selection {
            kind,
            namespace: (kind.namespaced && namespace != "*").then_some(namespace),
            selector: Some(selector),
            fields: Vec::new(),
            freshness: Freshness::Now,
            timeout: Duration::from_secs(30),
        }),
        Target::Bare(name) => Read::Object(targets::workload(cx, &name, &namespace)?),
    };
    cx.read(&read)
}
