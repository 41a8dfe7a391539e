//! Enumerations (FACTS 4): the name callers see, and the code LRS writes.

use std::borrow::Cow;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// Declares an enumeration: variant, name in JSON, code at LRS.
macro_rules! code_list {
    ($(#[$meta:meta])* $name:ident, $example:literal, $description:literal {
        $($(#[$vmeta:meta])* $variant:ident = $json:literal / $lrs:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        personal_value!($name);

        impl $name {
            /// Every value, in LRS's order.
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

code_list! {
    /// A learner's gender as LRS records it.
    Gender, "FEMALE", "Gender as LRS records it." {
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

code_list! {
    /// How much of a found learner LRS is to return.
    FindType, "FULL", "`FULL` returns the learners found, `CHECK` only the outcome." {
        /// The learners' details.
        Full = "FULL" / "FUL",
        /// Only whether there is a match.
        Check = "CHECK" / "CHK",
    }
}

code_list! {
    /// What proved the learner's identity when the ULN was registered.
    VerificationType, "PASSPORT", "What proved the learner's identity." {
        /// Nothing was shown.
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
        /// Something else, described in `otherVerificationDescription`.
        Other = "OTHER" / "999",
    }
}

code_list! {
    /// Whether the learner has seen the privacy notice, and lets organisations see the learning record.
    AbilityToShare, "SEEN_SHARE", "Whether the learner saw the privacy notice and shares the learning record." {
        /// The privacy notice has not been seen.
        NotSeen = "NOT_SEEN" / "0",
        /// Seen, and the record may be shared.
        SeenShare = "SEEN_SHARE" / "1",
        /// Seen, and the record may not be shared.
        SeenNotShared = "SEEN_NOT_SHARED" / "2",
    }
}

code_list! {
    /// How much of a learning record LRS is to return.
    GetType, "FULL", "`FULL` returns every field of each learning event, `BRIEF` only the nine that LRS never leaves out." {
        /// Everything.
        Full = "FULL" / "FULL",
        /// The nine fields that are always there.
        Brief = "BRIEF" / "BRIEF",
    }
}

code_list! {
    /// What a registration batch is to do.
    JobType, "FULL", "`FULL` registers who has no ULN, `CHECK` only looks." {
        /// Register.
        Full = "FULL" / "FUL",
        /// Look.
        Check = "CHECK" / "CHK",
    }
}

code_list! {
    /// What LRS is to do with an achievement. The numbers are not public; these are placeholders, and settings can replace them.
    AchievementAction, "CREATE", "What LRS is to do with the achievement." {
        /// Add it.
        Create = "CREATE" / "1",
        /// Change it.
        Update = "UPDATE" / "2",
        /// Take it back.
        Withdraw = "WITHDRAW" / "3",
        /// Make a withdrawn one valid again.
        Reinstate = "REINSTATE" / "4",
    }
}

code_list! {
    /// Are the achievements of a submission final? The spelling at LRS is not public; settings can replace it.
    SubmissionType, "FINAL", "Are the achievements final or provisional?" {
        /// They are.
        Final = "FINAL" / "Final",
        /// Not yet.
        Provisional = "PROVISIONAL" / "Provisional",
    }
}

code_list! {
    /// How far an achievement job is.
    AchievementJobStatus, "SUCCESSFUL", "How far LRS is with the job." {
        /// It failed.
        Failed = "FAILED" / "Failed",
        /// It is done.
        Successful = "SUCCESSFUL" / "Successful",
        /// It has not begun.
        Waiting = "WAITING" / "Waiting",
        /// It has begun.
        InProgress = "IN_PROGRESS" / "InProgress",
        /// It was called off.
        Cancelled = "CANCELLED" / "Cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_two_ways_of_saying_the_same() {
        for gender in Gender::ALL {
            assert!(Gender::parse(&gender.text()).ok() == Some(*gender));
            assert!(Gender::from_lrs(&gender.to_lrs()) == Some(*gender));
        }
        assert_eq!(VerificationType::Other.to_lrs(), "999");
        assert!(VerificationType::from_lrs("8").is_none());
    }

    #[test]
    fn names_are_exact() {
        for wrong in ["female", "F", "2", "", "FEMALE "] {
            assert!(Gender::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
