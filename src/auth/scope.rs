//! Scopes of access tokens. Each is a type, so that a handler's signature states which one it requires.

use crate::domain::Product;

/// A requirement on the token and the organisation of a caller.
pub trait Scope: 'static {
    /// The scope in the token, and the product that LRS must have enabled for the organisation. `None` allows every person of a
    /// registered organisation.
    const REQUIRED: Option<(&'static str, Product)>;
}

/// No required scope.
#[derive(Debug, Clone, Copy)]
pub enum NoScope {}

impl Scope for NoScope {
    const REQUIRED: Option<(&'static str, Product)> = None;
}

/// Scope to look up many ULNs. It is that of finding learners, but LRS approves the operation for few organisations: it is a product of its own.
#[derive(Debug, Clone, Copy)]
pub enum UlnsRetrieve {}

impl Scope for UlnsRetrieve {
    const REQUIRED: Option<(&'static str, Product)> = Some(("learners:read", Product::RetrieveUlns));
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

        /// Every scope. Development tokens have all of them.
        pub const ALL: &[&str] = &[$($text),+];
        /// The product of each scope.
        pub const PRODUCTS: &[(&str, Product)] = &[$(($text, Product::$product)),+];
    };
}

scopes! {
    /// Scope to find learners.
    LearnersRead = "learners:read", UlnManagement;
    /// Scope to register and update learners.
    LearnersWrite = "learners:write", UlnManagement;
    /// Scope to verify single learners.
    LearnersVerify = "learners:verify", Verification;
    /// Scope to read learning events.
    LearningEventsRead = "learning-events:read", LearningEvents;
    /// Scope for registration batches.
    RegistrationBatches = "registration-batches", RegistrationBatches;
    /// Scope for verification batches.
    VerificationBatches = "verification-batches", VerificationBatches;
    /// Scope for achievement batches.
    AchievementBatches = "achievement-batches", AchievementBatches;
}
