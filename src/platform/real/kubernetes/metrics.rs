//! CPU and memory of pods and nodes, from the resource metrics API.

use super::{Call, Kubernetes, parsed, with_query};
use crate::map;
use crate::model::operation::Selection;
use crate::model::{Failure, Kind, Value};
use crate::platform::objects::Selector;
use crate::platform::quantity;

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
        let items = self.metrics(path, selection, "pod").await?;
        let mut pods: Vec<Value> = items.iter().map(pod).collect();
        pods.sort_by_cached_key(|pod| ["namespace", "pod"].map(|field| pod.str_at(&[field]).unwrap_or_default().to_owned()));
        Ok(Value::List(pods))
    }

    /// `#{ node, cpu_millicores, memory_bytes }` by node.
    pub(in super::super) async fn node_metrics(&self, selection: &Selection) -> Result<Value, Failure> {
        Selector::of(selection)?;
        let items = self.metrics("/apis/metrics.k8s.io/v1beta1/nodes".to_owned(), selection, "node").await?;
        let mut nodes: Vec<Value> = items
            .iter()
            .map(|item| {
                let (cpu, memory) = usage(item);
                map! { "node" => item.str_at(&["metadata", "name"]).unwrap_or_default(), "cpu_millicores" => cpu, "memory_bytes" => memory }
            })
            .collect();
        nodes.sort_by_cached_key(|node| node.str_at(&["node"]).unwrap_or_default().to_owned());
        Ok(Value::List(nodes))
    }

    /// The figures of pods or nodes, as the API has them.
    async fn metrics(&self, path: String, selection: &Selection, what: &str) -> Result<Vec<Value>, Failure> {
        let path = with_query(path, selection.selector.iter().map(|selector| ("labelSelector", selector.clone())));
        let target = format!("the {what}s' metrics");
        let call = Call { most: 8 * super::MOST_BYTES, ..Call::get(path, &target) };
        let bytes = self.call(call).await.map_err(|failure| match failure.kind {
            Kind::Failed | Kind::NotFound | Kind::Unavailable if !failure.message.contains("cannot be reached") => {
                Failure::new(Kind::Unavailable, format!("the cluster has no {what} metrics: {}", failure.message))
                    .hint(format!("is metrics-server installed, and ready? `kubectl top {what}s` needs it too"))
            }
            _ => failure,
        })?;
        let Value::Map(mut list) = parsed(&bytes, &target)? else { return Ok(Vec::new()) };
        Ok(match list.remove("items") {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        })
    }
}

/// Millicores and bytes of a container or node. Nanocores are noise; a tenth of a millicore is not.
fn usage(of: &Value) -> (f64, i64) {
    let usage = |resource| of.str_at(&["usage", resource]).and_then(quantity).unwrap_or_default();
    ((usage("cpu") * 10_000.0).round() / 10.0, usage("memory").round() as i64)
}

fn pod(item: &Value) -> Value {
    let text = |field| item.str_at(&["metadata", field]).unwrap_or_default().to_owned();
    let containers = item.get("containers").and_then(Value::as_list).unwrap_or_default();
    let containers: Vec<Value> = containers
        .iter()
        .map(|container| {
            let (cpu, memory) = usage(container);
            map! { "name" => container.str_at(&["name"]).unwrap_or_default(), "cpu_millicores" => cpu, "memory_bytes" => memory }
        })
        .collect();
    map! { "pod" => text("name"), "namespace" => text("namespace"), "containers" => containers }
}
