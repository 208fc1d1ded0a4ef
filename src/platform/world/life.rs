//! The life of a workload's pods: a pure function of the changes made to it, computed when a change is made.
//!
//! Times are microseconds since the world began. Every pod carries when it was made, became Ready and went, the
//! future included, so that reading at any time is a comparison, and setting the clock back shows what was then.

use super::file::LogLine;
use crate::model::{ResourceKind, Value};

/// A time that never comes.
pub(super) const NEVER: i64 = i64::MAX;
/// When the pods that are there from the beginning were made: a day before.
pub(super) const BEFORE: i64 = -86_400_000_000;
/// When a crashing container restarts, counted from the pod's beginning: ever longer pauses, as kubelets make.
const RESTARTS: [i64; 8] = [10, 30, 70, 150, 310, 610, 910, 1_210];

/// How a workload replaces pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// A Deployment's rolling update: a quarter more, a quarter missing at most.
    Rolling,
    /// A StatefulSet: one after the other, in order.
    Ordered,
    /// A DaemonSet: one on each node that fits, cordoned or not, replaced one after the other.
    Everywhere,
}

impl Manner {
    /// How a kind's workloads replace pods.
    pub(super) fn of(kind: &ResourceKind) -> Self {
        match kind.singular {
            "statefulset" => Manner::Ordered,
            "daemonset" => Manner::Everywhere,
            _ => Manner::Rolling,
        }
    }
}

/// A pod, from its making to its end.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) name: String,
    /// Index into [`Life::revisions`].
    pub(super) revision: usize,
    /// A StatefulSet's ordinal; counts the pods of other workloads.
    pub(super) number: u64,
    pub(super) made: i64,
    pub(super) ready: i64,
    pub(super) gone: i64,
    /// The node it runs on; none while no node takes it.
    pub(super) node: Option<String>,
}

impl Pod {
    pub(super) fn is_there(&self, at: i64) -> bool {
        self.made <= at && at < self.gone
    }

    pub(super) fn is_ready(&self, at: i64) -> bool {
        self.is_there(at) && self.ready <= at
    }

    /// How often its container has crashed by then, if it crashes, and when it does next.
    pub(super) fn restarts(&self, at: i64) -> (i64, i64) {
        let due = |seconds: &&i64| self.made.saturating_add(**seconds * 1_000_000) <= at;
        let count = RESTARTS.iter().take_while(due).count();
        let next = RESTARTS.get(count).map_or(NEVER, |seconds| self.made.saturating_add(seconds * 1_000_000));
        (count as i64, next)
    }
}

/// A pod template that the workload has had.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    /// The hash that names its ReplicaSet or ControllerRevision.
    pub(super) hash: String,
    pub(super) template: Value,
    /// The number that `kubectl rollout history` shows.
    pub(super) number: u64,
}

/// A node as the scheduler sees it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) labels: Value,
    /// Whether it takes any pod, and not only those of DaemonSets: it is not cordoned.
    pub(super) open: bool,
}

impl Place {
    /// Whether a pod of a template may run there as far as its node selector goes.
    fn fits(&self, template: &Value) -> bool {
        let wish = template.at(&["spec", "nodeSelector"]).and_then(Value::as_map);
        wish.is_none_or(|wish| wish.iter().all(|(key, value)| self.labels.get(key) == Some(value)))
    }
}

/// What all pods of a workload are like.
#[derive(Clone, Debug)]
pub(super) struct Nature {
    /// How long a new pod needs to become Ready, in microseconds.
    pub(super) ready_after: i64,
    /// Whether pods crash and never become Ready.
    pub(super) crash: bool,
    /// The CPU that one pod uses.
    pub(super) cpu_millicores: i64,
    /// The memory that one pod uses.
    pub(super) memory_bytes: i64,
    /// What one pod logs.
    pub(super) logs: Vec<LogLine>,
}

/// The pods of one workload through time.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) manner: Manner,
    pub(super) nature: Nature,
    workload: String,
    pub(super) revisions: Vec<Revision>,
    /// Which revision the workload wanted from when on.
    wanted: Vec<(i64, usize)>,
    pub(super) pods: Vec<Pod>,
    made: u64,
}

impl Life {
    /// A workload whose pods have been there for long, or have crashed for long.
    pub(super) fn new(manner: Manner, workload: &str, nature: Nature) -> Self {
        let workload = workload.to_owned();
        Self { manner, nature, workload, revisions: Vec::new(), wanted: Vec::new(), pods: Vec::new(), made: 0 }
    }

    /// Forgets everything, to be told again from the beginning.
    pub(super) fn reset(&mut self) {
        self.revisions.clear();
        self.wanted.clear();
        self.pods.clear();
        self.made = 0;
    }

    /// The workload wants so many pods of a template from a time on. Changes come in the order of their times.
    pub(super) fn want(&mut self, at: i64, replicas: i64, template: &Value, places: &[Place]) {
        self.forget_after(at);
        let revision = self.revision(template);
        self.wanted.push((at, revision));
        self.replace(at, replicas, revision, places);
    }

    /// A pod goes, and another comes in its place.
    pub(super) fn lose(&mut self, at: i64, name: &str, replicas: i64, places: &[Place]) {
        self.forget_after(at);
        for pod in self.pods.iter_mut().filter(|pod| pod.name == name && pod.is_there(at)) {
            pod.gone = at;
        }
        self.replace(at, replicas, self.revision_at(at), places);
    }

    /// The workload is deleted, and its pods go.
    pub(super) fn end(&mut self, at: i64) {
        self.forget_after(at);
        for pod in self.pods.iter_mut().filter(|pod| pod.gone == NEVER) {
            pod.gone = at;
        }
    }

    /// What was foreseen after a moment does not come.
    fn forget_after(&mut self, at: i64) {
        self.pods.retain(|pod| pod.made <= at);
        for pod in &mut self.pods {
            if pod.gone > at {
                pod.gone = NEVER;
            }
        }
    }

    fn replace(&mut self, at: i64, replicas: i64, revision: usize, places: &[Place]) {
        match self.manner {
            Manner::Rolling => self.roll(at, replicas, revision, places),
            Manner::Ordered => self.order(at, replicas, revision, places),
            Manner::Everywhere => self.spread(at, revision, places),
        }
    }

    /// When a revision was wanted first.
    pub(super) fn began(&self, revision: usize) -> Option<i64> {
        self.wanted.iter().find(|(_, wanted)| *wanted == revision).map(|(at, _)| *at)
    }

    /// The revision wanted at a time.
    pub(super) fn revision_at(&self, at: i64) -> usize {
        self.wanted.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, revision)| *revision)
    }

    /// The revision that was wanted before the one wanted at a time.
    pub(super) fn revision_before(&self, at: i64) -> usize {
        let now = self.revision_at(at);
        self.wanted.iter().rev().find(|(from, revision)| *from <= at && *revision != now).map_or(now, |(_, revision)| *revision)
    }

    /// The pods that are there at a time.
    pub(super) fn pods_at(&self, at: i64) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(move |pod| pod.is_there(at))
    }

    /// The last change among the pods up to a time, and the next one after it.
    pub(super) fn between(&self, at: i64) -> (i64, i64) {
        let (mut from, mut until) = (i64::MIN, NEVER);
        for time in self.pods.iter().flat_map(|pod| [pod.made, pod.ready, pod.gone]).chain(self.wanted.iter().map(|(from, _)| *from)) {
            if time <= at {
                from = from.max(time);
            } else {
                until = until.min(time);
            }
        }
        (from, until)
    }

    fn revision(&mut self, template: &Value) -> usize {
        let number = self.revisions.iter().map(|revision| revision.number).max().unwrap_or(0) + 1;
        if let Some(index) = self.revisions.iter().position(|revision| revision.template == *template) {
            // Going back to an earlier template makes that one the newest, as controllers number them.
            if self.wanted.last().is_some_and(|(_, last)| *last != index) {
                self.revisions[index].number = number;
            }
            return index;
        }
        let hash = super::names::template_hash(&self.workload, template);
        self.revisions.push(Revision { hash, template: template.clone(), number });
        self.revisions.len() - 1
    }

    fn make(&mut self, at: i64, number: u64, revision: usize, places: &[Place]) -> i64 {
        let template = &self.revisions[revision].template;
        let fitting: Vec<&Place> = places.iter().filter(|place| place.open && place.fits(template)).collect();
        // Workloads start at different nodes, so that the first node does not carry every first pod.
        let turn = super::names::number(&self.workload).wrapping_add(self.made);
        let node = (!fitting.is_empty()).then(|| fitting[(turn % fitting.len() as u64) as usize].name.clone());
        self.put(at, number, revision, node)
    }

    /// Puts a pod on a node; answers when it is Ready.
    fn put(&mut self, at: i64, number: u64, revision: usize, node: Option<String>) -> i64 {
        let hash = &self.revisions[revision].hash;
        let suffix = || super::names::suffix(&self.workload, hash, self.made);
        let name = match self.manner {
            Manner::Rolling => format!("{}-{hash}-{}", self.workload, suffix()),
            Manner::Ordered => format!("{}-{number}", self.workload),
            Manner::Everywhere => format!("{}-{}", self.workload, suffix()),
        };
        let ready = if self.nature.crash || node.is_none() { NEVER } else { at.saturating_add(self.nature.ready_after) };
        self.made += 1;
        self.pods.push(Pod { name, revision, number, made: at, ready, gone: NEVER, node });
        ready
    }

    fn roll(&mut self, start: i64, replicas: i64, revision: usize, places: &[Place]) {
        let most = replicas + (replicas + 3) / 4;
        let least = replicas - replicas / 4;
        let mut now = start;
        loop {
            // Those that are not Ready go first, then the youngest.
            let mut alive: Vec<usize> = (0..self.pods.len()).filter(|index| self.pods[*index].is_there(now)).collect();
            alive.sort_by_key(|index| {
                let pod = &self.pods[*index];
                (pod.is_ready(now), std::cmp::Reverse((pod.made, pod.number)))
            });
            let mut available = alive.iter().filter(|index| self.pods[**index].is_ready(now)).count() as i64;
            let (new, old): (Vec<usize>, Vec<usize>) = alive.into_iter().partition(|index| self.pods[*index].revision == revision);
            let (new_count, mut old_count) = (new.len() as i64, old.len() as i64);
            for index in new.into_iter().take((new_count - replicas).max(0) as usize) {
                available -= i64::from(self.pods[index].is_ready(now));
                self.pods[index].gone = now;
            }
            let missing = (replicas - new_count).min(most - new_count - old_count).max(0);
            for _ in 0..missing {
                let number = self.made;
                let ready = self.make(now, number, revision, places);
                available += i64::from(ready <= now);
            }
            let before = old_count;
            for index in old {
                let ready = self.pods[index].is_ready(now);
                if !ready || available > least {
                    self.pods[index].gone = now;
                    available -= i64::from(ready);
                    old_count -= 1;
                }
            }
            if old_count == 0 && new_count + missing >= replicas {
                return;
            }
            if missing == 0 && old_count == before {
                let next = self.pods_at(now).map(|pod| pod.ready).filter(|ready| *ready > now && *ready != NEVER).min();
                match next {
                    Some(next) => now = next,
                    None => return,
                }
            }
        }
    }

    fn spread(&mut self, start: i64, revision: usize, places: &[Place]) {
        let template = self.revisions[revision].template.clone();
        let fitting: Vec<&Place> = places.iter().filter(|place| place.fits(&template)).collect();
        for pod in self.pods.iter_mut().filter(|pod| pod.is_there(start)) {
            if !fitting.iter().any(|place| pod.node.as_ref() == Some(&place.name)) {
                pod.gone = start;
            }
        }
        let on =
            |pods: &[Pod], place: &Place, at: i64| pods.iter().position(|pod| pod.node.as_ref() == Some(&place.name) && pod.is_there(at));
        for place in &fitting {
            if on(&self.pods, place, start).is_none() {
                self.put(start, self.made, revision, Some(place.name.clone()));
            }
        }
        // Outdated ones one after the other, each after the one before it is Ready.
        let mut now = start;
        for place in &fitting {
            let Some(index) = on(&self.pods, place, now).filter(|index| self.pods[*index].revision != revision) else { continue };
            self.pods[index].gone = now;
            let ready = self.put(now, self.made, revision, Some(place.name.clone()));
            if ready == NEVER {
                return;
            }
            now = now.max(ready);
        }
    }

    fn order(&mut self, start: i64, replicas: i64, revision: usize, places: &[Place]) {
        let mut now = start;
        for pod in self.pods.iter_mut().filter(|pod| pod.is_there(start) && pod.number as i64 >= replicas) {
            pod.gone = start;
        }
        // Missing ones from the first on, each after the one before it is Ready.
        for number in 0..replicas.max(0) as u64 {
            let ready = match self.pods.iter().find(|pod| pod.number == number && pod.is_there(now)) {
                Some(pod) => pod.ready,
                None => self.make(now, number, revision, places),
            };
            if ready == NEVER {
                return;
            }
            now = now.max(ready);
        }
        // Then outdated ones from the last on.
        for number in (0..replicas.max(0) as u64).rev() {
            let Some(pod) = self.pods.iter_mut().find(|pod| pod.number == number && pod.is_there(now)) else { continue };
            if pod.revision == revision {
                continue;
            }
            pod.gone = now;
            let ready = self.make(now, number, revision, places);
            if ready == NEVER {
                return;
            }
            now = now.max(ready);
        }
    }
}
