//! The operation of `LearnerServiceR9.svc`: another dialect, in which every element is in a namespace (FACTS 2.9).

use crate::domain::{Extensible, FromLrs as _, GetLearningEvents, LearningEvent, Uln};
use crate::lrs::codes::LrsCode;
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{Fields, Wrapped, wire};

/// `GetLearnerLearningEvents` (FACTS 2.9): a learner's personal learning record.
impl Operation for GetLearningEvents {
    const NAME: &'static str = "GetLearnerLearningEvents";
    const SERVICE: Service = Service::LearnerR9;
    const SOAP_ACTION: &'static str = "http://tempuri.org/ILearnerServiceR9/GetLearnerLearningEvents";
    const REQUEST_ELEMENT: &'static str = "tem:GetLearnerLearningEvents";
    const NAMESPACES: &'static str =
        "xmlns:tem=\"http://tempuri.org/\" xmlns:r10=\"http://schemas.datacontract.org/2004/07/Amor.Qcf.Service.Interface\"";
    const RESPONSE_ELEMENT: &'static str = "GetLearnerLearningEventsResponse";
    const FIELDS: Fields = &[
        ("uln", "uln"),
        ("givenName", "given_name"),
        ("familyName", "family_name"),
        ("dateOfBirth", "date_of_birth"),
        ("gender", "gender"),
        ("getType", "get_type"),
    ];
    type Response = LearningEventsResponse;

    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        let MessageContext { request: actor, vendor } = context;
        writer.element("tem:invokingOrganisation", "", |writer| {
            writer.nillable::<String>("r10:OrganisationRef", None);
            writer.value("r10:Password", actor.organisation.password());
            writer.value("r10:Ukprn", actor.organisation.ukprn());
            writer.value("r10:Username", &actor.user);
        });
        writer.value("tem:userType", &vendor.user_type);
        writer.value("tem:vendorID", &vendor.id);
        writer.value("tem:language", &vendor.language);
        writer.value("tem:uln", &self.uln);
        writer.value("tem:givenName", &self.given_name);
        writer.value("tem:familyName", &self.family_name);
        writer.nillable("tem:dateOfBirth", self.date_of_birth.as_ref());
        writer.nillable("tem:gender", self.gender.as_ref());
        writer.value("tem:getType", &self.get_type);
    }

    /// The record is the learner's, or that of the master LRS names; and a record that is not shared holds nothing.
    fn check(&self, answer: &LearningEventsResponse) -> Result<(), &'static str> {
        let result = &answer.result;
        let other = |uln: &Option<Extensible<Uln>>| uln.as_ref().is_some_and(|uln| uln.to_lrs() != self.uln.to_lrs());
        if other(&result.incoming_uln) {
            return Err("it answers a search for another ULN");
        }
        let withheld = result.response_code.is("WSEC0206") || result.response_code.is("WSEC0208");
        let nobody = result.response_code.is("WSRC0001");
        if (withheld || nobody) && result.events().next().is_some() {
            return Err("it says that there is no record to be seen, and shows one");
        }
        let linked = result.response_code.is("WSRC0022");
        // What a code that nobody has documented says of another ULN may be passed on, but not that learner's record.
        let shown = result.response_code.entry().is_some() || result.events().next().is_some();
        if !withheld && !linked && other(&result.found_uln) && shown {
            return Err("it is the record of another learner");
        }
        Ok(())
    }
}

/// `GetLearnerLearningEventsResponse` (FACTS 2.9).
#[derive(Debug, Clone)]
pub struct LearningEventsResponse {
    /// What it wraps.
    pub result: Wrapped<LearningEventsResult>,
}

wire!(LearningEventsResponse { result: "GetLearnerLearningEventsResult" });

impl LrsResponse for LearningEventsResponse {
    fn code(&self) -> Option<&LrsCode> {
        Some(&self.result.response_code)
    }
}

/// `GetLearnerLearningEventsResult` (FACTS 2.9).
#[derive(Debug, Clone)]
pub struct LearningEventsResult {
    /// The outcome.
    pub response_code: LrsCode,
    /// ULN of the record that was found: of the master, if the one asked for was merged.
    pub found_uln: Option<Extensible<Uln>>,
    /// ULN asked for.
    pub incoming_uln: Option<Extensible<Uln>>,
    /// The record.
    pub learner_record: Option<Wrapped<LearnerRecord>>,
}

impl LearningEventsResult {
    /// The events of the record.
    pub fn events(&self) -> impl Iterator<Item = &LearningEvent> {
        self.learner_record.iter().flat_map(|record| &record.learning_event)
    }
}

wire!(LearningEventsResult, in "a:" {
    response_code: "ResponseCode",
    found_uln: "FoundULN" nil,
    incoming_uln: "IncomingULN" nil,
    learner_record: "LearnerRecord",
});

/// `mod:ArrayOfLearningEvent` (FACTS 2.9).
#[derive(Debug, Clone)]
pub struct LearnerRecord {
    /// The events.
    pub learning_event: Vec<LearningEvent>,
}

wire!(LearnerRecord, in "a:" { learning_event: "LearningEvent", });

// `mod:LearningEvent` (FACTS 2.9). What is never left out is nil when there is nothing.
wire!(LearningEvent, in "a:" {
    achievement_award_date: "AchievementAwardDate" nil,
    achievement_provider_name: "AchievementProviderName",
    achievement_provider_ukprn: "AchievementProviderUkprn" nil,
    awarding_organisation_name: "AwardingOrganisationName",
    awarding_organisation_ukprn: "AwardingOrganisationUkprn",
    collection_type: "CollectionType",
    credits: "Credits",
    date_loaded: "DateLoaded",
    grade: "Grade" nil,
    id: "ID",
    language_for_assessment: "LanguageForAssessment",
    level: "Level" nil,
    participation_end_date: "ParticipationEndDate",
    participation_start_date: "ParticipationStartDate",
    qualification_type: "QualificationType",
    restriction: "Restriction",
    return_number: "ReturnNumber",
    source: "Source" nil,
    status: "Status",
    subject: "Subject" nil,
    subject_code: "SubjectCode" nil,
    under_data_challenge: "UnderDataChallenge",
});
