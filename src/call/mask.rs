//! Masking: what is known to be secret never passes into a script, the journal, the terminal or a message.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::model::{Failure, Map, Prepared, Secret, Value, text};
use crate::platform::objects::seal_secret;

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// Secrets shorter than this are protected by their type only: masking them would blank ordinary words.
pub const SHORTEST: usize = 8;

/// Replaces known secrets in text, in every form that they are met in. Literal bytes only, never a pattern.
#[derive(Default)]
pub struct Masker {
    any: AtomicBool,
    automaton: RwLock<Option<Arc<AhoCorasick>>>,
    forms: Mutex<BTreeSet<String>>,
    /// Names of services, databases and the like: a secret equal to one is not masked, or nothing could be read.
    names: BTreeSet<String>,
}

impl Masker {
    /// A masker that leaves these names alone.
    pub fn new(names: BTreeSet<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Learns secrets. Must happen before untrusted output is read.
    pub fn learn(&self, secrets: impl IntoIterator<Item = Secret>) {
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        let before = forms.len();
        for secret in secrets {
            let text = secret.expose();
            if text.len() >= SHORTEST && !self.names.contains(text) {
                forms.extend(forms_of(text));
            }
            for part in parts(text).filter(|part| part.len() < text.len() && !self.names.contains(*part)) {
                forms.extend(forms_of(part));
            }
        }
        if forms.len() == before {
            return;
        }
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(forms.iter()).ok().map(Arc::new);
        *self.automaton.write().unwrap_or_else(PoisonError::into_inner) = built;
        self.any.store(true, Ordering::Release);
    }

    fn automaton(&self) -> Option<Arc<AhoCorasick>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.automaton.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Masks text.
    pub fn text(&self, text: String) -> String {
        match self.automaton() {
            Some(automaton) => masked(&automaton, text),
            None => text,
        }
    }

    /// Masks every text within a value, the keys of maps too; numbers are never masked.
    pub fn value(&self, value: Value) -> Value {
        match self.automaton() {
            // Most answers hold no secret: they pass as they are, and stay shared with where they came from.
            Some(automaton) if value.find(&|item| holds(item, &|text| automaton.is_match(text))).is_some() => walk(&automaton, value),
            _ => value,
        }
    }

    /// Masks what is shown of a prepared write; the write itself and its inverse stay as they must be sent.
    pub fn prepared(&self, prepared: Prepared) -> Prepared {
        if self.automaton().is_none() {
            return prepared;
        }
        Prepared {
            before: self.value(prepared.before),
            after: self.value(prepared.after),
            equivalent: self.text(prepared.equivalent),
            refusal: prepared.refusal.map(|failure| self.failure(failure)),
            remarks: prepared.remarks.into_iter().map(|remark| self.text(remark)).collect(),
            ..prepared
        }
    }

    /// Masks a failure's message and hint.
    pub fn failure(&self, failure: Failure) -> Failure {
        match self.automaton() {
            Some(automaton) => {
                Failure { message: masked(&automaton, failure.message), hint: failure.hint.map(|hint| masked(&automaton, hint)), ..failure }
            }
            None => failure,
        }
    }
}

fn walk(automaton: &AhoCorasick, value: Value) -> Value {
    match value {
        Value::Str(text) => Value::Str(masked(automaton, text)),
        Value::List(items) => Value::List(items.into_iter().map(|item| walk(automaton, item)).collect()),
        Value::Map(map) => {
            let mut shown = Map::new();
            for (key, item) in map {
                let key = masked(automaton, key);
                // Two secret keys have one mask: the second stays a field of its own.
                let free =
                    if shown.contains_key(&key) { (2..).map(|n| format!("{key}#{n}")).find(|key| !shown.contains_key(key)) } else { None };
                shown.insert(free.unwrap_or(key), walk(automaton, item));
            }
            Value::Map(shown)
        }
        other => other,
    }
}

/// Whether a value is text of which that is so, or a map with such a key. Shorter keys hold no secret that is looked for.
pub(super) fn holds(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Str(text) => test(text),
        Value::Map(map) => map.keys().any(|key| key.len() >= MASK.len() && test(key)),
        _ => false,
    }
}

fn masked(automaton: &AhoCorasick, text: String) -> String {
    if !automaton.is_match(&text) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for found in automaton.find_iter(&text) {
        out.push_str(&text[end..found.start()]);
        out.push_str(MASK);
        end = found.end();
    }
    out.push_str(&text[end..]);
    out
}

/// Parts of a secret that give it away alone. One of several lines, such as a key, is met line by line in logs; of an
/// address, such as a webhook's, servers repeat the path, and the token in it.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    const TELLING: usize = 16;
    let lines = text.lines().map(str::trim).filter(|line| line.len() >= TELLING);
    let path = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme)).and_then(|rest| rest.split_once('/'));
    let path = path.map(|(_, path)| path).filter(|path| path.len() >= TELLING);
    let tokens = path.unwrap_or_default().split(['/', '?', '&', '=', '#']).filter(|token| token.len() >= TELLING);
    lines.chain(path).chain(tokens)
}

/// The forms in which a secret is met: raw, JSON-escaped, URL-encoded, hex, base64 at each of its three alignments.
fn forms_of(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![text.to_owned(), hex.to_uppercase(), hex];
    forms.extend(json_forms(text));
    forms.extend(url_forms(bytes));
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        forms.push(engine.encode(bytes));
    }
    // Tools wrap long base64: `base64` and MIME after 76 characters, PEM after 64.
    let encoded = STANDARD.encode(bytes);
    for width in [64, 76] {
        forms.extend(encoded.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned()));
    }
    // Within a longer text the secret begins at any of three alignments; the outer characters mix with its neighbours.
    for shift in 0..3usize {
        let mut padded = vec![0u8; shift];
        padded.extend_from_slice(bytes);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&padded);
            let start = (shift * 8).div_ceil(6);
            let end = padded.len() * 8 / 6;
            if let Some(inner) = encoded.get(start..end)
                && inner.len() >= SHORTEST
            {
                forms.push(inner.to_owned());
            }
        }
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// A text within JSON. Writers differ in what they escape beyond what they must: Go `<>&`, PHP `/`, Python all that is not ASCII.
fn json_forms(text: &str) -> Vec<String> {
    let plain = serde_json::to_string(text).unwrap_or_default();
    let plain = plain.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or_default();
    // The last is our own, in the lines that say the same by hand.
    let mut forms = vec![plain.to_owned(), text::inert_json(plain).into_owned()];
    let escapes: [fn(char) -> bool; 3] =
        [|c| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'), |c| c == '/', |c| !c.is_ascii() || c == '\u{7f}'];
    for escaped in escapes {
        let more: Vec<String> = forms.iter().map(|form| form.chars().map(|c| json_escape(c, escaped)).collect()).collect();
        forms.extend(more);
    }
    forms
}

fn json_escape(c: char, escaped: fn(char) -> bool) -> String {
    match c {
        '/' if escaped(c) => "\\/".to_owned(),
        c if escaped(c) => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        c => c.to_string(),
    }
}

/// A text within a URL or a form. Writers differ in what they leave as it is, and in the case of their hex digits.
fn url_forms(bytes: &[u8]) -> Vec<String> {
    // RFC 3986, Java's forms, JavaScript's encodeURIComponent, Python's quote, Go's paths, all that a path may hold.
    const KEPT: [&[u8]; 6] = [b"-_.~", b"-_.*", b"-_.~!*'()", b"-_.~/", b"-_.~$&+:=@", b"-_.~!$&'()*+,;=:@/"];
    let mut forms = Vec::new();
    for kept in KEPT {
        for upper in [true, false] {
            let one = |&byte: &u8| match byte {
                byte if byte.is_ascii_alphanumeric() || kept.contains(&byte) => char::from(byte).to_string(),
                byte if upper => format!("%{byte:02X}"),
                byte => format!("%{byte:02x}"),
            };
            let form: String = bytes.iter().map(one).collect();
            forms.push(form.replace("%20", "+"));
            forms.push(form);
        }
    }
    forms
}

/// Makes the data of Kubernetes secrets opaque wherever such an object stands, and tells which secrets it held.
pub fn seal_kubernetes(value: &mut Value) -> Vec<Secret> {
    match value {
        Value::List(items) => items.iter_mut().flat_map(seal_kubernetes).collect(),
        object => {
            seal_secret(object);
            let mut found = Vec::new();
            collect(object, &mut found);
            found
        }
    }
}

fn collect(value: &Value, found: &mut Vec<Secret>) {
    match value {
        Value::Secret(secret) => found.push(secret.clone()),
        Value::List(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Map(map) => map.values().for_each(|item| collect(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use proptest::prelude::*;

    fn masker(secret: &str) -> Masker {
        let masker = Masker::new(["api-gateway".to_owned()].into());
        masker.learn([Secret::new("test", secret)]);
        masker
    }

    #[test]
    fn short_secrets_and_configured_names_are_left_alone() {
        assert_eq!(masker("short").text("a short word".into()), "a short word");
        assert_eq!(masker("api-gateway").text("deployment/api-gateway".into()), "deployment/api-gateway");
        let named = Masker::new(["payments-platform".to_owned()].into());
        named.learn([Secret::new("env:HOOK", "http://hooks.example/payments-platform/0123456789abcdef")]);
        assert_eq!(named.text("in payments-platform: 0123456789abcdef".into()), "in payments-platform: ***");
    }

    #[test]
    fn each_writers_form_is_known() {
        let masker = masker("Pä/ss <W>&d!\"K+y");
        for form in [
            // Rust, Go, PHP, Python.
            r#"Pä/ss <W>&d!\"K+y"#,
            r#"Pä/ss \u003cW\u003e\u0026d!\"K+y"#,
            r#"P\u00e4\/ss <W>&d!\"K+y"#,
            r#"P\u00e4/ss <W>&d!\"K+y"#,
            // Python's quote_plus and quote, JavaScript's encodeURIComponent, curl, and one in small letters.
            "P%C3%A4%2Fss+%3CW%3E%26d%21%22K%2By",
            "P%C3%A4/ss%20%3CW%3E%26d%21%22K%2By",
            "P%C3%A4%2Fss%20%3CW%3E%26d!%22K%2By",
            "P%C3%A4%2Fss%20%3CW%3E%26d%21%22K%2By",
            "P%c3%a4%2fss%20%3cW%3e%26d%21%22K%2by",
        ] {
            assert_eq!(masker.text(format!("<{form}>")), "<***>", "{form}");
        }
    }

    #[test]
    fn parts_that_give_a_secret_away_are_known() {
        let address = masker("https://hooks.example/services/T0123/B4567/AbCdEfGhIjKlMnOpQrStUvWx");
        assert_eq!(address.text("404: /services/T0123/B4567/AbCdEfGhIjKlMnOpQrStUvWx".into()), "404: /***");
        assert_eq!(address.text("no token AbCdEfGhIjKlMnOpQrStUvWx at hooks.example".into()), "no token *** at hooks.example");
        let key = masker("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nAQEFAASCBKcwggSj\n-----END KEY-----");
        assert_eq!(key.text("line MIIEvQIBADANBgkqhkiG9w0".into()), "line ***");
    }

    #[test]
    fn wrapped_base64_is_known() {
        let secret = "correct horse battery staple ".repeat(4);
        let encoded = STANDARD.encode(&secret);
        for width in [64, 76] {
            let (first, rest) = encoded.split_at(width);
            let masked = masker(&secret).text(format!("{first}\n{rest}"));
            assert!(!masked.contains(&first[..16]) && !masked.contains(&rest[..16]), "{masked}");
        }
    }

    #[test]
    fn keys_are_masked_one_by_one_and_numbers_stay() {
        let masker = masker("12345678");
        let value = masker.value(map! { "12345678" => 12345678_i64, "b" => "x12345678y", "a" => map! { "k12345678" => 1 } });
        assert_eq!(value, map! { "***" => 12345678_i64, "b" => "x***y", "a" => map! { "k***" => 1 } });
        masker.learn([Secret::new("other", "abcdefgh"), Secret::new("third", "ABCDEFGH")]);
        let value = masker.value(map! { "12345678" => 1, "ABCDEFGH" => 2, "abcdefgh" => 3, "api-gateway" => 4 });
        assert_eq!(value, map! { "***" => 1, "***#2" => 2, "***#3" => 3, "api-gateway" => 4 });
    }

    #[test]
    fn kubernetes_secrets_become_opaque_and_known() {
        let mut value = map! { "kind" => "Secret", "metadata" => map! { "name" => "auth", "annotations" => map! {
        "kubectl.kubernetes.io/last-applied-configuration" => "{\"data\":{\"k\":\"c3VwZXJzZWNyZXQ=\"}}" } },
        "data" => map! { "k" => "c3VwZXJzZWNyZXQ=" } };
        let found = seal_kubernetes(&mut value);
        assert!(found.iter().any(|secret| secret.expose() == "supersecret"));
        let shown = value.to_string();
        assert!(shown.contains("secret/auth/k") && !shown.contains("c3VwZ") && !shown.contains("supersecret"));
    }

    proptest! {
        #[test]
        fn no_form_of_any_secret_survives(secret in "[ -~]{8,40}", before in "[a-z]{0,7}", after in "[a-z]{0,7}") {
            let masker = masker(&secret);
            let whole = format!("{before}{secret}{after}");
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            prop_assert!(!masker.text(whole.clone()).contains(&secret));
            prop_assert!(!masker.text(hex.clone()).contains(&hex));
            let json = serde_json::to_string(&whole).unwrap();
            let escaped = serde_json::to_string(&secret).unwrap();
            prop_assert!(!masker.text(json).contains(escaped.trim_matches('"')));
            // What is left of a longer base64 text no longer decodes to the secret.
            if secret.len() >= 12 {
                let encoded = STANDARD.encode(&whole);
                prop_assert_ne!(masker.text(encoded.clone()), encoded);
            }
        }
    }
}
