//! Changes that nobody knows the end of: in doubt, exit code 9, never repeated, and on record with what to check.

use rustix::process::Signal;
use serde_json::json;

use super::failed;
use crate::support::{Hook, NO_PODS, Project, Proxy, Ran, Real, Slot, api_server, changes_in, kubectl, namespace, state_of_api};

/// A proxy that does something once a patch has been sent through it.
fn at_the_patch(mode: &str) -> Proxy {
    Proxy::tls(&api_server(), &json!({ "mode": mode, "when": "PATCH" }))
}

const LOOK: &str = "look at the target before doing it again: it may have happened";

/// Checks what a run says of the deployment that it may have scaled, at its end and later.
#[track_caller]
fn doubtful(ran: Ran, name: &str) -> Ran {
    let by_hand = by_hand(name);
    let ran =
        ran.stdout_has("In doubt: deployment/api at x.rhai:1. Look before you repeat it; by hand it would be:\n").stdout_has(&by_hand);
    let ran = ran.stdout_has("in_doubt: 0 changes made, 0 messages sent, 1 in doubt, ");
    assert_eq!(ran.outcomes(), ["deployment/api in_doubt"], "{ran}");
    shown_as_doubtful(&ran.project, &by_hand);
    ran
}

/// The command line that says the same as the change.
fn by_hand(name: &str) -> String {
    format!("kubectl --context=test -n {} scale deployment/api --replicas=3", namespace(name))
}

#[track_caller]
fn shown_as_doubtful(project: &Project, by_hand: &str) {
    let shown = project
        .run(["log", "show", "last"])
        .status(0)
        .stdout_has("1 write is IN DOUBT: sent, or about to be, and nobody knows if it happened");
    let shown = shown.stdout_has("spec.replicas: 1 → 3").stdout_has("!! IN DOUBT: nobody knows whether deployment/api was changed");
    let shown = shown.stdout_has(&format!("!! it was to do:  {by_hand}"));
    shown.stdout_has("!! to check:      it happened if deployment/api now has spec.replicas = 3");
    let json = project.run(["log", "show", "last", "-o", "json"]).status(0).json();
    assert_eq!((json["in_doubt"].as_array().unwrap().len(), &json["in_doubt"][0]["object"]), (1, &"deployment/api".into()));
}

#[test]
fn a_reply_lost_after_the_commit_is_in_doubt_and_not_repeated() {
    let proxy = at_the_patch("drop-replies");
    let project = Real::new("lost-reply").through(&proxy).deployed();
    let script = "retry(|| scale(\"api\", 3), #{ times: 3, delay: \"10ms\", any: true });\nnote(\"went on\");";
    let ran = failed(project.really(script), "in_doubt", "the change of deployment/api was sent, and no answer came: ", LOOK);
    let ran = doubtful(ran.has_not("note: went on"), "lost-reply");
    assert_eq!(state_of_api("lost-reply"), "2 3", "the server had committed it");
    let sent = changes_in("lost-reply");
    assert_eq!(sent.len(), 1, "{sent:?}\n{ran}");
    // A replay answers from the record, and repeats nothing either.
    let replay = project.run(["run", "x.rhai", "--replay", "last"]).status(9).stderr_has("error[in_doubt]: ");
    assert_eq!(changes_in("lost-reply").len(), 1, "{replay}");
}

#[test]
fn a_deletion_or_another_patch_without_its_reply_is_in_doubt_and_not_repeated() {
    for (name, when, script, target, sent, gone) in [
        ("lost-deletion", "DELETE", "delete(\"deployment/api\")", "deployment/api", "delete", true),
        (
            "lost-strategic",
            "PATCH",
            "patch(\"deployment/api\", #{ spec: #{ template: #{ spec: #{ containers: [#{ name: \"api\", image: \"registry.example/api:2\" }] } } } })",
            "deployment/api",
            "patch",
            false,
        ),
        ("lost-label", "PATCH", "label(\"deployment/api\", #{ tier: \"back\" })", "deployment/api", "patch", false),
        ("lost-note", "PATCH", "annotate(\"deployment/api\", #{ why: \"so\" })", "deployment/api", "patch", false),
        ("lost-restart", "PATCH", "restart(\"api\")", "deployment/api", "patch", false),
        ("lost-undo", "PATCH", "rollout_undo(\"api\")", "deployment/api", "patch", false),
    ] {
        let proxy = Proxy::tls(&api_server(), &json!({ "mode": "drop-replies", "when": when }));
        let project = Real::new(name).through(&proxy).deployed();
        if name == "lost-undo" {
            kubectl(&["-n", &namespace(name), "rollout", "status", "deployment/api", "--timeout=30s"]);
            kubectl(&["-n", &namespace(name), "set", "image", "deployment/api", "api=registry.example/api:2"]);
            kubectl(&["-n", &namespace(name), "rollout", "status", "deployment/api", "--timeout=30s"]);
        }
        let generation = || {
            kubectl(&[
                "-n",
                &namespace(name),
                "get",
                "deployment",
                "api",
                "--ignore-not-found",
                "-o",
                "jsonpath={.metadata.generation} {.metadata.annotations.why} {.metadata.labels.tier}",
            ])
        };
        let before = generation();
        let script = format!("retry(|| {script}, #{{ times: 3, delay: \"10ms\", any: true }});\nnote(\"went on\");");
        let ran = failed(project.really(&script), "in_doubt", "the change of deployment/api was sent, and no answer came: ", LOOK);
        let ran = ran.has_not("note: went on").stdout_has(&format!("In doubt: {target} at x.rhai:1."));
        assert_eq!(ran.outcomes(), [format!("{target} in_doubt")], "{ran}");
        let changes = changes_in(name);
        assert_eq!((changes.len(), changes[0].starts_with(sent)), (1, true), "{changes:?}\n{ran}");
        let there = kubectl(&["-n", &namespace(name), "get", "deployment", "api", "--ignore-not-found", "-o", "name"]);
        assert_eq!(there.is_empty(), gone, "the server had committed it");
        assert_ne!(generation(), before, "the server had committed it\n{ran}");
        let shown = project.run(["log", "show", "last"]).status(0);
        shown.stdout_has("1 write is IN DOUBT").stdout_has(if gone {
            "now has exists = false"
        } else {
            "it happened if deployment/api now has "
        });
    }
}

#[test]
fn an_eviction_without_its_reply_is_in_doubt_and_the_drain_goes_no_further() {
    let proxy = Proxy::tls(&api_server(), &json!({ "mode": "drop-replies", "when": "/eviction" }));
    let (project, place) = (Real::new("lost-eviction").through(&proxy).deployed(), namespace("lost-eviction"));
    let pod = |name: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{ name: {name}, namespace: {place} }}\n\
             spec: {{ nodeName: {place}, containers: [ {{ name: x, image: \"registry.example/x:1\" }} ] }}\n"
        )
    };
    project.apply(&format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{ name: {place} }}\nspec: {{ unschedulable: true }}\n{}{}",
        pod("a"),
        pod("b")
    ));
    kubectl(&["-n", &place, "wait", "--for=condition=Ready", "pod/a", "pod/b", "--timeout=30s"]);
    let script = format!("drain({place:?}, #{{ force: true, timeout: \"20s\" }});");
    let message = "the change of pod/a was sent, and no answer came: ";
    let ran = failed(project.really(&script), "in_doubt", message, LOOK);
    assert_eq!(ran.outcomes(), ["pod/a in_doubt"], "{ran}");
    let fields = format!("--field-selector=spec.nodeName={place}");
    assert_eq!(
        kubectl(&["-n", &place, "get", "pods", &fields, "-o", "name"]),
        "pod/b\n",
        "one was evicted, and the other was not asked for"
    );
    kubectl(&["delete", "node", &place, "--wait=false"]);
}

#[test]
fn noise_in_place_of_the_api_server_s_answer_is_in_doubt() {
    let proxy = at_the_patch("garble");
    let project = Real::new("noise").through(&proxy).deployed();
    let script = "retry(|| scale(\"api\", 3), #{ times: 3, delay: \"10ms\", any: true });";
    let ran = failed(project.really(script), "in_doubt", "the change of deployment/api was sent, and no answer came: ", LOOK);
    doubtful(ran, "noise");
    assert_eq!((state_of_api("noise").as_str(), changes_in("noise").len()), ("2 3", 1));
}

#[test]
fn a_cordon_without_its_reply_is_in_doubt_and_nothing_is_evicted() {
    let (proxy, name) = (at_the_patch("drop-replies"), namespace("lost-cordon"));
    let project = Real::new("lost-cordon").through(&proxy).project();
    for (script, closed) in [("cordon", "true"), ("uncordon", ""), ("drain", "true")] {
        project.apply(&format!("apiVersion: v1\nkind: Node\nmetadata: {{ name: {name} }}\n{NO_PODS}"));
        kubectl(&[if closed.is_empty() { "cordon" } else { "uncordon" }, &name]);
        let script = format!("retry(|| {script}({name:?}), #{{ times: 3, delay: \"10ms\", any: true }});");
        let message = format!("the change of node/{name} was sent, and no answer came: ");
        let ran = failed(project.really(&script), "in_doubt", &message, LOOK);
        assert_eq!(ran.outcomes(), [format!("node/{name} in_doubt")], "{ran}");
        assert_eq!(kubectl(&["get", "node", &name, "-o", "jsonpath={.spec.unschedulable}"]), closed, "the server had committed it");
    }
    kubectl(&["delete", "node", &name, "--wait=false"]);
}

#[test]
fn an_api_server_that_hangs_after_a_change_is_in_doubt_though_the_script_goes_on() {
    let proxy = at_the_patch("hang");
    let project = Real::new("hung-server").through(&proxy).deployed();
    let script = "try { scale(\"api\", 3, #{ timeout: \"400ms\" }); } catch (e) { note(`${e.kind}, retryable: ${e.retryable}`); }\nnote(\"went on\");";
    let ran = project.really(script).status(9).stderr_has("note: in_doubt, retryable: false").stderr_has("note: went on");
    let ran = doubtful(ran.recorded("in_doubt", 9), "hung-server");
    let failure = &ran.journaled("outcome")[0]["failure"];
    assert_eq!(failure["message"], "the patch of deployment/api was sent, and no answer came within 400ms");
    assert_eq!((&failure["hint"], &failure["sent"]), (&LOOK.into(), &"unknown".into()));
}

#[test]
fn a_kill_after_the_commit_leaves_the_intent_and_what_to_check() {
    let proxy = at_the_patch("drop-replies");
    let project = Real::new("killed-run").through(&proxy).deployed().script("x.rhai", "scale(\"api\", 3);");
    let running = project.start(project.command(["run", "x.rhai"]));
    proxy.until("lost_bytes");
    running.signal(Signal::KILL);
    let ran = running.wait();
    assert_eq!((ran.code, ran.signal), (None, Some(9)), "{ran}");
    assert_eq!(state_of_api("killed-run"), "2 3", "the server had committed it");
    let last = ran.journal().pop().unwrap();
    assert_eq!(
        (&last["type"], &last["object"], &last["after"]),
        (&"intent".into(), &"deployment/api".into(), &json!({ "spec.replicas": 3 }))
    );
    shown_as_doubtful(&project, &by_hand("killed-run"));
    project.run(["log", "verify", "last"]).status(0).stdout_has("intact").stdout_has("not ended: the run was cut off");
}

#[test]
fn a_rehearsal_whose_validation_is_lost_is_not_in_doubt() {
    let proxy = at_the_patch("drop-replies");
    let project = Real::new("lost-rehearsal").through(&proxy).deployed();
    let ran = failed(
        project.rehearsed_really("scale(\"api\", 3);"),
        "unavailable",
        " cannot be reached: ",
        "is the API server of the context `test` up",
    );
    let ran = ran.stdout_has("failed: 0 changes planned").has_not("In doubt");
    assert!(ran.journaled("intent").is_empty(), "{ran}");
    assert_eq!(state_of_api("lost-rehearsal"), "1 1");
}

#[test]
fn one_branch_in_doubt_outweighs_another_that_failed() {
    let slot = Slot::new(&json!({}));
    let proxy = at_the_patch("hang");
    let project = Real::new("branches").through(&proxy).service("other", &slot.address).deployed();
    let script = "parallel([|| scale(\"api\", 3, #{ timeout: \"400ms\" }), || http_get(\"other/none\")]);";
    let ran = failed(project.really(script), "in_doubt", "the patch of deployment/api was sent, and no answer came within 400ms", "");
    doubtful(ran.stderr_has("2 of 2 branches failed: ").stderr_has("other/none answered HTTP 404"), "branches");
}

#[test]
fn a_webhook_that_hangs_up_after_the_request_is_in_doubt_and_one_that_refuses_is_not() {
    let closes = Hook::new("closes", &json!({ "close": true }));
    let project = Real::new("default").hook(&closes).project();
    let script = "retry(|| notify(\"hook\", \"hello\"), #{ times: 3, delay: \"10ms\", any: true });";
    let message = "the message to hook was sent, and no answer came: the connection was closed before an answer";
    let ran = failed(project.really(script), "in_doubt", message, "look at the channel before sending it again");
    let ran = ran.stdout_has("In doubt: hook at x.rhai:1.").stdout_has("in_doubt: 0 changes made, 0 messages sent, 1 in doubt");
    assert_eq!((ran.outcomes(), closes.received().len()), (vec!["hook in_doubt".to_owned()], 1), "{ran}");

    let refuses =
        Hook::new("refuses", &json!([{ "status": 410, "body": "no such hook" }, { "status": 429, "headers": { "Retry-After": "7" } }]));
    let project = Real::new("default")
        .hook(&refuses)
        .table("channels.gone", "kind = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\nsigning = { env = \"OPS_PASSWORD\" }")
        .project();
    for (channel, kind, message, hint) in [
        ("hook", "failed", "the channel `hook` answered HTTP 410: no such hook", "is its address right, and still valid?"),
        ("hook", "unavailable", "the channel `hook` takes no more messages for now (HTTP 429)", "try again after 7 s"),
        ("gone", "unavailable", "the message to gone: connection refused", "does it run, and is it reachable from here?"),
    ] {
        let ran = failed(project.really(&format!("notify({channel:?}, \"hello\");")), kind, message, hint);
        let ran = ran.stdout_has("failed: 0 changes made, 0 messages sent, 1 failed");
        assert_eq!(ran.outcomes(), [format!("{channel} failed")], "{ran}");
    }
}
