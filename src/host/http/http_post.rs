//! `http_post`: one POST request.

use super::{change, request};
use crate::call::{Body, Function};
use crate::model::spec::{Example, Group, Keep, Opt, Param, Type};
use crate::model::{Spec, Tier};

/// The function.
pub static HTTP_POST: Function = Function {
    spec: Spec {
        name: "http_post",
        group: Group::Http,
        summary: "Makes a POST request of a service, or of an allowed URL.",
        params: &[
            Param { name: "target", ty: Type::Address, required: true, help: "\"service/path\" of a configured service, or a URL" },
            Param {
                name: "body",
                ty: Type::Body,
                required: true,
                help: "text, or a map or an array, which is sent as JSON; \"\" for none",
            },
        ],
        options: &[
            request::HEADERS,
            request::OK_STATUS,
            Opt {
                name: "effect",
                ty: Type::Choice(&["read"]),
                default: "",
                help: "says that it only reads; that holds where the service's `reads` in runbook.toml lists the path",
            },
            request::SEAL,
            change::IDEMPOTENCY_KEY,
            change::ASSUME,
            change::TIER,
            change::TIMEOUT,
        ],
        returns: change::RETURNS,
        tier: Tier::Moderate,
        keep: Keep::Payload,
        errors: change::ERRORS,
        examples: &[Example {
            title: "Clear a cache",
            code: "http_post(\"ai-gateway/cache/clear\", #{ scope: \"all\" }, #{ ok_status: [200, 404] }).status",
            result: "404",
        }],
    },
    body: Body::Act(|args, cx| change::reading("POST", args, cx), |args, cx| change::plan("POST", args, cx), change::shape),
};
