//! A small OTLP collector: takes spans over gRPC and keeps what the test asks about.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use ristoro_runtime::edge::hex;
use ristoro_tests::stack::Error;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A service and a trace.
type Seen = BTreeSet<(String, String)>;

/// What came in.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<(Seen, Seen)>>);

/// A running collector.
pub struct Collector {
    /// Its address, as the setting wants it.
    pub endpoint: String,
    kept: Kept,
}

impl Collector {
    pub async fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let kept = Kept::default();
        let server = Server::builder().add_service(TraceServiceServer::new(kept.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Ok(Self { endpoint, kept })
    }

    /// Tells whether a service sent a span that is a part of a trace.
    pub fn is_in(&self, service: &str, trace: &str) -> bool {
        self.kept
            .0
            .lock()
            .expect("no holder of this lock panics")
            .0
            .contains(&(service.to_owned(), trace.to_owned()))
    }

    /// Tells whether a service sent a span that is linked to a trace.
    pub fn links(&self, service: &str, trace: &str) -> bool {
        self.kept
            .0
            .lock()
            .expect("no holder of this lock panics")
            .1
            .contains(&(service.to_owned(), trace.to_owned()))
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut kept = self.0.lock().expect("no holder of this lock panics");
        for group in request.into_inner().resource_spans {
            let service = name_of(group.resource.as_ref());
            for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
                kept.0.insert((service.clone(), hex(&span.trace_id)));
                for link in &span.links {
                    kept.1.insert((service.clone(), hex(&link.trace_id)));
                }
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn name_of(resource: Option<&Resource>) -> String {
    let attributes = resource.map(|resource| resource.attributes.as_slice()).unwrap_or_default();
    let name = attributes.iter().find(|attribute| attribute.key == "service.name");
    match name.and_then(|name| name.value.clone()).and_then(|value| value.value) {
        Some(Value::StringValue(name)) => name,
        _ => String::new(),
    }
}
