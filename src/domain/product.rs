//! LRS products.

use crate::schema::CodeList;

/// A group of LRS operations that LRS enables together for an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CodeList)]
#[code_list(case = "kebab-case")]
pub enum Product {
    /// Find, register and update learners.
    UlnManagement,
    /// Registration batches.
    RegistrationBatches,
    /// Learning events (PLR).
    LearningEvents,
    /// Verification of single learners.
    Verification,
    /// Verification batches.
    VerificationBatches,
    /// Achievement batches.
    AchievementBatches,
    /// Looking up many ULNs. LRS approves it for few organisations.
    RetrieveUlns,
}
