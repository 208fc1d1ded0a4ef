//! What must be on record before a write leaves: pre-image, prediction, inverse, probe, equivalent.

use std::time::Duration;

use super::objects::{leaves, path_text};
use super::{Cx, Observe, equivalent};
use crate::model::operation::{Freshness, PatchVerb, Selection};
use crate::model::{Answer, Failure, Key, Map, ObjectRef, Prepared, Provenance, Read, ResourceKind, Value, Write};

/// Prepares a write against what a platform answers now.
pub fn prepare(observe: &dyn Observe, op: Write, cx: &Cx<'_>) -> Result<Prepared, Failure> {
    match &op {
        Write::Patch { object, verb, .. } => {
            let (current, scalers) = match verb {
                PatchVerb::Scale => with_autoscalers(observe, object, cx)?,
                _ => (observe.read(&Read::Object(object.clone()), cx)?, Value::Null),
            };
            let (current, provenance) = (current.value, current.provenance);
            let mut prepared = Prepared { provenance, ..patch(observe, op, &current) };
            prepared.remarks = owners(&prepared, &current, &scalers);
            Ok(prepared)
        }
        Write::Http(request) => {
            let after = crate::map! { "method" => request.method, "body" => request.body.clone() };
            Ok(unseen(observe, after, op))
        }
        Write::Send(message) => {
            let after = crate::map! { "text" => message.text.clone() };
            Ok(unseen(observe, after, op))
        }
    }
}

/// Prepares a write of which nobody can say what it changes: `after` is what is sent, and there is no way back.
fn unseen(observe: &dyn Observe, after: Value, op: Write) -> Prepared {
    Prepared {
        target: op.target(),
        before: Value::Null,
        after,
        inverse: None,
        probe: None,
        equivalent: equivalent::of(&op, observe.environment()),
        refusal: None,
        validated: None,
        remarks: Vec::new(),
        provenance: Provenance::default(),
        write: op,
    }
}

/// Prepares a merge patch of an object that reads `current`.
pub(super) fn patch(observe: &dyn Observe, op: Write, current: &Value) -> Prepared {
    let Write::Patch { object, subresource, patch, verb, timeout } = &op else { unreachable!("only patches are prepared here") };
    let (mut before, mut after, mut back) = (Map::new(), Map::new(), Value::Null);
    for (path, value) in leaves(patch) {
        let keys: Vec<&str> = path.iter().map(Key::as_str).collect();
        let old = current.at(&keys).cloned().unwrap_or_default();
        let name = Key::from(path_text(&path));
        before.insert(name.clone(), old.clone());
        after.insert(name, value.clone());
        back.set(&keys, old);
    }
    // A restart cannot be taken back: the old annotation would only start another rollout.
    let inverse = (*verb != PatchVerb::Restart).then(|| Write::Patch {
        object: object.clone(),
        subresource: *subresource,
        patch: back,
        verb: *verb,
        timeout: *timeout,
    });
    let target = match &object.namespace {
        Some(namespace) if *namespace != observe.environment().namespace => format!("{namespace}/{object}"),
        _ => object.to_string(),
    };
    Prepared {
        target,
        before: Value::Map(before),
        after: Value::Map(after),
        inverse,
        probe: Some(Read::Object(object.clone())),
        equivalent: equivalent::of(&op, observe.environment()),
        refusal: None,
        validated: None,
        remarks: Vec::new(),
        provenance: Provenance::default(),
        write: op,
    }
}

/// Reads an object and the autoscalers beside it at the same time; autoscalers that cannot be listed are none.
fn with_autoscalers(observe: &dyn Observe, object: &ObjectRef, cx: &Cx<'_>) -> Result<(Answer, Value), Failure> {
    let kind = ResourceKind::named("horizontalpodautoscaler")?;
    let selection = Selection {
        kind,
        namespace: object.namespace.clone(),
        selector: None,
        freshness: Freshness::AtHand,
        timeout: Duration::from_secs(10),
    };
    let mut answers = observe.read_all(&[Read::Object(object.clone()), Read::Objects(selection)], cx).into_iter();
    let current = answers.next().ok_or_else(cut_short)??;
    let scalers = answers.next().and_then(Result::ok).map(|answer| answer.value).unwrap_or_default();
    Ok((current, scalers))
}

fn cut_short() -> Failure {
    Failure::new(crate::model::Kind::Failed, "the platform answered fewer reads than it was asked")
}

/// Who else writes the number of replicas.
fn owners(prepared: &Prepared, current: &Value, scalers: &Value) -> Vec<String> {
    let Write::Patch { object, verb: PatchVerb::Scale, .. } = &prepared.write else { return Vec::new() };
    let mut remarks = Vec::new();
    for scaler in scalers.as_list().unwrap_or_default() {
        let target = |key| scaler.str_at(&["spec", "scaleTargetRef", key]);
        if target("kind") == Some(object.kind.kind) && target("name") == Some(&object.name) {
            let name = scaler.str_at(&["metadata", "name"]).unwrap_or_default();
            remarks.push(format!("autoscaler {name} owns the replicas of {object} and may set them back"));
        }
    }
    const GITOPS: [(&str, &str); 4] = [
        ("argocd.argoproj.io/tracking-id", "Argo CD"),
        ("argocd.argoproj.io/instance", "Argo CD"),
        ("kustomize.toolkit.fluxcd.io/name", "Flux"),
        ("helm.toolkit.fluxcd.io/name", "Flux"),
    ];
    let marks = ["labels", "annotations"].map(|place| current.at(&["metadata", place]).and_then(Value::as_map));
    let marked = |key: &str| marks.into_iter().flatten().any(|marks| marks.contains_key(key));
    if let Some((_, controller)) = GITOPS.into_iter().find(|(key, _)| marked(key)) {
        remarks.push(format!("{controller} manages {object} and may set the replicas back"));
    }
    remarks
}
