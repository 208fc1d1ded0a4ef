//! CPU and memory of pods, from the resource metrics API.

use super::{Call, Kubernetes, parsed, with_query};
use crate::map;
use crate::model::operation::Selection;
use crate::model::{Failure, Kind, Value};
use crate::platform::objects::Selector;

impl Kubernetes {
    /// `#{ pod, namespace, containers: [#{ name, cpu_millicores, memory_bytes }] }` by namespace and pod.
    pub(in super::super) async fn pod_metrics(&self, selection: &Selection) -> Result<Value, Failure> {
        Selector::of(selection)?;
        let mut path = String::from("/apis/metrics.k8s.io/v1beta1");
        if let Some(namespace) = &selection.namespace {
            path.push_str("/namespaces/");
            path.extend(url::form_urlencoded::byte_serialize(namespace.as_bytes()));
        }
        path.push_str("/pods");
        let path = with_query(path, selection.selector.iter().map(|selector| ("labelSelector", selector.clone())));
        let target = "the pods' metrics";
        let bytes =
            self.call(Call { most: 8 * super::MOST_BYTES, ..Call::get(path, target) }).await.map_err(|failure| match failure.kind {
                Kind::Failed | Kind::NotFound | Kind::Unavailable if !failure.message.contains("cannot be reached") => {
                    Failure::new(Kind::Unavailable, format!("the cluster has no pod metrics: {}", failure.message))
                        .hint("is metrics-server installed, and ready? `kubectl top pods` needs it too")
                }
                _ => failure,
            })?;
        let list = parsed(&bytes, target)?;
        let items = list.get("items").and_then(Value::as_list).unwrap_or_default();
        let mut pods: Vec<Value> = items.iter().map(pod).collect();
        pods.sort_by_cached_key(|pod| ["namespace", "pod"].map(|field| pod.str_at(&[field]).unwrap_or_default().to_owned()));
        Ok(Value::List(pods))
    }
}

fn pod(item: &Value) -> Value {
    let text = |field| item.str_at(&["metadata", field]).unwrap_or_default().to_owned();
    let containers = item.get("containers").and_then(Value::as_list).unwrap_or_default();
    let usage = |container: &Value, resource| container.str_at(&["usage", resource]).and_then(quantity).unwrap_or_default();
    let containers: Vec<Value> = containers
        .iter()
        .map(|container| {
            map! {
                "name" => container.str_at(&["name"]).unwrap_or_default(),
                // Nanocores are noise; a tenth of a millicore is not.
                "cpu_millicores" => (usage(container, "cpu") * 10_000.0).round() / 10.0,
                "memory_bytes" => usage(container, "memory").round() as i64,
            }
        })
        .collect();
    map! { "pod" => text("name"), "namespace" => text("namespace"), "containers" => containers }
}

/// A quantity as Kubernetes writes it: `250m`, `1.5`, `128974848`, `129e6`, `123Mi`, `61255n`.
pub(super) fn quantity(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 16] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
        ("", 1.0),
    ];
    let text = text.trim();
    let (number, factor) = SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)))?;
    let starts_well = number.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let value: f64 = number.parse().ok()?;
    (starts_well && value.is_finite()).then_some(value * factor)
}
