//! What is deleted, made anew and evicted; the events that tell of it.

use super::*;
use crate::platform::prepare::prepare;

fn names(pods: &[String]) -> Vec<&str> {
    pods.iter().map(|pod| pod.split(' ').next().unwrap()).collect()
}

fn deletion(target: &str) -> Write {
    Write::Delete { object: object(target), uid: None, grace: None, controlled: false, timeout: WAIT }
}

#[test]
fn what_is_deleted_is_gone_with_its_pods_and_comes_back_by_its_inverse() {
    let world = healthy();
    let before = world.get("deployment/billing");
    world.sleep(10);
    let prepared = with_cx(|cx| prepare(&world, deletion("deployment/billing"), cx)).unwrap();
    assert_eq!((prepared.before, prepared.after), (map! { "exists" => true }, map! { "exists" => false }));
    assert_eq!(prepared.remarks, ["2 pods of deployment/billing are deleted with it"]);
    world.delete("deployment/billing").unwrap();
    let gone = world.ask(&Read::Object(object("deployment/billing"))).unwrap_err();
    assert_eq!((gone.kind, world.pods("billing").len(), world.select("replicaset", "app=billing").len()), (Kind::NotFound, 0, 0));
    assert_eq!(world.delete("deployment/billing").unwrap_err().kind, Kind::NotFound);
    // A branch that begins before it still sees it.
    world.clock().jump(Duration::from_secs(5));
    assert_eq!((world.get("deployment/billing"), world.pods("billing").len()), (before.clone(), 2));
    world.clock().jump(Duration::from_secs(20));
    world.change(prepared.inverse.unwrap()).unwrap();
    world.sleep(10);
    let after = world.get("deployment/billing");
    assert_eq!((after.get("spec"), world.status("deployment/billing").as_str()), (before.get("spec"), "2/2/2"));
    assert_ne!(after.str_at(&["metadata", "uid"]), before.str_at(&["metadata", "uid"]));
}

#[test]
fn what_has_come_in_the_place_of_what_was_to_go_is_left_alone() {
    let world = healthy();
    let prepared = with_cx(|cx| prepare(&world, deletion("deployment/billing"), cx)).unwrap();
    world.delete("deployment/billing").unwrap();
    world.sleep(1);
    world.change(prepared.inverse.clone().unwrap()).unwrap();
    let failure = with_cx(|cx| world.write(&prepared, cx)).unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    assert!(failure.message.contains("it has been deleted and made anew"), "{}", failure.message);
    assert!(world.ask(&Read::Object(object("deployment/billing"))).is_ok());
}

#[test]
fn a_pod_that_is_deleted_is_made_anew_by_its_workload() {
    let world = healthy();
    let before = world.pods("billing");
    world.delete(&format!("pod/{}", names(&before)[0])).unwrap();
    assert_eq!(world.pods("billing").len(), 2);
    world.sleep(10);
    let after = world.pods("billing");
    assert_eq!(after.iter().filter(|pod| pod.ends_with("Running True")).count(), 2);
    assert!(!names(&after).contains(&names(&before)[0]) && names(&after).contains(&names(&before)[1]), "{before:?} {after:?}");
    let uid = |world: &World| world.get("pod/postgres-1").str_at(&["metadata", "uid"]).unwrap().to_owned();
    let old = uid(&world);
    world.delete("pod/postgres-1").unwrap();
    assert_ne!(uid(&world), old);
}

#[test]
fn a_namespace_goes_with_all_that_is_in_it() {
    let world = try_load("objects:\n  - { kind: ConfigMap, metadata: { name: x } }\n").unwrap();
    let namespace = ObjectRef::new(ResourceKind::named("namespace").unwrap(), "", "platform");
    world.change(Write::Delete { object: namespace, uid: None, grace: None, controlled: false, timeout: WAIT }).unwrap();
    assert_eq!(world.ask(&Read::Object(object("configmap/x"))).unwrap_err().kind, Kind::NotFound);
    assert_eq!((world.select("deployment", "app").len(), world.select("pod", "app").len()), (0, 0));
}

#[test]
fn an_eviction_waits_until_the_budget_lets_the_pod_go() {
    let budget = |least: &str| {
        format!(
            "objects:\n  - {{ kind: PodDisruptionBudget, metadata: {{ name: billing }}, spec: {{ minAvailable: {least}, selector: {{ matchLabels: {{ app: billing }} }} }} }}\n"
        )
    };
    let world = try_load(&budget("1")).unwrap();
    let pods = world.pods("billing");
    let begun = world.clock().elapsed();
    world.evict_within(names(&pods)[0], WAIT).unwrap();
    assert_eq!(world.clock().elapsed(), begun, "one of two may be missing");
    world.evict_within(names(&pods)[1], WAIT).unwrap();
    // The first one's successor was ready after three seconds.
    assert_eq!(world.clock().elapsed() - begun, Duration::from_secs(3));
    for never in ["2", "100%"] {
        let world = try_load(&budget(never)).unwrap();
        let pods = world.pods("billing");
        let failure = world.evict_within(names(&pods)[0], Duration::from_secs(7)).unwrap_err();
        assert_eq!((failure.kind, failure.sent), (Kind::Timeout, crate::model::Sent::No));
        assert!(failure.message.starts_with("a disruption budget holds pod/billing-") && failure.message.ends_with("for 7s"), "{failure}");
        assert_eq!((world.clock().elapsed(), world.pods("billing") == pods), (Duration::from_secs(7), true));
    }
    assert_eq!(world.evict_within("no-such", WAIT).unwrap(), map! { "remaining" => Vec::new() }, "who is gone is gone");
}

#[test]
fn events_tell_what_happened_to_pods_in_the_last_hour() {
    let world = try_load("workloads:\n  deployment/billing: { crash: true }\n").unwrap();
    world.scale("deployment/consent", 3);
    world.sleep(60);
    let told = |world: &World, name: &str| -> Vec<String> {
        let kind = ResourceKind::named("event").unwrap();
        let (namespace, freshness) = (Some("platform".into()), Freshness::Now);
        let selection = Selection { kind, namespace, selector: None, fields: Vec::new(), freshness, timeout: WAIT };
        let events = world.ask(&Read::Objects(selection)).unwrap();
        let about = |event: &&Value| event.str_at(&["involvedObject", "name"]).unwrap().starts_with(name);
        let shown = |event: &Value| format!("{} {}", event.str_at(&["type"]).unwrap(), event.str_at(&["reason"]).unwrap());
        let mut shown: Vec<String> = events.as_list().unwrap().iter().filter(about).map(shown).collect();
        shown.sort();
        shown
    };
    assert_eq!(told(&world, "consent"), ["Normal ScalingReplicaSet", "Normal Scheduled", "Normal Started", "Normal SuccessfulCreate"]);
    assert_eq!(told(&world, "billing"), ["Warning BackOff", "Warning BackOff"]);
    world.sleep(3_600);
    assert_eq!(told(&world, "consent"), [""; 0]);
}

#[test]
fn a_daemonset_has_a_pod_on_each_node_cordoned_or_not() {
    let world = try_load(
        "nodes:\n  a: {}\n  b: { unschedulable: true }\n  c: { labels: { kind: gpu } }\nworkloads:\n  daemonset/agent: { extra: true }\n  \
         daemonset/driver: { node_selector: { kind: gpu }, extra: true }\n",
    )
    .unwrap();
    let nodes = |app: &str| -> Vec<String> {
        let pods = world.select("pod", &format!("app={app}"));
        let mut nodes: Vec<String> = pods.iter().map(|pod| pod.str_at(&["spec", "nodeName"]).unwrap().to_owned()).collect();
        nodes.sort();
        nodes
    };
    assert_eq!((nodes("agent"), nodes("driver")), (vec!["a".to_owned(), "b".into(), "c".into()], vec!["c".to_owned()]));
    let old = world.pods("agent");
    world.patch("daemonset/agent", r#"{"spec":{"template":{"metadata":{"annotations":{"x":"y"}}}}}"#).unwrap();
    // One after the other, three seconds each.
    assert_eq!(world.get("daemonset/agent").int_at(&["status", "updatedNumberScheduled"]), Some(1));
    world.sleep(4);
    assert_eq!(world.get("daemonset/agent").int_at(&["status", "updatedNumberScheduled"]), Some(2));
    world.sleep(10);
    let new = world.pods("agent");
    assert_eq!((nodes("agent").len(), new.iter().filter(|pod| old.contains(pod)).count()), (3, 0));
    assert_eq!(world.select("controllerrevision", "app=agent").len(), 2);
}
