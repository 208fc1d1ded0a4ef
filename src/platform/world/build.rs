//! Making a world from the configuration and a world file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::cluster::{Cluster, FIRST_VERSION};
use super::file::{NodeFile, Quantity, WorkloadFile, WorldFile};
use super::life::{BEFORE, Life, Manner, Nature};
use super::source::Source;
use super::{names, render, taints};
use crate::config::{Config, DatabaseKind, Environment, Reach, Service};
use crate::map;
use crate::model::resource::check_name;
use crate::model::{Failure, ObjectRef, ResourceKind, Value, suggest};
use crate::platform::objects::seal_secret;

const READY_AFTER: Duration = Duration::from_secs(3);
const CPU_MILLICORES: i64 = 50;
const MEMORY_BYTES: i64 = 128 << 20;

/// The services as an environment has them: its own words over the shared ones.
pub(super) fn services(config: &Config, environment: &Environment) -> BTreeMap<String, Service> {
    let mut services = config.services.clone();
    services.extend(environment.services.clone());
    services
}

/// The namespace of everything that names none.
pub(super) fn namespace(environment: &Environment) -> &str {
    if environment.namespace.is_empty() { "default" } else { &environment.namespace }
}

/// A workload's reference from what the configuration or a file calls it.
pub(super) fn workload_ref(text: &str, namespace: &str) -> Result<ObjectRef, String> {
    let (kind, name) = text.split_once('/').unwrap_or(("deployment", text));
    let known = ResourceKind::named(kind).map_err(|failure| failure.message)?;
    if !super::cluster::workload_kinds().any(|kind| kind == known) {
        return Err(format!("a world simulates deployments, statefulsets and daemonsets, not {}", known.plural));
    }
    check_name(name).map_err(|failure| failure.message)?;
    Ok(ObjectRef::new(known, namespace, name))
}

/// Builds the cluster.
pub(super) fn cluster(
    source: &Source,
    file: &WorldFile,
    config: &Config,
    environment: &Environment,
    start: Timestamp,
) -> Result<Cluster, Failure> {
    let mut cluster = Cluster::new(start);
    let namespace = namespace(environment);
    let other_namespaces = file.objects.iter().filter_map(|object| object.str_at(&["metadata", "namespace"]));
    for name in ["default", "kube-system", namespace].into_iter().chain(other_namespaces).collect::<BTreeSet<_>>() {
        let mut object = base("namespace", "", name, start)?;
        if let (true, Some(uid)) = (name == "kube-system", &environment.cluster_uid) {
            object.set(&["metadata", "uid"], uid.as_str().into());
        }
        object.set(&["status", "phase"], "Active".into());
        cluster.found(ObjectRef::new(ResourceKind::named("namespace")?, "", name), object, None);
    }
    match &file.nodes {
        Some(nodes) => {
            for (name, node) in nodes {
                check_name(name).map_err(|failure| source.wrong(&["nodes", name], failure.message))?;
                add_node(&mut cluster, name, node)?;
            }
        }
        None => {
            let gpu = NodeFile { labels: BTreeMap::from([("node-type".to_owned(), "gpu".to_owned())]), ..NodeFile::default() };
            for name in ["node-1", "node-2", "node-3"] {
                add_node(&mut cluster, name, &NodeFile::default())?;
            }
            add_node(&mut cluster, "gpu-1", &gpu)?;
        }
    }
    let configured = configured_workloads(source, config, environment, namespace)?;
    let everywhere = file.workloads.get("*");
    for (name, written) in file.workloads.iter().filter(|(name, _)| *name != "*") {
        let path = ["workloads", name];
        let reference = workload_ref(name, namespace).map_err(|message| source.wrong(&path, message))?;
        if reference.kind.singular == "daemonset" && written.replicas.is_some() {
            return Err(source.wrong(&["workloads", name, "replicas"], "a daemonset has one pod on each node that fits"));
        }
        if !configured.iter().any(|(known, _)| *known == reference) {
            if !written.extra {
                let known: Vec<String> = configured.iter().map(|(reference, _)| reference.to_string()).collect();
                let mut failure =
                    source.wrong(&path, format_args!("no service or database of the configuration has the workload {name:?}"));
                failure.hint = Some(match suggest::nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "say `extra: true` for a workload that the configuration does not name".to_owned(),
                });
                return Err(failure);
            }
            add_workload(&mut cluster, &reference, &[written], 1)?;
        }
    }
    for (reference, replicas) in &configured {
        let own = file.workloads.iter().find(|(name, _)| workload_ref(name, namespace).is_ok_and(|named| named == *reference));
        let written: Vec<&WorkloadFile> = own.map(|(_, written)| written).into_iter().chain(everywhere).collect();
        add_workload(&mut cluster, reference, &written, *replicas)?;
    }
    for (index, manifest) in file.objects.iter().enumerate() {
        add_manifest(&mut cluster, source, &index.to_string(), manifest, namespace)?;
    }
    Ok(cluster)
}

/// Every workload that a service or a database names, once, with the larger of the numbers of replicas.
fn configured_workloads(
    source: &Source,
    config: &Config,
    environment: &Environment,
    namespace: &str,
) -> Result<Vec<(ObjectRef, u32)>, Failure> {
    let services = services(config, environment);
    let of_services = services.iter().map(|(name, service)| (name, &service.workload, service.replicas));
    let of_databases = environment.databases.iter().map(|(name, database)| (name, &database.workload, database.replicas));
    let mut found: BTreeMap<ObjectRef, u32> = BTreeMap::new();
    for (name, workload, replicas) in of_services.chain(of_databases) {
        let Some(workload) = workload else { continue };
        let reference = workload_ref(workload, namespace)
            .map_err(|message| Failure::bad_argument(format!("{}: the workload {workload:?} of {name:?}: {message}", source.name)))?;
        let most = found.entry(reference).or_default();
        *most = replicas.max(*most);
    }
    Ok(found.into_iter().collect())
}

/// What all objects that were there before the world began have in common.
fn base(kind: &str, namespace: &str, name: &str, start: Timestamp) -> Result<Value, Failure> {
    let kind = ResourceKind::named(kind)?;
    let mut metadata = map! {
        "name" => name,
        "uid" => names::uid(kind.kind, namespace, name, 0),
        "resourceVersion" => FIRST_VERSION.to_string(),
        "creationTimestamp" => render::time(start, BEFORE * 30),
    };
    if kind.namespaced {
        metadata.set(&["namespace"], namespace.into());
    }
    Ok(map! { "apiVersion" => kind.api_version(), "kind" => kind.kind, "metadata" => metadata })
}

fn add_node(cluster: &mut Cluster, name: &str, node: &NodeFile) -> Result<(), Failure> {
    let mut object = base("node", "", name, cluster.start)?;
    let mut labels = map! { "kubernetes.io/hostname" => name };
    for prefix in ["kubernetes.io", "beta.kubernetes.io"] {
        labels.set(&[&format!("{prefix}/os")], "linux".into());
        labels.set(&[&format!("{prefix}/arch")], "amd64".into());
    }
    for (key, value) in &node.labels {
        labels.set(&[key], value.as_str().into());
    }
    object.set(&["metadata", "labels"], labels);
    let mut spec = map! { "spec" => map! {} };
    if !node.ready {
        spec.set(&["spec", "taints"], taints::unreachable(cluster.start, BEFORE).into());
    }
    if node.unschedulable {
        spec.set(&["spec", "unschedulable"], true.into());
    }
    let spec = taints::with_cordon(&Value::Null, spec, cluster.start, BEFORE);
    object.set(&["spec"], spec.get("spec").cloned().unwrap_or_default());
    let room = map! { "cpu" => node.cpu.text(), "memory" => node.memory.text(), "pods" => "110" };
    let (status, reason, message) = match node.ready {
        true => ("True", "KubeletReady", "kubelet is posting ready status"),
        false => ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."),
    };
    let mut conditions: Vec<Value> = ["MemoryPressure", "DiskPressure", "PIDPressure"]
        .map(|kind| map! { "type" => kind, "status" => if node.ready { "False" } else { "Unknown" } })
        .into();
    conditions.push(map! { "type" => "Ready", "status" => status, "reason" => reason, "message" => message });
    object.set(
        &["status"],
        map! {
            "capacity" => room.clone(),
            "allocatable" => room,
            "conditions" => conditions,
            "addresses" => vec![
                map! { "type" => "InternalIP", "address" => render::node_address(name) },
                map! { "type" => "Hostname", "address" => name },
            ],
            "nodeInfo" => map! { "kubeletVersion" => super::VERSION },
        },
    );
    cluster.found(ObjectRef::new(ResourceKind::named("node")?, "", name), object, None);
    Ok(())
}

/// Adds a workload as the first file entry that says so has it, each thing for itself.
fn add_workload(cluster: &mut Cluster, reference: &ObjectRef, written: &[&WorkloadFile], replicas: u32) -> Result<(), Failure> {
    let first = |get: &dyn Fn(&WorkloadFile) -> Option<i64>| written.iter().find_map(|one| get(one));
    let says = |get: &dyn Fn(&WorkloadFile) -> Option<bool>| written.iter().find_map(|one| get(one)).unwrap_or(false);
    let name = reference.name.as_str();
    let namespace = reference.namespace.as_deref().unwrap_or_default();
    let manner = Manner::of(reference.kind);
    let ready_after = written.iter().find_map(|one| one.ready_after).map_or(READY_AFTER, |span| span.0);
    let nature = Nature {
        ready_after: i64::try_from(ready_after.as_micros()).unwrap_or(i64::MAX / 4),
        crash: says(&|one| one.crash),
        cpu_millicores: first(&|one| one.cpu.as_ref().map(Quantity::milli)).unwrap_or(CPU_MILLICORES),
        memory_bytes: first(&|one| one.memory.as_ref().map(Quantity::units)).unwrap_or(MEMORY_BYTES),
        logs: written.iter().find_map(|one| one.logs.clone()).unwrap_or_default(),
    };
    let replicas = first(&|one| one.replicas.map(i64::from)).unwrap_or(i64::from(replicas));
    let image = written.iter().find_map(|one| one.image.clone()).unwrap_or_else(|| format!("registry.example/{name}:1.0.0"));
    let mut labels = map! { "app" => name };
    for (key, value) in written.iter().rev().flat_map(|one| &one.labels) {
        labels.set(&[key], value.as_str().into());
    }
    let mut object = base(reference.kind.singular, namespace, name, cluster.start)?;
    object.set(&["metadata", "generation"], 1.into());
    object.set(&["metadata", "labels"], labels.clone());
    let mut spec = map! {
        "replicas" => replicas,
        "selector" => map! { "matchLabels" => map! { "app" => labels.get("app").cloned() } },
        "template" => map! {
            "metadata" => map! { "labels" => labels },
            "spec" => map! { "containers" => vec![map! { "name" => name, "image" => image }] },
        },
    };
    if let Some(wish) = written.iter().map(|one| &one.node_selector).find(|wish| !wish.is_empty()) {
        for (key, value) in wish {
            spec.set(&["template", "spec", "nodeSelector", key], value.as_str().into());
        }
    }
    match (manner, spec.as_map_mut()) {
        (Manner::Ordered, _) => spec.set(&["serviceName"], name.into()),
        // A node each.
        (Manner::Everywhere, Some(spec)) => drop(spec.remove("replicas")),
        _ => {}
    }
    object.set(&["spec"], spec);
    cluster.found(reference.clone(), object, Some(Life::new(manner, name, nature)));
    if says(&|one| one.autoscaled) {
        add_autoscaler(cluster, reference, namespace, replicas)?;
    }
    Ok(())
}

fn add_autoscaler(cluster: &mut Cluster, workload: &ObjectRef, namespace: &str, replicas: i64) -> Result<(), Failure> {
    let mut object = base("horizontalpodautoscaler", namespace, &workload.name, cluster.start)?;
    let target = map! { "apiVersion" => workload.kind.api_version(), "kind" => workload.kind.kind, "name" => workload.name.as_str() };
    object.set(&["spec"], map! { "scaleTargetRef" => target, "minReplicas" => 1, "maxReplicas" => (replicas * 2).max(10) });
    object.set(&["status"], map! { "currentReplicas" => replicas, "desiredReplicas" => replicas });
    cluster.found(ObjectRef::new(ResourceKind::named("horizontalpodautoscaler")?, namespace, &workload.name), object, None);
    Ok(())
}

/// Adds a manifest as it stands. Workloads among them would have no pods, so they belong under `workloads`.
fn add_manifest(cluster: &mut Cluster, source: &Source, index: &str, manifest: &Value, namespace: &str) -> Result<(), Failure> {
    let path = ["objects", index];
    let text = |at: &[&str]| manifest.str_at(at).ok_or_else(|| source.wrong(&path, format_args!("the manifest has no `{}`", at.join("."))));
    let (kind, name) = (text(&["kind"])?, text(&["metadata", "name"])?);
    let kind = ResourceKind::named(kind).map_err(|failure| Failure { hint: failure.hint, ..source.wrong(&path, failure.message) })?;
    if kind.is_workload() {
        return Err(source.wrong(&path, format_args!("{} belong under `workloads`, where they get pods", kind.plural)));
    }
    check_name(name).map_err(|failure| source.wrong(&path, failure.message))?;
    let namespace = manifest.str_at(&["metadata", "namespace"]).unwrap_or(namespace);
    let reference = ObjectRef::new(kind, namespace, name);
    if cluster.has(&reference) {
        return Err(source.wrong(&path, format_args!("{reference} is there already")));
    }
    let Some(given) = manifest.get("apiVersion").map_or(Some(kind.api_version()), |given| given.as_str().map(str::to_owned)) else {
        return Err(source.wrong(&path, "apiVersion must be text"));
    };
    let mut object = base(kind.singular, if kind.namespaced { namespace } else { "" }, name, cluster.start)?;
    crate::platform::objects::merge_patch(&mut object, manifest);
    object.set(&["apiVersion"], given.into());
    object.set(&["kind"], kind.kind.into());
    if kind.singular == "secret" && object.get("type").is_none() {
        object.set(&["type"], "Opaque".into());
    }
    if object.get("status").is_none() {
        at_rest(&mut object, kind.singular, cluster.start);
    }
    seal_secret(&mut object);
    cluster.found(reference, object, None);
    Ok(())
}

/// The status of a pod that runs by itself, and of a job that is complete: as they are when nothing is said of them.
fn at_rest(object: &mut Value, kind: &str, start: Timestamp) {
    let holds = |kind: &str| map! { "type" => kind, "status" => "True" };
    let began = render::time(start, BEFORE);
    match kind {
        "pod" => {
            let containers = object.at(&["spec", "containers"]).and_then(Value::as_list).unwrap_or_default();
            let running = |container: &Value| {
                let text = |key| container.str_at(&[key]).unwrap_or_default();
                map! {
                    "name" => text("name"), "image" => text("image"), "ready" => true, "restartCount" => 0,
                    "state" => map! { "running" => map! { "startedAt" => began.as_str() } },
                }
            };
            let containers: Vec<Value> = containers.iter().map(running).collect();
            let conditions: Vec<Value> = ["Initialized", "ContainersReady", "Ready"].map(holds).into();
            let status = map! {
                "phase" => "Running", "conditions" => conditions, "containerStatuses" => containers, "startTime" => began,
            };
            object.set(&["status"], status);
        }
        "job" => {
            let done = object.int_at(&["spec", "completions"]).unwrap_or(1);
            let conditions: Vec<Value> = ["SuccessCriteriaMet", "Complete"].map(holds).into();
            let status =
                map! { "succeeded" => done, "conditions" => conditions, "startTime" => began.as_str(), "completionTime" => began.as_str() };
            object.set(&["status"], status);
        }
        _ => {}
    }
}

/// Names of the file that the configuration does not have, keys that the database's kind has no use for, and the like.
pub(super) fn check_names(source: &Source, file: &WorldFile, config: &Config, environment: &Environment) -> Result<(), Failure> {
    let services = services(config, environment);
    let known = |path: &[&str], what: &str, known: &mut dyn Iterator<Item = &String>| {
        let known: Vec<&str> = known.map(String::as_str).collect();
        let name = path.last().copied().unwrap_or_default();
        if known.contains(&name) { Ok(()) } else { Err(source.unknown(path, what, known)) }
    };
    for (name, service) in &file.services {
        known(&["services", name], "service", &mut services.keys())?;
        check_routes(source, &["services", name], service)?;
        if service.slow.is_some() && services.get(name).is_some_and(|known| known.workload.is_none()) {
            return Err(source.wrong(&["services", name, "slow"], format_args!("{name:?} has no workload whose replicas could cure it")));
        }
    }
    for (prefix, service) in &file.urls {
        if !environment.allow.iter().any(|allowed| prefix.starts_with(allowed.as_str())) {
            let failure = source.wrong(&["urls", prefix], format_args!("{prefix:?} is beyond what the environment allows"));
            return Err(failure.hint("add it to `allow` of the environment in runbook.toml, or describe a service"));
        }
        check_routes(source, &["urls", prefix], service)?;
        if service.slow.is_some() {
            return Err(source.wrong(&["urls", prefix, "slow"], "only a service has replicas that could cure it"));
        }
    }
    for name in file.tunnels.keys() {
        known(&["tunnels", name], "service or database", &mut services.keys().chain(environment.databases.keys()))?;
        if environment.reach == Reach::Direct {
            let failure =
                source.wrong(&["tunnels", name], format_args!("the environment `{}` is reached without tunnels", environment.name));
            return Err(failure.hint("only an environment with reach = \"port-forward\" has any"));
        }
    }
    for name in file.channels.keys() {
        known(&["channels", name], "channel", &mut environment.channels.keys())?;
    }
    for (name, written) in &file.databases {
        known(&["databases", name], "database", &mut environment.databases.keys())?;
        let Some(database) = environment.databases.get(name) else { continue };
        for (key, used, kind) in [
            ("setup", !written.setup.is_empty(), DatabaseKind::Postgres),
            ("statements", !written.statements.is_empty(), DatabaseKind::Postgres),
            ("collections", !written.collections.is_empty(), DatabaseKind::Mongo),
            ("commands", !written.commands.is_empty(), DatabaseKind::Mongo),
            ("keys", !written.keys.is_empty(), DatabaseKind::Redis),
            ("info", written.info.is_some(), DatabaseKind::Redis),
        ] {
            if used && database.kind != kind {
                let kind = format!("{kind:?}").to_lowercase();
                return Err(source.wrong(&["databases", name, key], format_args!("`{key}` is for {kind}, and {name:?} is none")));
            }
        }
    }
    Ok(())
}

fn check_routes(source: &Source, path: &[&str; 2], service: &super::file::ServiceFile) -> Result<(), Failure> {
    const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    for route in service.routes.keys() {
        let right = route.split_once(' ').is_some_and(|(method, rest)| METHODS.contains(&method) && rest.starts_with('/'));
        if !right {
            let failure = source.wrong(&[path[0], path[1], "routes", route], format_args!("{route:?} is no route"));
            return Err(failure.hint("routes read \"GET /metrics\": a method in capitals, a space, a path"));
        }
    }
    Ok(())
}
