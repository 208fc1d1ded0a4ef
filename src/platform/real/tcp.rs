//! TCP connections that are made to see whether they can be made.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::http::{Stopwatch, io_text};
use super::kubernetes::Kubernetes;
use super::resolve;
use super::tunnel::Tunnels;
use crate::config::Environment;
use crate::map;
use crate::model::operation::{Container, Exec, Invocation, TcpCheck};
use crate::model::{Failure, Kind, Value, duration, text};
use crate::platform::egress::{Refusal, authority, may_connect};
use crate::platform::{Cx, invocation};

/// The wait for a pod's refusal.
const REFUSAL: Duration = Duration::from_millis(300);

/// Connects and closes: `#{ ok, latency_ms, address, error }`. Fails only where the host may not be connected to.
pub(super) async fn check(environment: &Environment, tunnels: Option<&Arc<Tunnels>>, check: &TcpCheck) -> Result<Value, Failure> {
    may_connect(environment, &check.host)?;
    let watch = Stopwatch::start();
    let mut tried = String::new();
    let work = async {
        if let Some(tunnels) = tunnels
            && tunnels.lead_to(&check.host).await?
        {
            return inside(tunnels, check).await;
        }
        let addresses = match resolve::resolve(&check.host, check.port).await {
            Ok(addresses) => addresses,
            Err(refusal @ Refusal::Forbidden(..)) => return Err(refusal.failure()),
            Err(refusal) => return Ok(Some(refusal.to_string())),
        };
        Ok(connect(&addresses, &mut tried).await)
    };
    let error = match tokio::time::timeout(check.timeout, work).await {
        Ok(ended) => ended?,
        Err(_) => Some(format!("timeout after {}", duration::show(check.timeout))),
    };
    let address = if tried.is_empty() { authority(&check.host, check.port) } else { tried };
    Ok(map! { "ok" => error.is_none(), "latency_ms" => watch.ms(), "address" => address, "error" => error.unwrap_or_default() })
}

/// Tries a port with what most images have, and says what went wrong. `$1` is the host, `$2` the port, `$3` the seconds. Nothing kills a
/// program that is late: its number may be another's by then, and the kernel ends a connection that nobody answers.
const TRY: &str = r#"
if command -v bash >/dev/null 2>&1; then
  exec bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$1" "$2"
elif command -v nc >/dev/null 2>&1; then
  exec nc -v -z -w "$3" -- "$1" "$2"
fi
exit 127"#;

/// Connects from a container, by a program there: as [`check`]. Fails where no such program can be run.
pub(super) async fn check_from(
    environment: &Environment,
    kubernetes: &Kubernetes,
    from: &Container,
    check: &TcpCheck,
    cx: &Cx<'_>,
) -> Result<Value, Failure> {
    may_connect(environment, &check.host)?;
    let seconds = check.timeout.as_millis().div_ceil(1000).to_string();
    let argv = ["sh", "-c", TRY, "sh", &check.host, &check.port.to_string(), &seconds].map(str::to_owned).to_vec();
    let run = Invocation { argv, stdin: None, ok_exit: (0..=255).collect(), save: None, timeout: check.timeout };
    let exec = Exec { namespace: from.namespace.clone(), pod: from.pod.clone(), container: from.name.clone(), run };
    let watch = Stopwatch::start();
    let late = || format!("timeout after {}", duration::show(check.timeout));
    let error = match tokio::time::timeout(check.timeout, kubernetes.exec(&exec, cx, None)).await {
        Err(_) => late(),
        Ok(Err(failure))
            if failure.message.starts_with(&invocation::no_program(&exec.run.argv, &invocation::in_container(&exec)).message) =>
        {
            return Err(no_tool(from));
        }
        Ok(ended) => {
            let ended = ended?;
            let said = ended.str_at(&["stderr"]).unwrap_or_default();
            match ended.int_at(&["exit_code"]) {
                Some(0) => String::new(),
                Some(127) => return Err(no_tool(from)),
                _ if ["usage", "Usage", "invalid option"].iter().any(|word| said.contains(word)) => return Err(no_tool(from)),
                _ if said.contains("timed out") => late(),
                _ => told(said),
            }
        }
    };
    let address = authority(&check.host, check.port);
    Ok(map! { "ok" => error.is_empty(), "latency_ms" => watch.ms(), "address" => address, "error" => error })
}

/// A program's word on a connection that it could not make, as [`io_text`] has it where it is known.
fn told(said: &str) -> String {
    const KNOWN: [(&[&str], &str); 5] = [
        (&["refused"], "connection refused"),
        (&["not known", "resol", "bad address", "No address"], "its name does not resolve there"),
        (&["No route", "Host is unreachable"], "no route to the host"),
        (&["Network is unreachable"], "network unreachable"),
        (&["reset"], "connection reset"),
    ];
    let known = KNOWN.iter().find(|(words, _)| words.iter().any(|word| said.contains(word))).map(|(_, text)| *text);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    known.or(last).map_or_else(|| "no connection".to_owned(), |words| text::short(words, 300))
}

/// The failure of a container in which nothing can try a port.
fn no_tool(from: &Container) -> Failure {
    let message =
        format!("the container {} of pod/{} has nothing that tries a port: sh with bash, or with an nc that knows -z", from.name, from.pod);
    Failure::new(Kind::Unavailable, message).hint("try it from another pod").on(format!("pod/{}", from.pod))
}

/// Connects to a pod of the cluster; what is wrong, if it takes no connection.
async fn inside(tunnels: &Tunnels, check: &TcpCheck) -> Result<Option<String>, Failure> {
    let mut tunnel = match tunnels.open(&check.host, check.port).await {
        Ok(tunnel) => tunnel,
        // Who may not open one knows nothing about the port.
        Err(failure) if failure.kind.latches() || matches!(failure.kind, Kind::Forbidden | Kind::Auth) => return Err(failure),
        Err(failure) => return Ok(Some(failure.message)),
    };
    // A tunnel stands before its pod was asked: a refusal comes at once, and whoever takes connections may say nothing.
    match tokio::time::timeout(REFUSAL, tunnel.read_u8()).await {
        Ok(Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => Ok(Some(io_text(&error))),
        _ => Ok(None),
    }
}

/// Connects to the first address that takes it; the error is the last one's.
async fn connect(addresses: &[SocketAddr], tried: &mut String) -> Option<String> {
    let mut error = None;
    for address in addresses {
        *tried = address.to_string();
        match TcpStream::connect(address).await {
            Ok(_) => return None,
            Err(why) => error = Some(io_text(&why)),
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_programs_word_is_put_as_ours() {
        for (said, text) in [
            ("bash: connect: Connection refused\nbash: line 1: /dev/tcp/10.0.0.9/80: Connection refused\n", "connection refused"),
            ("nc: connect to db (10.0.0.9) port 80 (tcp) failed: Connection refused", "connection refused"),
            ("nc: can't connect to remote host (10.0.0.9): Connection refused", "connection refused"),
            ("bash: line 1: db: Temporary failure in name resolution", "its name does not resolve there"),
            ("nc: bad address 'db'", "its name does not resolve there"),
            ("nc: db (10.0.0.9:80): No route to host", "no route to the host"),
            ("first\nsomething else\n\n", "something else"),
            ("", "no connection"),
        ] {
            assert_eq!(told(said), text, "{said}");
        }
    }

    #[test]
    fn a_container_without_bash_is_tried_with_nc_and_one_without_both_says_so() {
        let folder = tempfile::tempdir().unwrap();
        #[expect(clippy::disallowed_methods)] // The script itself is what is tested.
        let tried = || {
            let mut sh = std::process::Command::new("/bin/sh");
            sh.args(["-c", TRY, "sh", "db", "5432", "2"]).env("PATH", folder.path()).output().unwrap()
        };
        assert_eq!(tried().status.code(), Some(127));
        let nc = folder.path().join("nc");
        std::fs::write(&nc, "#!/bin/sh\necho \"$@\"; exit 1\n").unwrap();
        std::fs::set_permissions(&nc, std::fs::Permissions::from_mode(0o700)).unwrap();
        let output = tried();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b"-v -z -w 2 -- db 5432\n"[..]));
    }
}
