//! Faults: the ways in which the simulator can fail a request.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::schema::{Constraints, InvalidValue, Scalar};
use crate::simulator::operations::must_be_one_of;

/// A way in which a request can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Status 405 with the SOAP fault of a redirected `POST` that became a `GET`.
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
    const NAMES: [(Self, &'static str); 13] = [
        (Self::Latency, "latency"),
        (Self::Refuse, "refuse"),
        (Self::ResetBefore, "reset_before"),
        (Self::ResetAfter, "reset_after"),
        (Self::MaintenancePage, "maintenance_page"),
        (Self::MaintenanceRedirect, "maintenance_redirect"),
        (Self::Maintenance405, "maintenance_405"),
        (Self::OutOfHours, "out_of_hours"),
        (Self::Unavailable, "unavailable"),
        (Self::Garbage, "garbage"),
        (Self::Truncated, "truncated"),
        (Self::SlowDrip, "slow_drip"),
        (Self::SoapFault, "soap_fault"),
    ];

    /// Returns all faults.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.iter().map(|(fault, _)| *fault)
    }

    /// Returns `true` if the simulator executes the operation in spite of the fault.
    pub const fn executes_operation(self) -> bool {
        matches!(self, Self::Latency | Self::ResetAfter | Self::Garbage | Self::Truncated | Self::SlowDrip)
    }

    /// Returns `true` if a step with this fault has a number of milliseconds.
    pub const fn has_delay(self) -> bool {
        matches!(self, Self::Latency | Self::SlowDrip)
    }
}

impl Scalar for Fault {
    const CONSTRAINTS: Constraints = Constraints::new("A way in which a request can fail.", "reset_after");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let entry = Self::NAMES.iter().find(|(_, name)| *name == text);
        entry.map(|(fault, _)| *fault).ok_or_else(|| must_be_one_of(Self::NAMES.iter().map(|(_, name)| *name)))
    }

    fn text(&self) -> Cow<'_, str> {
        Self::NAMES.iter().find(|(fault, _)| fault == self).map_or("", |(_, name)| name).into()
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}
