//! `http_health`: health checks, one or many at once.

use super::request;
use crate::call::{Body, Cx, Function};
use crate::model::operation::HttpRequest;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};

/// The function.
pub static HTTP_HEALTH: Function = Function {
    spec: Spec {
        name: "http_health",
        group: Group::Http,
        summary: "Checks the health of a service, or of many at the same time. An unhealthy service is an answer, not an error.",
        params: &[Param {
            name: "service",
            ty: Type::Services,
            required: true,
            help: "a service's name, a map of `services()`, or an array of them",
        }],
        options: &[
            Opt { name: "path", ty: Type::Str, default: "", help: "another path than the service's configured one" },
            Opt { name: "timeout", ty: Type::Duration, default: "\"5s\"", help: "the longest wait for each answer" },
        ],
        returns: "`#{ service, url, ok, status, latency_ms, error, timings }`, or an array of them; `latency_ms` is the time until the answer or the failure",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::Denied],
        examples: &[
            Example { title: "One", code: "http_health(\"api-gateway\").ok", result: "true" },
            Example { title: "All that are down", code: "http_health(services()).filter(|health| !health.ok).len()", result: "0" },
        ],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let many = matches!(args.get(0), Some(Value::List(_)));
    let asked: &[Value] = match args.get(0) {
        Some(Value::List(items)) => items,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let mut names = Vec::with_capacity(asked.len());
    let mut reads = Vec::with_capacity(asked.len());
    for item in asked {
        let name = item
            .as_str()
            .or_else(|| item.str_at(&["service"]))
            .ok_or_else(|| Failure::bad_argument("a service is named by a string, or by a map that `services()` answers"))?;
        let (service, base) = request::service(cx, name)?;
        let url = request::join(base, args.option_str("path").unwrap_or(&service.health));
        names.push(name);
        reads.push(Read::Health(HttpRequest {
            service: Some(name.to_owned()),
            method: "GET",
            url,
            headers: Vec::new(),
            body: None,
            ok_status: None,
            seal: Vec::new(),
            save: None,
            timeout,
        }));
    }
    let answers = if many { cx.read_all(&reads)? } else { reads.iter().map(|read| cx.read(read)).collect() };
    let mut healths = Vec::with_capacity(names.len());
    for ((name, read), answer) in names.into_iter().zip(reads).zip(answers) {
        let mut health = answer?;
        if let (Value::Map(map), Read::Health(request)) = (&mut health, read) {
            map.insert("service".into(), name.into());
            map.insert("url".into(), request.url.into());
        }
        healths.push(health);
    }
    Ok(if many { healths.into() } else { healths.pop().unwrap_or_default() })
}
