//! Faults: the ways in which the simulator can fail a request.

use crate::schema::CodeList;

/// A way in which a request can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
#[code_list(case = "snake_case")]
pub enum Fault {
    /// The correct response, later. The operation is executed before the wait.
    Latency,
    /// A connection reset immediately. The operation is not executed.
    Refuse,
    /// A connection reset when the response was due. The operation is not executed.
    ResetBefore,
    /// A connection reset when the response was due. The operation is executed.
    ResetAfter,
    /// Status 200 with an HTML page about maintenance.
    MaintenancePage,
    /// Status 302 to the page about maintenance.
    MaintenanceRedirect,
    /// Status 405 with the error page of the static web site that stands in for LRS.
    #[code(word = "maintenance_405")]
    Maintenance405,
    /// `WSEC0004`: a SOAP fault of the learner service, a response code of the other services.
    OutOfHours,
    /// Status 503 with an HTML page.
    Unavailable,
    /// Status 200 with a body that is not XML. The operation is executed.
    Garbage,
    /// The first half of the correct response. The operation is executed.
    Truncated,
    /// The correct response, one byte at a time. The operation is executed.
    SlowDrip,
    /// A SOAP fault with the code of the step.
    SoapFault,
}

impl Fault {
    /// Returns `true` if the simulator executes the operation in spite of the fault.
    pub const fn executes_operation(self) -> bool {
        matches!(self, Self::Latency | Self::ResetAfter | Self::Garbage | Self::Truncated | Self::SlowDrip)
    }

    /// Returns `true` if another web site responds in place of LRS, also to `GET` requests.
    pub const fn is_maintenance(self) -> bool {
        matches!(self, Self::MaintenancePage | Self::MaintenanceRedirect | Self::Maintenance405)
    }

    /// Returns `true` if a step with this fault has a number of milliseconds.
    pub const fn has_delay(self) -> bool {
        matches!(self, Self::Latency | Self::SlowDrip)
    }
}
