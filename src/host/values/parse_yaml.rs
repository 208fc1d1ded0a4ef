//! `parse_yaml`: YAML as a value.

use serde_saphyr::{DuplicateKeyPolicy, Error};

use crate::call::{Body, Function};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::value::DEEPEST;
use crate::model::{Failure, Kind, Spec, Tier, Value};

use super::parse_json::{fitting, too_deep};

/// The function.
pub static PARSE_YAML: Function = Function {
    spec: Spec {
        name: "parse_yaml",
        group: Group::Values,
        summary: "Reads YAML 1.2: `no`, `on` and `0755` are texts, whole numbers beyond 64 bits are floats, and two equal keys are an error. Aliases are followed as far as a text of ordinary size needs them.",
        params: &[Param { name: "text", ty: Type::Document, required: true, help: "YAML, 8 MiB at most" }],
        options: &[Opt {
            name: "all",
            ty: Type::Bool,
            default: "false",
            help: "reads several documents, `---` between them, as an array; without it there must be one",
        }],
        returns: "the value; with `all` an array of the documents' values, empty ones left out; `()` for an empty document",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[Kind::Failed, Kind::TooLarge],
        examples: &[
            Example {
                title: "What people mean",
                code: "parse_yaml(\"debug: no\\nreplicas: 3\")",
                result: "{\"debug\":\"no\",\"replicas\":3}",
            },
            Example { title: "Several documents", code: "parse_yaml(\"a: 1\\n---\\na: 2\", #{ all: true }).len()", result: "2" },
        ],
    },
    body: Body::Pure(body),
};

fn body(args: &Args) -> Result<Value, Failure> {
    let text = fitting(args)?;
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        duplicate_keys: DuplicateKeyPolicy::Error,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: DEEPEST + 1 },
    };
    let result = if args.option_bool("all") {
        serde_saphyr::from_str_multiple_with_options::<Value, Vec<Value>>(text, options).map(Value::List)
    } else {
        serde_saphyr::from_str_with_options(text, options)
    };
    result.map_err(|error| wrong(&error))
}

fn wrong(error: &Error) -> Failure {
    let at = error.location().map(|at| format!(" at line {} column {}", at.line(), at.column())).unwrap_or_default();
    let mut cause = error.without_snippet();
    while let Error::AliasError { error, .. } = cause {
        cause = error.without_snippet();
    }
    match cause {
        Error::MultipleDocuments { .. } => {
            Failure::new(Kind::Failed, "there are several documents").hint("parse_yaml(text, #{ all: true }) answers an array of them")
        }
        Error::Budget { breach, .. } => match breach {
            serde_saphyr::budget::BudgetBreach::Depth { .. } => too_deep(),
            _ => Failure::new(Kind::TooLarge, "the text has more values, or aliases of them, than are followed")
                .hint("ask for less where it comes from"),
        },
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            Failure::new(Kind::TooLarge, format!("aliases stand for more than is followed{at}"))
        }
        other => {
            let said = other.to_string();
            // The scanner has a bound of its own, which has no variant.
            if said.starts_with("recursion limit") { too_deep() } else { Failure::new(Kind::Failed, format!("this is no YAML: {said}")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    fn parse(text: &str) -> Result<Value, Failure> {
        body(&PARSE_YAML.spec.bind(vec![text.into()])?)
    }

    fn fails(text: &str) -> (Kind, String) {
        parse(text).map(|value| value.to_string()).map_err(|failure| (failure.kind, failure.message)).unwrap_err()
    }

    #[test]
    fn scalars_mean_what_yaml_1_2_says() {
        let text = "[no, yes, on, n, true, null, ~, 0x1F, 1e3, 1.0, 010, '5', 2026-01-01, 9223372036854775807, 9223372036854775808]";
        let expected =
            r#"["no","yes","on","n",true,null,null,31,1000.0,1.0,"010","5","2026-01-01",9223372036854775807,9.223372036854776e+18]"#;
        assert_eq!(parse(text).unwrap().to_string(), expected);
        assert_eq!(parse("1: a\nno: b\ntrue: c").unwrap().to_string(), r#"{"1":"a","no":"b","true":"c"}"#);
        assert_eq!(
            parse("a: &x { b: 1 }\nc: *x\nd: { <<: *x, e: 2 }").unwrap().to_string(),
            r#"{"a":{"b":1},"c":{"b":1},"d":{"b":1,"e":2}}"#
        );
        assert_eq!((parse("").unwrap(), parse("# nothing").unwrap()), (Value::Null, Value::Null));
        assert!(parse("$secret: env:A").unwrap().as_map().is_some());
    }

    #[test]
    fn what_is_none_is_said_with_its_place() {
        for text in ["a: [1", "a: 1\n b: 2", "a: 1\na: 2", "*x", ".nan", "-.inf", "1e999", "? [a]\n: 1", "@a"] {
            let (kind, message) = fails(text);
            assert_eq!(kind, Kind::Failed, "{text}: {message}");
            assert!(message.starts_with("this is no YAML: ") && !message.contains('\n'), "{message}");
        }
        let (_, message) = fails("fine: 1\nfine: 2");
        assert!(message.contains("line 2"), "{message}");
    }

    #[test]
    fn several_documents_are_wanted_or_an_error() {
        let failure = parse("a: 1\n---\na: 2").unwrap_err();
        assert_eq!(failure.message, "there are several documents");
        assert!(failure.hint.unwrap().contains("all: true"));
        let all = |text: &str| body(&PARSE_YAML.spec.bind(vec![text.into(), map! { "all" => true }]).unwrap()).unwrap().to_string();
        assert_eq!(all("a: 1\n---\n- 2\n"), r#"[{"a":1},[2]]"#);
        assert_eq!(all("a: 1"), r#"[{"a":1}]"#);
        assert_eq!(all(""), "[]");
    }

    #[test]
    fn what_would_grow_without_bound_is_too_large() {
        // Scripts have stacks of 64 MiB and more; a test's own is too small for the deepest text in a debug build.
        let deep = std::thread::Builder::new().stack_size(16 << 20).spawn(|| {
            let laughs = (1..12).fold("l0: &l0 [ha,ha,ha,ha,ha,ha,ha,ha,ha]\n".to_owned(), |text, n| {
                let aliases = vec![format!("*l{}", n - 1); 9].join(",");
                format!("{text}l{n}: &l{n} [{aliases}]\n")
            });
            assert_eq!(fails(&laughs).0, Kind::TooLarge, "{}", fails(&laughs).1);
            assert_eq!(fails(&"[".repeat(5_000)), (Kind::TooLarge, too_deep().message));
            let indented = |levels: usize| (0..levels).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>();
            assert_eq!(fails(&indented(300)), (Kind::TooLarge, too_deep().message));
            assert!(parse(&indented(DEEPEST)).is_ok());
            assert_eq!(fails(&"#".repeat((8 << 20) + 1)).0, Kind::TooLarge);
        });
        deep.unwrap().join().unwrap();
    }
}
