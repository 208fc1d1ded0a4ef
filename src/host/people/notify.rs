//! `notify`: messages to configured channels.

use crate::call::{Body, Cx, Done, Function};
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
            Param { name: "channels", ty: Type::Channels, required: true, help: "a channel's name, or an array of names" },
            Param { name: "text", ty: Type::Str, required: true, help: "the message" },
        ],
        options: &[
            Opt { name: "severity", ty: Type::Str, default: "", help: "one of the configured severities, such as \"P1\"" },
            Opt { name: "fields", ty: Type::Map, default: "", help: "further fields for structured channels" },
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

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let environment = cx.environment();
    let severities = &cx.config().severities;
    let severity = args.option_str("severity").map(str::to_owned);
    if let Some(name) = severity.as_ref().filter(|name| !severities.contains_key(*name)) {
        return Err(Failure::unknown("severity", name, severities.keys().map(String::as_str)));
    }
    let mut writes = Vec::new();
    for channel in args.strs(0) {
        if !environment.channels.contains_key(channel) {
            return Err(Failure::unknown("channel", channel, environment.channels.keys().map(String::as_str)).on(channel));
        }
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
