//! `command`: one command on this machine.

use std::path::{Component, Path, PathBuf};

use crate::call::{Body, Cx, Function};
use crate::config::{Environment, Reach};
use crate::host::programs::{self, ASSUME, EFFECT, OK_EXIT, STDIN, TIER};
use crate::host::saves::SAVE;
use crate::model::operation::Command;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value, Write};

/// The function.
pub static COMMAND: Function = Function {
    spec: Spec {
        name: "command",
        group: Group::Machine,
        summary: "Runs one command on this machine: a program and its arguments, no shell.",
        params: &[Param {
            name: "argv",
            ty: Type::Argv,
            required: true,
            help: "the program, by its path or found on the PATH, and its arguments: [\"terraform\", \"plan\"]; no secrets",
        }],
        options: &[
            STDIN,
            Opt {
                name: "env",
                ty: Type::Map,
                default: "",
                help: "variables of its environment, values or secrets; beside them it gets PATH, HOME, USER, LANG, LC_*, TZ, TMPDIR, XDG_*, KUBECONFIG and SSH_AUTH_SOCK, and no others",
            },
            Opt {
                name: "cwd",
                ty: Type::Str,
                default: "",
                help: "the folder that it runs in, beneath the project's root; the root without it",
            },
            Opt {
                name: "tunnels",
                ty: Type::Strings,
                default: "",
                help: "services and databases that it is given a way to, where they are reached by port-forward: Unix sockets, in the variables RUNBOOK_TUNNEL_NAME, and of a PostgreSQL PGHOST, PGPORT, PGUSER and PGDATABASE",
            },
            OK_EXIT,
            SAVE,
            EFFECT,
            ASSUME,
            TIER,
            Opt {
                name: "timeout",
                ty: Type::Duration,
                default: "\"1m\"",
                help: "the longest wait for its end; then it is stopped, with all that it has started",
            },
        ],
        returns: "`#{ exit_code, stdout, stderr, program }`, `program` being the path that was run; with `save`, the bytes of its standard output in that file, and `saved: #{ path, bytes, sha256 }` in place of `stdout`. In a rehearsal it is not run: `exit_code` is known, the rest is not",
        tier: Tier::Moderate,
        keep: Keep::Payload,
        errors: &[Kind::NotConfirmed, Kind::NotFound, Kind::TooLarge, Kind::Failed, Kind::InDoubt],
        examples: &[
            Example { title: "What it says", code: "command([\"echo\", \"hello\"]).stdout", result: "\"hello\\n\"" },
            Example {
                title: "Words in one text are no command",
                code: "attempt(|| command([\"ls -l\", 7])).error.kind",
                result: "\"bad_argument\"",
            },
        ],
    },
    body: Body::Act(reading, plan, programs::shape),
};

fn reading(args: &Args, cx: &Cx<'_>) -> Result<Option<Value>, Failure> {
    if !programs::only_reads(args, 0, cx, &["env", "cwd", "tunnels"]) {
        return Ok(None);
    }
    cx.read(&Read::Command(made(args, cx)?)).map(Some)
}

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    Ok(vec![Write::Command(made(args, cx)?)])
}

fn made(args: &Args, cx: &Cx<'_>) -> Result<Command, Failure> {
    let run = programs::invocation(args, 0, cx)?;
    let shown_cwd = args.option_str("cwd").map(str::to_owned);
    let cwd = folder(&cx.config().root, shown_cwd.as_deref().unwrap_or("."))?;
    let env = args.option("env").and_then(Value::as_map).into_iter().flat_map(|env| env.iter());
    let env = env.map(|(name, value)| variable(name, value)).collect::<Result<_, _>>()?;
    let tunnels = tunnels(args, cx.environment())?;
    Ok(Command { run, env, cwd, shown_cwd, tunnels })
}

/// What it is given tunnels to.
fn tunnels(args: &Args, environment: &Environment) -> Result<Vec<String>, Failure> {
    let asked = args.option("tunnels").and_then(Value::as_list).unwrap_or_default();
    let names: Vec<String> = asked.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let known = || environment.databases.keys().chain(environment.services.keys()).map(String::as_str);
    if let Some(name) = names.iter().find(|name| known().all(|known| known != name.as_str())) {
        return Err(Failure::unknown("service or database", name, known()));
    }
    if !names.is_empty() && environment.reach == Reach::Direct {
        return Err(Failure::bad_argument(format!("`tunnels`: the environment `{}` is reached without tunnels", environment.name))
            .hint("only an environment with reach = \"port-forward\" has any: give the program the addresses themselves"));
    }
    Ok(names)
}

/// A folder beneath the project's root, links included.
fn folder(root: &Path, asked: &str) -> Result<PathBuf, Failure> {
    let wrong = |message: String| Failure::bad_argument(message).hint("commands run beneath the project's root: `cwd: \"infra\"`");
    let plain = Path::new(asked).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain || asked.is_empty() || asked.contains('\0') {
        return Err(wrong(format!("`cwd` {asked:?} is no path beneath the project's root")));
    }
    let real = |folder: &Path| folder.canonicalize().map_err(|error| wrong(format!("`cwd` {asked:?} cannot be opened: {error}")));
    let (root, folder) = (real(root)?, real(&root.join(asked))?);
    match folder.starts_with(&root) && folder.is_dir() {
        true => Ok(folder),
        false => Err(wrong(format!("`cwd` {asked:?} is no folder of the project"))),
    }
}

/// A variable of the environment.
fn variable(name: &str, value: &Value) -> Result<(String, Value), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Failure::bad_argument(format!("`env`: {name:?} is no variable's name")).hint("letters, digits and `_`: `AWS_REGION`"));
    }
    let wrong = |what: &str| {
        Err(Failure::bad_argument(format!("`env`: {name} must be a string, a number, a bool or a secret, not {what}"))
            .hint("what is more than that belongs into `stdin`"))
    };
    match value {
        Value::Str(text) if text.contains('\0') => wrong("text with a NUL character"),
        Value::Secret(secret) if secret.expose().contains('\0') => wrong("a secret with a NUL character"),
        Value::Str(_) | Value::Secret(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => Ok((name.to_owned(), value.clone())),
        other => wrong(other.type_name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    #[test]
    fn commands_run_beneath_the_root_and_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("infra/prod")).unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("out")).unwrap();
        let real = root.path().canonicalize().unwrap();
        assert_eq!(folder(root.path(), "infra/prod").unwrap(), real.join("infra/prod"));
        assert_eq!(folder(root.path(), ".").unwrap(), real);
        for asked in ["..", "infra/../..", "/tmp", "", "a\0b", "out", "file", "missing"] {
            assert_eq!(folder(root.path(), asked).unwrap_err().kind, Kind::BadArgument, "{asked:?}");
        }
    }

    #[test]
    fn variables_have_names_and_plain_values() {
        assert_eq!(variable("AWS_REGION", &"eu".into()).unwrap(), ("AWS_REGION".to_owned(), "eu".into()));
        for (name, value) in
            [("", Value::from("x")), ("A=B", "x".into()), ("1A", "x".into()), ("A", Value::List(vec![])), ("A", "a\0".into())]
        {
            assert_eq!(variable(name, &value).unwrap_err().kind, Kind::BadArgument, "{name:?}");
        }
        let failure = variable("A", &Value::Secret(Secret::new("env:X", "hunter2\0"))).unwrap_err();
        assert!(!failure.message.contains("hunter2"));
    }
}
