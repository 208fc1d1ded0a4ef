//! `notify`: messages to configured channels.

use crate::call::{Body, Cx, Done, Function};
use crate::config::{Channel, Config, Environment, Severity};
use crate::map;
use crate::model::operation::Message;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Spec, Tier, Value, Write};

/// The function.
pub static NOTIFY: Function = Function {
    spec: Spec {
        name: "notify",
        group: Group::People,
        summary: "Sends a message to one or several configured channels. Never put personal data into one.",
        params: &[
            Param {
                name: "channels",
                ty: Type::Channels,
                required: true,
                help: "a channel's name, or an array of names: in their order, until one fails. The same call again, as by `retry`, sends to all of them again; there give each channel a call of its own",
            },
            Param { name: "text", ty: Type::Str, required: true, help: "the message" },
        ],
        options: &[
            Opt { name: "severity", ty: Type::Severity, default: "", help: "one of the configured severities, such as \"P1\"" },
            Opt { name: "fields", ty: Type::Map, default: "", help: "further fields; in Slack, lines behind the text" },
            Opt { name: "assume", ty: Type::Map, default: "", help: "what a rehearsal goes on with as the answer" },
            Opt { name: "timeout", ty: Type::Duration, default: "\"10s\"", help: "the longest wait for each channel" },
        ],
        returns: "`#{ sent: [#{ channel, status, latency_ms }] }`; in a rehearsal nothing is sent, and the answer cannot be known",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::Auth, Kind::Unavailable, Kind::Failed, Kind::InDoubt],
        examples: &[Example {
            title: "One message to two channels",
            code: "notify([\"incidents\", \"email\"], \"The gateway answers again.\", #{ severity: \"P1\" }).sent.len()",
            result: "2",
        }],
    },
    body: Body::Notify(plan, shape),
};

/// The configured channel of that name; the error names the nearest.
pub fn channel_of<'a>(environment: &'a Environment, name: &str) -> Result<&'a Channel, Failure> {
    let channels = &environment.channels;
    channels.get(name).ok_or_else(|| Failure::unknown("channel", name, channels.keys().map(String::as_str)).on(name))
}

/// The configured severity of that name; the error names the nearest.
pub fn severity_of<'a>(config: &'a Config, name: &str) -> Result<&'a Severity, Failure> {
    let severities = &config.severities;
    severities.get(name).ok_or_else(|| Failure::unknown("severity", name, severities.keys().map(String::as_str)))
}

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let environment = cx.environment();
    let severity = args.option_str("severity").map(str::to_owned);
    severity.iter().try_for_each(|name| severity_of(cx.config(), name).map(drop))?;
    let mut writes = Vec::new();
    for channel in args.strs(0) {
        channel_of(environment, channel)?;
        writes.push(Write::Send(Message {
            channel: channel.to_owned(),
            text: args.str(1).to_owned(),
            severity: severity.clone(),
            fields: args.option("fields").cloned().unwrap_or_default(),
            key: format!("{}/{}/{channel}", cx.run_id(), cx.call().id),
            timeout: args.option_duration("timeout").unwrap_or_default(),
        }));
    }
    Ok(writes)
}

fn shape(_: &Args, done: &[Done]) -> Value {
    let sent = done.iter().map(|done| {
        let answer = done.answer.as_ref().map(|answer| &answer.value);
        let part = |key| answer.and_then(|answer| answer.get(key)).cloned().unwrap_or_default();
        map! { "channel" => done.prepared.target.clone(), "status" => part("status"), "latency_ms" => part("latency_ms") }
    });
    map! { "sent" => sent.collect::<Vec<_>>() }
}
