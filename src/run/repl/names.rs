//! Names on the platform, for completion: read in the background, so that the prompt never waits for a system.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::Shared;
use crate::host::targets::meta;
use crate::model::operation::{Freshness, Selection};
use crate::model::{Read, ResourceKind, Value};
use crate::platform::clock::{Clock, MachineClock};
use crate::platform::{Cancel, Cx};

/// So long names are taken to be current.
const FRESH: Duration = Duration::from_secs(20);
/// After so long a platform that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(2);

/// What there is on the platform. Names only: nothing else of what was read is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Whether the platform has answered at all.
    pub read: bool,
    /// `deployment/x`, `statefulset/x`, `daemonset/x`.
    pub workloads: Vec<String>,
    /// Pods of the environment's namespace.
    pub pods: Vec<String>,
    /// Nodes.
    pub nodes: Vec<String>,
}

/// The names of one run's platform.
pub struct Names(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    clock: MachineClock,
    cancel: Cancel,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    found: Arc<Found>,
    /// Until when it is taken to be current; nothing if it never was read, or if a change may have made it wrong.
    until: Option<Duration>,
    reading: bool,
}

impl Names {
    /// The names of a run's platform; nothing is read before they are asked for.
    pub fn new(shared: Arc<Shared>) -> Self {
        let inner =
            Inner { shared, clock: MachineClock::default(), cancel: Cancel::default(), state: Mutex::default(), arrived: Condvar::new() };
        Self(Arc::new(inner))
    }

    /// The names as they are known. If they are old they are read again, and `patience` is how long to wait for that.
    pub fn get(&self, patience: Duration) -> Arc<Found> {
        let mut state = self.0.lock();
        let fresh = state.until.is_some_and(|until| self.0.clock.elapsed() < until);
        if fresh {
            return state.found.clone();
        }
        if !state.reading {
            let inner = self.0.clone();
            let started = std::thread::Builder::new().name("runbook-names".into()).spawn(move || inner.read());
            state.reading = started.is_ok();
        }
        let waited = self.0.arrived.wait_timeout_while(state, patience, |state| state.reading);
        waited.map_or_else(|poisoned| poisoned.into_inner().0.found.clone(), |(state, _)| state.found.clone())
    }

    /// Says that names may have changed.
    pub fn outdated(&self) {
        self.0.lock().until = None;
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.0.cancel.set();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) {
        const KINDS: [&str; 5] = ["deployment", "statefulset", "daemonset", "pod", "node"];
        let platform = &self.shared.pipeline.platform;
        let namespace = &platform.environment().namespace;
        let reads: Vec<Read> = KINDS
            .into_iter()
            .filter_map(ResourceKind::find)
            .map(|kind| {
                let namespace = (kind.singular != "node").then(|| namespace.clone());
                Read::Objects(Selection {
                    kind,
                    namespace,
                    selector: None,
                    fields: Vec::new(),
                    freshness: Freshness::AtHand,
                    timeout: Duration::from_secs(10),
                })
            })
            .collect();
        let answers = platform.read_all(&reads, &Cx::quiet(&self.cancel));
        let mut found = Found { read: true, ..Found::default() };
        let mut some = false;
        for (kind, answer) in KINDS.into_iter().zip(answers) {
            let Ok(answer) = answer else { continue };
            some = true;
            let names = answer.value.as_list().unwrap_or_default().iter().map(|object: &Value| meta(object, "name").to_owned());
            match kind {
                "pod" => found.pods = names.collect(),
                "node" => found.nodes = names.collect(),
                _ => found.workloads.extend(names.map(|name| format!("{kind}/{name}"))),
            }
        }
        let mut state = self.lock();
        // What cannot be read now leaves what was known.
        if some {
            state.found = Arc::new(found);
        }
        state.until = Some(self.clock.elapsed() + if some { FRESH } else { AGAIN });
        state.reading = false;
        drop(state);
        self.arrived.notify_all();
    }
}
