//! `http_delete`: one DELETE request.

use super::{change, request};
use crate::call::{Body, Function};
use crate::model::spec::{Example, Group, Keep, Param, Type};
use crate::model::{Spec, Tier};

/// The function.
pub static HTTP_DELETE: Function = Function {
    spec: Spec {
        name: "http_delete",
        group: Group::Http,
        summary: "Makes a DELETE request of a service, or of an allowed URL.",
        params: &[Param { name: "target", ty: Type::Address, required: true, help: "\"service/path\" of a configured service, or a URL" }],
        options: &[request::HEADERS, request::OK_STATUS, change::ASSUME, change::TIER, change::TIMEOUT],
        returns: change::RETURNS,
        tier: Tier::Moderate,
        keep: Keep::Payload,
        errors: change::ERRORS,
        examples: &[Example {
            title: "End a session",
            code: "http_delete(\"auth-rbac/sessions/7\", #{ ok_status: [200, 204, 404] }).status",
            result: "404",
        }],
    },
    body: Body::Act(|args, cx| change::reading("DELETE", args, cx), |args, cx| change::plan("DELETE", args, cx), change::shape),
};
