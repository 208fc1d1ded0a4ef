//! `env`: an environment variable.

use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};

/// The function.
pub static ENV: Function = Function {
    spec: Spec {
        name: "env",
        group: Group::Machine,
        summary: "Answers an environment variable, as a secret unless the configuration says that it is public. In a world those of the world file, never the machine's.",
        params: &[Param { name: "name", ty: Type::Str, required: true, help: "the variable, such as \"GIT_COMMIT\"" }],
        options: &[Opt { name: "default", ty: Type::Str, default: "", help: "what is answered, as text, where the variable is not set" }],
        returns: "a secret; text where `[environment] public` lists the variable",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound],
        examples: &[Example {
            title: "One that may be missing",
            code: "env(\"REGION\", #{ default: \"eu-central-1\" })",
            result: "\"eu-central-1\"",
        }],
    },
    body: Body::Local(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let name = args.str(0);
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fine) {
        return Err(
            Failure::bad_argument("`name` is no name of an environment variable").hint("letters, digits and `_`, such as \"GIT_COMMIT\"")
        );
    }
    let public = cx.config().public_env.iter().any(|other| other == name);
    let read = cx.read(&Read::Variable { name: name.to_owned(), public });
    match (read, args.option("default")) {
        (Err(failure), Some(default)) if failure.kind == Kind::NotFound => Ok(default.clone()),
        (read, _) => read,
    }
}
