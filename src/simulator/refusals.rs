//! Log lines of refused requests. They name the element at fault, never its value.

/// Logs that a request was refused: the element of the operation (empty if the message is unreadable), the code or kind of the refusal, and
/// the element or header at fault.
pub fn log_refusal(operation: &str, refusal: &str, element: &str) {
    tracing::info!(operation, refusal, element, "request refused");
}
