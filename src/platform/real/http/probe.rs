//! Measuring: how long a request took, and its connection.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static PROBE: Arc<Probe>;
}

/// What one request's connecting took.
#[derive(Debug, Default)]
pub(in super::super) struct Probe {
    /// Microseconds plus one; 0 while there was no connecting.
    connect: AtomicU64,
}

impl Probe {
    /// Whether a connection was made for the request; otherwise it used a kept one, or has none yet.
    pub(in super::super) fn connected(&self) -> bool {
        self.connect.load(Ordering::Relaxed) != 0
    }

    /// Milliseconds that connecting took, name look-up and TLS included.
    pub(in super::super) fn connect_ms(&self) -> Option<f64> {
        self.connect.load(Ordering::Relaxed).checked_sub(1).map(|micros| micros as f64 / 1_000.0)
    }
}

/// Polls a request such that its connecting is noted.
pub(in super::super) fn probed<F: Future>(probe: &Arc<Probe>, request: F) -> impl Future<Output = F::Output> {
    PROBE.scope(Arc::clone(probe), request)
}

/// The time since its start, by the machine's monotonic clock.
pub(in super::super) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[allow(clippy::disallowed_methods)] // A latency is measured on the wire, whatever clock the script goes by.
    pub(in super::super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start, to the microsecond.
    pub(in super::super) fn ms(&self) -> f64 {
        self.0.elapsed().as_micros() as f64 / 1_000.0
    }
}

/// A layer around the connector that notes how long connecting took.
#[derive(Clone)]
pub(super) struct ConnectTimer;

impl<S> Layer<S> for ConnectTimer {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed(inner)
    }
}

/// A connector that is timed.
#[derive(Clone)]
pub(super) struct Timed<S>(S);

impl<S, R> Service<R> for Timed<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // The request that starts the connecting is the one that polls it first, so the probe is its own.
        let probe = PROBE.try_with(Arc::clone).ok();
        let watch = Stopwatch::start();
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            if let Some(probe) = probe {
                probe.connect.store(watch.0.elapsed().as_micros() as u64 + 1, Ordering::Relaxed);
            }
            Ok(connection)
        })
    }
}
