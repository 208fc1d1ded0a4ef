//! The client of a kubeconfig context: kubeconfig lists, client certificates, tokens, login commands.

use std::path::PathBuf;

use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{AuthError, Body, ClientBuilder, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tower::{BoxError, Layer, ServiceExt};

use super::Session;
use crate::model::{Failure, Kind, suggest};

/// The wait for the connection itself; a call's own timeout may be shorter.
const CONNECT: std::time::Duration = std::time::Duration::from_secs(10);

/// Makes the client of a context. Sends nothing to the cluster; runs the context's login command, if it has one.
pub(super) async fn connect(environment: &str, context: Option<&str>, files: &[PathBuf]) -> Result<Session, Failure> {
    let Some(context) = context.map(str::to_owned) else {
        return Err(Failure::bad_argument(format!("the environment `{environment}` names no kubeconfig context"))
            .hint(format!("add `context = \"…\"` to [environments.{environment}]; the current context is never used by itself")));
    };
    let kubeconfig = read(files)?;
    let names = || kubeconfig.contexts.iter().map(|context| context.name.as_str());
    if !names().any(|name| name == context) {
        let mut failure = Failure::bad_argument(format!("the kubeconfig has no context `{context}`"));
        failure.hint = suggest::hint(&context, names());
        return Err(failure);
    }
    let proxy = proxy_url(&kubeconfig, &context);
    let login = login_command(&kubeconfig, &context);
    let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|e| unusable(&context, &e))?;
    // No request is ever repeated: a patch whose answer is lost is in doubt, and reads fail as they are.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    // The context's own proxy, and none of the environment's variables.
    config.proxy_url = proxy;
    let server = server(&config.cluster_url);
    super::super::tls::install();
    // Only kube's own client knows when a certificate that a login command gave expires.
    let kubes_own = login.is_some() || config.proxy_url.is_some();
    // The login command blocks until it is done.
    let build = move || if kubes_own { ClientBuilder::try_from(config).map(ClientBuilder::build) } else { prompt(config) };
    let built = tokio::task::spawn_blocking(build).await;
    let client = match built {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return Err(unbuildable(&context, login.as_deref(), &error)),
        Err(_) => return Err(Failure::new(Kind::Failed, format!("the client of the context `{context}` cannot be made"))),
    };
    Ok(Session { client, server, context })
}

/// A client as kube builds it, but one that sends at once. Without TCP_NODELAY the first request of a resumed TLS session waits
/// for an acknowledgement of the handshake's last message, and servers delay that by 40 ms.
fn prompt(config: Config) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let sender = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let sender = config.extra_headers_layer()?.layer(sender.map_err(BoxError::from));
    let (whole, namespace) = (config.base_uri_layer(), config.default_namespace.clone());
    Ok(match config.auth_layer()? {
        Some(auth) => Client::new(whole.layer(auth.layer(sender)), namespace),
        None => Client::new(whole.layer(sender), namespace),
    })
}

/// Whether the credentials of a client have run out.
#[allow(clippy::disallowed_methods)] // Certificates expire by the machine's clock.
pub(super) fn has_expired(client: &Client) -> bool {
    client.valid_until().is_some_and(|until| until.as_second() <= jiff::Timestamp::now().as_second())
}

/// Where kubectl looks for the kubeconfig: the files of `KUBECONFIG`, else `~/.kube/config`.
pub(super) fn files() -> Vec<PathBuf> {
    let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
        .map(|list| std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    if listed.is_empty() { std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect() } else { listed }
}

/// The files merged, the first to name a thing wins, absent ones skipped.
fn read(paths: &[PathBuf]) -> Result<Kubeconfig, Failure> {
    let there: Vec<&PathBuf> = paths.iter().filter(|path| path.exists()).collect();
    if there.is_empty() {
        let looked = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(
            Failure::new(Kind::Auth, format!("there is no kubeconfig at {looked}")).hint("set KUBECONFIG, or log in to the cluster")
        );
    }
    there.into_iter().try_fold(Kubeconfig::default(), |merged, path| {
        // The parser's own message quotes the file, which holds tokens.
        let wrong = |why: &str| Failure::new(Kind::Auth, format!("the kubeconfig {} {why}", path.display()));
        Kubeconfig::read_from(path).and_then(|next| merged.merge(next)).map_err(|error| match error {
            KubeconfigError::ReadConfig(error, _) => wrong(&format!("cannot be read: {}", error.kind())),
            KubeconfigError::Parse(_) => wrong("is no valid YAML, or no kubeconfig"),
            _ => wrong("cannot be used"),
        })
    })
}

fn proxy_url(kubeconfig: &Kubeconfig, context: &str) -> Option<::http::Uri> {
    let context = kubeconfig.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == context.cluster)?.cluster.as_ref()?;
    cluster.proxy_url.as_deref().filter(|url| !url.is_empty())?.parse().ok()
}

/// The program that the context's user logs in with.
fn login_command(kubeconfig: &Kubeconfig, context: &str) -> Option<String> {
    let context = kubeconfig.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let user = context.user.as_ref()?;
    let info = kubeconfig.auth_infos.iter().find(|named| &named.name == user)?.auth_info.as_ref()?;
    info.exec.as_ref()?.command.clone()
}

/// The server's address without anything but scheme, host, port and path.
fn server(url: &::http::Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("https");
    let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{}{port}{}", url.host().unwrap_or_default(), url.path().trim_end_matches('/'))
}

fn unusable(context: &str, error: &KubeconfigError) -> Failure {
    let why = match error {
        KubeconfigError::LoadClusterOfContext(cluster) => format!("its cluster `{cluster}` is not in the kubeconfig"),
        KubeconfigError::MissingClusterUrl => "its cluster has no server".into(),
        KubeconfigError::ParseClusterUrl(_) => "its server is no URL".into(),
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
            "its certificate authority cannot be read".into()
        }
        KubeconfigError::LoadClientCertificate(_) => "its client certificate cannot be read".into(),
        KubeconfigError::LoadClientKey(_) => "its client key cannot be read".into(),
        _ => "it is incomplete".into(),
    };
    Failure::new(Kind::Auth, format!("the context `{context}` cannot be used: {why}"))
}

fn unbuildable(context: &str, login: Option<&str>, error: &kube::Error) -> Failure {
    match error {
        kube::Error::Auth(error) => login_failure(context, login, error),
        kube::Error::ProxyProtocolDisabled { .. } | kube::Error::ProxyProtocolUnsupported { .. } => {
            Failure::new(Kind::Unavailable, format!("the context `{context}` wants a proxy, which is not supported"))
                .hint("reach the cluster without `proxy-url`")
        }
        kube::Error::RustlsTls(_) => Failure::new(Kind::Auth, format!("the certificates of the context `{context}` cannot be used")),
        _ => Failure::new(Kind::Auth, format!("the context `{context}` cannot be used")),
    }
}

/// A failed login. What the command printed is left out, since it may hold a token; it could speak to the terminal itself.
pub(super) fn login_failure(context: &str, login: Option<&str>, error: &AuthError) -> Failure {
    let program = login.unwrap_or("its login command");
    let why = match error {
        AuthError::AuthExecStart(error) => format!("{program} cannot be started: {}", error.kind()),
        AuthError::AuthExecRun { out, .. } => format!("{program} failed ({})", out.status),
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => format!("{program} printed no credential"),
        AuthError::ReadTokenFile(error, path) => format!("the token file {} cannot be read: {}", path.display(), error.kind()),
        AuthError::InvalidBearerToken(_) | AuthError::InvalidBasicAuth(_) => "its token has characters that no header may have".into(),
        AuthError::MissingCommand => "its login command is missing".into(),
        _ => "no credentials".into(),
    };
    Failure::new(Kind::Auth, format!("logging in to the context `{context}` failed: {why}"))
        .hint(format!("try `kubectl --context {context} version`, and log in again"))
}
