//! Scopes: what a token allows. Each is a type, so that a handler's signature says which one it needs.

use crate::organisations::Product;

/// What a caller must be allowed to do.
pub trait Scope: 'static {
    /// The scope as tokens spell it, and what LRS must have switched on for the organisation. `None`: anybody may do it whose
    /// organisation is registered.
    const REQUIRED: Option<(&'static str, Product)>;
}

/// What needs no scope.
#[derive(Debug, Clone, Copy)]
pub enum NoScope {}

impl Scope for NoScope {
    const REQUIRED: Option<(&'static str, Product)> = None;
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $product:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl Scope for $name {
                const REQUIRED: Option<(&'static str, Product)> = Some(($text, Product::$product));
            }
        )+

        /// Every scope, for development tokens.
        pub const ALL: &[&str] = &[$($text),+];
    };
}

scopes! {
    /// Find learners.
    LearnersRead = "learners:read", UlnManagement;
    /// Register and update learners.
    LearnersWrite = "learners:write", UlnManagement;
    /// Verify single learners.
    LearnersVerify = "learners:verify", Verification;
    /// Read learning events.
    LearningEventsRead = "learning-events:read", LearningEvents;
    /// Registration batches.
    RegistrationBatches = "registration-batches", RegistrationBatches;
    /// Verification batches.
    VerificationBatches = "verification-batches", Verification;
    /// Achievement batches.
    AchievementBatches = "achievement-batches", AchievementBatches;
}
