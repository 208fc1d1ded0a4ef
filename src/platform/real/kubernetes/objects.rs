//! Objects: one and many.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::super::MOST_BYTES;
use super::super::http::Stopwatch;
use super::{Call, Kubernetes, error, parsed, path, with_query};
use crate::model::operation::{Freshness, Selection};
use crate::model::{Failure, ObjectRef, Value};
use crate::platform::objects::Selector;

/// So long a list that need not be new is at hand, in milliseconds.
const MOMENT_MS: f64 = 1_000.0;
/// Objects a page.
const PAGE: usize = 500;
/// A list is measured before it is reduced by the host function that asked for it, so it may be larger than an answer.
const MOST_LISTED: usize = 8 * MOST_BYTES;

/// A list that was asked for, and its answer once there is one.
struct Asked {
    selection: Selection,
    since: Stopwatch,
    answer: Arc<OnceCell<Result<Value, Failure>>>,
}

/// Lists that need not be new, for a moment: branches that scale at the same time ask for the autoscalers once.
#[derive(Default)]
pub(super) struct AtHand(Mutex<Vec<Asked>>);

impl AtHand {
    /// The place of a list's answer, which whoever comes first fills.
    fn of(&self, selection: &Selection) -> Arc<OnceCell<Result<Value, Failure>>> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|asked| asked.since.ms() < MOMENT_MS);
        if let Some(known) = asked.iter().find(|asked| asked.selection == *selection) {
            return known.answer.clone();
        }
        let answer = Arc::default();
        asked.push(Asked { selection: selection.clone(), since: Stopwatch::start(), answer: Arc::clone(&answer) });
        answer
    }
}

impl Kubernetes {
    /// One object, as the API server returns it, without `metadata.managedFields`.
    pub(in super::super) async fn object(&self, object: &ObjectRef) -> Result<Value, Failure> {
        let target = object.to_string();
        let path = path(object.kind, object.namespace.as_deref(), Some(&object.name), None)?;
        let mut found = parsed(&self.call(Call::get(path, &target)).await?, &target).map_err(|failure| failure.on(&target))?;
        without_managed_fields(&mut found);
        Ok(found)
    }

    /// Objects by namespace and name, each with `apiVersion` and `kind`, and without `metadata.managedFields`.
    pub(in super::super) async fn objects(&self, selection: &Selection) -> Result<Value, Failure> {
        match selection.freshness {
            Freshness::Now => self.list(selection).await,
            Freshness::AtHand => self.at_hand.of(selection).get_or_init(|| self.list(selection)).await.clone(),
        }
    }

    async fn list(&self, selection: &Selection) -> Result<Value, Failure> {
        // For a better word than the server's about what is wrong with it, and where.
        Selector::of(selection)?;
        let kind = selection.kind;
        let mut items = Vec::new();
        let (mut next, mut bytes) = (String::new(), 0);
        loop {
            let page = self.page(selection, &next, MOST_LISTED - bytes).await?;
            bytes += page.len();
            let Value::Map(mut page) = parsed(&page, kind.plural)? else {
                return Err(Failure::new(crate::model::Kind::Failed, format!("the list of {} is no list", kind.plural)));
            };
            next = page.get("metadata").and_then(|metadata| metadata.str_at(&["continue"])).unwrap_or_default().to_owned();
            if let Some(Value::List(found)) = page.remove("items") {
                items.extend(found);
            }
            if next.is_empty() {
                break;
            }
        }
        for item in &mut items {
            item.set(&["apiVersion"], kind.api_version().into());
            item.set(&["kind"], kind.kind.into());
            without_managed_fields(item);
        }
        let key = |item: &Value| ["namespace", "name"].map(|field| item.str_at(&["metadata", field]).unwrap_or_default().to_owned());
        items.sort_by_cached_key(key);
        Ok(Value::List(items))
    }

    async fn page(&self, selection: &Selection, next: &str, most: usize) -> Result<Vec<u8>, Failure> {
        let kind = selection.kind;
        let mut query = vec![("limit", PAGE.to_string())];
        if let Some(selector) = &selection.selector {
            query.push(("labelSelector", selector.clone()));
        }
        if !selection.fields.is_empty() {
            let fields: Vec<String> = selection.fields.iter().map(|(path, value)| format!("{path}={value}")).collect();
            query.push(("fieldSelector", fields.join(",")));
        }
        match (next, selection.freshness) {
            ("", Freshness::Now) => {}
            ("", Freshness::AtHand) => query.push(("resourceVersion", "0".to_owned())),
            (next, _) => query.push(("continue", next.to_owned())),
        }
        let path = with_query(path(kind, selection.namespace.as_deref(), None, None)?, query);
        self.call(Call { most, ..Call::get(path, kind.plural) }).await.map_err(|failure| match failure.kind {
            crate::model::Kind::TooLarge => error::too_large(kind.plural, MOST_LISTED),
            _ => failure,
        })
    }
}

/// Takes away who wrote which field when: larger than the rest of an object, and nothing that a person asks for.
fn without_managed_fields(object: &mut Value) {
    if let Some(Value::Map(metadata)) = object.as_map_mut().and_then(|object| object.get_mut("metadata")) {
        metadata.remove("managedFields");
    }
}
