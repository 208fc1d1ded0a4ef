//! One platform twice: the world that a file describes, and real systems that the same file was applied to.

use std::sync::atomic::{AtomicU32, Ordering};

use runbook::platform::world::WorldFile;
use serde_json::Value;
use toml::Table;

use super::cluster::Cluster;
use super::{channels, data, services};
use crate::services::{kubectl, variable};
use crate::support::{Project, Ran, lines_of};

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The world.
    World,
    /// The real systems.
    Real,
}

impl Side {
    /// Both, the quicker one first.
    pub(super) const BOTH: [Side; 2] = [Side::World, Side::Real];
}

/// The namespace in the suite's own files.
const NAMESPACE: &str = "contract-ns";

/// A project whose `runbook.toml` leads to real systems, and whose `world.yaml` describes the same.
pub(super) struct Fixture {
    project: Project,
    cluster: Cluster,
    words: Words,
}

/// What is fresh in each fixture, by what stands for it in the files: the namespace, addresses.
pub(super) struct Words(Vec<(String, String)>);

impl Words {
    /// A text with the fresh words in it.
    pub(super) fn spoken(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

/// The platform's `runbook.toml` and the environment that is used of it.
pub(super) struct Platform {
    pub(super) file: Table,
    pub(super) environment: String,
    /// Variables of the run's process.
    pub(super) variables: Vec<(String, String)>,
}

impl Platform {
    /// Keeps one environment of a `runbook.toml`, the first that is named, and points it at the tests' own cluster.
    fn new(text: &str, namespace: &str) -> Self {
        let mut file: Table = text.parse().unwrap();
        let environments = file["environments"].as_table_mut().unwrap();
        let name = environments.keys().next().unwrap().clone();
        environments.retain(|other, _| *other == name);
        let environment = environments[&name].as_table_mut().unwrap();
        environment.remove("cluster_uid");
        environment.insert("context".into(), "test".into());
        environment.insert("namespace".into(), namespace.into());
        environment.insert("reach".into(), "direct".into());
        environment.insert("protected".into(), false.into());
        Self { file, environment: name, variables: Vec::new() }
    }

    /// A table of the environment, such as its databases; empty if the file has none.
    pub(super) fn of_environment(&self, table: &str) -> Table {
        self.file["environments"][&self.environment].get(table).and_then(toml::Value::as_table).cloned().unwrap_or_default()
    }

    /// The shared services.
    pub(super) fn services(&self) -> Table {
        self.file.get("services").and_then(toml::Value::as_table).cloned().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> String {
        self.file["environments"][&self.environment]["namespace"].as_str().unwrap().to_owned()
    }

    /// Sets a key of a service.
    pub(super) fn set_service(&mut self, service: &str, key: &str, value: impl Into<toml::Value>) {
        self.file["services"][service].as_table_mut().unwrap().insert(key.into(), value.into());
    }

    /// Sets a key of a database or channel.
    pub(super) fn set(&mut self, table: &str, name: &str, key: &str, value: impl Into<toml::Value>) {
        let entry = &mut self.file["environments"][&self.environment][table][name];
        entry.as_table_mut().unwrap().insert(key.into(), value.into());
    }

    /// Takes a key of a database or channel away.
    pub(super) fn unset(&mut self, table: &str, name: &str, key: &str) {
        self.file["environments"][&self.environment][table][name].as_table_mut().unwrap().remove(key);
    }
}

/// A name that no other fixture has: other tests, and earlier runs of this one, use the same systems.
fn fresh(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn parsed(world: &str) -> WorldFile {
    runbook::platform::world::file::yaml(world).unwrap_or_else(|error| panic!("{error}"))
}

impl Fixture {
    /// Applies a world file to a fresh namespace, fresh databases and fresh addresses.
    pub(super) fn new(platform: &str, world: &str) -> Self {
        let namespace = fresh(NAMESPACE);
        let mut words = Words(vec![(NAMESPACE.to_owned(), namespace.clone())]);
        let beyond: Vec<services::Slot> = parsed(world).urls.keys().map(|_| services::Slot::open()).collect();
        words.0.extend(parsed(world).urls.keys().zip(&beyond).map(|(prefix, slot)| (services::origin(prefix), slot.url())));
        let (platform, world) = (words.spoken(platform), words.spoken(world));
        let (mut platform, file) = (Platform::new(&platform, &namespace), parsed(&world));
        let cluster = Cluster::new(&platform, &file);
        cluster.create();
        services::apply(&mut platform, &file, &cluster);
        services::apply_urls(&file, &beyond);
        channels::apply(&mut platform, &file);
        data::apply(&mut platform, &file, &cluster);
        let mut project =
            Project::bare().config(&platform.file.to_string()).world("world.yaml", &world).file("token.txt", "canary-of-the-file\n");
        project = project.env("KUBECONFIG", &variable("RUNBOOK_TEST_KUBECONFIG"));
        for (name, value) in &platform.variables {
            project = project.env(name, value);
        }
        for (name, value) in &file.environment {
            project = project.env(name, value);
        }
        project.run(["trust", "--yes"]).status(0);
        cluster.settle(&project.outside());
        Self { project, cluster, words }
    }

    /// Runs a script, whose names are this fixture's own, on a side.
    pub(super) fn run(&self, side: Side, script: &str, more: &[&str]) -> Run {
        let name = format!("{}.rhai", fresh("script"));
        let project = self.project.clone().script(&name, script);
        let world: &[&str] = if side == Side::World { &["--world", "world.yaml"] } else { &[] };
        let ran = project.run([&["run", &name, "-o", "json"], world, more].concat());
        let summary = ran.json();
        let journal = lines_of(std::path::Path::new(summary["journal"].as_str().unwrap()));
        Run { ran, summary, journal }
    }

    /// What a script shows on a side, without the summary.
    pub(super) fn shown(&self, side: Side, script: &str) -> String {
        let name = format!("{}.rhai", fresh("script"));
        let project = self.project.clone().script(&name, script);
        let world: &[&str] = if side == Side::World { &["--world", "world.yaml"] } else { &[] };
        let ran = project.run([&["run", &name], world].concat()).status(0);
        let shown = ran.out.rsplit_once("\n\n").map(|(shown, _)| shown.to_owned());
        shown.unwrap_or_else(|| panic!("nothing was shown\n{ran}"))
    }

    /// Each workload's name and generation on the real systems: what a change of any of them alters.
    pub(super) fn generations(&self) -> String {
        let path = "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}{\"\\n\"}{end}";
        kubectl(&["-n", &self.words.0[0].1, "get", "deployments,statefulsets", "-o", path])
    }

    /// A text of the suite with this fixture's own names in it.
    pub(super) fn spoken(&self, text: &str) -> String {
        self.words.spoken(text)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // After a failure everything stays, to be looked at.
        if !std::thread::panicking() {
            self.cluster.remove();
        }
    }
}

/// What a run left behind.
pub(super) struct Run {
    pub(super) ran: Ran,
    pub(super) summary: Value,
    pub(super) journal: Vec<Value>,
}
