//! Masking: what is known to be secret never passes into a script, the journal, the terminal or a message.

use std::collections::{BTreeSet, HashSet};
use std::ops::{Bound, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sha2::{Digest, Sha256};

use super::broken::Breaks;
use super::forms::{forms_of, parts};
use super::long::Index;
use super::short::{Short, joined};
use crate::model::{Failure, Key, Map, Prepared, Secret, Value, text};
use crate::platform::objects::seal_secret;

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// Secrets shorter than this are protected by their type only: masking them would blank ordinary words.
pub const SHORTEST: usize = 8;

/// So many bytes of a secret's beginning are masked where it was cut off; fewer are in many words.
const TELLING: usize = 6;

/// The longest message of a system that is shown and kept, in characters.
const LONGEST: usize = 1000;

/// Secrets longer than this, and those that come when the automaton has become large, are found by a search in an index.
const LONG: usize = 1024;

/// The most bytes of forms that the automaton is built of: it takes many times as much.
const MOST_BYTES: usize = 1 << 20;

/// Replaces known secrets in text, in every form that they are met in. Literal bytes only, never a pattern.
#[derive(Default)]
pub struct Masker {
    any: AtomicBool,
    finder: RwLock<Option<Arc<Finder>>>,
    known: Mutex<Known>,
    /// Names of services, databases and the like: a secret equal to one is not masked, or nothing could be read.
    names: BTreeSet<String>,
}

#[derive(Default)]
struct Known {
    /// Hashes of the secrets: their forms are made once.
    secrets: HashSet<[u8; 32]>,
    short: BTreeSet<String>,
    bytes: usize,
    long: BTreeSet<Arc<str>>,
}

impl Known {
    /// Adds forms, without their line breaks as texts are searched.
    fn add(&mut self, forms: Vec<String>, long: bool) {
        for form in forms.iter().map(|form| Breaks::Plain.removed(form).into_owned()).filter(|form| form.len() >= SHORTEST) {
            if long {
                self.long.insert(form.into());
            } else {
                let bytes = form.len();
                self.bytes += if self.short.insert(form) { bytes } else { 0 };
            }
        }
    }
}

/// Finds the forms of all secrets.
struct Finder {
    short: Option<Short>,
    long: Option<Index>,
}

impl Masker {
    /// A masker that leaves these names alone.
    pub fn new(names: BTreeSet<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Learns secrets. Must happen before untrusted output is read.
    pub fn learn(&self, secrets: impl IntoIterator<Item = Secret>) {
        self.learn_from(|| secrets);
    }

    /// Learns what a source has found since it was last asked. Who asks at the same time and finds nothing more there waits
    /// until what another took is known.
    pub fn learn_from<S: IntoIterator<Item = Secret>>(&self, source: impl FnOnce() -> S) {
        let known = &mut *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (known.short.len(), known.long.len());
        for secret in source() {
            let text = secret.expose();
            if !known.secrets.insert(Sha256::digest(text.as_bytes()).into()) {
                continue;
            }
            let long = text.len() > LONG || known.bytes > MOST_BYTES;
            if text.len() >= SHORTEST && !self.names.contains(text) {
                known.add(forms_of(text), long);
            }
            for part in parts(text).filter(|part| part.len() < text.len() && !self.names.contains(*part)) {
                known.add(forms_of(part), long);
            }
        }
        if (known.short.len(), known.long.len()) == before {
            return;
        }
        let built = Short::new(&known.short);
        if built.is_err() {
            // Whatever an automaton cannot be built of, the index holds.
            known.long.extend(std::mem::take(&mut known.short).into_iter().map(Arc::from));
        }
        let short = built.ok().filter(|_| !known.short.is_empty());
        let long = (!known.long.is_empty()).then(|| Index::new(&known.long));
        *self.finder.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Finder { short, long }));
        self.any.store(true, Ordering::Release);
    }

    fn finder(&self) -> Option<Arc<Finder>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.finder.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Masks text.
    pub fn text(&self, text: String) -> String {
        match self.finder() {
            Some(finder) => masked(&finder, text),
            None => text,
        }
    }

    /// Masks every text within a value, the keys of maps too; numbers are never masked.
    pub fn value(&self, value: Value) -> Value {
        match self.finder() {
            // Most answers hold no secret: they pass as they are, and stay shared with where they came from.
            Some(finder) if value.find(&|item| holds(item, &|text| finder.is_match(text))).is_some() => walk(&finder, value),
            _ => value,
        }
    }

    /// Masks what is shown of a prepared write; the write itself and its inverse stay as they must be sent.
    pub fn prepared(&self, prepared: Prepared) -> Prepared {
        Prepared {
            target: self.text(prepared.target),
            before: self.value(prepared.before),
            after: self.value(prepared.after),
            equivalent: self.text(prepared.equivalent),
            refusal: prepared.refusal.map(|failure| self.told(failure)),
            remarks: prepared.remarks.into_iter().map(|remark| self.text(remark)).collect(),
            ..prepared
        }
    }

    /// Masks what a system has said, and cuts it only then: of a secret that was cut before, the rest would not be known.
    pub fn told(&self, failure: Failure) -> Failure {
        let failure = self.failure(failure);
        let short = |said: String| text::short(&said, LONGEST);
        Failure { message: short(failure.message), hint: failure.hint.map(short), ..failure }
    }

    /// Masks a failure's message, hint and target: what a script took for a target may be anything.
    pub fn failure(&self, failure: Failure) -> Failure {
        match self.finder() {
            Some(finder) => {
                let message = self.begun(masked(&finder, failure.message));
                let rest = |text: Option<String>| text.map(|text| masked(&finder, text));
                Failure { message, hint: rest(failure.hint), target: rest(failure.target), ..failure }
            }
            None => failure,
        }
    }

    /// Masks what begins a secret before an ellipsis: systems' words are cut before they come here, perhaps in a secret's middle.
    fn begun(&self, text: String) -> String {
        if !text.contains('…') {
            return text;
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = |part: &str| {
            let from = (Bound::Included(part), Bound::Unbounded);
            let short = known.short.range::<str, _>(from).next().is_some_and(|form| form.starts_with(part));
            short || known.long.range::<str, _>(from).next().is_some_and(|form| form.starts_with(part))
        };
        let mut pieces: Vec<String> = text.split('…').map(str::to_owned).collect();
        let last = pieces.len() - 1;
        for piece in &mut pieces[..last] {
            let whole = Breaks::Plain.removed(piece);
            let starts = whole.char_indices().map(|(start, _)| start).filter(|start| whole.len() - start >= TELLING);
            let first = starts.clone().find(|start| begins(&whole[*start..])).map(|start| start..whole.len());
            if let Some(begun) = Breaks::Plain.restored(piece, first.into_iter().collect()).pop() {
                piece.replace_range(begun.start.., MASK);
            }
        }
        pieces.join("…")
    }
}

fn walk(finder: &Finder, value: Value) -> Value {
    match value {
        Value::Str(text) => Value::Str(masked(finder, text)),
        Value::List(items) => Value::List(items.into_iter().map(|item| walk(finder, item)).collect()),
        Value::Map(map) => {
            let mut shown = Map::new();
            for (key, item) in map {
                let key = if finder.is_match(&key) { masked(finder, key.into_string()).into() } else { key };
                // Two secret keys have one mask: the second stays a field of its own.
                let taken = |key: &Key| shown.contains_key(key.as_str());
                let key = if taken(&key) { (2..).map(|n| format!("{key}#{n}").into()).find(|key| !taken(key)).unwrap_or(key) } else { key };
                shown.insert(key, walk(finder, item));
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

impl Finder {
    fn is_match(&self, text: &str) -> bool {
        let short = |text: &str| self.short.as_ref().is_some_and(|short| short.is_match(text));
        let long = |text: &str| self.long.as_ref().is_some_and(|long| long.find(text).next().is_some());
        Breaks::of(text).map(|breaks| breaks.removed(text)).any(|text| short(&text) || long(&text))
    }

    /// Where secrets stand in a text, in order; what overlaps is one.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for breaks in Breaks::of(text) {
            let whole = breaks.removed(text);
            found.extend(breaks.restored(text, self.short.iter().flat_map(|short| short.find(&whole)).collect()));
            found.extend(breaks.restored(text, self.long.iter().flat_map(|long| long.find(&whole)).collect()));
        }
        found.sort_by_key(|range| range.start);
        found.dedup_by(|next, last| joined(last, next));
        found
    }
}

fn masked(finder: &Finder, text: String) -> String {
    let found = finder.find(&text);
    if found.is_empty() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for range in found {
        out.push_str(&text[end..range.start]);
        // A text has as many lines as before: who reads it line by line finds each in its place.
        for (number, line) in text[range.clone()].split('\n').enumerate() {
            out.push_str(if number > 0 { "\n" } else { "" });
            out.push_str(if line.trim().is_empty() { "" } else { MASK });
        }
        end = range.end;
    }
    out.push_str(&text[end..]);
    out
}

/// Makes the data of Kubernetes secrets opaque wherever such an object stands, and tells which secrets it held.
pub fn seal_kubernetes(value: &mut Value) -> Vec<Secret> {
    match value {
        Value::List(items) => items.iter_mut().flat_map(seal_kubernetes).collect(),
        object => {
            seal_secret(object);
            secrets_in(object)
        }
    }
}

/// The secrets within a value.
pub(super) fn secrets_in(value: &Value) -> Vec<Secret> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found
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
    use crate::call::forms::url_forms;
    use crate::map;
    use crate::platform::equivalent;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
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
    fn what_a_system_says_is_masked_before_it_is_cut() {
        let secret = "0123456789abcdef0123456789abcdef";
        for lead in (LONGEST - 40)..=LONGEST {
            let said = format!("{}{secret} and more{}", "x".repeat(lead), "y".repeat(LONGEST));
            let told = masker(secret).told(Failure::new(crate::model::Kind::Failed, said.clone()).hint(said));
            for text in [told.message, told.hint.unwrap()] {
                assert_eq!(text.chars().count(), LONGEST);
                assert!(!text.contains("0123") && text.ends_with('…'), "{lead}: {text}");
            }
        }
    }

    #[test]
    fn who_gets_no_secrets_waits_for_those_that_another_has_got() {
        let masker = Masker::default();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                masker.learn_from(|| {
                    tell.send(()).unwrap();
                    std::thread::sleep(std::time::Duration::from_millis(50));
                    [Secret::new("late", "hunter2hunter2")]
                });
            });
            told.recv().unwrap();
            masker.learn_from(Vec::new);
            assert_eq!(masker.text("it is hunter2hunter2".into()), "it is ***");
        });
    }

    #[test]
    fn a_secret_that_was_cut_off_is_masked_as_far_as_it_goes() {
        let masker = masker("hunter2-and-more");
        let said = |message: &str| masker.failure(Failure::new(crate::model::Kind::Failed, message)).message;
        assert_eq!(said("it said: key=hunter2-an… and more…"), "it said: key=***… and more…");
        assert_eq!(said("a hunter… came"), "a ***… came");
        assert_eq!(said("a hunt… came"), "a hunt… came");
        assert_eq!(said("a\r\nhun\r\nter2… came"), "a\r\n***… came");
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
            // HTML, by Python and by Go.
            r#"Pä/ss &lt;W&gt;&amp;d!&quot;K+y"#,
            r#"Pä/ss &lt;W&gt;&amp;d!&#34;K+y"#,
            // JSON within JSON.
            r#"Pä/ss <W>&d!\\\"K+y"#,
            r#"Pä/ss \\u003cW\\u003e\\u0026d!\\\"K+y"#,
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
    fn our_own_quotes_are_known() {
        let secret = "it's\u{202e}-a \u{7f}secret";
        let sql = secret.replace('\'', "''");
        for said in [
            format!("{secret:?}"),
            serde_json::to_string(&format!("{secret:?}")).unwrap(),
            equivalent::word(secret),
            equivalent::word(&sql),
            equivalent::word(&format!("x \u{1b} {sql}")),
        ] {
            let masked = masker(secret).text(said.clone());
            assert!(!masked.contains("secret"), "{said}: {masked}");
        }
        // SQL within a shell's quotes.
        assert_eq!(masker("it's-a-secret").text(equivalent::quote("VALUES ('it''s-a-secret')")), r"'VALUES ('\''***'\'')'");
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
            assert_eq!(masker(&secret).text(format!("{first}\n{rest}")), "***\n***");
        }
        // Within the base64 of something else no line begins where the secret does.
        let encoded = STANDARD.encode(format!("PASSWORD={secret}\n"));
        let wrapped: Vec<&str> = (0..encoded.len()).step_by(76).map(|at| &encoded[at..encoded.len().min(at + 76)]).collect();
        let masked = masker(&secret).text(wrapped.join("\n"));
        assert!(masked.starts_with("UEFTU1dPUkQ9***\n***\n") && masked.lines().count() == wrapped.len(), "{masked}");
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

    #[test]
    fn a_long_secret_is_known_whole_in_part_and_line_by_line() {
        let secret: String = (0..500u64).map(|n| format!("key{n}={:016x}/ä\n", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
        assert!(secret.len() > LONG);
        let masker = masker(&secret);
        masker.learn([Secret::new("short", "hunter2hunter2")]);
        let line = secret.lines().nth(77).unwrap();
        let encoded = STANDARD.encode(&secret);
        let json = serde_json::to_string(&secret).unwrap();
        for (text, left) in [
            // Line by line, each in its place.
            (secret.clone(), "***\n".repeat(500).as_str()),
            (format!("a {line} b hunter2hunter2 {line}"), "a *** b *** ***"),
            (format!("cut: {}", &secret[..100]), "cut: ***\n***\n***\n***\n"),
            (format!("base64 {encoded} and {}…", &encoded[..200]), "base64 *** and ***…"),
            (encoded.as_bytes()[640..704].iter().map(|&byte| char::from(byte)).collect(), "***"),
            (format!("[{json}]"), "[\"***\"]"),
            (url_forms(line.as_bytes()).remove(1), "***"),
        ] {
            let shown = masker.text(text);
            assert_eq!(shown, left);
        }
    }

    #[test]
    fn many_secrets_are_known_beyond_what_an_automaton_holds() {
        let masker = Masker::default();
        let secret = |n: u64| format!("secret-{:016x}-{n}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        masker.learn((0..4000).map(|n| Secret::new("many", secret(n))));
        assert!(masker.known.lock().unwrap().bytes < MOST_BYTES + LONG * 40);
        for n in [0, 1, 1999, 3999] {
            assert_eq!(masker.text(format!("<{}>", secret(n))), "<***>");
        }
    }

    proptest! {
        #[test]
        fn no_form_of_any_secret_survives_over_lines(
            secret in "[!-~]{8,40}",
            form in 0usize..6,
            width in 1usize..20,
            end in prop::sample::select(vec!["\n", "\r\n", "\n    ", "\r\n\t", "\\n", "\\r\\n"]),
            before in "[ -~]{0,7}",
        ) {
            // A secret's own escapes cannot be told from those around it.
            prop_assume!(!(end.starts_with('\\') && secret.contains('\\')));
            let whole = match form {
                0 => secret.clone(),
                1 => secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
                2 => STANDARD.encode(&secret),
                3 => url_forms(secret.as_bytes()).remove(1),
                4 => serde_json::to_string(&secret).unwrap()[1..].strip_suffix('"').unwrap().to_owned(),
                _ => STANDARD.encode(format!("{before}{secret}")),
            };
            let lines: Vec<&str> = (0..whole.len()).step_by(width).map(|at| &whole[at..whole.len().min(at + width)]).collect();
            let masked = masker(&secret).text(format!("{before}{end}{}{end}after", lines.join(end)));
            // Of a short one within other base64 too little is left that is its own.
            prop_assert!(form == 5 && secret.len() < 12 || !masked.replace(end, "").contains(&whole), "{masked}");
            prop_assert_eq!(masked.matches('\n').count(), if end.contains('\n') { lines.len() + 1 } else { 0 });
        }

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
