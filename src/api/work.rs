//! The work of a handler: what it calls beside reading its inputs. It stands in the type of the handler's error, so that the description of
//! the operation has the problems that the work can cause, and the operations of LRS that it calls.

use std::fmt;
use std::marker::PhantomData;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, Responder, ResponseError};

use crate::api::description::Description;
use crate::api::json::Json;
use crate::lrs::Operation;
use crate::lrs::response_codes::Rejection;
use crate::problem::{Code, Problem};

/// What a handler does.
pub trait Work: 'static {
    /// Adds the work's problems and operations of LRS to the description of the operation.
    fn describe(description: &mut Description);
}

/// A problem of a handler with this work. Every [`Problem`], and every error that becomes one, converts into it.
pub struct ProblemOf<W> {
    problem: Problem,
    work: PhantomData<fn() -> W>,
}

/// What a handler returns.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the result of a handler",
    note = "a handler that can fail returns `Result<_, ProblemOf<W>>`, whose `W` names what the handler does: `LrsCall<UlnSearch>`"
)]
pub trait HandlerResult: Responder {
    /// Adds what the result states to the description of the operation.
    fn describe(description: &mut Description);
}

impl<T> HandlerResult for Json<T>
where
    Self: Responder,
{
    fn describe(_: &mut Description) {}
}

impl<T: Responder, W: Work> HandlerResult for Result<T, ProblemOf<W>> {
    fn describe(description: &mut Description) {
        W::describe(description);
    }
}

impl<W, E> From<E> for ProblemOf<W>
where
    Problem: From<E>,
{
    fn from(error: E) -> Self {
        Self { problem: error.into(), work: PhantomData }
    }
}

impl<W> fmt::Debug for ProblemOf<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl<W> fmt::Display for ProblemOf<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl<W: Work> ResponseError for ProblemOf<W> {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        self.problem.error_response()
    }
}

/// Calls this operation of LRS.
#[derive(Debug, Clone, Copy)]
pub struct LrsCall<O>(PhantomData<fn() -> O>);

/// Every code that a call to LRS can give, whatever the operation: see `problem/mapping.rs`.
const LRS_PROBLEMS: &[Code] = &[
    Code::LrsCredentialsRejected,
    Code::LrsRejectedRequest,
    Code::LrsBadResponse,
    Code::LrsMoved,
    Code::LrsAccessBlocked,
    Code::LrsMaintenance,
    Code::LrsUnavailable,
    Code::LrsQueueFull,
    Code::AuditUnavailable,
    Code::LrsTimeout,
];

impl<O: Operation + 'static> Work for LrsCall<O> {
    fn describe(description: &mut Description) {
        description.add_lrs_operation(O::NAME);
        description.add_problems("Lrs", LRS_PROBLEMS);
        let rejections: Vec<Code> = O::REJECTIONS.iter().copied().map(Rejection::into).collect();
        description.add_problems("Lrs", &rejections);
    }
}

impl<A: Work, B: Work> Work for (A, B) {
    fn describe(description: &mut Description) {
        A::describe(description);
        B::describe(description);
    }
}
