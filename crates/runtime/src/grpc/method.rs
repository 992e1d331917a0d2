//! What the descriptors say of a method: whether it streams, and how it is counted.

use std::collections::BTreeMap;

use prost::Message;
use prost_types::FileDescriptorSet;

/// All methods of ours, each path with whether it streams in either direction.
#[derive(Debug)]
pub(super) struct Methods {
    streaming: BTreeMap<String, bool>,
}

impl Methods {
    /// Reads the descriptors that are built into the program.
    pub(super) fn known() -> Self {
        let descriptors = FileDescriptorSet::decode(ristoro_proto::DESCRIPTORS)
            .expect("the descriptors are built with the program");
        let mut streaming = BTreeMap::new();
        for file in &descriptors.file {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let streams = method.client_streaming() || method.server_streaming();
                    streaming.insert(path, streams);
                }
            }
        }
        Self { streaming }
    }

    /// Tells whether a method streams: then only its caller knows how long it should take.
    pub(super) fn streams(&self, path: &str) -> bool {
        self.streaming.get(path).copied().unwrap_or(false)
    }

    /// Gives the method's name for a metric. What is not known shares one, so that no caller can add series.
    pub(super) fn metric_name(&self, path: &str) -> String {
        if self.streaming.contains_key(path) { path.to_owned() } else { "other".to_owned() }
    }
}

/// Tells whether a method is open to everybody: health for whatever probes, reflection for tools.
pub(super) fn is_open(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.") || path.starts_with("/grpc.reflection.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_streams_and_a_list_does_not() {
        let methods = Methods::known();
        assert!(methods.streams("/ristoro.ops.v1.ProjectionService/WatchRebuild"));
        assert!(!methods.streams("/ristoro.ops.v1.ProjectionService/ListProjections"));
        assert_eq!(methods.metric_name("/ristoro.ops.v1.ProjectionService/Made-up"), "other");
        assert!(is_open("/grpc.health.v1.Health/Check"));
        assert!(!is_open("/ristoro.ops.v1.PoisonService/ListPoison"));
    }
}
