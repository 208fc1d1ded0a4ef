//! `cluster_info`: which cluster this is, and that it answers.

use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};

/// The function.
pub static CLUSTER_INFO: Function = Function {
    spec: Spec {
        name: "cluster_info",
        group: Group::Nodes,
        summary: "Says which cluster this is, and that its API server answers.",
        params: &[],
        options: &[],
        returns: "`#{ version, server, uid }`; `uid` is that of the namespace `kube-system`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[Example { title: "The server's version", code: "cluster_info().version", result: "" }],
    },
    body: Body::Read(body),
};

fn body(_: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    cx.read(&Read::ClusterInfo)
}
