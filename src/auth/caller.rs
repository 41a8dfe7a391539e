//! The caller of a request, as a handler's argument.

use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use futures_util::FutureExt as _;
use futures_util::future::Shared;
use tokio::sync::oneshot;

use crate::auth::scope::Scope;
use crate::auth::verifier::{InvalidToken, TokenError, Verifier};
use crate::domain::{Ukprn, UserName};
use crate::observability::metrics;
use crate::organisations::{ClientIdentity, OrganisationRegistry, RequestContext};
use crate::problem::{Code, Problem};
use crate::rate_limit::{RateLimitKey, RateLimits};
use crate::schema::Scalar as _;

/// A person of an organisation, verified, with scope `S`, whose organisation has the product of that scope.
#[derive(Debug)]
pub struct Caller<S> {
    actor: RequestContext,
    scope: PhantomData<fn() -> S>,
}

impl<S> Caller<S> {
    /// The person and the organisation.
    pub const fn context(&self) -> &RequestContext {
        &self.actor
    }
}

impl<S> Deref for Caller<S> {
    type Target = RequestContext;

    fn deref(&self) -> &RequestContext {
        &self.actor
    }
}

impl<S: Scope> FromRequest for Caller<S> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let (admit, admitted) = oneshot::channel();
        request.extensions_mut().insert(AuthGate(admitted.shared()));
        defer_body(&request, payload);
        Box::pin(async move {
            let actor = identify::<S>(&request).await?;
            count(&request, &actor).await?;
            // Who waits for it may be gone already.
            let _ = admit.send(());
            Ok(Self { actor, scope: PhantomData })
        })
    }
}

/// Whether a caller is let in, in the extensions of the request.
#[derive(Clone)]
struct AuthGate(Shared<oneshot::Receiver<()>>);

/// What a handler's argument becomes.
pub type ExtractFuture<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

/// Waits until it is known who calls and that they may, if the handler wants to know: [`Caller`] is its first argument then.
pub async fn authenticated(request: HttpRequest) {
    let admission = request.extensions().get::<AuthGate>().cloned();
    if let Some(AuthGate(admitted)) = admission {
        let _ = admitted.await;
    }
}

/// What was said of a handler's argument, once the caller is let in: strangers are told nothing of it, and every call is counted.
pub fn after_authentication<T: 'static>(request: &HttpRequest, said: Result<T, Problem>) -> ExtractFuture<T> {
    let admitted = authenticated(request.clone());
    Box::pin(async move {
        admitted.await;
        said
    })
}

/// A request's id, in its extensions.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// What a limited answer says of the limits, for the end of the request.
#[derive(Debug, Clone)]
pub struct LimitHeaders {
    /// `RateLimit-Policy`
    pub policy: String,
    /// `RateLimit`
    pub limit: String,
}

/// Routes that search the register by what is known of people.
const SEARCHES: [&str; 2] = ["/v1/learners/find-by-demographics", "/v1/learners/obtain-uln"];

/// Counts the call against the limits of the organisation and the person.
async fn count(request: &HttpRequest, actor: &RequestContext) -> Result<(), Problem> {
    let Some(limits) = request.app_data::<Data<RateLimits>>() else {
        return Err(Problem::new(Code::InternalError).cause("the server was started without limits"));
    };
    let call = RateLimitKey {
        organisation: actor.organisation.ukprn().as_str(),
        person: (&actor.client_identity.issuer, actor.user.as_str()),
        is_search: request.match_pattern().is_some_and(|pattern| SEARCHES.contains(&pattern.as_str())),
    };
    let verdict = limits.count(call, actor.organisation.limits()).await;
    request.extensions_mut().insert(LimitHeaders { policy: verdict.policy_header(), limit: verdict.header() });
    let Some((seconds, whose)) = verdict.refused else { return Ok(()) };
    metrics::limited(whose);
    let detail = format!("The limit \"{whose}\" is used up: try again in {seconds} s.");
    Err(Problem::new(Code::RateLimited).detail(detail).retry_after(seconds))
}

/// Holds the body back until it is known who calls: the gateway reads nothing of strangers.
fn defer_body(request: &HttpRequest, payload: &mut Payload) {
    if !matches!(payload, Payload::None) {
        let (admitted, body) = (authenticated(request.clone()), payload.take());
        *payload = Payload::Stream { payload: Box::pin(admitted.map(|()| body).flatten_stream()) };
    }
}

async fn identify<S: Scope>(request: &HttpRequest) -> Result<RequestContext, Problem> {
    let (Some(verifier), Some(registry)) = (request.app_data::<Data<Verifier>>(), request.app_data::<Data<OrganisationRegistry>>()) else {
        return Err(Problem::new(Code::InternalError).cause("the server was started without issuers or organisations"));
    };
    let (claims, issuer) = verifier.verify(bearer_token(request)?).await.map_err(|unverified| match unverified {
        TokenError::Refused(refused) => invalid_token(&refused),
        TokenError::KeysUnavailable => Problem::new(Code::IssuerUnavailable).retry_soon(),
    })?;
    if let Some((scope, _)) = S::REQUIRED
        && !issuer.claims.has_scope(&claims, scope)
    {
        return Err(Problem::new(Code::InsufficientScope)
            .detail(format!("The token lacks the scope {scope}."))
            .challenge(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")));
    }
    let unregistered = |detail: &str| Problem::new(Code::OrganisationNotRegistered).detail(detail);
    let ukprn = issuer.claims.organisation(&claims).and_then(|text| Ukprn::parse(text).ok()).ok_or_else(|| {
        unregistered(&format!("The token names no organisation: its claim `{}` must be one UKPRN.", issuer.claims.organisation))
    })?;
    let organisation =
        registry.find(&ukprn).ok_or_else(|| unregistered(&format!("Organisation {ukprn} is not registered with this gateway.")))?;
    if let Some((_, product)) = S::REQUIRED
        && !organisation.has_product(product)
    {
        let detail = format!("Organisation {ukprn} does not have the product {}.", product.name());
        return Err(Problem::new(Code::ProductNotEnabled).detail(detail));
    }
    let user = issuer.claims.user(&claims).map(UserName::parse);
    let Some(Ok(user)) = user else {
        let reason = user.and_then(Result::err).map_or_else(|| "is missing or not a text".into(), |invalid| invalid.detail);
        let detail = format!("The token's claim `{}` {reason}: LRS must be told who is behind each call.", issuer.claims.user);
        return Err(Problem::new(Code::UserNameUnusable).detail(detail));
    };
    let origin = ClientIdentity {
        request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        issuer: issuer.name().to_owned(),
        client: issuer.claims.client(&claims).unwrap_or_default().to_owned(),
        part: None,
    };
    Ok(RequestContext { organisation, user, client_identity: Arc::new(origin) })
}

fn bearer_token(request: &HttpRequest) -> Result<&str, Problem> {
    let missing = || Problem::new(Code::MissingToken).challenge("Bearer".into());
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let header = headers.next().ok_or_else(missing)?;
    if headers.next().is_some() {
        return Err(invalid_token(&InvalidToken("there is more than one")));
    }
    let (scheme, token) = header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}

fn invalid_token(refused: &InvalidToken) -> Problem {
    Problem::new(Code::InvalidToken)
        .detail(format!("The access token is refused: {}.", refused.0))
        .challenge(format!("Bearer error=\"invalid_token\", error_description=\"{}\"", refused.0))
}
