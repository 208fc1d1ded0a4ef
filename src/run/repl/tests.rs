//! Sittings without a terminal, in the healthy world.

use std::sync::Mutex;

use super::*;
use crate::call::ui::Question;
use crate::config::{Dirs, Environment, Service};
use crate::journal::entry::End;

/// What the person saw.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Ui for Heard {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Failed(render) => self.0.lock().unwrap().push(render(false)),
            Event::Note(note) => self.0.lock().unwrap().push((*note).to_owned()),
            _ => {}
        }
    }
    fn show(&self, _: &Value, _: Option<&str>) {}
    fn ask(&self, _: &Question) -> Option<String> {
        None
    }
}

struct Sitting {
    session: Session,
    heard: Arc<Heard>,
    folder: tempfile::TempDir,
}

fn sitting() -> Sitting {
    let folder = tempfile::tempdir().unwrap();
    let dirs = Dirs { config: folder.path().join("config"), state: folder.path().join("state") };
    let service = Service { workload: Some("deployment/api".into()), url: Some("http://api:80".into()), replicas: 3, ..Service::default() };
    let services = [("api".to_owned(), service)];
    let environment =
        Environment { name: "test".into(), namespace: "default".into(), services: services.clone().into(), ..Default::default() };
    let config = Config {
        root: folder.path().to_owned(),
        services: services.into(),
        environments: [("test".to_owned(), environment)].into(),
        dirs: dirs.clone(),
        ..Config::default()
    };
    let request = Request {
        script: String::new(),
        folder: folder.path().to_owned(),
        dirs,
        params: Vec::new(),
        from: None,
        interactive: false,
        environment: None,
        stage: Stage::HealthyWorld,
        dry_run: false,
        yes: false,
        confirm: Vec::new(),
        answers: Default::default(),
        journal: None,
    };
    let heard = Arc::new(Heard::default());
    let session = Session::begin(request, Arc::new(config), heard.clone(), Arc::default(), false).unwrap();
    Sitting { session, heard, folder }
}

impl Sitting {
    fn value(&mut self, text: &str) -> Value {
        match self.session.input(text) {
            Outcome::Value { shown, .. } => shown,
            other => panic!("{text}: {other:?}\n{}", self.said()),
        }
    }

    fn said(&self) -> String {
        self.heard.0.lock().unwrap().join("\n")
    }
}

#[test]
fn more_is_wanted_where_something_is_open_or_lacks_its_end() {
    let sitting = sitting();
    for text in [
        "scale(\"api\",",
        "step \"x\" {",
        "step \"x\"",
        "let x =",
        "let x = 1 +",
        "if x",
        "fn f(a)",
        "note(`a",
        "note(`a ${",
        "/* a",
        "#{ a: 1",
        "[1, 2",
        "import \"x\"  as",
        "\"a\\",
        "x.",
        "f(|a|",
    ] {
        assert!(sitting.session.wants_more(text), "{text}");
    }
    for text in [
        "",
        "1",
        "let x = 1",
        "scale(\"api\", 3)",
        "step \"x\" { }",
        "note(`a`)",
        "// a (",
        "\"a",
        "let x = ;",
        ")",
        "x y",
        "if x { 1 }",
        "_ + 1",
        "switch 1 { _ => 2 }",
        "let x =\n",
        "1 +\n\n",
    ] {
        assert!(!sitting.session.wants_more(text), "{text}");
    }
}

#[test]
fn what_a_sitting_declares_is_known_by_name() {
    let mut sitting = sitting();
    sitting.value(
        "let api = get(\"deployment/api\"); let z = 1; let z = 2; fn mine(a, b) { a } fn mine(a) { a } import \"std/health\" as h; z",
    );
    assert_eq!(sitting.session.variables(), ["api", "z"]);
    assert_eq!(sitting.session.functions(), ["mine(a)", "mine(a, b)"]);
    assert_eq!(sitting.session.imports()[0].0, "h");
    assert!(sitting.session.keys(&["api", "spec"]).contains(&"replicas".to_owned()));
    assert_eq!((sitting.session.keys(&["z"]), sitting.session.keys(&["nothing"])), (vec![], vec![]));
    // The newest of a name and number of parameters counts, in functions that were there before too.
    sitting.value("fn twice(n) { mine(n) * 2 } twice(1)");
    assert_eq!(sitting.value("fn mine(a) { a + 10 } twice(1)"), 22.into());
    let found = sitting.session.names().get(Duration::from_secs(20));
    assert_eq!((found.workloads.as_slice(), found.pods.len()), (&["deployment/api".to_owned()][..], 3));
}

#[test]
fn the_last_value_is_one_that_was_shown() {
    let mut sitting = sitting();
    assert_eq!(sitting.value("40"), 40.into());
    assert_eq!(sitting.session.input("let x = 2;"), Outcome::Nothing);
    assert_eq!(sitting.value("_ + x"), 42.into());
    assert!(matches!(sitting.session.input("boom"), Outcome::Failed(_)));
    assert_eq!(sitting.value("_"), 42.into());
    assert_eq!(sitting.value("switch _ { 1 => \"one\", _ => `it is ${_}` }"), "it is 42".into());
    assert_eq!(sitting.session.last(), "it is 42".into());
    assert_eq!(sitting.value("[|x| x, 1]").to_string(), "[\"<closure>\",1]");
}

#[test]
fn a_lost_record_ends_everything_but_the_prompt() {
    let mut sitting = sitting();
    sitting.value("1");
    let end = End { status: "ok".into(), exit: 0, ms: 0.0, calls: 0, changes: 0, failure: None };
    let pipeline = &sitting.session.shared().pipeline;
    pipeline.journal.finish(pipeline.platform.clock().now(), end).unwrap();
    for text in ["scale(\"api\", 5)", "1 + 1"] {
        let Outcome::Failed(failure) = sitting.session.input(text) else { panic!("{text} went through") };
        assert_eq!(failure.kind, crate::model::Kind::JournalLost);
    }
    assert!(sitting.session.place().lost && sitting.said().contains("[journal_lost]"));
    assert!(sitting.session.switch(None, Some(true)).is_err());
    assert_eq!(sitting.session.end().exit, super::super::exit::JOURNAL);
}

#[test]
fn a_denial_and_an_abort_end_their_input_alone() {
    let mut sitting = sitting();
    for text in ["abort(\"enough\")", "http_get(\"http://elsewhere/\")", "try { abort(\"x\") } catch { } 1", "[1].map(|x| abort(\"y\"))"] {
        assert!(matches!(sitting.session.input(text), Outcome::Failed(_)), "{text}");
        assert_eq!(sitting.value("1 + 1"), 2.into());
    }
    // An interruption that comes when nothing runs any more does not reach the next input.
    sitting.session.latch.trip(Failure::new(crate::model::Kind::Cancelled, "late"));
    sitting.session.calm();
    assert_eq!(sitting.value("1 + 1"), 2.into());
    assert!(!sitting.session.place().lost);
}

#[test]
fn what_is_saved_is_a_runbook_with_its_literals_marked() {
    let mut sitting = sitting();
    for text in
        ["let n = 4;", "scale(\"api\", 5)", "_.status", "if _ == \"changed\" { wait_ready(\"api\"); }", "n; 1 + 1", "scale(\"api\", n)"]
    {
        assert!(!matches!(sitting.session.input(text), Outcome::Failed(_)), "{text}\n{}", sitting.said());
    }
    let saved = sitting.session.save(&sitting.folder.path().join("it").display().to_string()).unwrap();
    assert_eq!((saved.inputs, saved.masked), (6, false));
    let text = std::fs::read_to_string(&saved.path).unwrap();
    let (_, body) = text.split_once("});\n").unwrap();
    assert_eq!(
        body,
        "\nlet n = 4;\n\nlet value_2 = scale(\"api\", 5); // parameters? target = \"api\", replicas = 5\n\nlet value_3 = value_2.status;\n\nstep \"1: scale api\" {\n    \
         if value_3 == \"changed\" { wait_ready(\"api\"); };\n    scale(\"api\", n); // parameters? target = \"api\"\n}\n"
    );
    assert!(text.contains("//     replicas: #{ type: \"int\", default: 5, help: \"\" },"), "{text}");
    let nothing = self::sitting().session.save("it").unwrap_err();
    assert_eq!(nothing.message, "nothing was done that could be saved");
}

#[test]
fn a_module_of_a_sitting_is_on_record_and_a_script_runs_the_ones_that_it_was_loaded_with() {
    let mut sitting = sitting();
    let module = sitting.folder.path().join("m.rhai");
    std::fs::write(&module, "fn n() { 1 }").unwrap();
    assert_eq!(sitting.value("import \"m\" as m; import \"std/health\" as health; m::n()"), Value::Int(1));
    let found: Vec<String> = sitting.session.shared.pipeline.ledger().findings.iter().map(|found| found.message.clone()).collect();
    let hash = crate::config::sha256_hex(b"fn n() { 1 }");
    assert_eq!(found, [format!("the module m.rhai was read at its import and is not among the script's sources: SHA-256 {hash}")]);

    std::fs::write(&module, "fn n() { 2 }").unwrap();
    let script = sitting.folder.path().join("x.rhai");
    std::fs::write(&script, "import \"m\" as other;\nlet got = other::n();").unwrap();
    sitting.session.walk(&script.display().to_string(), &[]).unwrap();
    assert_eq!(sitting.value("got"), Value::Int(2));
}
