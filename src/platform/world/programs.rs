//! Programs in a world, in containers and on this machine: the world file answers, and nothing is ever run.

use std::time::Duration;

use regex::Regex;

use super::build::workload_ref;
use super::cluster::{Cluster, Mode};
use super::file::{RunFile, WorldFile};
use super::source::{self, Source};
use crate::model::operation::{Command, Exec, Invocation, PatchKind};
use crate::model::resource::Target;
use crate::model::{Failure, ObjectRef, Value};
use crate::platform::invocation::{self, Output, Stream};

const LATENCY: Duration = Duration::from_millis(50);

/// The answers of all programs.
#[derive(Debug, Default)]
pub(super) struct Programs {
    exec: Vec<Entry>,
    commands: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    words: Words,
    /// Whose patch each effect is.
    effects: Vec<(ObjectRef, Value)>,
    written: RunFile,
}

#[derive(Debug)]
enum Words {
    Exact(Vec<String>),
    Pattern(Regex),
}

/// What a program does in the world, before it has done it.
pub(super) struct Played<'a> {
    entry: Option<&'a Entry>,
    /// What the programs answer that every world knows.
    known: String,
    /// How it is named.
    pub(super) what: String,
    /// Where it was looked for.
    place: String,
    /// How long it takes.
    pub(super) latency: Duration,
    run: &'a Invocation,
    fields: Vec<(&'static str, Value)>,
}

impl Programs {
    pub(super) fn new(source: &Source, file: &WorldFile, cluster: &Cluster, namespace: &str) -> Result<Self, Failure> {
        let entries = |key: &str, written: &[RunFile]| {
            let entries = written.iter().enumerate().map(|(index, one)| entry(source, key, &index.to_string(), one, cluster, namespace));
            entries.collect::<Result<Vec<_>, Failure>>()
        };
        Ok(Self { exec: entries("exec", &file.exec)?, commands: entries("commands", &file.commands)? })
    }

    /// What a command in a container does.
    pub(super) fn exec<'a>(&'a self, exec: &'a Exec, workload: Option<&str>, world: &str) -> Result<Played<'a>, Failure> {
        let pod = format!("pod/{}", exec.pod);
        let here = |entry: &&Entry| {
            let RunFile { on, container, .. } = &entry.written;
            on.as_deref().is_none_or(|on| on == pod || Some(on) == workload)
                && container.as_ref().is_none_or(|wanted| *wanted == exec.container)
        };
        let place = workload.unwrap_or(&pod);
        let played = played(self.exec.iter().find(|entry| here(entry) && entry.fits(&exec.run)), &exec.run, || {
            let argv = serde_json::json!(exec.run.argv);
            let failure = Failure::bad_argument(format!("the world does not say what {argv} answers in {pod}"));
            failure.hint(format!("add to {world}, under `exec`: {{ on: {place}, argv: {argv}, stdout: \"…\" }}")).on(pod.as_str())
        })?;
        let fields = vec![("pod", exec.pod.as_str().into()), ("container", exec.container.as_str().into())];
        Ok(Played { what: invocation::of_exec(exec), place: invocation::in_container(exec), fields, ..played })
    }

    /// What a command on this machine does.
    pub(super) fn command<'a>(&'a self, command: &'a Command, world: &str) -> Result<Played<'a>, Failure> {
        let played = played(self.commands.iter().find(|entry| entry.fits(&command.run)), &command.run, || {
            let argv = serde_json::json!(command.run.argv);
            Failure::bad_argument(format!("the world does not say what {argv} answers on this machine"))
                .hint(format!("add to {world}, under `commands`: {{ argv: {argv}, stdout: \"…\" }}"))
        })?;
        let program = command.run.argv.first().map(String::as_str);
        let fields = vec![("program", program.unwrap_or_default().into())];
        Ok(Played { what: invocation::of_command(command), place: invocation::ON_PATH.to_owned(), fields, ..played })
    }
}

/// The programs that every world knows: `true` and `echo`.
fn known(argv: &[String]) -> Option<String> {
    match argv.split_first() {
        Some((program, [])) if program == "true" => Some(String::new()),
        Some((program, words)) if program == "echo" => Some(format!("{}\n", words.join(" "))),
        _ => None,
    }
}

fn played<'a>(entry: Option<&'a Entry>, run: &'a Invocation, unknown: impl FnOnce() -> Failure) -> Result<Played<'a>, Failure> {
    let latency = entry.and_then(|entry| entry.written.latency).map_or(LATENCY, |span| span.0);
    match (entry, known(&run.argv)) {
        (None, None) => Err(unknown()),
        (entry, known) => {
            let (known, what, place) = (known.unwrap_or_default(), String::new(), String::new());
            Ok(Played { entry, known, what, place, latency, run, fields: Vec::new() })
        }
    }
}

impl Played<'_> {
    /// What it answers.
    pub(super) fn ended(self, mask: &dyn Fn(String) -> String) -> Result<Value, Failure> {
        let mut output = Output::begin(self.run.save.as_ref())?;
        let (out, err, code) = match self.entry.map(|entry| &entry.written) {
            Some(written) if written.missing => return Err(invocation::no_program(&self.run.argv, &self.place)),
            Some(written) => (written.stdout.as_str(), written.stderr.as_str(), written.exit_code),
            None => (self.known.as_str(), "", 0),
        };
        output.push(Stream::Out, out.as_bytes());
        output.push(Stream::Err, err.as_bytes());
        output.ended(&self.what, self.run, code, self.fields, mask)
    }

    /// Does to the cluster what the program does.
    pub(super) fn act(&self, cluster: &mut Cluster, at: i64) -> Result<(), Failure> {
        let mut effects = self.entry.iter().flat_map(|entry| &entry.effects);
        effects.try_for_each(|(object, patch)| cluster.patch(object, None, (PatchKind::Merge, patch), at, Mode::Do).map(drop))
    }
}

impl Entry {
    fn fits(&self, run: &Invocation) -> bool {
        let words = match &self.words {
            Words::Exact(argv) => *argv == run.argv,
            Words::Pattern(pattern) => pattern.is_match(&run.argv.join(" ")),
        };
        let read = |wanted: &String| match &run.stdin {
            Some(Value::Str(text)) => text == wanted,
            Some(Value::Secret(_)) | None => false,
            Some(other) => other.to_string() == *wanted,
        };
        words && self.written.stdin.as_ref().is_none_or(read)
    }
}

fn entry(source: &Source, key: &str, index: &str, written: &RunFile, cluster: &Cluster, namespace: &str) -> Result<Entry, Failure> {
    let path = [key, index];
    let at = |last: &'static str| [&path[..], &[last]].concat();
    let words = match (&written.argv, &written.pattern) {
        (Some(argv), None) if argv.first().is_some_and(|program| !program.is_empty()) => Words::Exact(argv.clone()),
        (Some(_), None) => return Err(source.wrong(&at("argv"), "`argv` names no program; the program first: [date, -u]")),
        (None, Some(pattern)) => Words::Pattern(source::regex(pattern).map_err(|message| source.wrong(&at("match"), message))?),
        _ => return Err(source.wrong(&path, "a program has either `argv` (its words) or `match` (a regular expression)")),
    };
    if key == "commands" {
        for (name, used) in [("on", written.on.is_some()), ("container", written.container.is_some())] {
            if used {
                return Err(source.wrong(&at(name), format_args!("`{name}` is for `exec`: commands run on this machine")));
            }
        }
    }
    if let Some(on) = written.on.as_ref().filter(|on| !on.starts_with("pod/")) {
        let workload = workload_ref(on, namespace).map_err(|message| source.wrong(&at("on"), message))?;
        if !on.contains('/') || !cluster.has(&workload) {
            let message = format_args!("{on:?} is no workload of this world");
            return Err(source.wrong(&at("on"), message).hint("write it as \"deployment/NAME\", \"statefulset/NAME\" or \"pod/NAME\""));
        }
    }
    let mut effects = Vec::new();
    for (number, effect) in written.then.iter().enumerate() {
        let number = number.to_string();
        let path = [key, index, "then", &number, "patch"];
        match Target::parse(&effect.patch).map_err(|failure| source.wrong(&path, failure.message))? {
            Target::Object(kind, name) => effects.push((ObjectRef::new(kind, namespace, &name), effect.with.clone())),
            _ => return Err(source.wrong(&path, format_args!("{:?} is no object: write \"deployment/NAME\"", effect.patch))),
        }
    }
    Ok(Entry { words, effects, written: written.clone() })
}
