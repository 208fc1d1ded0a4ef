//! `http_put`: one PUT request.

use super::{change, request};
use crate::call::{Body, Function};
use crate::model::spec::{Example, Group, Keep, Param, Type};
use crate::model::{Spec, Tier};

/// The function.
pub static HTTP_PUT: Function = Function {
    spec: Spec {
        name: "http_put",
        group: Group::Http,
        summary: "Makes a PUT request of a service, or of an allowed URL.",
        params: &[
            Param { name: "target", ty: Type::Address, required: true, help: "\"service/path\" of a configured service, or a URL" },
            Param {
                name: "body",
                ty: Type::Body,
                required: true,
                help: "text, or a map or an array, which is sent as JSON; \"\" for none",
            },
        ],
        options: &[request::HEADERS, request::OK_STATUS, request::SEAL, change::ASSUME, change::TIER, change::TIMEOUT],
        returns: change::RETURNS,
        tier: Tier::Moderate,
        keep: Keep::Payload,
        errors: change::ERRORS,
        examples: &[Example {
            title: "Set a flag",
            code: "http_put(\"api-gateway/flags/slow\", #{ on: true }, #{ ok_status: [200, 404] }).status",
            result: "404",
        }],
    },
    body: Body::Act(|args, cx| change::reading("PUT", args, cx), |args, cx| change::plan("PUT", args, cx), change::shape),
};
