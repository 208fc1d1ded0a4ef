//! `tcp_check`: whether a port takes connections.

use super::request;
use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, NAMESPACE};
use crate::host::workloads::exec;
use crate::model::operation::TcpCheck;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value, suggest};
use crate::platform::{endpoints, may_connect};

/// The function.
pub static TCP_CHECK: Function = Function {
    spec: Spec {
        name: "tcp_check",
        group: Group::Http,
        summary: "Tries a TCP connection to a service, a database or a declared host, from here or from a pod. One that cannot be made is an answer, not an error.",
        params: &[Param {
            name: "target",
            ty: Type::Str,
            required: true,
            help: "a configured service or database, \"host:port\", or a URL; of an address with several hosts the first one",
        }],
        options: &[
            Opt { name: "port", ty: Type::Int(1, 65_535), default: "", help: "another port than the target's own" },
            Opt {
                name: "from",
                ty: Type::Pods,
                default: "",
                help: "where it is tried: a pod, or what has pods, of which one that is ready is preferred; its container needs `sh`, and `bash` or `nc`",
            },
            NAMESPACE,
            Opt { name: "timeout", ty: Type::Duration, default: "\"2s\"", help: "the longest wait, the name's look-up included" },
        ],
        returns: "`#{ target, ok, latency_ms, address, error }`; `latency_ms` is the time until the connection or the failure, `address` what was tried. `from` a pod also `pod`, and the time includes the start of a program there",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::Denied, Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[
            Example { title: "A database's port", code: "tcp_check(\"postgres\").ok", result: "true" },
            Example {
                title: "A port that nobody listens on",
                code: "tcp_check(\"api-gateway\", #{ port: 9 }).error",
                result: "\"connection refused\"",
            },
            Example {
                title: "Whether a service reaches its database",
                code: "tcp_check(\"postgres\", #{ from: \"api-gateway\" }).ok",
                result: "true",
            },
        ],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let target = args.str(0);
    let (host, own) = endpoint(cx, target)?;
    let asked = args.option_int("port").and_then(|port| u16::try_from(port).ok());
    let Some(port) = asked.or(own) else {
        return Err(Failure::bad_argument(format!("{target} has no port")).on(target).hint("say which: `#{ port: 5432 }`"));
    };
    may_connect(cx.environment(), &host).map_err(|failure| failure.on(target))?;
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let from = args.option_str("from").map(|from| exec::in_any(cx, from, &namespace, timeout)).transpose()?;
    let pod = from.as_ref().map(|from| from.pod.clone());
    let mut answer = cx.read(&Read::Tcp(TcpCheck { target: target.to_owned(), host, port, timeout, from }))?;
    answer.set(&["target"], target.into());
    if let Some(pod) = pod {
        answer.set(&["pod"], pod.into());
    }
    Ok(answer)
}

/// The host and port that a target means.
fn endpoint(cx: &Cx<'_>, target: &str) -> Result<(String, Option<u16>), Failure> {
    let environment = cx.environment();
    let first = |url: &str| endpoints(url).into_iter().next();
    if request::is_url(target) {
        return first(target).ok_or_else(|| Failure::bad_argument("this URL names no host").on(target));
    }
    if let Some(url) = environment.services.get(target).and_then(|service| service.url.as_deref()) {
        return first(url).ok_or_else(|| Failure::bad_argument(format!("the service {target} has no host")).on(target));
    }
    if let Some(database) = environment.databases.get(target) {
        return first(&database.url).ok_or_else(|| Failure::bad_argument(format!("the database {target} has no address")).on(target));
    }
    if environment.services.contains_key(target) {
        return request::service(cx, target).map(|_| (String::new(), None));
    }
    // `host:port`, or a bare address.
    let of_host = first(&format!("tcp://{target}")).filter(|_| target.contains([':', '.']) && !target.contains('/'));
    of_host.ok_or_else(|| {
        let known = environment.services.keys().chain(environment.databases.keys()).map(String::as_str);
        let mut failure = Failure::unknown("service or database", target, known.clone()).on(target);
        if suggest::nearest(target, known).is_none() {
            failure.hint = Some("a host stands with its port: \"host:5432\"".to_owned());
        }
        failure
    })
}
