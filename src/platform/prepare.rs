//! What must be on record before a write leaves: pre-image, prediction, inverse, probe, equivalent.

mod data;
mod redis;

use std::time::Duration;

use super::objects::{self, Difference, is_controlled, leaves, path_text, recreatable, seal_secret};
use super::{Cx, Observe, equivalent};
use crate::journal::shape;
use crate::model::operation::{Freshness, PatchKind, PatchVerb, Selection};
use crate::model::{Answer, Failure, Key, Kind, Map, ObjectRef, Prepared, Provenance, Read, ResourceKind, Value, Write};

/// Prepares a write against what a platform answers now.
pub fn prepare(observe: &dyn Observe, op: Write, cx: &Cx<'_>) -> Result<Prepared, Failure> {
    match &op {
        Write::Patch { object, verb, .. } => {
            let (current, scalers) = match verb {
                PatchVerb::Scale => with_autoscalers(observe, object, cx)?,
                _ => (observe.read(&Read::Object(object.clone()), cx)?, Value::Null),
            };
            let (mut current, provenance) = (current.value, current.provenance);
            seal_secret(&mut current);
            let mut prepared = Prepared { provenance, ..patch(observe, op, &current)? };
            prepared.remarks = owners(&prepared, &current, &scalers);
            Ok(prepared)
        }
        Write::Create { object, .. } => {
            let there = match observe.read(&Read::Object(object.clone()), cx) {
                Ok(answer) => Some(answer.provenance),
                Err(failure) if failure.kind == Kind::NotFound => None,
                Err(failure) => return Err(failure),
            };
            if there.is_some() {
                return Err(Failure::new(Kind::Conflict, format!("{object} is there already")).on(object.to_string()));
            }
            let inverse = Write::Delete { object: object.clone(), uid: None, grace: None, controlled: false, timeout: op.timeout() };
            Ok(Prepared {
                before: exists(false),
                after: exists(true),
                inverse: Some(inverse),
                probe: Some(Read::Object(object.clone())),
                ..bare(observe, op)
            })
        }
        Write::Delete { object, .. } | Write::Evict { object, .. } => {
            let current = match observe.read(&Read::Object(object.clone()), cx) {
                Ok(answer) => Some(answer),
                // Of several pods that are to go, some go by themselves meanwhile.
                Err(failure) if failure.kind == Kind::NotFound && matches!(op, Write::Evict { .. }) => None,
                Err(failure) => return Err(failure),
            };
            Ok(removal(observe, op, current))
        }
        Write::Http(request) => {
            let mut after = crate::map! { "method" => request.method };
            if let Some(body) = &request.body {
                after.set(&["body"], shape(body).into());
            }
            Ok(Prepared { after, ..bare(observe, op) })
        }
        Write::Exec(exec) => {
            let after = crate::map! { "argv" => words(&exec.run.argv), "stdin" => told(exec.run.stdin.as_ref()), "container" => exec.container.clone() };
            let target = elsewhere(observe, &exec.namespace, op.target());
            Ok(Prepared { target, after, ..bare(observe, op) })
        }
        Write::Command(command) => {
            let mut after = crate::map! { "argv" => words(&command.run.argv), "stdin" => told(command.run.stdin.as_ref()), "cwd" => command.shown_cwd.clone() };
            if !command.tunnels.is_empty() {
                after.set(&["tunnels"], words(&command.tunnels));
            }
            Ok(Prepared { after, ..bare(observe, op) })
        }
        Write::Sql(_) | Write::Mongo(_) => data::prepare(observe, op, cx),
        Write::Redis(_) => redis::prepare(observe, op, cx),
        Write::Send(message) => {
            let after = crate::map! { "text" => message.text.clone() };
            Ok(Prepared { after, ..bare(observe, op) })
        }
    }
}

/// A write of which nothing is known yet but how one would say it by hand.
fn bare(observe: &dyn Observe, op: Write) -> Prepared {
    let namespace = op.object().and_then(|object| object.namespace.as_deref());
    let target = namespace.map_or_else(|| op.target(), |namespace| elsewhere(observe, namespace, op.target()));
    Prepared {
        target,
        before: Value::Null,
        after: Value::Null,
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

fn exists(there: bool) -> Value {
    crate::map! { "exists" => there }
}

/// Prepares a delete or an eviction of an object that reads `current`.
fn removal(observe: &dyn Observe, mut op: Write, current: Option<Answer>) -> Prepared {
    let Some(mut current) = current else {
        return Prepared { before: exists(false), after: exists(false), ..bare(observe, op) };
    };
    seal_secret(&mut current.value);
    let own = current.value.str_at(&["metadata", "uid"]).map(str::to_owned);
    let mut back = None;
    if let Write::Delete { object, timeout, .. } = &op {
        let manifest = recreatable(object, &current.value);
        back = manifest.map(|manifest| Write::Create { object: object.clone(), manifest, timeout: *timeout });
    }
    let mut remarks = Vec::new();
    if let Write::Delete { object, .. } = &op {
        remarks.extend(goes_along(object, &current.value));
    }
    if let Write::Delete { uid, controlled, .. } | Write::Evict { uid, controlled, .. } = &mut op {
        // What a person was asked about is what goes, and nothing that has come in its place since.
        *uid = uid.take().or(own);
        *controlled = is_controlled(&current.value);
    }
    Prepared {
        before: exists(true),
        after: exists(false),
        inverse: back,
        probe: op.object().cloned().map(Read::Object),
        remarks,
        provenance: current.provenance,
        ..bare(observe, op)
    }
}

/// What goes with an object that is deleted.
fn goes_along(object: &ObjectRef, current: &Value) -> Option<String> {
    match object.kind.singular {
        "namespace" => Some(format!("everything in {object} is deleted with it")),
        "persistentvolumeclaim" => Some(format!("the data of {object} may be deleted with it")),
        _ if object.kind.is_workload() => {
            let pods = current.int_at(&["status", "replicas"]).or(current.int_at(&["status", "desiredNumberScheduled"])).unwrap_or(0);
            (pods > 0).then(|| {
                format!(
                    "{pods} {} of {object} {} deleted with it",
                    if pods == 1 { "pod" } else { "pods" },
                    if pods == 1 { "is" } else { "are" }
                )
            })
        }
        _ => None,
    }
}

/// Prepares a patch of an object that reads `current`.
pub(super) fn patch(observe: &dyn Observe, op: Write, current: &Value) -> Result<Prepared, Failure> {
    let Write::Patch { object, subresource, patch, kind, verb, timeout } = &op else { unreachable!("only patches are prepared here") };
    let back = |patch| Write::Patch {
        object: object.clone(),
        subresource: *subresource,
        patch,
        kind: PatchKind::Merge,
        verb: match verb {
            PatchVerb::Undo(_) => PatchVerb::Patch,
            PatchVerb::Cordon => PatchVerb::Uncordon,
            PatchVerb::Uncordon => PatchVerb::Cordon,
            same => *same,
        },
        timeout: *timeout,
    };
    let (before, after, inverse) = match verb {
        PatchVerb::Patch | PatchVerb::Undo(_) => {
            let found = difference(object, current, *kind, patch)?;
            (found.before, found.after, Some(back(found.back)))
        }
        _ => {
            let (before, after, way) = set(patch, current);
            // A restart cannot be taken back: the old annotation would only start another rollout.
            (before, after, (*verb != PatchVerb::Restart).then(|| back(way)))
        }
    };
    Ok(Prepared {
        before: Value::Map(before),
        after: Value::Map(after),
        inverse,
        probe: Some(Read::Object(object.clone())),
        ..bare(observe, op)
    })
}

/// What a patch makes of an object.
pub(super) fn difference(object: &ObjectRef, current: &Value, kind: PatchKind, patch: &Value) -> Result<Difference, Failure> {
    let mut predicted = current.clone();
    objects::apply(kind, &mut predicted, patch).map_err(|failure| failure.on(object.to_string()))?;
    seal_secret(&mut predicted);
    Ok(between(object, current, &predicted))
}

/// What differs between two states of an object; those of secrets are sealed.
pub(super) fn between(object: &ObjectRef, before: &Value, after: &Value) -> Difference {
    let found = Difference::between(before, after);
    if object.kind.singular == "secret" { found.of_secret() } else { found }
}

/// The fields that a merge patch sets, as they are and as they will be, and the patch that sets them back.
fn set(patch: &Value, current: &Value) -> (Map, Map, Value) {
    let (mut before, mut after, mut back) = (Map::new(), Map::new(), Value::Null);
    for (path, value) in leaves(patch) {
        let keys: Vec<&str> = path.iter().map(Key::as_str).collect();
        let old = current.at(&keys).cloned().unwrap_or_default();
        let name = Key::from(path_text(&path));
        before.insert(name.clone(), old.clone());
        after.insert(name, value.clone());
        back.set(&keys, old);
    }
    (before, after, back)
}

/// A target as it is called, with its namespace where that is not the environment's.
fn elsewhere(observe: &dyn Observe, namespace: &str, target: String) -> String {
    if namespace == observe.environment().namespace { target } else { format!("{namespace}/{target}") }
}

fn words(argv: &[String]) -> Value {
    argv.iter().map(|word| Value::from(word.as_str())).collect::<Vec<_>>().into()
}

/// What is said of an input: it may hold personal data.
fn told(stdin: Option<&Value>) -> Value {
    match stdin {
        None => Value::Null,
        Some(Value::Str(text)) => format!("{} bytes", text.len()).into(),
        Some(Value::Secret(secret)) => format!("<{}>", secret.name()).into(),
        Some(other) => format!("{} as JSON", other.type_name()).into(),
    }
}

/// Reads an object and the autoscalers beside it at the same time; autoscalers that cannot be listed are none.
fn with_autoscalers(observe: &dyn Observe, object: &ObjectRef, cx: &Cx<'_>) -> Result<(Answer, Value), Failure> {
    let kind = ResourceKind::named("horizontalpodautoscaler")?;
    let selection = Selection {
        kind,
        namespace: object.namespace.clone(),
        selector: None,
        fields: Vec::new(),
        freshness: Freshness::AtHand,
        timeout: Duration::from_secs(10),
    };
    let mut answers = observe.read_all(&[Read::Object(object.clone()), Read::Objects(selection)], cx).into_iter();
    let current = answers.next().ok_or_else(cut_short)??;
    let scalers = answers.next().and_then(Result::ok).map(|answer| answer.value).unwrap_or_default();
    Ok((current, scalers))
}

fn cut_short() -> Failure {
    Failure::new(Kind::Failed, "the platform answered fewer reads than it was asked")
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
