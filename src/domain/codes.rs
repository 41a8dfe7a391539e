//! Enumerations (LRS-CONTRACT 5.5). Each value has a word in JSON and a code at LRS.

use crate::domain::FromLrs;
use crate::schema::CodeList;

/// A learner's gender as recorded by LRS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, CodeList)]
#[code_list(request, personal, answer = "RecordedGender")]
pub enum Gender {
    /// Not known.
    #[code(lrs = "0")]
    NotKnown,
    /// Male.
    #[code(lrs = "1")]
    Male,
    /// Female.
    #[code(lrs = "2", example)]
    Female,
    /// Not specified.
    #[code(lrs = "9")]
    NotSpecified,
}

/// How much LRS returns of the learners that it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CodeList)]
#[code_list(request)]
pub enum FindType {
    /// The learners found.
    #[code(lrs = "FUL")]
    Full,
    /// Only the outcome.
    #[code(lrs = "CHK")]
    Check,
}

/// The proof of identity that the learner showed when the ULN was registered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, CodeList)]
#[code_list(request, personal, answer = "RecordedVerificationType")]
pub enum VerificationType {
    /// The learner showed none.
    #[code(lrs = "0")]
    NotProvided,
    /// The school knows the learner.
    #[code(lrs = "1")]
    RelationshipWithSchool,
    /// Passport.
    #[code(lrs = "2")]
    Passport,
    /// Driving licence.
    #[code(lrs = "3")]
    DrivingLicence,
    /// Identity card or another national identification.
    #[code(lrs = "4")]
    NationalId,
    /// National Insurance card.
    #[code(lrs = "5")]
    NationalInsuranceCard,
    /// Certificate of entitlement to funding.
    #[code(lrs = "6")]
    FundingCertificate,
    /// Bank, credit or debit card.
    #[code(lrs = "7")]
    BankCard,
    /// Another proof, described in `otherVerificationDescription`.
    #[code(lrs = "999", example)]
    Other,
}

/// Whether the learner has seen the privacy notice and lets organisations see the learning record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, CodeList)]
#[code_list(request, personal, answer = "RecordedAbilityToShare")]
pub enum AbilityToShare {
    /// The learner has not seen the privacy notice.
    #[code(lrs = "0")]
    NotSeen,
    /// The learner has seen it and shares the record.
    #[code(lrs = "1", example)]
    SeenShare,
    /// Historical: the learner has seen it and did not share the record. Learners can no longer choose this. Records still hold it; do not send
    /// it.
    #[code(lrs = "2")]
    SeenNotShared,
}

/// How much LRS returns of each learning event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CodeList)]
#[code_list(request)]
pub enum DetailLevel {
    /// All fields.
    #[code(lrs = "FULL")]
    Full,
    /// The nine fields that LRS always sends.
    #[code(lrs = "BRIEF")]
    Brief,
}

/// The effect of a registration batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CodeList)]
#[code_list(request)]
pub enum JobType {
    /// Registers the learners who have no ULN. It may also change records that LRS already holds: it may replace their details with those that
    /// you send. Send no details that the record should not get.
    #[code(lrs = "FUL")]
    Full,
    /// Only searches for the learners.
    #[code(lrs = "CHK")]
    Check,
}

/// The change that LRS makes to an achievement. The codes at LRS are not public: these are placeholders that settings can replace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, CodeList)]
#[code_list(request, personal)]
pub enum AchievementAction {
    /// Adds it.
    #[code(lrs = "1")]
    Create,
    /// Changes it.
    #[code(lrs = "2")]
    Update,
    /// Withdraws it.
    #[code(lrs = "3")]
    Withdraw,
    /// Makes a withdrawn achievement valid again.
    #[code(lrs = "4")]
    Reinstate,
}

/// Whether the achievements of a submission are final. The codes at LRS are not public: settings can replace them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CodeList)]
#[code_list(request)]
pub enum SubmissionType {
    /// The achievements are final.
    #[code(lrs = "Final")]
    Final,
    /// The achievements are provisional.
    #[code(lrs = "Provisional")]
    Provisional,
}

/// LRS's status of an achievement job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CodeList)]
pub enum AchievementJobStatus {
    /// Failed.
    #[code(lrs = "Failed")]
    Failed,
    /// Completed.
    #[code(lrs = "Successful", example)]
    Successful,
    /// Not started.
    #[code(lrs = "Waiting")]
    Waiting,
    /// Started.
    #[code(lrs = "InProgress")]
    InProgress,
    /// Cancelled.
    #[code(lrs = "Cancelled")]
    Cancelled,
}

impl FromLrs for Gender {}
impl FromLrs for FindType {}
impl FromLrs for VerificationType {}
impl FromLrs for AbilityToShare {}
impl FromLrs for DetailLevel {}
impl FromLrs for JobType {}
impl FromLrs for AchievementAction {}
impl FromLrs for SubmissionType {}
impl FromLrs for AchievementJobStatus {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Scalar as _;

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
