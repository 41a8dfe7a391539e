//! The caller of a request, as a handler's argument.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest};

use crate::auth::error::{InvalidToken, TokenError};
use crate::auth::principal::Principal;
use crate::auth::rate_limit_class::{RateLimitClass, Standard};
use crate::auth::scope::Scope;
use crate::auth::verifier::Verifier;
use crate::domain::Ukprn;
use crate::observability::metrics;
use crate::organisations::{CallContext, CallOrigin, OrganisationRegistry};
use crate::problem::{Code, Problem};
use crate::rate_limit::{ExceededLimit, RateLimiter};
use crate::schema::CodeList as _;

/// An authenticated person of an organisation. The token has scope `S`, the organisation has the product of that scope, and the call has
/// been counted in rate-limit class `C`.
#[derive(Debug)]
pub struct Caller<S, C = Standard> {
    context: CallContext,
    requirements: PhantomData<fn() -> (S, C)>,
}

/// A request of an operation, as it arrived.
pub struct IncomingRequest {
    /// The operation.
    pub operation_id: &'static str,
    /// Path, query and headers.
    pub head: HttpRequest,
    /// The body, of which nothing has been read.
    pub payload: Payload,
}

/// A request whose caller is authenticated and counted. Only [`Caller::admit`] creates one, and a handler's inputs are read from nothing
/// else: unauthenticated callers learn nothing about their paths, headers and bodies, and the gateway reads no body for them.
pub struct AdmittedRequest {
    request: IncomingRequest,
    organisation: Ukprn,
}

impl<S, C> Caller<S, C> {
    /// Returns the organisation and the person.
    pub const fn context(&self) -> &CallContext {
        &self.context
    }
}

impl<S, C> Deref for Caller<S, C> {
    type Target = CallContext;

    fn deref(&self) -> &CallContext {
        &self.context
    }
}

impl<S: Scope, C: RateLimitClass> Caller<S, C> {
    /// Authenticates the caller of a request, and then counts the call.
    ///
    /// # Errors
    /// Returns a problem if the token is missing or invalid, if the token, its organisation or its person lacks what the operation
    /// requires, or if a rate limit is used up.
    pub async fn admit(
        request: IncomingRequest,
        verifier: &Verifier,
        registry: &OrganisationRegistry,
        rate_limits: &RateLimiter,
    ) -> Result<(Self, AdmittedRequest), Problem> {
        let (context, principal) = authenticate::<S>(&request.head, verifier, registry).await?;
        count::<C>(&request.head, &context, &principal, rate_limits).await?;
        let request = AdmittedRequest { request, organisation: context.organisation.ukprn().clone() };
        Ok((Self { context, requirements: PhantomData }, request))
    }
}

impl AdmittedRequest {
    /// Returns the operation.
    pub const fn operation_id(&self) -> &'static str {
        self.request.operation_id
    }

    /// Returns the path, the query and the headers.
    pub const fn head(&self) -> &HttpRequest {
        &self.request.head
    }

    /// Returns the caller's organisation.
    pub const fn organisation(&self) -> &Ukprn {
        &self.organisation
    }

    /// Returns the body.
    pub fn into_payload(self) -> Payload {
        self.request.payload
    }
}

/// The id of a request, stored in its extensions by `server/middleware/request_id.rs`.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The rate-limit headers of a response, stored in the extensions of the request for `server/middleware/rate_limit_headers.rs`.
#[derive(Debug, Clone)]
pub struct RateLimitHeaders {
    /// Value of `RateLimit-Policy`.
    pub policy: HeaderValue,
    /// Value of `RateLimit`.
    pub limit: HeaderValue,
    /// Seconds until the limits allow the next call, if one of them allows none now.
    pub seconds_until_next_call: Option<u64>,
}

/// Verifies the token and its scope, and finds the organisation and the person that it names. The organisation must have the product.
async fn authenticate<S: Scope>(
    request: &HttpRequest,
    verifier: &Verifier,
    registry: &OrganisationRegistry,
) -> Result<(CallContext, Arc<Principal>), Problem> {
    let (principal, issuer) = verifier.verify(bearer_token(request)?).await.map_err(|error| match error {
        TokenError::Invalid(invalid) => invalid_token(invalid),
        TokenError::KeysUnavailable => Problem::new(Code::IssuerUnavailable).retry_soon(),
    })?;
    if let Some((scope, _)) = S::REQUIRED
        && !principal.has_scope(scope)
    {
        return Err(Problem::new(Code::InsufficientScope)
            .detail(format!("The token lacks the scope {scope}. Request a token with that scope."))
            .challenge(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")));
    }
    let unregistered = |detail: &str| Problem::new(Code::OrganisationNotRegistered).detail(detail);
    let ukprn = principal.organisation.as_ref().ok_or_else(|| {
        unregistered(&format!(
            "The token names no organisation. Its claim `{}` must be one UKPRN: a text, a number, or a list of one.",
            issuer.claim_names.organisation
        ))
    })?;
    let organisation = registry.find(ukprn).ok_or_else(|| {
        unregistered(&format!("Organisation {ukprn} is not registered with this gateway. Ask the operator to register it."))
    })?;
    if let Some((_, product)) = S::REQUIRED
        && !organisation.has_product(product)
    {
        let (name, advice) = (product.word(), Code::ProductNotEnabled.entry().advice);
        let detail = format!("Organisation {ukprn} does not have the product {name}. {advice}");
        return Err(Problem::new(Code::ProductNotEnabled).detail(detail));
    }
    let user = principal.user.clone();
    let user = user.map_err(|error| Problem::new(Code::UserNameUnusable).detail(error.detail(&issuer.claim_names)))?;
    let origin = CallOrigin {
        request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        issuer: Arc::clone(&principal.issuer),
        client: Arc::clone(&principal.client),
        part: None,
    };
    Ok((CallContext { organisation, user, origin: Arc::new(origin) }, principal))
}

/// Counts the call if every rate limit of its organisation and person allows it.
async fn count<C: RateLimitClass>(
    request: &HttpRequest,
    context: &CallContext,
    principal: &Principal,
    rate_limits: &RateLimiter,
) -> Result<(), Problem> {
    let keys = principal.rate_limit_keys(rate_limits, context.organisation.ukprn(), &context.user);
    let decision = rate_limits.count(keys, C::IS_SEARCH, context.organisation.rate_overrides()).await;
    if let (Ok(policy), Ok(limit)) = (decision.policy_header().try_into(), decision.header().try_into()) {
        let seconds_until_next_call = decision.seconds_until_next_call();
        request.extensions_mut().insert(RateLimitHeaders { policy, limit, seconds_until_next_call });
    }
    let Some(ExceededLimit { name, retry_after_seconds }) = decision.exceeded else { return Ok(()) };
    metrics::record_rate_limited(name);
    let detail = format!("The rate limit \"{name}\" is used up. Try again in {retry_after_seconds} s.");
    Err(Problem::new(Code::RateLimited).detail(detail).retry_after(retry_after_seconds))
}

fn bearer_token(request: &HttpRequest) -> Result<&str, Problem> {
    let missing = || Problem::new(Code::MissingToken).challenge("Bearer".into());
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let header = headers.next().ok_or_else(missing)?;
    if headers.next().is_some() {
        return Err(invalid_token(InvalidToken("the request has more than one Authorization header")));
    }
    // Not `to_str`, which looks at every byte.
    let text = std::str::from_utf8(header.as_bytes()).ok().filter(|text| text.is_ascii());
    let (scheme, token) = text.and_then(|text| text.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}

fn invalid_token(InvalidToken(reason): InvalidToken) -> Problem {
    Problem::new(Code::InvalidToken)
        .detail(format!("The access token is invalid: {reason}."))
        .challenge(format!("Bearer error=\"invalid_token\", error_description=\"{reason}\""))
}
