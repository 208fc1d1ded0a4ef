//! Fields of an answer's body that become secrets before anybody has seen them.

use crate::model::{Failure, Kind, Secret, Sent, Value};

/// So long must a secret be to be looked for in the rest of the answer.
const SHORTEST: usize = 8;

/// Makes what stands at JSON pointers (RFC 6901) of an answer's body secrets, and masks them in the rest of the answer. What is
/// not there is a failure only where the answer is as it was wanted: errors rarely hold tokens.
pub(super) fn apply(answer: &mut Value, pointers: &[String], target: &str, wanted: bool) -> Result<(), Failure> {
    let mut found = Vec::new();
    for pointer in pointers {
        match answer.at_mut(&["body"]).and_then(|body| at(body, pointer)).filter(|field| **field != Value::Null) {
            Some(field) => seal(field, &format!("{target}#{pointer}"), &mut found),
            None if wanted => {
                let message = format!("{target} answered without {pointer:?}, which was to be sealed");
                return Err(Failure::new(Kind::Failed, message)
                    .on(target)
                    .hint("`seal` takes JSON pointers into a body of JSON, such as \"/token\"")
                    .sent(Sent::Yes));
            }
            None => {}
        }
    }
    found.retain(|secret| secret.expose().len() >= SHORTEST);
    if !found.is_empty() {
        cover(answer, &found);
    }
    Ok(())
}

/// Makes a value a secret; of a map or a list each value in it, since each may be met elsewhere.
fn seal(value: &mut Value, name: &str, found: &mut Vec<Secret>) {
    match value {
        Value::Null => {}
        Value::List(items) => items.iter_mut().enumerate().for_each(|(number, item)| seal(item, &format!("{name}/{number}"), found)),
        Value::Map(map) => map.iter_mut().for_each(|(key, item)| seal(item, &format!("{name}/{key}"), found)),
        plain => {
            let content = plain.as_str().map_or_else(|| plain.to_string(), str::to_owned);
            let secret = Secret::new(name, content);
            *plain = Value::Secret(secret.clone());
            found.push(secret);
        }
    }
}

fn at<'v>(value: &'v mut Value, pointer: &str) -> Option<&'v mut Value> {
    let mut here = value;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        here = match here {
            Value::Map(map) => map.get_mut(token.as_str())?,
            Value::List(items) => items.get_mut(token.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(here)
}

fn cover(value: &mut Value, secrets: &[Secret]) {
    match value {
        Value::Str(text) => {
            for secret in secrets.iter().filter(|secret| text.contains(secret.expose())).collect::<Vec<_>>() {
                *text = text.replace(secret.expose(), "***");
            }
        }
        Value::List(items) => items.iter_mut().for_each(|item| cover(item, secrets)),
        Value::Map(map) => map.values_mut().for_each(|item| cover(item, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn fields_are_sealed_wherever_they_are_and_covered_elsewhere() {
        let mut answer = map! {
            "headers" => map! { "set-cookie" => "session=hunter2hunter2; Path=/" },
            "body" => map! { "a/b" => vec![Value::Null, map! { "token" => "hunter2hunter2" }], "pin" => 1234, "said" => "it is hunter2hunter2" },
        };
        apply(&mut answer, &["/a~1b/1/token".into(), "/pin".into()], "api/login", true).unwrap();
        let shown = answer.to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("1234"), "{shown}");
        let token = answer.at(&["body", "a/b"]).and_then(Value::as_list).and_then(|items| items[1].get("token"));
        let Some(Value::Secret(token)) = token else { panic!("{answer}") };
        assert_eq!((token.expose(), token.name()), ("hunter2hunter2", "api/login#/a~1b/1/token"));
        let mut answer = map! { "body" => map! { "creds" => map! { "user" => "ann", "all" => vec!["hunter2hunter2".into()] }, "said" => "hunter2hunter2" } };
        apply(&mut answer, &["/creds".into()], "api/login", true).unwrap();
        assert_eq!(answer.str_at(&["body", "said"]), Some("***"));
        let names = [answer.at(&["body", "creds", "user"]), answer.at(&["body", "creds", "all"]).and_then(|all| all.as_list()?.first())];
        let names = names.map(|value| value.map(Value::to_string));
        let secret = |name: &str| Some(format!("{{\"$secret\":\"api/login#/creds/{name}\"}}"));
        assert_eq!(names, [secret("user"), secret("all/0")]);
    }

    #[test]
    fn what_is_not_there_fails_an_answer_that_was_wanted() {
        for pointer in ["/none", "/null", "/deep/er"] {
            let mut answer = map! { "body" => map! { "null" => Value::Null, "deep" => "x" } };
            apply(&mut answer, &[pointer.into()], "api/login", false).unwrap();
            let failure = apply(&mut answer, &[pointer.into()], "api/login", true).unwrap_err();
            assert_eq!((failure.kind, failure.sent), (Kind::Failed, Sent::Yes));
        }
        assert!(apply(&mut map! { "body" => "hunter2" }, &["/token".into()], "x", true).is_err());
    }
}
