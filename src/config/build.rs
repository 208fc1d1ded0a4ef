//! From what is written to what is meant: every name, number and address checked, problems noted with their places.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;

use super::problem::Source;
use super::shape::*;
use super::{
    Auth, Channel, ChannelKind, Config, Database, DatabaseKind, Environment, Policy, Reach, Reader, SecretSource, Service, Severity, urls,
};
use crate::model::headers::is_own;
use crate::model::resource::{KINDS, check_name};
use crate::model::{Failure, ResourceKind, duration, suggest};

/// Kinds that the design knows and this version does not have.
const LATER: [&str; 3] = ["pagerduty", "email", "sms"];

/// Fills in a project's file; what is wrong is noted in the source.
pub(super) fn project(config: &mut Config, file: ProjectFile, source: &mut Source<'_>) {
    let mut build = Build { source, root: config.root.clone(), secret_variables: BTreeSet::new() };
    for (name, table) in &file.services {
        build.name("service", name);
        let unset = Service { health: "/health".to_owned(), replicas: 1, ..Service::default() };
        let service = build.service(table, unset);
        config.services.insert(name.get_ref().clone(), service);
    }
    for (name, table) in &file.environments {
        build.name("environment", name);
        let mut environment = build.environment(name.get_ref(), table, &config.services);
        environment.protected |= config.operator.protected.contains(&environment.name);
        config.environments.insert(environment.name.clone(), environment);
    }
    let channels: BTreeSet<&str> = config.environments.values().flat_map(|e| e.channels.keys().map(String::as_str)).collect();
    for (name, table) in &file.severities {
        build.name("severity", name);
        let severity = build.severity(table, &channels);
        config.severities.insert(name.get_ref().clone(), severity);
    }
    config.policy = build.policy(&file.policy);
    config.public_env = build.public(&file.environment);
}

fn is_authorization(name: &Text) -> bool {
    name.get_ref().eq_ignore_ascii_case("authorization")
}

struct Build<'s, 't> {
    source: &'s mut Source<'t>,
    root: PathBuf,
    /// Variables that hold secrets, which none may call public.
    secret_variables: BTreeSet<String>,
}

impl Build<'_, '_> {
    fn wrong(&mut self, at: Range<usize>, message: impl AsRef<str>) {
        self.source.wrong(at, message, None);
    }

    fn wrong_hint(&mut self, at: Range<usize>, message: impl AsRef<str>, hint: impl Into<String>) {
        self.source.wrong(at, message, Some(hint.into()));
    }

    /// Notes a failure at the value that it is about, under the key's name.
    fn checked<T>(&mut self, at: Range<usize>, key: &str, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|failure| self.source.failed(at, Failure { message: format!("`{key}`: {}", failure.message), ..failure })).ok()
    }

    /// A name that prompts, tables and command lines can carry.
    fn name(&mut self, what: &str, name: &Text) {
        let text = name.get_ref();
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if text.is_empty() || text.len() > 63 || !text.chars().all(fine) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            self.wrong_hint(name.span(), format!("{text:?} is no name for a {what}"), "letters, digits, `-`, `_` and `.`, at most 63");
        }
    }

    fn service(&mut self, table: &ServiceTable, base: Service) -> Service {
        let mut service = base;
        if let Some(workload) = &table.workload {
            service.workload = self.workload(workload);
        }
        if let Some(url) = &table.url {
            service.url = self.checked(url.span(), "url", urls::base(url.get_ref()));
        }
        if let Some(health) = &table.health {
            service.health = self.path("health", health);
        }
        if let Some(tier) = &table.tier {
            service.tier = self.number("tier", tier, 1, 1_000);
        }
        if let Some(reads) = &table.reads {
            service.reads = reads.iter().map(|path| self.path("reads", path)).collect();
        }
        if let Some(replicas) = &table.replicas {
            service.replicas = self.number("replicas", replicas, 0, 10_000).unwrap_or_default();
        }
        if let Some(auth) = &table.auth {
            service.auth = self.auth(auth);
        }
        if let Some(headers) = &table.headers {
            let headers = headers.iter().filter_map(|(name, secret)| Some((self.header(name)?, self.secret(secret)?)));
            service.headers = headers.collect();
        }
        if let (Some(_), Some(name)) = (&service.auth, table.headers.iter().flat_map(BTreeMap::keys).find(|name| is_authorization(name))) {
            self.wrong(name.span(), "a service has either `auth` or a header `Authorization`, not both");
        }
        service
    }

    fn auth(&mut self, auth: &Spanned<AuthTable>) -> Option<Auth> {
        let table = auth.get_ref();
        match (&table.bearer, &table.basic) {
            (Some(token), None) => self.secret(token).map(Auth::Bearer),
            (None, Some(basic)) => match (&basic.get_ref().user, &basic.get_ref().password) {
                (Some(user), Some(password)) => {
                    if user.get_ref().contains(':') {
                        self.wrong(user.span(), "`user` may hold no colon: it ends there (RFC 7617)");
                    }
                    Some(Auth::Basic { user: self.text("user", user), password: self.secret(password)? })
                }
                _ => {
                    self.wrong(basic.span(), "`basic` needs `user` and `password`");
                    None
                }
            },
            _ => {
                let hint = "`auth = { bearer = { env = \"TOKEN\" } }` or `auth = { basic = { user = \"ops\", password = { env = \"PASSWORD\" } } }`";
                self.wrong_hint(auth.span(), "`auth` has exactly one of `bearer` and `basic`", hint);
                None
            }
        }
    }

    /// The name of a header that may be set, in lower case.
    fn header(&mut self, name: &Text) -> Option<String> {
        match http::HeaderName::try_from(name.get_ref().as_str()) {
            Ok(header) if !is_own(header.as_str()) => Some(header.as_str().to_owned()),
            Ok(_) => {
                self.wrong(name.span(), "this header belongs to the connection, and cannot be set");
                None
            }
            Err(_) => {
                self.wrong_hint(name.span(), "this is no header's name", "such as \"X-Api-Key\"");
                None
            }
        }
    }

    fn environment(&mut self, name: &str, table: &EnvironmentTable, shared: &BTreeMap<String, Service>) -> Environment {
        let mut services = shared.clone();
        for (name, table) in &table.services {
            match shared.get(name.get_ref()) {
                Some(base) => {
                    let service = self.service(table, base.clone());
                    services.insert(name.get_ref().clone(), service);
                }
                None => {
                    let hint =
                        suggest::nearest(name.get_ref(), shared.keys().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
                    let hint = hint.unwrap_or_else(|| format!("declare it for all environments with [services.{}] first", name.get_ref()));
                    self.wrong_hint(name.span(), format!("unknown service {:?}", name.get_ref()), hint);
                }
            }
        }
        let mut databases = BTreeMap::new();
        for (name, table) in &table.databases {
            self.name("database", name);
            let database = self.database(name, table);
            if let Some(service) = services.get(name.get_ref())
                && (service.workload.is_none() || service.workload != database.workload)
            {
                let message = format!("the database {:?} bears a service's name", name.get_ref());
                self.wrong_hint(name.span(), message, "rename one, or give both the same workload: a bare name must mean one thing");
            }
            databases.insert(name.get_ref().clone(), database);
        }
        let mut channels = BTreeMap::new();
        for (name, table) in &table.channels {
            self.name("channel", name);
            if let Some(channel) = self.channel(name, table) {
                channels.insert(name.get_ref().clone(), channel);
            }
        }
        let namespace = table.namespace.as_ref().map_or("default", |namespace| {
            let checked = check_name(namespace.get_ref()).map_err(|_| {
                Failure::bad_argument(format!("{:?} is no namespace", namespace.get_ref())).hint("lower case letters, digits and `-`")
            });
            self.checked(namespace.span(), "namespace", checked);
            namespace.get_ref()
        });
        Environment {
            name: name.to_owned(),
            context: table.context.as_ref().map(|context| self.text("context", context)),
            cluster_uid: table.cluster_uid.as_ref().map(|uid| {
                if uuid::Uuid::try_parse(uid.get_ref()).is_err() {
                    let hint = "kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'";
                    self.wrong_hint(uid.span(), "`cluster_uid` is no UID", format!("read it from the cluster: {hint}"));
                }
                uid.get_ref().to_ascii_lowercase()
            }),
            namespace: namespace.to_owned(),
            protected: table.protected.unwrap_or(true),
            reach: self.reach(table.reach.as_ref()),
            allow: table.allow.iter().filter_map(|url| self.allow(url)).collect(),
            services,
            databases,
            channels,
        }
    }

    fn reach(&mut self, reach: Option<&Text>) -> Reach {
        let Some(reach) = reach else { return Reach::Direct };
        match reach.get_ref().as_str() {
            "direct" => Reach::Direct,
            "port-forward" => Reach::PortForward,
            other => {
                let failure = Failure::unknown("reach", other, ["direct", "port-forward"]);
                self.source.failed(reach.span(), failure);
                Reach::Direct
            }
        }
    }

    fn allow(&mut self, url: &Text) -> Option<String> {
        self.checked(url.span(), "allow", urls::http(url.get_ref())).map(|url| url.as_str().to_owned())
    }

    fn database(&mut self, name: &Text, table: &DatabaseTable) -> Database {
        let workload = table.workload.as_ref().and_then(|workload| self.workload(workload));
        let kind = match &table.url {
            Some(url) => self.checked(url.span(), "url", urls::database(url.get_ref())).unwrap_or(DatabaseKind::Other),
            None => {
                if table.workload.is_none() {
                    self.wrong(name.span(), format!("the database {:?} has neither `url` nor `workload`", name.get_ref()));
                }
                DatabaseKind::Other
            }
        };
        let reader = table.reader.as_ref().and_then(|reader| {
            let table = reader.get_ref();
            let password = table.password.as_ref().and_then(|secret| self.secret(secret));
            match &table.user {
                Some(user) => Some(Reader { user: self.text("user", user), password }),
                None => {
                    self.wrong(reader.span(), "`reader` lacks `user`, the role's name");
                    None
                }
            }
        });
        Database {
            url: table.url.as_ref().map(|url| url.get_ref().clone()).unwrap_or_default(),
            kind,
            password: table.password.as_ref().and_then(|secret| self.secret(secret)),
            reader,
            workload,
            replicas: table.replicas.as_ref().and_then(|replicas| self.number("replicas", replicas, 0, 10_000)).unwrap_or(1),
            ca: table.ca.as_ref().map(|ca| self.text("ca", ca)).map(|ca| self.root.join(ca)),
        }
    }

    fn channel(&mut self, name: &Text, table: &ChannelTable) -> Option<Channel> {
        let Some(kind) = &table.kind else {
            self.wrong_hint(name.span(), format!("the channel {:?} lacks `kind`", name.get_ref()), "known: slack, webhook");
            return None;
        };
        let webhook = table.webhook.as_ref().and_then(|secret| self.secret(secret));
        let signing = table.signing.as_ref().and_then(|secret| self.secret(secret));
        let url = table.url.as_ref().and_then(|url| self.checked(url.span(), "url", urls::http(url.get_ref()))).map(String::from);
        let kind = match kind.get_ref().as_str() {
            "slack" => ChannelKind::Slack,
            "webhook" => ChannelKind::Webhook,
            later if LATER.contains(&later) => {
                let hint = "until then, use a `webhook` that passes it on";
                self.wrong_hint(kind.span(), format!("channels of kind {later:?} are not available yet"), hint);
                return None;
            }
            other => {
                self.source.failed(kind.span(), Failure::unknown("kind of channel", other, ["slack", "webhook"]));
                return None;
            }
        };
        match (kind, &table.webhook, &table.url) {
            (ChannelKind::Slack, _, Some(url)) => {
                let hint = "a Slack webhook's address is the credential: `webhook = { env = \"SLACK_WEBHOOK_URL\" }`";
                self.wrong_hint(url.span(), "a slack channel has no `url`", hint);
            }
            (ChannelKind::Slack, None, None) => {
                self.wrong_hint(name.span(), "a slack channel needs `webhook`", "`webhook = { env = \"SLACK_WEBHOOK_URL\" }`");
            }
            (ChannelKind::Webhook, None, None) => {
                self.wrong(name.span(), "a webhook channel needs `url`, or `webhook` where its address is a secret");
            }
            (ChannelKind::Webhook, Some(_), Some(url)) => {
                self.wrong(url.span(), "a webhook channel has either `url` or `webhook`, not both")
            }
            _ => {}
        }
        if kind == ChannelKind::Webhook && table.signing.is_none() {
            let hint = "`signing = { env = \"WEBHOOK_KEY\" }`: the receiver knows by it who speaks";
            self.wrong_hint(name.span(), "a webhook channel needs `signing`, the key of its signature", hint);
        }
        Some(Channel { kind, webhook, url, signing })
    }

    fn secret(&mut self, secret: &Spanned<SecretTable>) -> Option<SecretSource> {
        let table = secret.get_ref();
        let given = [table.env.is_some(), table.file.is_some(), table.command.is_some(), table.kubernetes.is_some()];
        if given.into_iter().filter(|is| *is).count() != 1 {
            self.wrong(secret.span(), "a secret's source has exactly one of `env`, `file`, `command`, `kubernetes`");
            return None;
        }
        if let Some(name) = &table.env {
            self.variable("env", name);
            self.secret_variables.insert(name.get_ref().clone());
            return Some(SecretSource::Env(name.get_ref().clone()));
        }
        if let Some(path) = &table.file {
            return Some(SecretSource::File(PathBuf::from(self.text("file", path))));
        }
        if let Some(command) = &table.command {
            return Some(SecretSource::Command(self.command("command", command)));
        }
        let path = table.kubernetes.as_ref()?;
        let parts: Vec<&str> = path.get_ref().split('/').collect();
        let valid = matches!(parts[..], ["secret", name, key] if check_name(name).is_ok() && !key.is_empty());
        if !valid {
            self.wrong_hint(path.span(), "`kubernetes` names no key of a secret", "write it as \"secret/NAME/KEY\"");
        }
        Some(SecretSource::Kubernetes(path.get_ref().clone()))
    }

    fn severity(&mut self, table: &SeverityTable, channels: &BTreeSet<&str>) -> Severity {
        for channel in table.notify.iter().filter(|channel| !channels.contains(channel.get_ref().as_str())) {
            let mut failure = Failure::unknown("channel", channel.get_ref(), channels.iter().copied());
            failure
                .hint
                .get_or_insert_with(|| format!("no environment has channels: add [environments.NAME.channels.{}]", channel.get_ref()));
            self.source.failed(channel.span(), failure);
        }
        Severity {
            description: table.description.clone().unwrap_or_default(),
            respond: table.respond.as_ref().and_then(|text| self.duration("respond", text)),
            update: table.update.as_ref().and_then(|text| self.duration("update", text)),
            notify: table.notify.iter().map(|channel| channel.get_ref().clone()).collect(),
        }
    }

    fn policy(&mut self, table: &PolicyTable) -> Policy {
        Policy {
            reads: table.reads.iter().map(|command| self.command("reads", command)).collect(),
            tested_within: table.tested_within.as_ref().and_then(|text| self.duration("tested_within", text)),
        }
    }

    fn public(&mut self, table: &VariablesTable) -> Vec<String> {
        for name in &table.public {
            self.variable("public", name);
            if self.secret_variables.contains(name.get_ref()) {
                let message = format!("`public`: {:?} is the source of a secret in this file", name.get_ref());
                self.wrong(name.span(), message);
            }
        }
        table.public.iter().map(|name| name.get_ref().clone()).collect()
    }

    fn workload(&mut self, text: &Text) -> Option<String> {
        let kinds = || KINDS.iter().filter(|kind| kind.is_workload()).map(|kind| kind.singular);
        let result = match text.get_ref().split_once('/') {
            None => {
                Err(Failure::bad_argument("a workload reads \"kind/name\"").hint(format!("deployment/{}, statefulset/…", text.get_ref())))
            }
            Some((kind, name)) => match ResourceKind::find(kind).filter(|kind| kind.is_workload()) {
                Some(kind) => check_name(name).map(|()| format!("{}/{name}", kind.singular)),
                None => Err(Failure::unknown("kind of workload", kind, kinds())),
            },
        };
        self.checked(text.span(), "workload", result)
    }

    fn number(&mut self, key: &str, number: &Spanned<i64>, least: u32, most: u32) -> Option<u32> {
        let value = u32::try_from(*number.get_ref()).ok().filter(|value| (least..=most).contains(value));
        if value.is_none() {
            self.wrong(number.span(), format!("`{key}` must be a whole number from {least} to {most}, not {}", number.get_ref()));
        }
        value
    }

    fn duration(&mut self, key: &str, text: &Text) -> Option<Duration> {
        self.checked(text.span(), key, duration::parse(text.get_ref()))
    }

    fn path(&mut self, key: &str, path: &Text) -> String {
        let text = path.get_ref();
        if !text.starts_with('/') || text.starts_with("//") || text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '#') {
            self.wrong_hint(path.span(), format!("`{key}` must be a path"), "it begins with one `/`, such as \"/health\"");
        }
        text.clone()
    }

    fn text(&mut self, key: &str, text: &Text) -> String {
        if text.get_ref().is_empty() || text.get_ref().chars().any(char::is_control) {
            self.wrong(text.span(), format!("`{key}` must be text without control characters, and not empty"));
        }
        text.get_ref().clone()
    }

    fn variable(&mut self, key: &str, name: &Text) {
        let text = name.get_ref();
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.is_empty() || text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(fine) {
            // Not quoted: somebody may have written the secret itself here.
            self.wrong_hint(name.span(), format!("`{key}` is no name of an environment variable"), "such as \"PGPASSWORD\"");
        }
    }

    fn command(&mut self, key: &str, command: &Texts) -> Vec<String> {
        let words: Vec<String> = command.get_ref().iter().map(|word| word.get_ref().clone()).collect();
        if words.first().is_none_or(String::is_empty) || words.iter().any(|word| word.contains('\0')) {
            self.wrong_hint(
                command.span(),
                format!("`{key}` names no program"),
                "an array of arguments, the program first: [\"cat\", \"/proc/meminfo\"]",
            );
        }
        words
    }
}
