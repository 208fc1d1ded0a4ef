//! `top_pods`: CPU and memory of pods.

use std::time::Duration;

use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, NAMESPACE, meta};
use crate::map;
use crate::model::operation::{Freshness, Selection};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, ResourceKind, Spec, Tier, Value};

/// The function.
pub static TOP_PODS: Function = Function {
    spec: Spec {
        name: "top_pods",
        group: Group::Workloads,
        summary: "Reads the CPU and memory that pods use, the greatest first.",
        params: &[Param {
            name: "target",
            ty: Type::Pods,
            required: false,
            help: "\"app=x\", a workload, a pod, or a service's or database's name; all pods without it",
        }],
        options: &[
            Opt { name: "sort_by", ty: Type::Choice(&["cpu", "memory"]), default: "\"cpu\"", help: "what comes first" },
            Opt { help: "another namespace than the environment's; \"*\" for all", ..NAMESPACE },
            Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait for the answer" },
        ],
        returns: "an array of `#{ pod, namespace, cpu_millicores, memory_bytes }`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[Example { title: "What the gateway uses", code: "top_pods(\"app=api-gateway\").len()", result: "5" }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(30));
    let target = args.str(0);
    let everywhere = (namespace != "*").then(|| namespace.clone());
    let selection = |selector| Selection {
        kind: pod_kind(),
        namespace: everywhere.clone(),
        selector,
        fields: Vec::new(),
        freshness: Freshness::Now,
        timeout,
    };
    let metrics = |selector| cx.read(&Read::PodMetrics(selection(selector)));
    let (answer, only) = match target {
        "" => (metrics(None)?, None),
        selector if selector.contains('=') && !selector.contains('/') => (metrics(Some(selector.to_owned()))?, None),
        // Metrics carry the pods' labels, but not their owners: the pods say which they are.
        other => {
            let pods = targets::pods(cx, Some(other), &namespace, timeout)?;
            let names: Vec<String> = pods.iter().map(|pod| meta(pod, "name").to_owned()).collect();
            (metrics(None)?, Some(names))
        }
    };
    let mut rows: Vec<(f64, i64, Value)> = Vec::new();
    for pod in answer.as_list().unwrap_or_default() {
        let name = pod.str_at(&["pod"]).unwrap_or_default();
        if only.as_ref().is_some_and(|names| !names.iter().any(|known| known == name)) {
            continue;
        }
        let containers = pod.at(&["containers"]).and_then(Value::as_list).unwrap_or_default();
        let cpu: f64 = containers.iter().map(|container| number(container.get("cpu_millicores"))).sum();
        let memory = containers.iter().map(|container| number(container.get("memory_bytes"))).sum::<f64>() as i64;
        let row = map! {
            "pod" => name,
            "namespace" => pod.str_at(&["namespace"]).unwrap_or_default(),
            "cpu_millicores" => cpu,
            "memory_bytes" => memory,
        };
        rows.push((cpu, memory, row));
    }
    match args.option_str("sort_by") {
        Some("memory") => rows.sort_by_key(|row| std::cmp::Reverse(row.1)),
        _ => rows.sort_by(|a, b| b.0.total_cmp(&a.0)),
    }
    Ok(rows.into_iter().map(|(.., row)| row).collect::<Vec<_>>().into())
}

fn number(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Int(n)) => *n as f64,
        Some(Value::Float(x)) => *x,
        _ => 0.0,
    }
}

fn pod_kind() -> &'static ResourceKind {
    ResourceKind::find("pod").unwrap_or(&crate::model::resource::KINDS[0])
}
