//! What a service's configuration adds to a request: credentials, for its own origin alone.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::super::Real;
use crate::config::Auth;
use crate::model::operation::HttpRequest;
use crate::model::{Failure, Secret, Value};

/// A request with its service's credentials. What the script sets itself stays. Fails with `auth` where a source cannot be opened.
pub(in super::super) async fn with<'r>(real: &Real, request: &'r HttpRequest) -> Result<Cow<'r, HttpRequest>, Failure> {
    let service = request.service.as_ref().and_then(|name| real.environment.services.get(name));
    let Some(service) = service.filter(|service| service.secrets().next().is_some()) else { return Ok(Cow::Borrowed(request)) };
    let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin());
    if service.url.as_deref().and_then(origin).is_none_or(|own| origin(&request.url) != Some(own)) {
        return Ok(Cow::Borrowed(request));
    }
    let mut request = request.clone();
    let mut add = |name: &str, secret: Secret| {
        if !request.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
            request.headers.push((name.to_owned(), Value::Secret(secret)));
        }
    };
    let open = async |source| real.sources.open(source, &real.kubernetes).await;
    match &service.auth {
        Some(Auth::Bearer(source)) => {
            let token = open(source).await?;
            add("authorization", Secret::new(token.name(), format!("Bearer {}", token.expose())));
        }
        Some(Auth::Basic { user, password }) => {
            let password = open(password).await?;
            let both = STANDARD.encode(format!("{user}:{}", password.expose()));
            add("authorization", Secret::new(password.name(), format!("Basic {both}")));
        }
        None => {}
    }
    for (name, source) in &service.headers {
        add(name, open(source).await?);
    }
    Ok(Cow::Owned(request))
}
