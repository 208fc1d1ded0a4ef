//! A world's channels, on the webhook receiver of the stand-in.

use runbook::platform::world::WorldFile;
use serde_json::Value;

use super::fixture::Platform;
use super::services::{answer, control};
use crate::services::variable;

/// Gives every channel a path of its own at the receiver.
pub(super) fn apply(platform: &mut Platform, world: &WorldFile) {
    let standin: Value = serde_json::from_str(&std::fs::read_to_string(variable("RUNBOOK_TEST_STANDIN_FILE")).unwrap()).unwrap();
    let receiver = standin["hooks"].as_str().unwrap();
    for (name, channel) in platform.of_environment("channels") {
        let path = format!("/{}/{name}", platform.namespace());
        let url = format!("http://{receiver}{path}");
        match channel.get("webhook").and_then(|source| source.get("env")).and_then(toml::Value::as_str) {
            Some(variable) => platform.variables.push((variable.to_owned(), url)),
            None => platform.set("channels", &name, "url", url),
        }
        if let Some(variable) = channel.get("signing").and_then(|source| source.get("env")).and_then(toml::Value::as_str) {
            platform.variables.push((variable.to_owned(), "the-key-of-the-tests".to_owned()));
        }
        let written = world.channels.get(&name).cloned().unwrap_or_default();
        control("PUT", &format!("/hooks/config?path={path}"), &answer(written.status, &"ok".into(), written.latency));
    }
}
