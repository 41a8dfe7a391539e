//! The gate that holds back the rest of a request until its caller is authenticated and counted.
//!
//! The framework runs all extractors of a handler concurrently. Without the gate, an unauthenticated caller could learn from a 4xx whether
//! a path or header is valid, or make the gateway read a large body.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{HttpMessage as _, HttpRequest};
use futures_util::FutureExt as _;
use futures_util::future::Shared;
use tokio::sync::oneshot;

use crate::problem::Problem;

/// The future of an extractor.
pub type ExtractFuture<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

/// The gate of a request, stored in its extensions. Failed authentication drops the sender; the framework then answers with its error and
/// drops the waiting extractors.
#[derive(Clone)]
struct AuthGate(Shared<oneshot::Receiver<()>>);

/// Puts a closed gate into the request. Sending opens it.
pub(super) fn close_gate(request: &HttpRequest) -> oneshot::Sender<()> {
    let (sender, receiver) = oneshot::channel();
    request.extensions_mut().insert(AuthGate(receiver.shared()));
    sender
}

/// Replaces the body by one that starts after authentication, so that the gateway reads nothing from unauthenticated callers.
pub(super) fn defer_body(request: &HttpRequest, payload: &mut Payload) {
    if !matches!(payload, Payload::None) {
        let (opened, body) = (authenticated(request.clone()), payload.take());
        *payload = Payload::Stream { payload: Box::pin(opened.map(|()| body).flatten_stream()) };
    }
}

/// Waits until the caller is authenticated and counted. Returns at once if the handler has no [`Caller`](super::Caller) argument; if it
/// has one, that must be the first.
pub async fn authenticated(request: HttpRequest) {
    let gate = request.extensions().get::<AuthGate>().cloned();
    if let Some(AuthGate(opened)) = gate {
        let _ = opened.await;
    }
}

/// Defers the extractor's result until authentication succeeds: unauthenticated callers learn nothing, and every call is counted.
pub fn after_authentication<T: 'static>(request: &HttpRequest, result: Result<T, Problem>) -> ExtractFuture<T> {
    let opened = authenticated(request.clone());
    Box::pin(async move {
        opened.await;
        result
    })
}
