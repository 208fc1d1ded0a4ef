//! `top_nodes`: CPU and memory of nodes.

use std::time::Duration;

use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, meta};
use crate::map;
use crate::model::operation::{Freshness, Selection};
use crate::model::resource::Target;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, ObjectRef, Read, ResourceKind, Spec, Tier, Value};
use crate::platform::quantity;

/// The function.
pub static TOP_NODES: Function = Function {
    spec: Spec {
        name: "top_nodes",
        group: Group::Nodes,
        summary: "Reads the CPU and memory that nodes use, the greatest first.",
        params: &[Param {
            name: "target",
            ty: Type::Node,
            required: false,
            help: "a node's name, or labels: \"node-type=gpu\"; all nodes without it",
        }],
        options: &[
            Opt { name: "sort_by", ty: Type::Choice(&["cpu", "memory"]), default: "\"cpu\"", help: "what comes first" },
            Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait for the answer" },
        ],
        returns: "an array of `#{ node, cpu_millicores, cpu_percent, memory_bytes, memory_percent }`; percent of what pods may use there",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[Example {
            title: "Whether a node is short of memory",
            code: "top_nodes(#{ sort_by: \"memory\" })[0].memory_percent < 90.0",
            result: "true",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let kind = ResourceKind::named("node")?;
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(30));
    let select = |selector| Selection { kind, namespace: None, selector, fields: Vec::new(), freshness: Freshness::Now, timeout };
    let target = Some(args.str(0)).filter(|text| !text.is_empty()).map(targets::of_node).transpose()?;
    let (nodes, figures) = match target {
        None => (Read::Objects(select(None)), select(None)),
        Some(Target::Selector(_, selector)) => (Read::Objects(select(Some(selector.clone()))), select(Some(selector))),
        Some(Target::Bare(name) | Target::Object(_, name)) => (Read::Object(ObjectRef::new(kind, "", &name)), select(None)),
    };
    let mut answers = cx.read_all(&[nodes, Read::NodeMetrics(figures)])?.into_iter();
    let mut next = || answers.next().unwrap_or(Ok(Value::Null));
    let nodes = match next()? {
        Value::List(nodes) => nodes,
        one => vec![one],
    };
    let figures = next()?;
    let mut rows: Vec<(f64, i64, Value)> = Vec::new();
    for figure in figures.as_list().unwrap_or_default() {
        let name = figure.str_at(&["node"]).unwrap_or_default();
        let Some(node) = nodes.iter().find(|node| meta(node, "name") == name) else { continue };
        let room = |resource| node.str_at(&["status", "allocatable", resource]).and_then(quantity).unwrap_or(0.0);
        let (cpu, memory) = (number(figure.get("cpu_millicores")), number(figure.get("memory_bytes")));
        let row = map! {
            "node" => name,
            "cpu_millicores" => cpu,
            "cpu_percent" => percent(cpu, room("cpu") * 1_000.0),
            "memory_bytes" => memory as i64,
            "memory_percent" => percent(memory, room("memory")),
        };
        rows.push((cpu, memory as i64, row));
    }
    match args.option_str("sort_by") {
        Some("memory") => rows.sort_by_key(|row| std::cmp::Reverse(row.1)),
        _ => rows.sort_by(|a, b| b.0.total_cmp(&a.0)),
    }
    Ok(rows.into_iter().map(|(.., row)| row).collect::<Vec<_>>().into())
}

/// With one decimal; 0 of nothing.
fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole * 1_000.0).round() / 10.0 } else { 0.0 }
}

fn number(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Int(n)) => *n as f64,
        Some(Value::Float(x)) => *x,
        _ => 0.0,
    }
}
