//! Static checks of scripts: no network, no trust, no secret, nothing is run. All that is found is told in one go.

mod allow;
mod arguments;
pub mod codes;
mod data;
mod fields;
mod finding;
mod header;
mod sources;
pub mod steps;
mod targets;
mod variables;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use rhai::Position;

pub use finding::Finding;

use super::header::Found;
use super::names::{self, Known};
use super::walk::{Node, walk};
use crate::config::{Config, Environment};
use crate::model::Failure;
use codes::Code;
use finding::ordered;
use sources::{Source, Sources};
use steps::Effects;

/// What scripts are checked against.
pub struct Rules<'a> {
    /// The configuration: services, severities, policy.
    pub config: &'a Config,
    /// The environments whose databases and channels may be named; a name that is in one of them is known.
    pub environments: Vec<Environment>,
    /// The day that dates are judged by.
    pub today: Date,
}

impl<'a> Rules<'a> {
    /// The rules of a project, for one of its environments or for all of them.
    pub fn new(config: &'a Config, environment: Option<&str>, today: Date) -> Result<Self, Failure> {
        let environments = match environment {
            None if !config.environments.is_empty() => config.environments.values().cloned().collect(),
            name => vec![config.world_environment(name)?],
        };
        Ok(Self { config, environments, today })
    }

    /// Whether there is a configuration that names could be missing from.
    fn knows_names(&self) -> bool {
        self.config.file.is_some()
    }
}

/// What a check came to.
pub struct Checked {
    /// What was found, by file and place.
    pub findings: Vec<Finding>,
    /// How many files were checked, imported ones included.
    pub files: usize,
    sources: Sources,
}

impl Checked {
    /// The text of a file that was checked.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.sources.all.iter().find(|source| source.name == file).map(|source| source.text.as_str())
    }
}

/// Checks scripts and the modules that they import.
pub fn check(files: &[PathBuf], folder: &Path, rules: &Rules<'_>) -> Checked {
    let mut engine = super::parser();
    // Rhai would stop at the first variable that it does not know.
    engine.set_strict_variables(false);
    let builtins = names::builtins(&engine);
    let sources = Sources::load(&engine, files, folder, &rules.config.root);
    let effects = Effects::of(&sources);
    let mut findings = Vec::new();
    let own = || sources.all.iter().enumerate().filter(|(_, source)| !source.embedded);
    for (number, source) in own() {
        let known = Known::new(&source.tree, &builtins, &|path| sources.functions_of(source, path));
        let (header, wrong) = source.ast.as_ref().map_or((None, Vec::new()), |ast| super::header::examine(ast, &source.name));
        let mut cx = Cx {
            rules,
            sources: &sources,
            effects: &effects,
            number,
            source,
            known,
            header,
            written: BTreeSet::new(),
            bare: None,
            told: BTreeSet::new(),
            found: Vec::new(),
        };
        cx.check(wrong);
        findings.extend(allow::apply(cx.found, source));
    }
    let files = own().count();
    Checked { findings: ordered(findings, &sources), files, sources }
}

/// One file while it is checked.
struct Cx<'a> {
    rules: &'a Rules<'a>,
    sources: &'a Sources,
    effects: &'a Effects<'a>,
    number: usize,
    source: &'a Source,
    known: Known<'a>,
    header: Option<Found<'a>>,
    /// The variables that are written to after their declaration.
    written: BTreeSet<&'a str>,
    /// The line and the end of the last text that lacks its quotes.
    bare: Option<(usize, usize)>,
    /// The steps of which it was said that they cannot be taken back.
    told: BTreeSet<Position>,
    found: Vec<Finding>,
}

impl<'a> Cx<'a> {
    /// Notes a finding at a place.
    fn report(&mut self, code: &'static Code, failure: Failure, at: Position) {
        let finding = Finding::new(code, failure, self.source, at);
        // A function may be met by several ways.
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }

    fn check(&mut self, wrong: Vec<super::Diagnostic>) {
        if let Some((failure, at)) = &self.source.broken {
            return self.report(codes::SYNTAX, failure.clone(), *at);
        }
        let source = self.source;
        for (failure, at) in super::syntax::hidden(&source.tree, &source.text) {
            self.report(codes::HIDES_FUNCTION, failure, at);
        }
        header::check(self, wrong);
        let mut written = BTreeSet::new();
        walk(&source.tree, &mut |node, _, _| {
            if let Node::Write(name, _) = node {
                written.insert(*name);
            }
        });
        self.written = written;
        walk(&source.tree, &mut |node, place, scopes| {
            variables::check(self, node, scopes);
            fields::check(self, node, scopes);
            steps::check(self, node, place, scopes);
            match node {
                Node::Call(call) => arguments::check(self, call, scopes),
                Node::Step(step) => arguments::check_step(self, step, scopes),
                _ => {}
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCRIPTS: [&str; 3] = [
        include_str!("../../../scripts/emergency/system-outage.rhai"),
        include_str!("../../../scripts/api-gateway/high-response-times.rhai"),
        include_str!("../../../tests/integration/diagnostics/steps.rhai"),
    ];

    /// What somebody may type or delete anywhere.
    const TYPED: [&str; 16] =
        ["", "\"", "`", "${", "{", "}", "[", ")", "#{", "//", "/*", "|", "ä", "// allow(", ".get(\"k\")", "step \"x\" "];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn half_typed_scripts_are_told_of_and_never_panic(
            script in 0..SCRIPTS.len(), at in any::<prop::sample::Index>(), gone in 0..9usize, typed in 0..TYPED.len()
        ) {
            let text: Vec<char> = SCRIPTS[script].chars().collect();
            let at = at.index(text.len());
            let edited: String = text[..at].iter().chain(&TYPED[typed].chars().collect::<Vec<_>>()).chain(text.iter().skip(at + gone)).collect();
            // A debug build's parser needs more stack than a test's thread has.
            let worker = std::thread::Builder::new().stack_size(crate::engine::STACK_BYTES).spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                std::fs::write(folder.path().join("x.rhai"), &edited).unwrap();
                let config = Config { root: folder.path().to_owned(), ..Config::default() };
                let rules = Rules::new(&config, None, Date::constant(2026, 1, 15)).unwrap();
                let checked = check(&["x.rhai".into()], folder.path(), &rules);
                for finding in &checked.findings {
                    assert!(finding.end >= (finding.at.line, finding.at.column), "{finding:?}");
                    finding.render(checked.text(&finding.at.file), false);
                }
            });
            prop_assert!(worker.unwrap().join().is_ok());
        }
    }
}
