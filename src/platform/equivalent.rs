//! The command line that says the same as a write, so that a person could go on by hand.

mod data;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::forwarded;
use crate::config::{Auth, ChannelKind, Environment, SecretSource};
use crate::model::operation::{
    Command, Exec, HttpRequest, Invocation, LogAnswer, LogQuery, LogSource, Message, PatchVerb, Selection, Since,
};
use crate::model::text::{self, inert_json};
use crate::model::{ObjectRef, Read, Value, Write};

/// The kubectl or curl line for a write in an environment. Secrets stand there by where they are from, never by content.
pub fn of(write: &Write, environment: &Environment) -> String {
    match write {
        Write::Patch { object, patch, kind, verb, subresource, .. } => {
            let kubectl = kubectl(environment, object);
            match (verb, patch.int_at(&["spec", "replicas"])) {
                (PatchVerb::Scale, Some(replicas)) => format!("{kubectl} scale {object} --replicas={replicas}"),
                (PatchVerb::Restart, _) => format!("{kubectl} rollout restart {object}"),
                (PatchVerb::Undo(revision), _) => format!("{kubectl} rollout undo {object} --to-revision={revision}"),
                (PatchVerb::Label, _) => format!("{kubectl} label {object}{}", marks(patch, "labels")),
                (PatchVerb::Annotate, _) => format!("{kubectl} annotate {object}{}", marks(patch, "annotations")),
                (PatchVerb::Cordon | PatchVerb::Uncordon, _) => format!("{kubectl} {} {}", verb.name(), object.name),
                _ => {
                    let subresource = subresource.map(|name| format!(" --subresource={name}")).unwrap_or_default();
                    let patch = quote(&inert_json(&patch.to_string()));
                    format!("{kubectl} patch {object}{subresource} --type={} -p {patch}", kind.name())
                }
            }
        }
        Write::Create { object, manifest, .. } => {
            format!("echo {} | {} create -f -", quote(&inert_json(&manifest.to_string())), kubectl(environment, object))
        }
        Write::Delete { object, grace, .. } => {
            let grace = grace.map(|grace| format!(" --grace-period={}{}", grace.as_secs(), if grace.is_zero() { " --force" } else { "" }));
            format!("{} delete {object}{} --wait=false", kubectl(environment, object), grace.unwrap_or_default())
        }
        Write::Evict { object, grace, .. } => eviction(object, *grace, environment),
        Write::Http(request) => http(request, environment, None),
        Write::Exec(exec) => self::exec(exec, environment, None),
        Write::Command(command) => self::command(command, environment, None),
        Write::Sql(change) => data::sql(&change.statement, environment),
        Write::Mongo(change) => data::mongo(&change.database, &change.command, environment),
        Write::Redis(change) => data::redis(&change.database, &change.command, environment),
        Write::Send(message) => webhook(message, environment),
    }
}

/// Labels or annotations as kubectl takes them: what is set, and what is taken away.
fn marks(patch: &Value, place: &str) -> String {
    let marks = patch.at(&["metadata", place]).and_then(Value::as_map);
    let words = marks.into_iter().flatten().map(|(key, value)| match value {
        Value::Str(value) => format!(" {}", quote(&format!("{key}={value}"))),
        _ => format!(" {}", quote(&format!("{key}-"))),
    });
    format!("{} --overwrite", words.collect::<String>())
}

/// An eviction; kubectl has it only within `drain`.
fn eviction(object: &ObjectRef, grace: Option<Duration>, environment: &Environment) -> String {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let mut body = crate::map! {
        "apiVersion" => "policy/v1", "kind" => "Eviction", "metadata" => crate::map! { "name" => object.name.as_str(), "namespace" => namespace },
    };
    if let Some(grace) = grace {
        body.set(&["deleteOptions", "gracePeriodSeconds"], i64::try_from(grace.as_secs()).unwrap_or(i64::MAX).into());
    }
    let path = format!("/api/v1/namespaces/{namespace}/pods/{}/eviction", object.name);
    format!("echo {} | {} create --raw {path} -f -", quote(&inert_json(&body.to_string())), client(environment))
}

/// The same for a write whose body stands in a file: JSON, in which a text body is a string.
pub fn beside(write: &Write, environment: &Environment, body: &Path) -> String {
    match write {
        Write::Http(request) => http(request, environment, Some(body)),
        Write::Exec(exec) => self::exec(exec, environment, Some(body)),
        Write::Command(command) => self::command(command, environment, Some(body)),
        _ => of(write, environment),
    }
}

/// The kubectl, curl, psql, mongosh or redis-cli line for a read in an environment.
pub fn of_read(read: &Read, environment: &Environment) -> String {
    match read {
        Read::Object(object) => format!("{} get {object} -o yaml", kubectl(environment, object)),
        Read::Objects(selection) => format!("{} get {}{}", client(environment), selection.kind.plural, chosen(selection)),
        Read::NodeMetrics(selection) => format!("{} top nodes{}", client(environment), chosen(selection)),
        Read::PodMetrics(selection) => format!("{} top pods{}", client(environment), chosen(selection)),
        Read::ClusterInfo => format!("{} cluster-info", client(environment)),
        Read::Logs(query) => logs(query, environment),
        Read::Exec(exec) => self::exec(exec, environment, None),
        Read::Command(command) => self::command(command, environment, None),
        Read::Http(request) => http(request, environment, None),
        Read::Health(request) => {
            forwarded::curl(environment, &request.url, |url| format!("curl -sS -o /dev/null -w '%{{http_code}} %{{time_total}}s\\n' {url}"))
        }
        Read::Metrics(query) => {
            let mut line = http(&query.request, environment, None);
            let labels = query.labels.iter().map(|(name, value)| format!("{name}={}", Value::from(value.as_str())));
            for wanted in query.name.iter().cloned().chain(labels) {
                line.push_str(&format!(" | grep -F {}", quote(&wanted)));
            }
            line
        }
        Read::Tcp(check) => {
            let seconds = check.timeout.as_secs().max(1);
            if let Some(from) = &check.from {
                let client = format!("{} -n {} exec {} -c {}", client(environment), from.namespace, quote(&from.pod), quote(&from.name));
                return format!("{client} -- nc -vz -w {seconds} {} {}", quote(&check.host), check.port);
            }
            forwarded::tcp(environment, &check.host, check.port, |host, port| format!("nc -vz -w {seconds} {} {port}", quote(host)))
        }
        Read::Sql(statement) => {
            let url = quote(&forwarded::address(environment, &statement.database));
            let reached = |line| forwarded::database(environment, &statement.database, line);
            if statement.params.is_empty() {
                return reached(format!("psql {url} -c {}", quote(&statement.text)));
            }
            let bound: Vec<String> = statement.params.iter().map(literal).collect();
            let text = format!("{} \\bind {} \\g", statement.text.trim_end().trim_end_matches(';'), bound.join(" "));
            reached(format!("echo {} | psql {url}", quote(&text)))
        }
        Read::Mongo { database, command, .. } => data::mongo(database, command, environment),
        Read::Redis { database, command, .. } => {
            let words: Vec<String> = command.iter().map(|word| quote(word)).collect();
            let url = quote(&forwarded::address(environment, database));
            forwarded::database(environment, database, format!("redis-cli -u {url} {}", words.join(" ")))
        }
        Read::Variable { name, .. } => format!("printenv {name}"),
        Read::File(file) => format!("cat {}", quote(&file.path)),
    }
}

/// Whether a rollout is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Until it is through.
    ToItsEnd,
    /// Not at all.
    Now,
}

/// The kubectl line that says how far a rollout has come.
pub fn of_rollout(object: &ObjectRef, environment: &Environment, watch: Watch) -> String {
    let watch = if watch == Watch::Now { " --watch=false" } else { "" };
    format!("{} rollout status {object}{watch}", kubectl(environment, object))
}

/// A parameter as psql's `\bind` takes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Str(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

/// A secret as a shell reads it, within double quotes; by the name of where it is from if only this program can open it.
fn opened(name: &str) -> String {
    match name.split_once(':') {
        Some(("env", variable)) => format!("${{{variable}}}"),
        Some(("file", path)) => format!("$(cat {})", quote(path)),
        _ => format!("<{}>", doubled(name)),
    }
}

/// Where a configured secret is, as a shell reads it within double quotes.
fn source(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("${{{name}}}"),
        SecretSource::File(path) => format!("$(cat {})", quote(&path.display().to_string())),
        SecretSource::Command(argv) => format!("$({})", argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")),
        SecretSource::Kubernetes(name) => format!("${{{}}}", format!("SECRET_{name}").to_uppercase().replace(['/', '-', '.'], "_")),
    }
}

/// Text that means itself within a shell's double quotes.
fn doubled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A header for curl; what is secret stands there by where it is from.
fn header(name: &str, value: &Value) -> String {
    let part = |value: &Value| match value {
        Value::Secret(secret) => opened(secret.name()),
        Value::Str(text) => doubled(text),
        other => doubled(&other.to_string()),
    };
    match value {
        Value::Secret(_) => format!(" -H \"{}: {}\"", doubled(name), part(value)),
        Value::List(parts) => format!(" -H \"{}: {}\"", doubled(name), parts.iter().map(part).collect::<String>()),
        Value::Str(text) => format!(" -H {}", quote(&format!("{name}: {text}"))),
        other => format!(" -H {}", quote(&format!("{name}: {other}"))),
    }
}

/// What a service's configuration adds to the headers that are given.
fn configured(request: &HttpRequest, environment: &Environment) -> String {
    let Some(service) = request.service.as_ref().and_then(|name| environment.services.get(name)) else { return String::new() };
    let given = |name: &str| request.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let auth = match service.auth.as_ref().filter(|_| !given("authorization")) {
        Some(Auth::Bearer(token)) => format!(" -H \"Authorization: Bearer {}\"", source(token)),
        Some(Auth::Basic { user, password }) => format!(" -u \"{}:{}\"", doubled(user), source(password)),
        None => String::new(),
    };
    let others = service.headers.iter().filter(|(name, _)| !given(name));
    others.fold(auth, |text, (name, value)| format!("{text} -H \"{}: {}\"", doubled(name), source(value)))
}

fn http(request: &HttpRequest, environment: &Environment, beside: Option<&Path>) -> String {
    let headers: String = request.headers.iter().map(|(name, value)| header(name, value)).collect();
    let headers = format!("{}{headers}", configured(request, environment));
    let method = match request.method {
        "GET" => String::new(),
        "HEAD" => " -I".to_owned(),
        method => format!(" -X {method}"),
    };
    let text = matches!(request.body, Some(Value::Str(_) | Value::Secret(_)));
    let (before, body) = match (&request.body, beside) {
        (None, _) => (String::new(), String::new()),
        (Some(body), Some(path)) if text => (fed(body, path), " --data-binary @-".to_owned()),
        (Some(_), Some(path)) => (String::new(), format!(" --data-binary @{}", quote(&path.display().to_string()))),
        (Some(Value::Str(text)), None) => (String::new(), format!(" --data-raw {}", quote(text))),
        (Some(body), None) => (String::new(), format!(" --data-raw {}", quote(&inert_json(&named(body).to_string())))),
    };
    let after = first(request.body.as_ref(), beside);
    let save = request.save.as_ref().map(|save| format!(" -o {}", quote(&save.shown))).unwrap_or_default();
    forwarded::curl(environment, &request.url, |url| format!("{before}curl -sS{method}{headers}{body}{save} {url}{after}"))
}

/// What gives a body that stands in a file to the standard input of what follows.
fn fed(body: &Value, path: &Path) -> String {
    let reader = if matches!(body, Value::Str(_) | Value::Secret(_)) { "jq -j ." } else { "cat" };
    format!("{reader} {} | ", quote(&path.display().to_string()))
}

/// What a person must do before: the file has the names of secrets in their places.
fn first(body: Option<&Value>, beside: Option<&Path>) -> String {
    let names = body.filter(|_| beside.is_some()).map(secrets).filter(|names| !names.is_empty());
    names.map(|names| format!("  # first put in its secrets: {}", names.join(", "))).unwrap_or_default()
}

/// Where the secrets in a value are from, each once.
fn secrets(value: &Value) -> Vec<String> {
    let mut names = BTreeSet::new();
    fn walk(value: &Value, names: &mut BTreeSet<String>) {
        match value {
            Value::Secret(secret) => drop(names.insert(secret.name().to_owned())),
            Value::List(items) => items.iter().for_each(|item| walk(item, names)),
            Value::Map(map) => map.values().for_each(|item| walk(item, names)),
            _ => {}
        }
    }
    walk(value, &mut names);
    names.into_iter().collect()
}

/// A value whose secrets are where they are from.
fn named(value: &Value) -> Value {
    match value {
        Value::Secret(secret) => format!("<{}>", secret.name()).into(),
        Value::List(items) => items.iter().map(named).collect::<Vec<_>>().into(),
        Value::Map(map) => Value::Map(map.iter().map(|(key, item)| (key.clone(), named(item))).collect()),
        plain => plain.clone(),
    }
}

/// A program's words, what it reads and where its output goes, as a shell says it; `program` stands before the words.
fn run(program: &str, run: &Invocation, beside: Option<&Path>) -> String {
    let words: Vec<String> = run.argv.iter().map(|text| word(text)).collect();
    let input = run.stdin.as_ref().map(|stdin| match (stdin, beside) {
        (Value::Secret(secret), _) => format!("printf %s {} | ", quote(&format!("<{}>", secret.name()))),
        (body, Some(path)) => fed(body, path),
        (Value::Str(text), None) => format!("printf %s {} | ", word(text)),
        (other, None) => format!("printf %s {} | ", quote(&inert_json(&named(other).to_string()))),
    });
    let output = run.save.as_ref().map(|save| format!(" > {}", quote(&save.shown))).unwrap_or_default();
    format!("{}{program}{}{output}", input.unwrap_or_default(), words.join(" "))
}

fn exec(exec: &Exec, environment: &Environment, beside: Option<&Path>) -> String {
    let input = if exec.run.stdin.is_some() { " -i" } else { "" };
    let client = client(environment);
    let line = run(
        &format!("{client} -n {} exec{input} {} -c {} -- ", exec.namespace, quote(&exec.pod), quote(&exec.container)),
        &exec.run,
        beside,
    );
    format!("{line}{}", first(exec.run.stdin.as_ref(), beside))
}

fn command(command: &Command, environment: &Environment, beside: Option<&Path>) -> String {
    let env: String = command.env.iter().map(|(name, value)| format!("{name}={} ", word(&shown(value)))).collect();
    let env = format!("{}{env}", forwarded::variables(environment, &command.tunnels));
    let line = run(&env, &command.run, beside);
    let line = match &command.shown_cwd {
        Some(cwd) => format!("(cd {} && {line})", quote(cwd)),
        None => line,
    };
    let line = forwarded::all(environment, &command.tunnels, line);
    format!("{line}{}", first(command.run.stdin.as_ref(), beside))
}

/// A value as text; what is secret stands there by where it is from.
fn shown(value: &Value) -> String {
    match value {
        Value::Secret(secret) => format!("<{}>", secret.name()),
        Value::Str(text) => text.clone(),
        other => other.to_string(),
    }
}

fn logs(query: &LogQuery, environment: &Environment) -> String {
    let client = client(environment);
    let mut options = String::new();
    if let Some(tail) = query.tail {
        options.push_str(&format!(" --tail={tail}"));
    }
    match query.since {
        Some(Since::Ago(since)) => options.push_str(&format!(" --since={}s", since.as_millis().div_ceil(1000).max(1))),
        Some(Since::Time(time)) => options.push_str(&format!(" --since-time={time}")),
        None => {}
    }
    if query.previous {
        options.push_str(" --previous");
    }
    let grep = query.grep.as_ref().map(|grep| format!(" | grep -P{} {}", if grep.invert { "v" } else { "" }, quote(&grep.pattern)));
    let grep = grep.unwrap_or_default();
    let made = match &query.answer {
        LogAnswer::Lines(Some(limit)) => format!(" | tail -n {limit}"),
        LogAnswer::Lines(None) => String::new(),
        LogAnswer::Count => " | wc -l".to_owned(),
        LogAnswer::Save(save) => format!(" > {}", quote(&save.shown)),
    };
    let place = |source: &LogSource| format!("-n {} -c {} {}", source.namespace, quote(&source.container), quote(&source.pod));
    match query.sources.as_slice() {
        [] => format!("# there is no pod to ask: {client} logs{options}"),
        [source] => format!("{client} logs{options} --timestamps {}{grep}{made}", place(source)),
        sources => {
            let all = sources.iter().map(|source| quote(&place(source))).collect::<Vec<_>>().join(" ");
            format!("for place in {all}; do {client} logs{options} --timestamps $place; done | sort{grep}{made}")
        }
    }
}

/// How a selection is written behind what kubectl lists.
fn chosen(selection: &Selection) -> String {
    let place = match &selection.namespace {
        Some(namespace) => format!(" -n {namespace}"),
        None if selection.kind.namespaced => " --all-namespaces".to_owned(),
        None => String::new(),
    };
    let labels = selection.selector.as_ref().map(|selector| format!(" -l {}", quote(selector))).unwrap_or_default();
    let fields: Vec<String> = selection.fields.iter().map(|(path, value)| format!("{path}={value}")).collect();
    let fields = if fields.is_empty() { String::new() } else { format!(" --field-selector {}", quote(&fields.join(","))) };
    format!("{place}{labels}{fields}")
}

pub(super) fn client(environment: &Environment) -> String {
    environment.context.as_ref().map_or_else(|| "kubectl".to_owned(), |context| format!("kubectl --context={}", quote(context)))
}

fn kubectl(environment: &Environment, object: &ObjectRef) -> String {
    let namespace = object.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    format!("{}{namespace}", client(environment))
}

fn webhook(message: &Message, environment: &Environment) -> String {
    let channel = environment.channels.get(&message.channel);
    let url = match channel.and_then(|channel| channel.webhook.as_ref().map(|source| (source, channel.url.as_ref()))) {
        Some((SecretSource::Env(name), _)) => format!("\"${name}\""),
        Some((SecretSource::File(path), _)) => format!("\"$(cat {})\"", quote(&path.display().to_string())),
        Some((SecretSource::Command(argv), _)) => {
            format!("\"$({})\"", argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "))
        }
        Some((SecretSource::Kubernetes(name), _)) => format!("\"$URL_FROM_{}\"", name.to_uppercase().replace(['/', '-', '.'], "_")),
        None => match channel.and_then(|channel| channel.url.as_deref()) {
            Some(url) => quote(url),
            None => "\"$WEBHOOK_URL\"".to_owned(),
        },
    };
    let body = match channel.map(|channel| channel.kind) {
        Some(ChannelKind::Webhook) => {
            crate::map! { "channel" => message.channel.clone(), "text" => message.text.clone(), "severity" => message.severity.clone(), "fields" => message.fields.clone(), "key" => message.key.clone() }
        }
        _ => crate::map! { "text" => super::slack::message(message) },
    };
    let body = quote(&inert_json(&Value::to_string(&body)));
    let post = "curl -sS -X POST -H 'Content-Type: application/json'";
    match channel.and_then(|channel| channel.signing.as_ref()) {
        Some(SecretSource::Env(key)) => format!(
            "t=$(date +%s); b={body}; {post} -H \"X-Runbook-Timestamp: $t\" -H \"X-Runbook-Signature: v1=$(printf 'v1:%s:%s' \"$t\" \"$b\" | openssl dgst -sha256 -r -hmac \"${key}\" | cut -d' ' -f1)\" -d \"$b\" {url}"
        ),
        _ => format!("{post} -d {body} {url}"),
    }
}

/// Quotes a word that may hold anything: control characters stand in it as bash's `$'…'` writes them, on one line.
pub fn word(text: &str) -> String {
    let hostile = |text: &str| matches!(text::one_line(text), Cow::Owned(_));
    if !hostile(text) {
        return quote(text);
    }
    let mut out = String::from("$'");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\'' | '\\' => out.extend(['\\', c]),
            c if hostile(c.encode_utf8(&mut [0; 4])) => out.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// Quotes a word for a POSIX shell where it needs it.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation::{Freshness, Grep, PatchKind};
    use crate::model::{ResourceKind, Secret};

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quote("a/b-c=1"), "a/b-c=1");
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn reads_are_said_by_the_tools_that_people_know() {
        let second = std::time::Duration::from_secs(1);
        let environment = Environment { context: Some("prod".into()), ..Environment::default() };
        let pods = |namespace: Option<&str>, selector: Option<&str>| Selection {
            kind: ResourceKind::find("pod").unwrap(),
            namespace: namespace.map(str::to_owned),
            selector: selector.map(str::to_owned),
            fields: Vec::new(),
            freshness: Freshness::Now,
            timeout: second,
        };
        let logs = |pods: &[&str], grep: Option<&str>, answer: LogAnswer| {
            let source = |pod: &&str| LogSource { namespace: "n".into(), pod: (*pod).to_owned(), container: "c".into() };
            let grep = grep.map(|pattern| Grep { pattern: pattern.to_owned(), invert: answer == LogAnswer::Count });
            let (sources, since) = (pods.iter().map(source).collect(), Some(Since::Ago(second)));
            Read::Logs(LogQuery { sources, tail: Some(100), since, previous: false, grep, answer, timeout: second })
        };
        let sql = |params: Vec<Value>| {
            let text = "SELECT $1".to_owned();
            Read::Sql(crate::model::operation::Statement { database: "db".into(), text, params, limit: 1, save: None, timeout: second })
        };
        for (read, line) in [
            (Read::Objects(pods(None, None)), "kubectl --context=prod get pods --all-namespaces"),
            (Read::PodMetrics(pods(Some("n"), Some("x in (a)"))), "kubectl --context=prod top pods -n n -l 'x in (a)'"),
            (
                logs(&["a"], None, LogAnswer::Lines(Some(5))),
                "kubectl --context=prod logs --tail=100 --since=1s --timestamps -n n -c c a | tail -n 5",
            ),
            (
                logs(&["a"], Some("x"), LogAnswer::Count),
                "kubectl --context=prod logs --tail=100 --since=1s --timestamps -n n -c c a | grep -Pv x | wc -l",
            ),
            (
                logs(&["a", "b"], Some("(?i)error"), LogAnswer::Lines(None)),
                "for place in '-n n -c c a' '-n n -c c b'; do kubectl --context=prod logs --tail=100 --since=1s --timestamps $place; done | sort | grep -P '(?i)error'",
            ),
            (sql(vec![]), "psql db -c 'SELECT $1'"),
            (sql(vec!["a".into(), 7.into()]), r"echo 'SELECT $1 \bind '\''a'\'' 7 \g' | psql db"),
            (
                Read::Redis { database: "cache".into(), command: vec!["GET".into(), "a b".into()], timeout: second },
                "redis-cli -u cache GET 'a b'",
            ),
            (
                Read::Mongo { database: "m".into(), command: vec![("count".into(), "c".into())], save: None, timeout: second },
                r#"mongosh m --quiet --eval 'EJSON.stringify(db.runCommand({ "count": "c" }))'"#,
            ),
        ] {
            assert_eq!(of_read(&read, &environment), line);
        }
    }

    #[test]
    fn programs_are_said_as_a_shell_has_them() {
        let environment = Environment { context: Some("prod".into()), ..Environment::default() };
        let run = |stdin: Option<Value>| Invocation {
            argv: vec!["psql".into(), "-c".into(), "SELECT\n1".into()],
            stdin,
            ok_exit: vec![0],
            save: None,
            timeout: std::time::Duration::from_secs(1),
        };
        let secret = || Value::Secret(Secret::new("env:PW", "hunter2hunter2"));
        let exec = |stdin| Write::Exec(Exec { namespace: "n".into(), pod: "db-0".into(), container: "db".into(), run: run(stdin) });
        assert_eq!(of(&exec(None), &environment), r"kubectl --context=prod -n n exec db-0 -c db -- psql -c $'SELECT\n1'");
        assert_eq!(
            of(&exec(Some(secret())), &environment),
            r"printf %s '<env:PW>' | kubectl --context=prod -n n exec -i db-0 -c db -- psql -c $'SELECT\n1'"
        );
        let command = |env, shown_cwd| {
            Write::Command(Command { run: run(Some("it's \u{1b}".into())), env, cwd: "/x".into(), shown_cwd, tunnels: vec![] })
        };
        assert_eq!(of(&command(vec![], None), &environment), r"printf %s $'it\'s \U0000001b' | psql -c $'SELECT\n1'");
        let env = vec![("PW".to_owned(), secret()), ("N".to_owned(), 1.into())];
        assert_eq!(
            of(&command(env, Some("infra".into())), &environment),
            r"(cd infra && printf %s $'it\'s \U0000001b' | PW='<env:PW>' N=1 psql -c $'SELECT\n1')"
        );
    }

    #[test]
    fn what_is_reached_by_port_forward_is_said_with_it() {
        use crate::config::{Database, DatabaseKind, Reach};
        let database =
            |kind, url: &str| Database { url: url.into(), kind, password: None, reader: None, workload: None, replicas: 1, ca: None };
        let databases = [
            ("postgres".to_owned(), database(DatabaseKind::Postgres, "postgres://ops@postgres/ai?sslmode=require")),
            ("cache".to_owned(), database(DatabaseKind::Redis, "redis://redis.other.svc:6379/1")),
            ("m".to_owned(), database(DatabaseKind::Mongo, "mongodb://ops@mongodb-0.mongodb.p.svc:27017,b:1")),
            ("far".to_owned(), database(DatabaseKind::Redis, "redis://redis.example.com:6379")),
        ];
        let environment = Environment {
            context: Some("prod".into()),
            namespace: "p".into(),
            reach: Reach::PortForward,
            databases: databases.into(),
            ..Environment::default()
        };
        let timeout = std::time::Duration::from_secs(1);
        let sql = |params| {
            let text = "SELECT $1".to_owned();
            Read::Sql(crate::model::operation::Statement { database: "postgres".into(), text, params, limit: 1, save: None, timeout })
        };
        let redis = |name: &str| Read::Redis { database: name.into(), command: vec!["PING".into()], timeout };
        let get = |url: &str| {
            let (service, url) = (None, url.to_owned());
            Read::Http(HttpRequest {
                service,
                method: "GET",
                url,
                headers: vec![],
                body: None,
                ok_status: None,
                save: None,
                seal: Vec::new(),
                timeout,
            })
        };
        for (read, line) in [
            (
                get("http://api/x"),
                "kubectl --context=prod -n p port-forward svc/api 10080:80 >/dev/null & sleep 2; curl -sS --connect-to ::localhost:10080 http://api/x; kill $!",
            ),
            (get("https://status.example.com/x"), "curl -sS https://status.example.com/x"),
            (
                sql(vec![]),
                "kubectl --context=prod -n p port-forward svc/postgres 5432:5432 >/dev/null & sleep 2; psql 'postgres://ops@postgres:5432/ai?sslmode=require&hostaddr=127.0.0.1' -c 'SELECT $1'; kill $!",
            ),
            (
                redis("cache"),
                "kubectl --context=prod -n other port-forward svc/redis 6379:6379 >/dev/null & sleep 2; redis-cli -u redis://localhost:6379/1 PING; kill $!",
            ),
            (redis("far"), "redis-cli -u redis://redis.example.com:6379 PING"),
            (
                Read::Mongo { database: "m".into(), command: vec![("ping".into(), 1.into())], save: None, timeout },
                "kubectl --context=prod -n p port-forward pod/mongodb-0 27017:27017 >/dev/null & sleep 2; mongosh 'mongodb://ops@localhost:27017/?directConnection=true' --quiet --eval 'EJSON.stringify(db.runCommand({ \"ping\": 1 }))'; kill $!",
            ),
        ] {
            assert_eq!(of_read(&read, &environment), line);
        }
    }

    #[test]
    fn what_a_patch_holds_cannot_act_on_a_terminal() {
        let object = ObjectRef::new(ResourceKind::find("deploy").unwrap(), "platform", "api");
        let patch = crate::map! { "data" => crate::map! { "a" => "\u{9b}2J\u{202e}x" } };
        let timeout = std::time::Duration::from_secs(1);
        let write = Write::Patch { object, subresource: None, patch, kind: PatchKind::Merge, verb: PatchVerb::Patch, timeout };
        let line = of(&write, &Environment::default());
        assert!(line.ends_with(r#"--type=merge -p '{"data":{"a":"\u009b2J\u202ex"}}'"#), "{line}");
    }

    #[test]
    fn scaling_reads_as_kubectl_says_it() {
        let environment = Environment { context: Some("prod-eu".into()), ..Environment::default() };
        let object = ObjectRef::new(ResourceKind::find("deploy").unwrap(), "platform", "api");
        let patch = |verb, patch| Write::Patch {
            object: object.clone(),
            subresource: None,
            patch,
            kind: PatchKind::Merge,
            verb,
            timeout: std::time::Duration::from_secs(1),
        };
        let scale = patch(PatchVerb::Scale, crate::map! { "spec" => crate::map! { "replicas" => 7 } });
        assert_eq!(of(&scale, &environment), "kubectl --context=prod-eu -n platform scale deployment/api --replicas=7");
        let other = patch(PatchVerb::Patch, crate::map! { "data" => crate::map! { "a" => "it's" } });
        assert_eq!(
            of(&other, &environment),
            r#"kubectl --context=prod-eu -n platform patch deployment/api --type=merge -p '{"data":{"a":"it'\''s"}}'"#
        );
    }
}
