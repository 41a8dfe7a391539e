//! Enumerations (LRS-CONTRACT 5.5). Each value has a name in JSON and a code at LRS.

use std::borrow::Cow;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// Declares an enumeration: example and description, then for each variant the name in JSON and the code at LRS.
macro_rules! code_enum {
    ($(#[$meta:meta])* $name:ident, $example:literal, $description:literal {
        $($(#[$vmeta:meta])* $variant:ident = $json:literal / $lrs:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        personal_value!($name);

        impl $name {
            /// All values, in the order of the declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
        }

        impl Scalar for $name {
            const CONSTRAINTS: Constraints = Constraints { values: &[$($json),+], ..Constraints::new($description, $example) };

            fn parse(text: &str) -> Result<Self, InvalidValue> {
                match text {
                    $($json => Ok(Self::$variant),)+
                    _ => Err(InvalidValue { code: "unknown_value", detail: Cow::Borrowed(concat!("must be one of" $(, " ", $json)+)) }),
                }
            }

            fn text(&self) -> Cow<'_, str> {
                Cow::Borrowed(match self { $(Self::$variant => $json),+ })
            }
        }

        impl FromLrs for $name {
            fn from_lrs(text: &str) -> Option<Self> {
                match text {
                    $($lrs => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn to_lrs(&self) -> Cow<'_, str> {
                Cow::Borrowed(match self { $(Self::$variant => $lrs),+ })
            }
        }
    };
}

code_enum! {
    /// A learner's gender as recorded by LRS.
    Gender, "FEMALE", "As recorded by LRS." {
        /// Not known.
        NotKnown = "NOT_KNOWN" / "0",
        /// Male.
        Male = "MALE" / "1",
        /// Female.
        Female = "FEMALE" / "2",
        /// Not specified.
        NotSpecified = "NOT_SPECIFIED" / "9",
    }
}

code_enum! {
    /// How much LRS returns of the learners that it finds.
    FindType, "FULL", "`FULL`: the learners found. `CHECK`: only the outcome." {
        /// The learners' details.
        Full = "FULL" / "FUL",
        /// Only the outcome.
        Check = "CHECK" / "CHK",
    }
}

code_enum! {
    /// The proof of identity that the learner showed when the ULN was registered.
    VerificationType, "PASSPORT", "Shown by the learner when the ULN was registered." {
        /// None.
        NotProvided = "NOT_PROVIDED" / "0",
        /// The school knows the learner.
        RelationshipWithSchool = "RELATIONSHIP_WITH_SCHOOL" / "1",
        /// Passport.
        Passport = "PASSPORT" / "2",
        /// Driving licence.
        DrivingLicence = "DRIVING_LICENCE" / "3",
        /// Identity card or another national identification.
        NationalId = "NATIONAL_ID" / "4",
        /// National Insurance card.
        NationalInsuranceCard = "NATIONAL_INSURANCE_CARD" / "5",
        /// Certificate of entitlement to funding.
        FundingCertificate = "FUNDING_CERTIFICATE" / "6",
        /// Bank, credit or debit card.
        BankCard = "BANK_CARD" / "7",
        /// Another proof, described in `otherVerificationDescription`.
        Other = "OTHER" / "999",
    }
}

code_enum! {
    /// Whether the learner has seen the privacy notice and lets organisations see the learning record.
    AbilityToShare, "SEEN_SHARE", "Whether the learner has seen the privacy notice and shares the learning record." {
        /// The learner has not seen the privacy notice.
        NotSeen = "NOT_SEEN" / "0",
        /// The learner has seen it and shares the record.
        SeenShare = "SEEN_SHARE" / "1",
        /// The learner has seen it and does not share the record.
        SeenNotShared = "SEEN_NOT_SHARED" / "2",
    }
}

code_enum! {
    /// How much LRS returns of each learning event.
    GetType, "FULL", "`FULL`: all fields of each learning event. `BRIEF`: only the nine fields that LRS always sends." {
        /// All fields.
        Full = "FULL" / "FULL",
        /// The nine fields that LRS always sends.
        Brief = "BRIEF" / "BRIEF",
    }
}

code_enum! {
    /// The effect of a registration batch.
    JobType, "FULL", "`FULL`: registers the learners who have no ULN. `CHECK`: only searches for the learners." {
        /// Registers learners.
        Full = "FULL" / "FUL",
        /// Only searches for learners.
        Check = "CHECK" / "CHK",
    }
}

code_enum! {
    /// The change that LRS makes to an achievement. The codes at LRS are not public: these are placeholders that settings can replace.
    AchievementAction, "CREATE", "The change that LRS makes to the achievement." {
        /// Adds it.
        Create = "CREATE" / "1",
        /// Changes it.
        Update = "UPDATE" / "2",
        /// Withdraws it.
        Withdraw = "WITHDRAW" / "3",
        /// Makes a withdrawn achievement valid again.
        Reinstate = "REINSTATE" / "4",
    }
}

code_enum! {
    /// Whether the achievements of a submission are final. The codes at LRS are not public: settings can replace them.
    SubmissionType, "FINAL", "Whether the achievements are final or provisional." {
        /// Final.
        Final = "FINAL" / "Final",
        /// Provisional.
        Provisional = "PROVISIONAL" / "Provisional",
    }
}

code_enum! {
    /// LRS's status of an achievement job.
    AchievementJobStatus, "SUCCESSFUL", "LRS's status of the job." {
        /// Failed.
        Failed = "FAILED" / "Failed",
        /// Completed.
        Successful = "SUCCESSFUL" / "Successful",
        /// Not started.
        Waiting = "WAITING" / "Waiting",
        /// Started.
        InProgress = "IN_PROGRESS" / "InProgress",
        /// Cancelled.
        Cancelled = "CANCELLED" / "Cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_enum_value_is_read_back_from_its_name_and_from_its_code() {
        for gender in Gender::ALL {
            assert!(Gender::parse(&gender.text()).ok() == Some(*gender));
            assert!(Gender::from_lrs(&gender.to_lrs()) == Some(*gender));
        }
        assert_eq!(VerificationType::Other.to_lrs(), "999");
        assert!(VerificationType::from_lrs("8").is_none());
    }

    #[test]
    fn code_enum_name_spelt_differently_is_rejected() {
        for wrong in ["female", "F", "2", "", "FEMALE "] {
            assert!(Gender::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
