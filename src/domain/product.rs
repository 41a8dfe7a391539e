//! LRS products.

use std::borrow::Cow;

use crate::schema::{Constraints, InvalidValue, Scalar};

/// A group of LRS operations that LRS enables together for an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// Find, register and update learners.
    UlnManagement,
    /// Registration batches.
    RegistrationBatches,
    /// Learning events (PLR).
    LearningEvents,
    /// Verification of learners, singly and in batches.
    Verification,
    /// Achievement batches.
    AchievementBatches,
}

impl Product {
    const ALL: [(Self, &'static str); 5] = [
        (Self::UlnManagement, "uln-management"),
        (Self::RegistrationBatches, "registration-batches"),
        (Self::LearningEvents, "learning-events"),
        (Self::Verification, "verification"),
        (Self::AchievementBatches, "achievement-batches"),
    ];

    /// Returns the name used in configuration, answers and errors.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(product, _)| *product == self).map_or("", |(_, name)| name)
    }
}

impl serde::Serialize for Product {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Scalar for Product {
    const CONSTRAINTS: Constraints = Constraints::new("A group of LRS operations.", "uln-management");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const UNKNOWN: InvalidValue = InvalidValue::new(
            "unknown_value",
            "must be one of uln-management, registration-batches, learning-events, verification, achievement-batches",
        );
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(product, _)| *product).ok_or(UNKNOWN)
    }

    fn text(&self) -> Cow<'_, str> {
        self.name().into()
    }
}
