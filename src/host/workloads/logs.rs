//! `logs`: log lines of pods, merged by time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, NAMESPACE, meta};
use crate::model::operation::LogQuery;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};

/// The function.
pub static LOGS: Function = Function {
    spec: Spec {
        name: "logs",
        group: Group::Workloads,
        summary: "Reads log lines of one or many pods, merged by time, oldest first.",
        params: &[Param {
            name: "target",
            ty: Type::Pods,
            required: true,
            help: "\"app=x\", a workload, a pod, or a service's or database's name",
        }],
        options: &[
            Opt { name: "tail", ty: Type::Int(1, 1_000_000), default: "1000", help: "the last lines of each pod" },
            Opt { name: "since", ty: Type::Duration, default: "", help: "only lines younger than this" },
            Opt { name: "grep", ty: Type::Regex, default: "", help: "only lines that match; applied while reading, after `tail`" },
            Opt { name: "container", ty: Type::Str, default: "", help: "the container, where a pod has several" },
            Opt { name: "previous", ty: Type::Bool, default: "false", help: "the log of the container's previous instance" },
            NAMESPACE,
            Opt { name: "timeout", ty: Type::Duration, default: "\"1m\"", help: "the longest wait for all lines" },
        ],
        returns: "an array of `#{ time, pod, container, line }`",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::TooLarge, Kind::Auth, Kind::Unavailable],
        examples: &[Example {
            title: "Errors of the last hundred lines",
            code: "logs(\"app=api-gateway\", #{ tail: 100, grep: \"(?i)error|timeout\" }).len()",
            result: "",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(60));
    let mut by_namespace: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pod in targets::pods(cx, Some(args.str(0)), &namespace, timeout)? {
        // A pod that has not been started has no log yet.
        if pod.str_at(&["status", "phase"]) != Some("Pending") {
            by_namespace.entry(meta(&pod, "namespace").to_owned()).or_default().push(meta(&pod, "name").to_owned());
        }
    }
    let mut lines = Vec::new();
    for (namespace, pods) in by_namespace {
        let query = LogQuery {
            namespace,
            pods,
            container: args.option_str("container").map(str::to_owned),
            tail: args.option_int("tail").and_then(|lines| u64::try_from(lines).ok()),
            since: args.option_duration("since"),
            previous: args.option_bool("previous"),
            grep: args.option_str("grep").map(str::to_owned),
            timeout,
        };
        if let Value::List(more) = cx.read(&Read::Logs(query))? {
            lines.extend(more);
        }
    }
    Ok(lines.into())
}
