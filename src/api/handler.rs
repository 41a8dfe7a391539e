//! Handlers: the functions that answer the requests of an operation.
//!
//! A handler is `async fn(State)`, or `async fn(State, Caller<S, C>, ..)` with up to three inputs of which the last may be the body. The
//! compiler refuses any other signature. A handler without a caller gets nothing of the request, so it reads no body. Inputs are read after
//! the caller is authenticated and the call is counted, the body last.

use actix_web::{HttpRequest, HttpResponse, Responder};
use utoipa::openapi::security::SecurityRequirement;

use crate::api::description::Description;
use crate::api::work::HandlerResult;
use crate::app::State;
use crate::auth::scope::Scope;
use crate::auth::{AdmittedRequest, Caller, IncomingRequest, RateLimitClass};
use crate::problem::Problem;

/// A function that answers the requests of an operation.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    note = "a handler is `async fn(State)`, or `async fn(State, Caller<S, C>, ..)` with up to three inputs, of which the last may be the body"
)]
pub trait Handler<Arguments>: Clone + 'static {
    /// Adds what the signature states to the description of the operation.
    fn describe(description: &mut Description);

    /// Answers a request.
    fn handle(self, state: State, request: IncomingRequest) -> impl Future<Output = HttpResponse>;
}

/// An argument that is read from the path, the query or the headers.
pub trait HeadInput: Sized {
    /// Adds the input to the description of the operation.
    fn describe(_description: &mut Description) {}

    /// Reads the input.
    ///
    /// # Errors
    /// Returns a problem if the request does not have the input, or not in the required form.
    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem>;
}

/// The last argument: any [`HeadInput`], or the body.
pub trait Input: Sized {
    /// Adds the input to the description of the operation.
    fn describe(description: &mut Description);

    /// Reads the input.
    ///
    /// # Errors
    /// Returns a problem if the request does not have the input, or not in the required form.
    fn read(request: AdmittedRequest, state: &State) -> impl Future<Output = Result<Self, Problem>>;
}

impl<T: HeadInput> Input for T {
    fn describe(description: &mut Description) {
        <T as HeadInput>::describe(description);
    }

    async fn read(request: AdmittedRequest, _state: &State) -> Result<Self, Problem> {
        Self::from_head(&request)
    }
}

impl<F, Answer> Handler<()> for F
where
    F: Fn(State) -> Answer + Clone + 'static,
    Answer: Future<Output: HandlerResult>,
{
    fn describe(description: &mut Description) {
        description.operation.security = Some(vec![SecurityRequirement::default()]);
        Answer::Output::describe(description);
    }

    async fn handle(self, state: State, request: IncomingRequest) -> HttpResponse {
        respond(self(state).await, &request.head)
    }
}

/// Implements [`Handler`] for functions with a caller and inputs.
macro_rules! handler_with_caller {
    ($($head:ident),*; $($last:ident)?) => {
        impl<F, Answer, S, C, $($head,)* $($last)?> Handler<(Caller<S, C>, $($head,)* $($last)?)> for F
        where
            F: Fn(State, Caller<S, C>, $($head,)* $($last)?) -> Answer + Clone + 'static,
            Answer: Future<Output: HandlerResult>,
            S: Scope,
            C: RateLimitClass,
            $($head: HeadInput,)*
            $($last: Input)?
        {
            fn describe(description: &mut Description) {
                description.require_token(S::REQUIRED);
                $($head::describe(description);)*
                $($last::describe(description);)?
                Answer::Output::describe(description);
            }

            async fn handle(self, state: State, request: IncomingRequest) -> HttpResponse {
                let head = request.head.clone();
                let answer = async {
                    #[allow(unused_variables, reason = "not every handler has inputs")]
                    let (caller, request) = Caller::admit(request, &state.verifier, &state.registry, &state.rate_limits).await?;
                    Ok::<_, Problem>(self(state.clone(), caller, $($head::from_head(&request)?,)* $($last::read(request, &state).await?)?).await)
                };
                respond(answer.await, &head)
            }
        }
    };
}

handler_with_caller!(;);
handler_with_caller!(; L);
handler_with_caller!(A; L);
handler_with_caller!(A, B; L);

fn respond(answer: impl Responder, head: &HttpRequest) -> HttpResponse {
    answer.respond_to(head).map_into_boxed_body()
}
