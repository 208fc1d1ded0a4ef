//! Services, databases, channels, and the secrets that go with them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Examiner, Health};
use crate::call::mask::SHORTEST;
use crate::call::pipeline::public_names;
use crate::config::{Database, DatabaseKind, Environment, SecretSource};
use crate::model::operation::{HttpRequest, Statement};
use crate::model::{Failure, Kind, Read, Value, duration, text};
use crate::platform::real::Real;
use crate::platform::{Cx, Observe};

/// The wait for each answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether each secret is there, and long enough to be masked.
pub(super) fn secrets(examiner: &mut Examiner<'_>, real: &Real, environment: &Environment, cx: &Cx<'_>) {
    let mut sources: BTreeMap<String, &SecretSource> = BTreeMap::new();
    for source in environment.secrets() {
        sources.insert(named(source), source);
    }
    let names = public_names(&examiner.config);
    let (all, mut there) = (sources.len(), 0);
    for (name, source) in sources {
        match real.open_source(source, cx) {
            Ok(secret) if secret.expose().len() < SHORTEST => {
                examiner.warn(
                    "secrets",
                    format!("{name} is shorter than {SHORTEST} bytes: it is not masked where it is printed"),
                    "make it longer",
                );
            }
            Ok(secret) if names.contains(secret.expose()) => {
                examiner.warn(
                    "secrets",
                    format!("{name} is equal to a configured name: it is not masked where it is printed"),
                    "change it",
                );
            }
            Ok(_) => there += 1,
            Err(failure) => examiner.fail("secrets", &name, &failure),
        }
    }
    if there > 0 {
        examiner.ok("secrets", format!("{there} of {all} are there and can be masked"));
    }
}

fn named(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("env:{name}"),
        SecretSource::File(path) => format!("file:{}", path.display()),
        SecretSource::Command(words) => format!("command:{}", words.first().map_or("", String::as_str)),
        SecretSource::Kubernetes(path) => path.clone(),
    }
}

/// Whether each service answers its health check; all are asked at the same time.
pub(super) fn services(examiner: &mut Examiner<'_>, real: &Real, environment: &Environment, cx: &Cx<'_>) {
    let asked: Vec<(&String, String)> = environment
        .services
        .iter()
        .filter_map(|(name, service)| Some((name, format!("{}/{}", service.url.as_deref()?, service.health.trim_start_matches('/')))))
        .collect();
    let request = |name: &str, url: &str| HttpRequest {
        service: Some(name.to_owned()),
        method: "GET",
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
        ok_status: None,
        seal: Vec::new(),
        save: None,
        timeout: PATIENCE,
    };
    let reads: Vec<Read> = asked.iter().map(|(name, url)| Read::Health(request(name, url))).collect();
    let mut well = 0;
    for ((name, url), answer) in asked.iter().zip(real.read_all(&reads, cx)) {
        match answer.map(|answer| answer.value) {
            Ok(health) if health.get("ok") == Some(&Value::Bool(true)) => well += 1,
            Ok(health) => {
                let why = health.str_at(&["error"]).unwrap_or_default();
                let remedy = format!("is {url} reachable from here, and is the service up?");
                examiner.say("services", Health::Failed, format!("{name}: {why}"), Some(remedy));
            }
            Err(failure) => examiner.fail("services", name, &failure),
        }
    }
    if well > 0 {
        examiner.ok("services", format!("{well} of {} answer their health checks", asked.len()));
    }
}

/// Whether each database answers, and whether the role that reads could also write.
pub(super) fn databases(examiner: &mut Examiner<'_>, real: &Real, environment: &Environment, cx: &Cx<'_>) {
    for (name, database) in &environment.databases {
        let found = match database.kind {
            DatabaseKind::Postgres => postgres(real, name, database, cx),
            DatabaseKind::Mongo => mongo(real, name, cx),
            DatabaseKind::Redis => redis(real, name, cx),
            DatabaseKind::Other => continue,
        };
        match found {
            Ok(Role { text, remedy: None }) => examiner.ok("databases", format!("{name}: {text}")),
            Ok(Role { text, remedy: Some(remedy) }) => examiner.warn("databases", format!("{name}: {text}"), remedy),
            Err(failure) => examiner.fail("databases", name, &failure),
        }
    }
}

/// Who reads, and what to do where that one may write.
struct Role {
    text: String,
    remedy: Option<String>,
}

/// The tables that the role may write, and whether it may do everything.
const POSTGRES: &str = "SELECT current_user::text AS role, rolsuper AS superuser, has_database_privilege(current_database(), 'CREATE') AS creates, (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
    AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS writable FROM pg_roles WHERE rolname = current_user";

fn postgres(real: &Real, name: &str, database: &Database, cx: &Cx<'_>) -> Result<Role, Failure> {
    let statement =
        Statement { database: name.to_owned(), text: POSTGRES.to_owned(), params: Vec::new(), limit: 1, save: None, timeout: PATIENCE };
    let answer = real.read(&Read::Sql(statement), cx)?.value;
    let rows = answer.get("rows").and_then(Value::as_list).unwrap_or_default();
    let row = rows.first().cloned().unwrap_or_default();
    let role = row.str_at(&["role"]).unwrap_or_default().to_owned();
    let remedy = if database.reader.is_some() {
        "GRANT SELECT alone to the `reader` of this database"
    } else {
        "configure `reader = { user = …, password = … }`, a role with SELECT alone: a function behind a SELECT could write"
    };
    let is = |key| row.get(key).and_then(Value::as_bool).unwrap_or(false);
    let tables = row.int_at(&["writable"]).and_then(|tables| usize::try_from(tables).ok()).unwrap_or(0);
    let writes = match (is("superuser"), tables, is("creates")) {
        (true, ..) => Some("is a superuser".to_owned()),
        (_, 1.., _) => Some(format!("may write {}", text::count(tables, "table"))),
        (.., true) => Some("may create schemas".to_owned()),
        _ => None,
    };
    Ok(match writes {
        Some(writes) => Role { text: format!("answers, but the role {role} that reads {writes}"), remedy: Some(remedy.to_owned()) },
        None => Role { text: format!("answers; the role {role} may only read"), remedy: None },
    })
}

fn mongo(real: &Real, name: &str, cx: &Cx<'_>) -> Result<Role, Failure> {
    let ask =
        |command: Vec<(String, Value)>| real.read(&Read::Mongo { database: name.to_owned(), command, save: None, timeout: PATIENCE }, cx);
    ask(vec![("ping".to_owned(), 1.into())])?;
    let status = ask(vec![("connectionStatus".to_owned(), 1.into()), ("showPrivileges".to_owned(), true.into())]);
    // Servers that only speak the protocol may not know the command.
    let Ok(status) = status else { return Ok(Role { text: "answers; what its user may do it does not say".to_owned(), remedy: None }) };
    let list = |key| status.value.at(&["authInfo", key]).and_then(Value::as_list).unwrap_or_default().to_vec();
    if list("authenticatedUsers").is_empty() {
        let remedy = "switch authentication on: everybody may write";
        return Ok(Role { text: "answers without any login".to_owned(), remedy: Some(remedy.to_owned()) });
    }
    let writes = list("authenticatedUserPrivileges").iter().any(|privilege| {
        let actions = privilege.get("actions").and_then(Value::as_list).unwrap_or_default();
        actions.iter().any(|action| matches!(action.as_str(), Some("insert" | "update" | "remove" | "dropCollection")))
    });
    Ok(match writes {
        true => Role { text: "answers, but its user may write".to_owned(), remedy: Some("give it the role `read` alone".to_owned()) },
        false => Role { text: "answers; its user may only read".to_owned(), remedy: None },
    })
}

fn redis(real: &Real, name: &str, cx: &Cx<'_>) -> Result<Role, Failure> {
    let ask = |words: &[&str]| {
        let command = words.iter().map(|word| (*word).to_owned()).collect();
        real.read(&Read::Redis { database: name.to_owned(), command, timeout: PATIENCE }, cx).map(|answer| answer.value)
    };
    ask(&["PING"])?;
    let unsaid = || Role { text: "answers; what its user may do it does not say".to_owned(), remedy: None };
    let Ok(Value::Str(user)) = ask(&["ACL", "WHOAMI"]) else { return Ok(unsaid()) };
    Ok(match ask(&["ACL", "DRYRUN", &user, "SET", "runbook:doctor", "x"]) {
        Ok(Value::Str(answer)) if answer == "OK" => Role {
            text: format!("answers, but the user {user} may write"),
            remedy: Some("make a user of its own for runbooks: ACL SETUSER NAME on >PASSWORD ~* +@read +info +ping".to_owned()),
        },
        Ok(_) => Role { text: format!("answers; the user {user} may only read"), remedy: None },
        Err(_) => unsaid(),
    })
}

/// Whether each channel takes connections. Nothing is sent.
pub(super) fn channels(examiner: &mut Examiner<'_>, real: &Real, environment: &Environment, cx: &Cx<'_>) {
    let mut reached = 0;
    for name in environment.channels.keys() {
        match real.knock(name, cx) {
            Ok(()) => reached += 1,
            Err(failure) if failure.kind == Kind::Timeout => {
                examiner.say(
                    "channels",
                    Health::Failed,
                    format!("{name}: no connection within {}", duration::show(PATIENCE)),
                    failure.hint,
                );
            }
            Err(failure) => examiner.fail("channels", name, &failure),
        }
    }
    if reached > 0 {
        examiner.ok("channels", format!("{reached} of {} take connections (nothing was sent)", environment.channels.len()));
    }
}
