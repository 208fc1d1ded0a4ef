//! Messages to people: Slack's incoming webhooks, and generic webhooks with a signature.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::json;
use sha2::Sha256;

use super::http::{self, Probe, Stopwatch, Use, probed, trouble};
use super::runtime::Departure;
use super::{MOST_SAID, Real, open};
use crate::config::{Channel, ChannelKind};
use crate::map;
use crate::model::operation::Message;
use crate::model::{Failure, Value};
use crate::platform::{Observe, egress, failures, slack};

/// Sends a message: `#{ status, latency_ms }`. The channel's address is in no message, since it may be the credential.
pub(super) async fn send(real: &Real, message: &Message, departure: &Departure) -> Result<Value, Failure> {
    let name = &message.channel;
    let channel = real
        .environment
        .channels
        .get(name)
        .ok_or_else(|| Failure::unknown("channel", name, real.environment.channels.keys().map(String::as_str)))?;
    let address = match (&channel.webhook, &channel.url) {
        (Some(source), _) => real.sources.open(source, &real.kubernetes).await?.expose().to_owned(),
        (None, Some(url)) => url.clone(),
        (None, None) => {
            return Err(
                Failure::bad_argument(format!("the channel `{name}` has no address")).hint("give it `webhook = { env = \"NAME\" }`")
            );
        }
    };
    let url = egress::parse(address.trim())
        .map_err(|failure| Failure { message: format!("the address of the channel `{name}` cannot be used"), ..failure })?;
    let now = real.clock().now();
    let body = body(channel, message, &now.to_string())?;
    let client = real.http.client(url.scheme(), Use::Send)?;
    let mut request = client.post(url).header(CONTENT_TYPE, "application/json; charset=utf-8");
    if channel.kind == ChannelKind::Webhook {
        let key = reqwest::header::HeaderValue::from_str(&message.key)
            .map_err(|_| Failure::bad_argument("the message's key is no header value"))?;
        request = request.header("Idempotency-Key", key);
        if let Some(source) = &channel.signing {
            let key = real.sources.open(source, &real.kubernetes).await?;
            let timestamp = now.as_second().to_string();
            request = request.header("X-Runbook-Signature", signature(key.expose().as_bytes(), &timestamp, &body));
            request = request.header("X-Runbook-Timestamp", timestamp);
        }
    }
    let (watch, probe) = (Stopwatch::start(), Arc::new(Probe::default()));
    departure.leaves();
    let response = probed(&probe, request.body(body).send()).await.map_err(|error| {
        let trouble = trouble(&error);
        let what = format!("the message to {name}");
        if trouble.before_sending {
            trouble.failure(&what)
        } else {
            failures::in_doubt(format!("{what} was sent, and no answer came: {}", trouble.text))
                .hint("look at the channel before sending it again")
        }
    })?;
    let status = response.status();
    let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // Slack says in the body what was wrong. It is taken whole or not at all: half a secret would not be masked.
    let said = if status.is_success() { Vec::new() } else { http::read(response, MOST_SAID).await.unwrap_or_default() };
    match status.as_u16() {
        200..300 => Ok(map! { "status" => i64::from(status.as_u16()), "latency_ms" => watch.ms() }),
        code => Err(failures::not_taken(name, code, &String::from_utf8_lossy(&said), wait.as_deref())),
    }
}

/// The body of a message as the channel's kind wants it.
fn body(channel: &Channel, message: &Message, time: &str) -> Result<String, Failure> {
    Ok(match channel.kind {
        ChannelKind::Slack => json!({ "text": slack::message(message) }),
        ChannelKind::Webhook => json!({
            "channel": message.channel,
            "text": message.text,
            "severity": message.severity,
            "fields": open::json(&message.fields)?,
            "key": message.key,
            "time": time,
        }),
    }
    .to_string())
}

/// `v1=` and the hex of HMAC-SHA256 over `v1:timestamp:body`, as Slack signs its own requests.
fn signature(key: &[u8], timestamp: &str, body: &str) -> String {
    let mut out = String::from("v1=");
    // HMAC takes keys of any length; there is no error to have.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        mac.update(format!("v1:{timestamp}:{body}").as_bytes());
        for byte in mac.finalize().into_bytes() {
            out.push_str(&format!("{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests;
