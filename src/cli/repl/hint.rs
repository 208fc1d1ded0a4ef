//! How the function that is being typed is called, and what it does.

use super::commands::COMMANDS;
use super::context::{self, Context};
use super::known::Known;
use crate::call::Function;
use crate::host;
use crate::model::spec::{Opt, Param};
use crate::model::{Effect, Tier, suggest};
use crate::run::repl::scan::{Opener, Scan};

/// What follows the cursor at the end of a line; never a part of the input.
pub(super) fn hint(line: &str, known: &dyn Known) -> Option<String> {
    match context::at(line) {
        Context::Command { word, rest } => return command(word, rest),
        Context::Word(word) if !word.is_empty() => {
            if let Some(said) = of_word(word, known) {
                return Some(said);
            }
        }
        _ => {}
    }
    let scan = Scan::new(line);
    if let Some((options, key)) = context::options(line, &scan) {
        return of_options(options, key);
    }
    let call = context::called(line, &scan)?;
    // Within an array or a map of an argument the rest of the signature would read as if it were part of it.
    let quote = match &scan.open[call.level + 1..] {
        [] => "",
        [open] if matches!(open.opener, Opener::Quote { .. }) => "\"",
        _ => return Some(format!("   {}", effect(call.function))),
    };
    let params = call.function.spec.params;
    let rest = if call.begun { params.get(call.argument + 1..) } else { params.get(call.argument..) }.unwrap_or_default();
    let mut parts: Vec<String> = rest.iter().map(brief).collect();
    if let (false, Some(param)) = (call.begun, call.param()) {
        parts[0] = format!("{}: {}", brief(param), param.ty.name());
    }
    let options_left = !call.function.spec.options.is_empty() && call.argument < params.len() + usize::from(!call.begun);
    if options_left {
        parts.push("options?".into());
    }
    let joined = parts.join(", ");
    let comma = if call.begun && !joined.is_empty() { ", " } else { "" };
    Some(format!("{quote}{comma}{joined})   {}", effect(call.function)))
}

fn brief(param: &Param) -> String {
    if param.required { param.name.to_owned() } else { format!("{}?", param.name) }
}

/// `change (moderate): Restarts …`.
pub(super) fn effect(function: &Function) -> String {
    let tier = if function.effect() == Effect::Change && function.spec.tier > Tier::Mild {
        format!(" ({})", function.spec.tier.name())
    } else {
        String::new()
    };
    format!("{}{tier}: {}", function.effect().name(), function.spec.summary)
}

fn of_word(word: &str, known: &dyn Known) -> Option<String> {
    if let Some(function) = host::find(word) {
        let signature = function.spec.signature();
        return Some(format!("{}   {}", &signature[word.len()..], effect(function)));
    }
    known
        .functions()
        .into_iter()
        .find_map(|signature| signature.strip_prefix(word)?.starts_with('(').then(|| signature[word.len()..].to_owned()))
}

fn of_options(options: &'static [Opt], key: Option<&str>) -> Option<String> {
    let Some(key) = key else {
        let names: Vec<&str> = options.iter().map(|option| option.name).collect();
        return Some(if names.is_empty() { "   takes no options".to_owned() } else { format!("   {}", names.join(", ")) });
    };
    match options.iter().find(|option| option.name == key) {
        Some(option) => {
            let default = if option.default.is_empty() { String::new() } else { format!(" [{}]", option.default) };
            Some(format!("   {}{default}: {}", option.ty.name(), option.help))
        }
        None => suggest::nearest(key, options.iter().map(|option| option.name)).map(|near| format!("   no such option; `{near}`?")),
    }
}

fn command(word: &str, rest: Option<&str>) -> Option<String> {
    let command = COMMANDS.iter().find(|command| command.word == word);
    match (command, rest) {
        (Some(command), None) => Some(format!(" {}   {}", command.arguments, command.help).replace("    ", "   ")),
        (Some(command), Some("")) => Some(format!("{}   {}", command.arguments, command.help)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::repl::names::Found;
    use std::sync::Arc;

    struct Nothing;
    impl Known for Nothing {
        fn variables(&self) -> Vec<String> {
            vec![]
        }
        fn keys(&self, _: &[&str]) -> Vec<String> {
            vec![]
        }
        fn functions(&self) -> Vec<String> {
            vec!["mine(a, b)".into()]
        }
        fn imports(&self) -> Vec<(String, Vec<String>)> {
            vec![]
        }
        fn found(&self) -> Arc<Found> {
            Arc::default()
        }
        fn services(&self) -> Vec<String> {
            vec![]
        }
        fn databases(&self) -> Vec<String> {
            vec![]
        }
        fn channels(&self) -> Vec<String> {
            vec![]
        }
        fn severities(&self) -> Vec<String> {
            vec![]
        }
        fn environments(&self) -> Vec<String> {
            vec![]
        }
        fn modules(&self) -> Vec<String> {
            vec![]
        }
        fn scripts(&self) -> Vec<String> {
            vec![]
        }
    }

    #[test]
    fn the_rest_of_the_signature_follows_what_is_typed() {
        let summary = "change: Sets the number of a workload's replicas.";
        for (line, expected) in [
            ("scale", format!("(target, replicas, options?)   {summary}")),
            ("scale(", format!("target: workload, replicas, options?)   {summary}")),
            ("scale(\"ap", format!("\", replicas, options?)   {summary}")),
            ("scale(\"api\"", format!(", replicas, options?)   {summary}")),
            ("scale(\"api\", ", format!("replicas: int 0..10000, options?)   {summary}")),
            ("scale(\"api\", 3", format!(", options?)   {summary}")),
            ("scale(\"api\", 3, ", format!("options?)   {summary}")),
            ("scale(\"api\", 3, #{ ", "   namespace, tier, timeout".into()),
            ("mine", "(a, b)".into()),
            (":env", " NAME   another environment: a fresh scope, its own run".into()),
        ] {
            assert_eq!(hint(line, &Nothing).as_deref(), Some(expected.as_str()), "{line}");
        }
        assert!(hint("scale(\"api\", 3, #{ timeout: ", &Nothing).unwrap().starts_with("   duration [\"30s\"]: "));
        assert_eq!(hint("scale(\"api\", 3, #{ timeot: ", &Nothing).as_deref(), Some("   no such option; `timeout`?"));
        assert!(hint("restart(", &Nothing).unwrap().contains("change (moderate): "));
        for line in ["", "let x", "1 + 1", "scale(\"api\", 3)", "nothing("] {
            assert_eq!(hint(line, &Nothing), None, "{line}");
        }
    }
}
