//! A tunnel: the bytes between this process and a port of a pod.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::super::kubernetes::Ending;
use super::pick::End;

/// A stream to a port of a pod. Where the pod refuses the connection, reading it says so instead of ending.
pub(in super::super) struct Tunnel {
    stream: DuplexStream,
    ending: Option<Ending>,
    /// Where it leads.
    pub(in super::super) end: End,
    /// Whether anything has come back.
    heard: bool,
}

impl Tunnel {
    /// Wraps a port-forward's stream and what it says when it ends.
    pub(super) fn new(stream: DuplexStream, ending: Ending, end: End) -> Self {
        Self { stream, ending: Some(ending), end, heard: false }
    }

    /// What the cluster said of the end as an error; nobody in the pod has read a byte where the connection was refused.
    fn said(&self, text: &str) -> io::Error {
        let End { pod, port, .. } = &self.end;
        let refused = !self.heard && ["refused", "failed to connect", "failed to dial"].iter().any(|word| text.contains(word));
        if refused {
            return io::Error::new(io::ErrorKind::ConnectionRefused, format!("pod/{pod} refuses connections on port {port}"));
        }
        // What the node says comes last, behind what forwards it.
        let cause = text.rsplit(": ").next().unwrap_or(text);
        io::Error::new(io::ErrorKind::ConnectionAborted, format!("the tunnel to pod/{pod} port {port} broke: {cause}"))
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.heard = true;
        } else if matches!(polled, Poll::Ready(Ok(()))) && buffer.remaining() > 0 {
            // What it has to say comes before its end.
            let said = self.ending.as_mut().map(|ending| ending.as_mut().poll(cx));
            if let Some(Poll::Ready(said)) = said {
                self.ending = None;
                if let Some(text) = said {
                    return Poll::Ready(Err(self.said(&text)));
                }
            }
        }
        polled
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Port-forwards know no half-closed streams: a shutdown would cut the answer off, so the end is the drop.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn tunnel(said: Option<&str>) -> (Tunnel, DuplexStream) {
        let (near, far) = tokio::io::duplex(64);
        let said = said.map(str::to_owned);
        let end = End { namespace: "p".into(), pod: "api-0".into(), port: 8080 };
        (Tunnel::new(near, Box::pin(async move { said }), end), far)
    }

    #[tokio::test]
    async fn a_refusal_is_told_from_an_end() {
        let refusal = "error forwarding port 8080 to pod api-0, uid : dial tcp 127.0.0.1:8080: connect: connection refused";
        let (mut refused, far) = tunnel(Some(refusal));
        drop(far);
        let error = refused.read_u8().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (io::ErrorKind::ConnectionRefused, "pod/api-0 refuses connections on port 8080")
        );

        let (mut broken, mut far) = tunnel(Some("error forwarding port 8080 to pod api-0, uid : connection refused"));
        far.write_all(b"x").await.unwrap();
        drop(far);
        assert_eq!(broken.read_u8().await.unwrap(), b'x');
        let error = broken.read_u8().await.unwrap_err();
        assert_eq!(error.to_string(), "the tunnel to pod/api-0 port 8080 broke: connection refused");
        assert_ne!(error.kind(), io::ErrorKind::ConnectionRefused, "something had come back");

        let (mut ended, far) = tunnel(None);
        drop(far);
        assert_eq!(ended.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
