//! The command line that says the same as a write, so that a person could go on by hand.

use crate::config::{ChannelKind, Environment, SecretSource};
use crate::model::operation::{Message, PatchVerb};
use crate::model::{ObjectRef, Value, Write};

/// The kubectl or curl line for a write in an environment. Secrets stand there by where they are from, never by content.
pub fn of(write: &Write, environment: &Environment) -> String {
    match write {
        Write::Patch { object, patch, verb, subresource, .. } => {
            let kubectl = kubectl(environment, object);
            match (verb, patch.int_at(&["spec", "replicas"])) {
                (PatchVerb::Scale, Some(replicas)) => format!("{kubectl} scale {object} --replicas={replicas}"),
                (PatchVerb::Restart, _) => format!("{kubectl} rollout restart {object}"),
                _ => {
                    let subresource = subresource.map(|name| format!(" --subresource={name}")).unwrap_or_default();
                    format!("{kubectl} patch {object}{subresource} --type=merge -p {}", quote(&patch.to_string()))
                }
            }
        }
        Write::Send(message) => curl(message, environment),
    }
}

fn kubectl(environment: &Environment, object: &ObjectRef) -> String {
    let context = environment.context.as_ref().map(|context| format!(" --context={}", quote(context))).unwrap_or_default();
    let namespace = object.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    format!("kubectl{context}{namespace}")
}

fn curl(message: &Message, environment: &Environment) -> String {
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
        _ => crate::map! { "text" => super::slack::text(&message.text) },
    };
    let body = quote(&Value::to_string(&body));
    let post = "curl -sS -X POST -H 'Content-Type: application/json'";
    match channel.and_then(|channel| channel.signing.as_ref()) {
        Some(SecretSource::Env(key)) => format!(
            "t=$(date +%s); b={body}; {post} -H \"X-Runbook-Timestamp: $t\" -H \"X-Runbook-Signature: v1=$(printf 'v1:%s:%s' \"$t\" \"$b\" | openssl dgst -sha256 -r -hmac \"${key}\" | cut -d' ' -f1)\" -d \"$b\" {url}"
        ),
        _ => format!("{post} -d {body} {url}"),
    }
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
    use crate::model::ResourceKind;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quote("a/b-c=1"), "a/b-c=1");
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn scaling_reads_as_kubectl_says_it() {
        let environment = Environment { context: Some("prod-eu".into()), ..Environment::default() };
        let object = ObjectRef::new(ResourceKind::find("deploy").unwrap(), "platform", "api");
        let patch = |verb, patch| Write::Patch {
            object: object.clone(),
            subresource: None,
            patch,
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
