//! Measuring: how long a request took, and its connection.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static PROBE: Arc<Probe>;
    static CONNECTING: Arc<Connecting>;
}

/// What one request's connecting took.
#[derive(Debug, Default)]
pub(in super::super) struct Probe(OnceLock<Phases>);

/// The phases of connecting, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Phases {
    /// The name's look-up; 0 for an address.
    pub(in super::super) dns_ms: f64,
    /// The connection itself.
    pub(in super::super) connect_ms: f64,
    /// The TLS handshake, where there was one.
    pub(in super::super) tls_ms: Option<f64>,
}

/// A connecting that is under way: when its phases ended, in microseconds plus one; 0 for not yet.
struct Connecting {
    watch: Stopwatch,
    resolved: AtomicU64,
    handshake: AtomicU64,
}

impl Connecting {
    fn mark(&self, phase: &AtomicU64) {
        let now = self.watch.0.elapsed().as_micros() as u64 + 1;
        // The first time counts.
        let _ = phase.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn phases(&self) -> Phases {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        let end = self.watch.0.elapsed().as_micros() as u64;
        let resolved = self.resolved.load(Ordering::Relaxed).saturating_sub(1);
        let handshake = self.handshake.load(Ordering::Relaxed).checked_sub(1);
        let connected = handshake.unwrap_or(end);
        Phases {
            dns_ms: ms(resolved),
            connect_ms: ms(connected.saturating_sub(resolved)),
            tls_ms: handshake.map(|begun| ms(end.saturating_sub(begun))),
        }
    }
}

/// Notes that the name of the connecting which polls this is resolved.
pub(in super::super) fn resolved() {
    let _ = CONNECTING.try_with(|connecting| connecting.mark(&connecting.resolved));
}

/// Notes that the connecting which polls this begins its handshake.
pub(super) fn handshakes() {
    let _ = CONNECTING.try_with(|connecting| connecting.mark(&connecting.handshake));
}

impl Probe {
    /// Whether a connection was made for the request; otherwise it used a kept one, or has none yet.
    pub(in super::super) fn connected(&self) -> bool {
        self.0.get().is_some()
    }

    /// What connecting took, where a connection was made.
    pub(in super::super) fn phases(&self) -> Option<Phases> {
        self.0.get().copied()
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
        let connecting = Arc::new(Connecting { watch: Stopwatch::start(), resolved: AtomicU64::new(0), handshake: AtomicU64::new(0) });
        let work = self.0.call(request);
        Box::pin(async move {
            let connection = CONNECTING.scope(Arc::clone(&connecting), work).await?;
            if let Some(probe) = probe {
                let _ = probe.0.set(connecting.phases());
            }
            Ok(connection)
        })
    }
}
