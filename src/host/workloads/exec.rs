//! `exec`: one command in a container of a pod.

use std::time::Duration;

use super::{container, pods};
use crate::call::{Body, Cx, Function};
use crate::host::programs::{self, ASSUME, EFFECT, OK_EXIT, STDIN, TIER};
use crate::host::saves::SAVE;
use crate::host::targets::{self, NAMESPACE, meta};
use crate::model::operation::{Container, Exec};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value, Write, suggest};

/// The function.
pub static EXEC: Function = Function {
    spec: Spec {
        name: "exec",
        group: Group::Workloads,
        summary: "Runs one command in a container of a pod: a program and its arguments, no shell.",
        params: &[
            Param {
                name: "target",
                ty: Type::Pods,
                required: true,
                help: "a pod, or what has pods: a workload, \"app=x\", a service's or database's name",
            },
            Param {
                name: "argv",
                ty: Type::Argv,
                required: true,
                help: "the program and its arguments: [\"pg_dump\", \"app\"]; no secrets",
            },
        ],
        options: &[
            Opt {
                name: "pod",
                ty: Type::Str,
                default: "",
                help: "which one of several pods: \"any\" (the first that is ready), \"primary\" (by the labels that operators of databases set), or its name",
            },
            Opt { name: "container", ty: Type::Str, default: "", help: "the container, where a pod has several" },
            STDIN,
            OK_EXIT,
            SAVE,
            EFFECT,
            ASSUME,
            TIER,
            NAMESPACE,
            Opt {
                name: "timeout",
                ty: Type::Duration,
                default: "\"1m\"",
                help: "the longest wait for its end; what is running then goes on in its container, and the call is in doubt",
            },
        ],
        returns: "`#{ exit_code, stdout, stderr, pod, container }`; with `save`, the bytes of its standard output in that file, and `saved: #{ path, bytes, sha256 }` in place of `stdout`. In a rehearsal it is not run: `exit_code`, `pod` and `container` are known, the rest is not",
        tier: Tier::Moderate,
        keep: Keep::Payload,
        errors: &[
            Kind::NotConfirmed,
            Kind::NotFound,
            Kind::Forbidden,
            Kind::Auth,
            Kind::Unavailable,
            Kind::TooLarge,
            Kind::Failed,
            Kind::InDoubt,
        ],
        examples: &[
            Example {
                title: "In any of a service's pods",
                code: "exec(\"api-gateway\", [\"echo\", \"ready\"], #{ pod: \"any\" }).stdout",
                result: "\"ready\\n\"",
            },
            Example {
                title: "Several pods, and which one is meant nobody says",
                code: "attempt(|| exec(\"api-gateway\", [\"true\"])).error.kind",
                result: "\"bad_argument\"",
            },
        ],
    },
    body: Body::Act(reading, plan, programs::shape),
};

fn reading(args: &Args, cx: &Cx<'_>) -> Result<Option<Value>, Failure> {
    if !programs::only_reads(args, 1, cx, &[]) {
        return Ok(None);
    }
    cx.read(&Read::Exec(made(args, cx)?)).map(Some)
}

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    Ok(vec![Write::Exec(made(args, cx)?)])
}

fn made(args: &Args, cx: &Cx<'_>) -> Result<Exec, Failure> {
    let run = programs::invocation(args, 1, cx)?;
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let all = targets::pods(cx, Some(args.str(0)), &namespace, run.timeout)?;
    let pod = chosen(&all, args.str(0), args.option_str("pod"))?;
    let Container { namespace, pod, name } = running(pod, args.str(0), args.option_str("container"))?;
    Ok(Exec { namespace, pod, container: name, run })
}

/// The default container of a pod that a target means: of one that is ready, else of one that runs, since what cannot reach its
/// database is seldom ready.
pub fn in_any(cx: &Cx<'_>, target: &str, namespace: &str, timeout: Duration) -> Result<Container, Failure> {
    let all = targets::pods(cx, Some(target), namespace, timeout)?;
    let best = all.iter().rev().max_by_key(|pod| (pods::is_ready(pod), pod.str_at(&["status", "phase"]) == Some("Running")));
    running(best.map_or_else(|| chosen(&all, target, None), Ok)?, target, None)
}

/// A container in which programs can be run.
fn running(pod: &Value, target: &str, container: Option<&str>) -> Result<Container, Failure> {
    let name = meta(pod, "name");
    let phase = pod.str_at(&["status", "phase"]).unwrap_or("Unknown");
    if phase != "Running" {
        let failure = Failure::new(Kind::Unavailable, format!("nothing can be run in pod/{name}: it is {phase}"));
        return Err(failure.hint("is it still starting, or has it ended? `pods` says more").on(target));
    }
    let container = container::of(pod, container, container::Which::Running)?;
    Ok(Container { namespace: meta(pod, "namespace").to_owned(), pod: name.to_owned(), name: container })
}

/// The labels by which operators say which pod is the primary, and what they say of it.
const PRIMARY: [(&str, &[&str]); 9] = [
    ("cnpg.io/instanceRole", &["primary"]),                             // CloudNativePG
    ("spilo-role", &["master", "primary"]),                             // Zalando's postgres-operator (Patroni)
    ("postgres-operator.crunchydata.com/role", &["master", "primary"]), // Crunchy's PGO
    ("kubedb.com/role", &["primary"]),                                  // KubeDB
    ("app.kubernetes.io/component", &["primary", "master"]),            // Bitnami's charts
    ("redisfailovers-role", &["master"]),                               // Spotahome's redis-operator
    ("redis-role", &["master"]),                                        // Opstree's redis-operator
    ("mongodb.com/replica-set-role", &["primary"]),                     // MongoDB's own
    ("role", &["primary", "master"]),                                   // Patroni's and StackGres' default
];

/// The one pod that is meant.
fn chosen<'a>(pods: &'a [Value], target: &str, which: Option<&str>) -> Result<&'a Value, Failure> {
    let listed = || pods.iter().map(|pod| meta(pod, "name")).collect::<Vec<_>>().join(", ");
    let failed = |kind: Kind, message: String, hint: String| Err(Failure::new(kind, message).hint(hint).on(target));
    match (pods, which) {
        ([], _) => failed(Kind::Unavailable, format!("{target:?} has no pods"), "is it scaled to nothing? `rollout_status` tells".into()),
        (_, Some("any")) => match pods.iter().find(|pod| pods::is_ready(pod)) {
            Some(pod) => Ok(pod),
            None => failed(Kind::Unavailable, format!("none of the pods of {target:?} is ready"), format!("its pods: {}", listed())),
        },
        (_, Some("primary")) => primary(pods, target),
        (_, Some(name)) => pods.iter().find(|pod| meta(pod, "name") == name).ok_or_else(|| {
            let near = suggest::nearest(name, pods.iter().map(|pod| meta(pod, "name")));
            let hint = near.map_or_else(|| format!("its pods: {}", listed()), |near| format!("did you mean `{near}`?"));
            Failure::new(Kind::NotFound, format!("{target:?} has no pod {name}")).hint(hint).on(target)
        }),
        ([one], None) => Ok(one),
        (_, None) => failed(
            Kind::BadArgument,
            format!("{target:?} has {} pods, and a command runs in one", pods.len()),
            format!("say which: `pod: \"any\"`, `pod: \"primary\"`, or one of {}", listed()),
        ),
    }
}

fn primary<'a>(pods: &'a [Value], target: &str) -> Result<&'a Value, Failure> {
    let says = |pod: &Value, (label, words): &(&str, &[&str])| pod.str_at(&["metadata", "labels", label]).map(|said| words.contains(&said));
    // The first label of which one of the pods says that it is the primary; the component of a chart may be anything else.
    let label = PRIMARY.iter().find(|label| pods.iter().any(|pod| says(pod, label) == Some(true)));
    let found: Vec<&Value> = label.map(|label| pods.iter().filter(|pod| says(pod, label) == Some(true)).collect()).unwrap_or_default();
    let named = |pods: &[&Value]| pods.iter().map(|pod| meta(pod, "name")).collect::<Vec<_>>().join(", ");
    let failed = |message: String| {
        let hint = format!("say which: `pod: \"NAME\"`, one of {}", named(&pods.iter().collect::<Vec<_>>()));
        Err(Failure::new(Kind::Unavailable, message).hint(hint).on(target))
    };
    match (&found[..], pods) {
        ([one], _) => Ok(one),
        ([], [only]) if PRIMARY.iter().all(|(label, _)| only.str_at(&["metadata", "labels", label]).is_none()) => Ok(only),
        ([], _) => failed(format!("no pod of {target:?} says that it is the primary")),
        (several, _) => failed(format!("several pods of {target:?} say that they are the primary: {}", named(several))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    fn pod(name: &str, labels: Value) -> Value {
        map! { "metadata" => map! { "name" => name, "labels" => labels } }
    }

    fn name(chosen: Result<&Value, Failure>) -> String {
        chosen.map_or_else(
            |failure| format!("{}: {}; {}", failure.kind, failure.message, failure.hint.unwrap_or_default()),
            |pod| meta(pod, "name").to_owned(),
        )
    }

    #[test]
    fn the_primary_is_the_pod_whose_labels_say_so() {
        for (label, role, other) in [
            ("role", "master", "replica"),
            ("spilo-role", "master", "replica"),
            ("cnpg.io/instanceRole", "primary", "replica"),
            ("app.kubernetes.io/component", "primary", "read"),
        ] {
            let pods = [pod("db-0", map! { label => other }), pod("db-1", map! { label => role, "app" => "db" })];
            assert_eq!(name(chosen(&pods, "db", Some("primary"))), "db-1");
        }
        let plain = [pod("db-0", map! {}), pod("db-1", map! {})];
        assert_eq!(
            name(chosen(&plain, "db", Some("primary"))),
            "unavailable: no pod of \"db\" says that it is the primary; say which: `pod: \"NAME\"`, one of db-0, db-1"
        );
        let both = [pod("db-0", map! { "role" => "master" }), pod("db-1", map! { "role" => "primary" })];
        assert!(
            name(chosen(&both, "db", Some("primary")))
                .starts_with("unavailable: several pods of \"db\" say that they are the primary: db-0, db-1")
        );
        assert_eq!(name(chosen(&plain[..1], "db", Some("primary"))), "db-0", "there is no other one");
        let replica = [pod("db-0", map! { "role" => "replica" })];
        assert!(name(chosen(&replica, "db", Some("primary"))).starts_with("unavailable: no pod"));
    }

    #[test]
    fn one_of_several_pods_must_be_named() {
        let pods = [pod("api-1", map! {}), pod("api-2", map! {})];
        assert_eq!(
            name(chosen(&pods, "api", None)),
            "bad_argument: \"api\" has 2 pods, and a command runs in one; say which: `pod: \"any\"`, `pod: \"primary\"`, or one of api-1, api-2"
        );
        assert_eq!(name(chosen(&pods, "api", Some("api-2"))), "api-2");
        assert_eq!(name(chosen(&pods, "api", Some("api-3"))), "not_found: \"api\" has no pod api-3; did you mean `api-1`?");
        assert_eq!(name(chosen(&pods[..1], "api", None)), "api-1");
        assert!(name(chosen(&pods, "api", Some("any"))).starts_with("unavailable: none of the pods"));
        assert!(name(chosen(&[], "api", Some("any"))).starts_with("unavailable: \"api\" has no pods"));
    }
}
