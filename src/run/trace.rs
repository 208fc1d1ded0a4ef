//! What a script does, found by rehearsing it in the healthy world: its calls, and the operations behind each.

use std::sync::{Arc, Mutex, PoisonError};

use crate::call::history::NoHistory;
use crate::call::mask::Masker;
use crate::call::policy::Policy;
use crate::call::ui::{Event, Question};
use crate::call::{Latch, Mode, Pipeline, Ui};
use crate::config::{Config, Environment};
use crate::engine::header::ParamType;
use crate::engine::{self, Diagnostic, Script, Shared};
use crate::journal::entry::Header;
use crate::journal::{Durability, Writer};
use crate::model::{Call, Failure, Kind, Map, Value};
use crate::platform::clock::{Clock, MachineClock};
use crate::platform::noted::{Noted, Notes, Operation};
use crate::platform::rehearsal::Rehearsal;
use crate::platform::world::World;

/// One call of a script, with what it asked of the platform.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The call.
    pub call: Call,
    /// Its operations: those that it asked for, in their order.
    pub asked: Vec<Operation>,
    /// All operations, those of preparing a change included: what rights it needs.
    pub needed: Vec<Operation>,
}

/// A script's rehearsal.
#[derive(Debug)]
pub struct Trace {
    /// Its calls, in their order.
    pub calls: Vec<Traced>,
    /// What ended it before the script's end.
    pub stopped: Option<Failure>,
}

/// Rehearses a script in the healthy world, where nothing is asked of anybody and nothing is kept.
///
/// Only what the script does there is found: branches that a healthy platform does not take are not.
pub fn rehearse(config: &Arc<Config>, environment: &Environment, script: &Script) -> Result<Trace, Failure> {
    let now = MachineClock::default().now();
    let temporary = tempfile::tempdir().map_err(|e| Failure::new(Kind::Failed, format!("no temporary folder can be made: {e}")))?;
    let journal = temporary.path().join("journal");
    let writer = Writer::create(&journal, &mut Header { run: "trace".into(), ..Header::default() }, now, Durability::Buffered)?;
    let (asked, needed) = (Notes::default(), Notes::default());
    let world = World::healthy(config.clone(), environment.clone(), now)?;
    let platform = Noted::new(Rehearsal::new(Noted::new(world, needed.clone())), asked.clone());
    let listener = Arc::new(Listener { asked, needed, open: Mutex::default(), calls: Mutex::default() });
    let params = parameters(script, environment);
    let pipeline = Pipeline {
        platform: Box::new(platform),
        platform_name: "world".to_owned(),
        mode: Mode::Rehearse,
        durable: false,
        config: config.clone(),
        journal: writer,
        history: Box::new(NoHistory),
        policy: Policy::default(),
        masker: Masker::default(),
        latch: Arc::new(Latch::default()),
        ui: listener.clone(),
        answers: Default::default(),
        ledger: Mutex::default(),
    };
    let shared = Shared::new(pipeline, params);
    let engine = engine::build(engine::parser(), &shared, &config.root);
    let stopped = engine::run(&engine, &shared, script).err().map(|Diagnostic { failure, .. }| failure);
    let calls = std::mem::take(&mut *listener.calls.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Trace { calls, stopped })
}

/// The defaults, and for a parameter without one something that fits.
fn parameters(script: &Script, environment: &Environment) -> Value {
    let mut values = Map::new();
    for (name, param) in script.header.iter().flat_map(|header| &header.params) {
        let fitting = || match (param.ty, &param.choices) {
            (_, Some(choices)) => choices.first().cloned().unwrap_or_default(),
            (ParamType::Int, _) => Value::Int(param.min.unwrap_or(1.0) as i64),
            (ParamType::Float, _) => Value::Float(param.min.unwrap_or(1.0)),
            (ParamType::Bool, _) => Value::Bool(false),
            (ParamType::Duration, _) => "1s".into(),
            // Most often a text names a service.
            (ParamType::String, _) => environment.services.keys().next().cloned().unwrap_or_else(|| "example".to_owned()).into(),
        };
        values.insert(name.into(), param.default.clone().unwrap_or_else(fitting));
    }
    Value::Map(values)
}

/// Puts operations to the calls that they belong to; in a world one call is under way at a time.
struct Listener {
    asked: Notes,
    needed: Notes,
    /// The calls under way, the innermost last: `wait_until` calls others.
    open: Mutex<Vec<usize>>,
    calls: Mutex<Vec<Traced>>,
}

impl Listener {
    /// Gives what was noted since the last time to the innermost call under way.
    fn settle(&self) {
        let (asked, needed) = (self.asked.take(), self.needed.take());
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = open.last().and_then(|index| calls.get_mut(*index)) {
            call.asked.extend(asked);
            call.needed.extend(needed);
        }
    }
}

impl Ui for Listener {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::CallStarted(call) => {
                self.settle();
                let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
                self.open.lock().unwrap_or_else(PoisonError::into_inner).push(calls.len());
                calls.push(Traced { call: (*call).clone(), asked: Vec::new(), needed: Vec::new() });
            }
            Event::CallEnded(..) => {
                self.settle();
                self.open.lock().unwrap_or_else(PoisonError::into_inner).pop();
            }
            _ => {}
        }
    }

    fn show(&self, _: &Value, _: Option<&str>) {}

    fn ask(&self, _: &Question) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Dirs;
    use crate::model::Read;

    #[test]
    fn each_call_has_its_own_operations() {
        let folder = tempfile::tempdir().unwrap();
        let toml = "[services.api]\nworkload = \"deployment/api\"\nurl = \"http://api:1\"\nreplicas = 2\n[environments.test]\n";
        std::fs::write(folder.path().join("runbook.toml"), toml).unwrap();
        let config = Arc::new(Config::load(folder.path(), None, &Dirs::default()).unwrap());
        let environment = config.world_environment(None).unwrap();
        let text = "let params = runbook(#{ title: \"T\", params: #{ service: #{ type: \"string\" } } });\n\
            http_health(params.service);\nlet before = get(\"deployment/api\").spec.replicas;\nscale(\"api\", before + 1);\nlogs(\"app=none\");\nthrow \"end\";";
        let script = Script::parse(&engine::parser(), &config.root, "x.rhai", text).unwrap();
        let trace = rehearse(&config, &environment, &script).unwrap();
        let found: Vec<_> =
            trace.calls.iter().map(|call| (call.call.function, call.call.at.line, call.asked.len(), call.needed.len())).collect();
        // The change asks for one write; it reads the object and the autoscalers, validates, and reads again to predict.
        // Logs are asked for even where no pod is found, so that their right is known to be needed.
        assert_eq!(found, [("http_health", 2, 1, 1), ("get", 3, 1, 1), ("scale", 4, 1, 4), ("logs", 5, 2, 2)]);
        assert!(matches!(&trace.calls[0].asked[0], Operation::Read(Read::Health(request)) if request.url == "http://api:1/health"));
        assert_eq!(trace.stopped.unwrap().message, "end");
    }
    #[test]
    fn the_modules_that_run_are_those_that_were_loaded_and_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let config = Arc::new(Config { root: folder.path().to_owned(), ..Config::default() });
        let module = folder.path().join("m.rhai");
        std::fs::write(&module, "fn say() { sleep(\"1s\") }").unwrap();
        let text = "import \"m\" as m;\nm::say();";
        let script = Script::parse(&engine::parser(), &config.root, "x.rhai", text).unwrap();
        std::fs::write(&module, "fn say() { today() }").unwrap();
        let environment = Environment::default();
        let ran = |script| {
            let trace = rehearse(&config, &environment, script).unwrap();
            assert_eq!(trace.stopped, None);
            trace.calls.iter().map(|call| call.call.function).collect::<Vec<_>>()
        };
        assert_eq!(ran(&script), ["sleep"]);
        std::fs::remove_file(&module).unwrap();
        assert_eq!(ran(&script), ["sleep"]);
    }
}
