//! `http_get`: one GET request.

use super::request;
use crate::call::{Body, Cx, Function};
use crate::host::saves;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};
use crate::platform::status;

/// The function.
pub static HTTP_GET: Function = Function {
    spec: Spec {
        name: "http_get",
        group: Group::Http,
        summary: "Makes a GET request of a service, or of an allowed URL.",
        params: &[Param {
            name: "target",
            ty: Type::Address,
            required: true,
            help: "\"ai-gateway/cache/stats\" (service and path), or a URL",
        }],
        options: &[
            request::HEADERS,
            request::OK_STATUS,
            saves::SAVE,
            request::SEAL,
            Opt { name: "timeout", ty: Type::Duration, default: "\"10s\"", help: "the longest wait for the whole answer" },
        ],
        returns: "`#{ status, headers, body, latency_ms, timings }`; `body` is parsed where it is JSON, else text; with `save` there is `saved` in its place, `#{ path, bytes, sha256 }`. `timings` are `#{ dns_ms, connect_ms, tls_ms, first_byte_ms, total_ms }`, those of connecting only where no kept connection was used, `tls_ms` for https only",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[Kind::Denied, Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable, Kind::TooLarge, Kind::Failed],
        examples: &[Example { title: "A service's own word", code: "http_get(\"api-gateway/health\").body.status", result: "\"healthy\"" }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let target = args.str(0);
    let mut request = request::to(cx, "GET", target, args.option_duration("timeout").unwrap_or_default())?;
    request.headers = request::headers(args, None);
    request.ok_status = args.option_ints("ok_status");
    (request.save, request.seal) = (saves::of(args, cx)?, request::seal(args)?);
    if request.save.is_some() && !request.seal.is_empty() {
        return Err(Failure::bad_argument("`save` and `seal` do not go together: a saved body is not looked into"));
    }
    let answer = cx.read(&Read::Http(request)).map_err(|failure| failure.on(target))?;
    status::checked(answer, target, args.option_ints("ok_status").as_deref())
}
