//! `logs`: log lines of pods, merged by time.

use std::time::Duration;

use super::container;
use crate::call::{Body, Cx, Function};
use crate::host::saves::{self, SAVE};
use crate::host::targets::{self, NAMESPACE, meta};
use crate::model::operation::{Grep, LogAnswer, LogQuery, LogSource};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};

/// The last lines of each pod, where nothing says otherwise.
const TAIL: u64 = 1000;

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
            Opt {
                name: "tail",
                ty: Type::Int(1, 1_000_000),
                default: "",
                help: "the last lines of each pod; 1000 without it, and all with `since`, `grep`, `limit`, `count` or `save`",
            },
            Opt { name: "since", ty: Type::Since, default: "", help: "only lines younger than this, or from this time on" },
            Opt { name: "grep", ty: Type::Regex, default: "", help: "only lines that match; applied while reading, after `tail`" },
            Opt { name: "invert", ty: Type::Bool, default: "false", help: "only lines that `grep` does not match" },
            Opt {
                name: "limit",
                ty: Type::Int(1, 1_000_000),
                default: "",
                help: "the last lines of all pods together; counted after `grep`",
            },
            Opt { name: "count", ty: Type::Bool, default: "false", help: "answers only how many lines each pod has" },
            SAVE,
            Opt {
                name: "container",
                ty: Type::Str,
                default: "",
                help: "the container, where a pod has several; those that run before the others (`initContainers`) too",
            },
            Opt { name: "previous", ty: Type::Bool, default: "false", help: "the log of the container's previous instance" },
            NAMESPACE,
            Opt { name: "timeout", ty: Type::Duration, default: "\"1m\"", help: "the longest wait for all lines" },
        ],
        returns: "an array of `#{ time, pod, container, line }`; with `count`, of `#{ pod, container, lines }`; with `save`, `#{ path, bytes, sha256, lines }`. A line of more than 64 KiB is cut (16 MiB in a file); secrets are masked",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::TooLarge, Kind::Auth, Kind::Unavailable, Kind::Failed],
        examples: &[
            Example {
                title: "Errors of the last hundred lines",
                code: "logs(\"app=api-gateway\", #{ tail: 100, grep: \"(?i)error|timeout\" }).len()",
                result: "",
            },
            Example {
                title: "How many errors each pod has had in an hour",
                code: "logs(\"app=api-gateway\", #{ since: \"1h\", grep: \"ERROR\", count: true }).map(|pod| pod.lines)",
                result: "",
            },
        ],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(60));
    let grep = args.option_str("grep").map(|pattern| Grep { pattern: pattern.to_owned(), invert: args.option_bool("invert") });
    if args.option_bool("invert") && grep.is_none() {
        return Err(Failure::bad_argument("`invert` says which lines `grep` leaves out, and there is no `grep`").on(args.str(0)));
    }
    let number = |key: &str| args.option_int(key).and_then(|lines| u64::try_from(lines).ok());
    let answer = answer(args, cx, number("limit"))?;
    let since = args.option_since("since");
    let wants_all = since.is_some() || grep.is_some() || answer != LogAnswer::Lines(None);
    let pods = targets::pods(cx, Some(args.str(0)), &namespace, timeout)?;
    let mut sources = Vec::new();
    let mut waits = None;
    for pod in &pods {
        let container = container::of(pod, args.option_str("container"), container::Which::Any)?;
        match container::waiting(pod, &container) {
            // A container that has not been started has no log yet.
            Some(reason) => waits = waits.or_else(|| Some(not_started(pod, &container, &reason))),
            None => sources.push(LogSource { namespace: meta(pod, "namespace").to_owned(), pod: meta(pod, "name").to_owned(), container }),
        }
    }
    if let (true, Some(failure)) = (sources.is_empty(), waits) {
        return Err(failure);
    }
    cx.read(&Read::Logs(LogQuery {
        sources,
        tail: number("tail").or((!wants_all).then_some(TAIL)),
        since,
        previous: args.option_bool("previous"),
        grep,
        answer,
        timeout,
    }))
}

/// What is made of the lines.
fn answer(args: &Args, cx: &Cx<'_>, limit: Option<u64>) -> Result<LogAnswer, Failure> {
    let save = saves::of(args, cx)?;
    let wanted: Vec<&str> = [("limit", limit.is_some()), ("count", args.option_bool("count")), ("save", save.is_some())]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect();
    if let [one, other, ..] = wanted[..] {
        let message = format!("`{one}` and `{other}` are two answers, and a call has one");
        return Err(Failure::bad_argument(message).on(args.str(0)));
    }
    Ok(match save {
        Some(save) => LogAnswer::Save(save),
        None if args.option_bool("count") => LogAnswer::Count,
        None => LogAnswer::Lines(limit),
    })
}

fn not_started(pod: &Value, container: &str, reason: &str) -> Failure {
    let name = meta(pod, "name");
    let failure = Failure::new(Kind::Unavailable, format!("the container {container} of pod/{name} has logged nothing yet: {reason}"));
    failure.hint("`pods` says more about it; `previous: true` answers what an instance before it has logged").on(format!("pod/{name}"))
}
