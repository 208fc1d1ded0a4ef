//! `metrics`: samples of what a service exposes to Prometheus.

use super::request;
use crate::call::{Body, Cx, Function};
use crate::model::operation::MetricsQuery;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};

/// What is asked for: the classic text first, since every server has it.
const ACCEPT: &str = "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5, */*;q=0.1";

/// The function.
pub static METRICS: Function = Function {
    spec: Spec {
        name: "metrics",
        group: Group::Http,
        summary: "Reads metrics that a service exposes in Prometheus' text format or OpenMetrics, filtered as they stream.",
        params: &[Param { name: "target", ty: Type::Address, required: true, help: "a configured service, or a URL" }],
        options: &[
            Opt {
                name: "name",
                ty: Type::Str,
                default: "",
                help: "only this metric, by its family's name or the sample's own (`…_bucket`)",
            },
            Opt { name: "labels", ty: Type::Map, default: "", help: "only samples that have these labels: `#{ code: \"500\" }`" },
            Opt { name: "path", ty: Type::Str, default: "\"/metrics\"", help: "where a service exposes them; not for URLs" },
            request::HEADERS,
            Opt { name: "limit", ty: Type::Int(1, 100_000), default: "1000", help: "the most samples; more is `too_large`" },
            Opt { name: "timeout", ty: Type::Duration, default: "\"10s\"", help: "the longest wait for the whole answer" },
        ],
        returns: "an array of `#{ name, labels, value, type, help, timestamp_ms }`, in the order in which they are exposed; `help` and `timestamp_ms` only where they are exposed. `value` may be NaN or infinite",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[Kind::Denied, Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable, Kind::TooLarge, Kind::Failed],
        examples: &[Example {
            title: "Requests that failed",
            code: "metrics(\"api-gateway\", #{ name: \"http_requests_total\", labels: #{ code: \"500\" } })[0].value",
            result: "3.0",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let target = args.str(0);
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let path = args.option_str("path").unwrap_or_default();
    let whole = if request::is_url(target) || target.contains('/') {
        if args.option("path").is_some() {
            return Err(Failure::bad_argument(format!("{target} has a path of its own, so `path` has no place")).on(target));
        }
        target.to_owned()
    } else {
        format!("{target}/{}", path.trim_start_matches('/'))
    };
    let mut request = request::to(cx, "GET", &whole, timeout)?;
    request.headers = request::headers(args, None);
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
        request.headers.push(("accept".to_owned(), ACCEPT.into()));
    }
    let mut labels = Vec::new();
    for (label, value) in args.option("labels").and_then(Value::as_map).into_iter().flatten() {
        let Some(value) = value.as_str() else {
            return Err(Failure::bad_argument(format!("the label {label:?} must be a string, not {}", value.type_name()))
                .hint(format!("labels are texts: `#{{ {label}: \"…\" }}`")));
        };
        labels.push((label.to_string(), value.to_owned()));
    }
    let name = args.option_str("name").filter(|name| !name.is_empty()).map(str::to_owned);
    let limit = u64::try_from(args.option_int("limit").unwrap_or_default()).unwrap_or_default();
    cx.read(&Read::Metrics(MetricsQuery { request, name, labels, limit })).map_err(|failure| failure.on(target))
}
