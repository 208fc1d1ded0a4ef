//! Secrets: a canary in the environment, a file, a Kubernetes secret, a parameter, a body, an error, a URL appears in no form
//! in any output, journal, payload or message.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::failed;
use crate::support::{Hook, Project, Ran, Real, Slot, namespace, variable};

/// Written down by somebody who wanted it to be found: quotes of both kinds, slashes, markup, a letter that is not ASCII.
pub(super) const KEY: &str = "Canary/1'<K>&\"ü+key";
/// In a Kubernetes secret.
pub(super) const TOKEN: &str = "canary-token-of-kubernetes-2";
/// In the path of a webhook's address.
const PATH: &str = "canaryTokenOfTheWebhook3";

/// The forms in which a secret is met, made by others' code than the masker's.
pub(super) fn forms(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::to_string(secret).unwrap();
    let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let (base64, url_safe) = (STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret));
    // Without its own quotes only: a secret may end in one.
    let json = json[1..json.len() - 1].to_owned();
    let quoted = [secret, &json].map(|text| text.replace('\'', r"'\''"));
    let all = [secret.to_owned(), json, url.replace('+', "%20"), url, base64, url_safe, hex.to_uppercase(), hex];
    all.into_iter().chain(quoted).collect()
}

/// Every form of both secrets, as a service might print them.
pub(super) fn all_forms() -> String {
    [forms(KEY), forms(TOKEN)].concat().join(" ")
}

/// A project whose secrets are the canaries; a webhook that is signed with one, and one whose address is one.
pub(super) fn project(name: &str, slot: &Slot, hook: &Hook) -> Project {
    let namespace = namespace(name);
    let project = Real::new(name)
        .service("api", &slot.address)
        .postgres(&variable("RUNBOOK_TEST_POSTGRES"))
        .redis(&variable("RUNBOOK_TEST_REDIS"))
        .mongo(&variable("RUNBOOK_TEST_MONGO"))
        .table("channels.signed", &format!("kind = \"webhook\"\nurl = \"{}\"\nsigning = {{ env = \"CANARY_KEY\" }}", hook.url))
        .table("channels.chat", "kind = \"slack\"\nwebhook = { file = \"webhook\" }")
        .project();
    let secret = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {namespace} }}\n---\napiVersion: v1\nkind: Secret\n\
         metadata: {{ name: creds, namespace: {namespace} }}\nstringData: {{ token: {TOKEN} }}\ndata: {{ key: {} }}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: leaky, namespace: {namespace} }}\ndata: {{ copied: {} }}\n",
        STANDARD.encode(KEY),
        serde_json::to_string(&all_forms()).unwrap()
    );
    project.apply(&secret);
    project.file("webhook", &format!("{}/T000/B000/{PATH}", hook.url)).mode("webhook", 0o600).env("CANARY_KEY", KEY)
}

/// Checks that no canary stands in what a run has shown, kept and sent.
#[track_caller]
pub(super) fn nowhere(ran: &Ran, hook: &Hook) {
    let project = &ran.project;
    let mut sinks = vec![("standard output".to_owned(), ran.out.clone()), ("standard error".to_owned(), ran.err.clone())];
    for args in [&["log", "show", "last"][..], &["log", "show", "last", "-o", "json"]] {
        let shown = project.run(args);
        sinks.push((args.join(" "), format!("{}{}", shown.out, shown.err)));
    }
    collect(&project.outside().join("state"), &mut sinks);
    for mut received in hook.received() {
        // The address of the webhook is where the message was sent.
        received["path"].take();
        sinks.push(("a message".to_owned(), received.to_string()));
        sinks.push(("a message's body".to_owned(), received["body"].as_str().unwrap().to_owned()));
    }
    for (place, text) in &sinks {
        let unbroken: String = text.replace("\\n", "").chars().filter(|c| !c.is_whitespace()).collect();
        for form in [forms(KEY), forms(TOKEN), forms(PATH)].concat() {
            assert!(!text.contains(&form), "{form:?} is in {place}:\n{text}");
            assert!(!unbroken.contains(&form), "{form:?} is over lines in {place}:\n{text}");
        }
    }
}

fn collect(folder: &Path, sinks: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            collect(&entry.path(), sinks);
        } else {
            let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
            sinks.push((entry.path().display().to_string(), text));
        }
    }
}

/// A service that repeats what it should not know.
fn talkative() -> Slot {
    let leaked = all_forms();
    Slot::new(&json!({
        "GET /text": { "body": &leaked },
        "GET /json": { "headers": { "Content-Type": "application/json" }, "body": json!({ "deep": [{ "leaked": &leaked }] }).to_string() },
        "GET /fails": { "status": 500, "body": &leaked },
        "GET /away": { "redirect": format!("http://elsewhere.example/{TOKEN}?key={}", forms(KEY)[2]) },
        "GET /headers": { "headers": { "X-Token": TOKEN, "Set-Cookie": format!("session={}", forms(KEY)[4]) } },
    }))
}

const LOOKS: &str = r#"
let secret = get("secret/creds");
show(secret);
note(`${secret} ${secret.data.token}`);
show(get("configmap/leaky").data.copied);
let text = http_get("api/text", #{ headers: #{ Authorization: secret.data.token } }).body;
show(text);
note(text);
print(text);
show(http_get("api/json").body);
show(http_get("api/headers").headers);
notify(["signed", "chat"], `it said: ${text}`, #{ fields: #{ said: text } });
"#;

#[test]
fn what_goes_well_shows_keeps_and_sends_no_secret() {
    let (slot, hook) = (talkative(), Hook::new("canaries", &json!({})));
    let project = project("canaries", &slot, &hook).script("x.rhai", LOOKS);
    for args in [&["run", "x.rhai"][..], &["run", "x.rhai", "-o", "json"], &["run", "x.rhai", "--dry-run"]] {
        let ran = project.run(args).status(0).stderr_has("note: *** *** ");
        nowhere(&ran, &hook);
    }
    // It was the secret itself that reached the service, and its signature the receiver.
    let sent = slot.requests().into_iter().find(|request| request["path"] == "/text").unwrap();
    assert_eq!(sent["headers"]["authorization"], TOKEN);
    let messages = hook.received();
    assert_eq!(messages.len(), 4, "two channels, twice; none in the rehearsal");
    assert!(messages.iter().all(|message| message["body"].as_str().unwrap().contains("it said: *** ***")));
    let ran = project.run(["run", "x.rhai", "--replay", "last"]);
    nowhere(&ran, &hook);
}

#[test]
fn what_fails_shows_and_keeps_no_secret() {
    // Wherever the text is cut, a secret stands there: cut before it is masked, its first half would be left.
    let cut = format!("{PATH} ").repeat(200);
    let (slot, hook) = (
        talkative(),
        Hook::new(
            "canary-errors",
            &json!([{ "status": 500, "body": format!("no hook T000/B000/{PATH}") }, { "close": true }, { "status": 500, "body": cut }]),
        ),
    );
    let project = project("canary-errors", &slot, &hook);
    let read = "let secret = get(\"secret/creds\").data;\n";
    for (script, kind, message) in [
        ("http_get(\"api/fails\");", "failed", "api/fails answered HTTP 500: *** "),
        ("http_get(\"api/away\");", "failed", "a redirect to http://elsewhere.example/***"),
        ("throw http_get(\"api/text\").body;", "failed", "*** ***"),
        ("check(false, http_get(\"api/text\").body);", "failed", "*** ***"),
        ("sql(\"postgres\", \"SELECT reverse($1::text)\", #{ params: [secret.token] });", "bad_argument", "holds the secret secret/creds/"),
        ("sql(\"postgres\", \"SELECT \" + secret.token);", "bad_argument", ""),
        ("http_get(\"api/\" + secret.token);", "not_found", "api/*** answered HTTP 404"),
        ("http_get(\"http://elsewhere.example/\" + http_get(\"api/text\").body);", "denied", "http://elsewhere.example is not among"),
        ("notify(\"chat\", \"x\");", "in_doubt", "the channel `chat` answered HTTP 500: no hook T000/B000/***"),
        ("notify(\"chat\", \"x\");", "in_doubt", "the message to chat was sent, and no answer came: "),
    ] {
        let ran = project.really(&format!("{read}{script}")).stderr_has(&format!("error[{kind}]: ")).stderr_has(message);
        nowhere(&ran, &hook);
    }
    let ran = project.really("notify(\"chat\", \"x\");").stderr_has("HTTP 500: *** *** ***").has_not(&PATH[..8]);
    assert!(!std::fs::read_to_string(ran.journal_path()).unwrap().contains(&PATH[..8]), "{ran}");
    // A script that holds one, and an operator who passes one.
    let ran = project
        .really(&format!("note({KEY:?}); print({KEY:?});\nthrow {KEY:?};"))
        .status(1)
        .stderr_has("note: ***")
        .stderr_has("error[failed]: ***");
    nowhere(&ran, &hook);
    let script = "let params = runbook(#{ title: \"x\", params: #{ key: #{ type: \"string\" } } });\nnote(params.key);\nthrow params.key;";
    let args = ["run", "x.rhai", "-o", "json", "--param", &format!("key={KEY}")];
    nowhere(&project.script("x.rhai", script).run(args).status(1).stderr_has("note: ***"), &hook);
}

#[test]
fn no_mask_goes_into_a_change_and_no_secret_into_a_message() {
    let (slot, hook) = (Slot::new(&json!({ "GET /text": { "body": TOKEN } })), Hook::new("canary-writes", &json!({})));
    let project = project("canary-writes", &slot, &hook);
    let mask = "the change would write the mask; pass the secret itself, or the value it was read from";
    let script = "get(\"secret/creds\");\nrestart(http_get(\"api/text\").body);";
    failed(project.really(script), "bad_argument", "an argument of `restart` holds `***`, the mask of a secret", mask);
    for argument in ["secret", "#{ fields: #{ deep: [secret] } }"] {
        let call =
            if argument == "secret" { "notify(\"signed\", secret);".to_owned() } else { format!("notify(\"signed\", \"x\", {argument});") };
        let script = format!("let secret = get(\"secret/creds\").data.token;\n{call}");
        for ran in [project.really(&script), project.rehearsed_really(&script)] {
            let message = "an argument of `notify` is the secret secret/creds/token";
            let ran = failed(ran, "bad_argument", message, "name the secret, leave its content out");
            nowhere(&ran, &hook);
        }
    }
    assert_eq!(hook.received(), [] as [serde_json::Value; 0]);
}

#[test]
fn a_secret_that_cannot_be_opened_says_which_and_the_rest_goes_on() {
    let hook = Hook::new("unopened", &json!({}));
    let channel = |name: &str, source: &str| (format!("channels.{name}"), format!("kind = \"slack\"\nwebhook = {source}"));
    let sources = [
        channel("env", "{ env = \"NOT_SET\" }"),
        channel("file", "{ file = \"missing\" }"),
        channel("program", "{ command = [\"no-such-program\"] }"),
        channel("command", "{ command = [\"sh\", \"-c\", \"echo hunter2hunter2; echo hunter2hunter2 >&2; exit 3\"] }"),
        channel("kubernetes", "{ kubernetes = \"secret/none/token\" }"),
    ];
    let real = sources.iter().fold(Real::new("unopened").hook(&hook), |real, (table, lines)| real.table(table, lines));
    let project = real.project();
    for (channel, message, hint) in [
        ("env", "the environment variable NOT_SET is not set", "export NOT_SET and run again"),
        ("file", "the secret file missing cannot be read: entity not found", ""),
        ("program", "the secret command \"no-such-program\" cannot be started: entity not found", ""),
        ("command", "the secret command \"sh\" failed: exit status: 3", ""),
        ("kubernetes", "the key token of secret/none cannot be read: there is no such secret", "is it in the namespace unopened-"),
    ] {
        let ran = project.really(&format!("notify(\"hook\", \"before\");\nnotify({channel:?}, \"x\");")).status(4).has_not("hunter2");
        let ran = ran.stderr_has(&format!("error[auth]: {message}")).stderr_has(" --> x.rhai:2:1").stderr_has(hint).recorded("failed", 4);
        assert_eq!(ran.outcomes(), ["hook sent".to_owned(), format!("{channel} failed")], "{ran}");
    }
    assert_eq!(hook.received().len(), 5);
}

/// A pod whose log is what should not be known, in the namespace of a project.
pub(super) fn talkative_pod(project: &Project, name: &str) {
    let (namespace, file) = (namespace(name), project.outside().join("pod.log"));
    let (begun, ended) = TOKEN.split_at(TOKEN.len() / 2);
    let lines = [all_forms(), format!("{} {KEY}", "x".repeat(65_500)), TOKEN.to_owned(), begun.to_owned(), ended.to_owned()];
    let lines: String = lines.iter().map(|line| format!("2026-11-23T00:00:00.000000000Z stdout F {line}\n")).collect();
    fs::write(&file, lines).unwrap();
    project.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: runner, namespace: {namespace} }}\n\
         spec: {{ containers: [ {{ name: runner, image: \"registry.example/runner:1\" }} ] }}\n---\n\
         apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Logs\nmetadata: {{ name: runner, namespace: {namespace} }}\nspec: {{ logs: [ {{ logsFile: {file:?} }} ] }}\n"
    ));
    crate::support::kubectl(&["-n", &namespace, "wait", "--for=condition=Ready", "pod/runner", "--timeout=30s"]);
}

const PROGRAMS: &str = r#"
let secret = get("secret/creds").data;
let it = exec("pod/runner", ["head", "-c", "28"], #{ stdin: secret.token });
show(it);
check(it.stdout == "***", "it was another text");
exec("pod/runner", ["sh", "-c", "head -c 34; exit 3"], #{ stdin: #{ deep: [secret.key] }, ok_exit: [3] });
let it = command(["sh", "-c", "echo $TOKEN; printf %s \"$TOKEN\" | base64; echo \"$KEY\" >&2"], #{ env: #{ TOKEN: secret.token, KEY: secret.key } });
show(it);
note(`${it.stdout} ${it.stderr}`);
show(command(["cat"], #{ stdin: #{ token: secret.token } }).stdout);
show(logs("pod/runner"));
show(logs("pod/runner", #{ save: `kept-${environment().run}.log` }));
show(logs("pod/runner", #{ grep: "canary", count: true }));
"#;

#[test]
fn programs_get_secrets_by_input_and_environment_and_nobody_sees_them() {
    let (slot, hook) = (talkative(), Hook::new("canary-programs", &json!({})));
    let project = project("canary-programs", &slot, &hook).script("x.rhai", PROGRAMS);
    talkative_pod(&project, "canary-programs");
    let ran = project.run(["run", "x.rhai"]).status(0);
    nowhere(&ran, &hook);
    let saved = fs::read_dir(project.root()).unwrap().flatten().find(|file| file.file_name().to_string_lossy().starts_with("kept-"));
    let saved = fs::read_to_string(saved.unwrap().path()).unwrap();
    assert_eq!(saved.lines().count(), 5);
    let broken = &TOKEN[TOKEN.len() / 2..];
    assert!(!saved.contains(broken) && !ran.out.contains(broken) && !ran.err.contains(broken), "{saved}\n{ran}");
    assert!(saved.starts_with("[pod/runner/runner] 2026-11-23T00:00:00.000000000Z *** ***"), "{saved}");
    for form in [forms(KEY), forms(TOKEN)].concat() {
        assert!(!saved.contains(&form), "{form:?} was saved");
    }
    // The second half of the line's secret lies beyond what is kept of it.
    assert!(!ran.out.contains("Canary/1") && !ran.err.contains("Canary/1"), "{ran}");
    let ran = project.run(["run", "x.rhai", "--dry-run"]);
    nowhere(&ran, &hook);
    let read = "let secret = get(\"secret/creds\").data;\n";
    let ran = project.really(&format!("{read}throw logs(\"pod/runner\")[2].line;")).status(1).stderr_has("error[failed]: ***");
    nowhere(&ran, &hook);
    for (script, kind, message) in [
        ("command([\"sh\", \"-c\", \"cat >&2; exit 3\"], #{ stdin: secret.token });", "failed", "ended with exit code 3: ***"),
        (
            "exec(\"pod/runner\", [\"sh\", \"-c\", \"head -c 20 >&2; exit 3\"], #{ stdin: secret.key });",
            "failed",
            "ended with exit code 3: ***",
        ),
        ("command([\"echo\", secret.token]);", "bad_argument", "`argv`[1] is the secret "),
        ("exec(\"pod/runner\", [secret.token]);", "bad_argument", "`argv`[0] is the secret "),
        ("command([\"true\"], #{ env: #{ A: [secret.token] } });", "bad_argument", "A must be a string, a number, a bool or a secret"),
    ] {
        let ran = failed(project.really(&format!("{read}{script}")), kind, message, "");
        nowhere(&ran, &hook);
    }
}
