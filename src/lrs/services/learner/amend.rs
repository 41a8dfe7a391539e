//! The two calls of an amendment: the record is read and written as LRS's own texts (LRS-CONTRACT 2.4, 2.7).

use std::ops::Range;

use crate::domain::{LearnerUpdate, RegisterRecord, UlnSearch};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::lrs::services::learner::{FindLearnerResponse, UpdateLearnerResponse, credentials};
use crate::xml::{Element, FieldMapping, XmlError, XmlNode, XmlReader, XmlRecord, XmlWriter};

/// `learnerByULN` (LRS-CONTRACT 2.4), whose response also has the records as LRS sent them.
#[derive(Debug, Clone)]
pub struct RecordSearch(pub UlnSearch);

impl Operation for RecordSearch {
    const NAME: &'static str = UlnSearch::NAME;
    const SERVICE: Service = UlnSearch::SERVICE;
    const REQUEST_ELEMENT: &'static str = UlnSearch::REQUEST_ELEMENT;
    const NAMESPACES: &'static str = UlnSearch::NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = UlnSearch::RESPONSE_ELEMENT;
    const FIELDS: FieldMapping = <UlnSearch as Operation>::FIELDS;
    const EFFECT: Effect = UlnSearch::EFFECT;
    const REJECTIONS: &'static [Rejection] = UlnSearch::REJECTIONS;
    type Response = RecordSearchResponse;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        Operation::write(&self.0, context, writer);
    }

    fn check_response(&self, response: &RecordSearchResponse) -> Result<(), &'static str> {
        self.0.check_response(&response.found)
    }
}

/// `FindLearnerResponse` (LRS-CONTRACT 2.4) with the records as LRS sent them.
#[derive(Debug, Clone)]
pub struct RecordSearchResponse {
    /// The response as other searches read it.
    pub found: FindLearnerResponse,
    /// The records of its learners, in the same order.
    pub records: Vec<RegisterRecord>,
}

impl XmlRecord for RecordSearchResponse {
    const FIELDS: FieldMapping = FindLearnerResponse::FIELDS;

    fn read(reader: &mut XmlReader<'_>) -> Result<Self, XmlError> {
        let mut children = Vec::new();
        while let XmlNode::Element(start) = reader.next_node()? {
            children.push(Element::read(reader, &start)?);
        }
        let has_replaced_characters = reader.irregularities().replaced_characters > 0;
        let learners = children.iter().filter(|child| child.name == "Learner" && !child.nil);
        let records = learners.map(|learner| RegisterRecord::from_element(learner, has_replaced_characters)).collect::<Result<_, _>>()?;
        let name = UlnSearch::RESPONSE_ELEMENT.to_owned();
        let found = Element { namespace: None, name, nil: false, text: String::new(), children }.to_record()?;
        Ok(Self { found, records })
    }

    fn write_fields(&self, fields: Range<usize>, writer: &mut XmlWriter) {
        self.found.write_fields(fields, writer);
    }
}

impl LrsResponse for RecordSearchResponse {
    fn code(&self) -> Option<&LrsCode> {
        self.found.code()
    }
}

/// `updateSingleLearner` (LRS-CONTRACT 2.7) with an amended record: what was not changed is sent as LRS sent it.
#[derive(Debug, Clone, Copy)]
pub struct RecordUpdate<'a> {
    /// The amended record.
    pub record: &'a RegisterRecord,
    /// The version of the record that was read.
    pub version_number: i32,
}

impl Operation for RecordUpdate<'_> {
    const NAME: &'static str = LearnerUpdate::NAME;
    const SERVICE: Service = LearnerUpdate::SERVICE;
    const REQUEST_ELEMENT: &'static str = LearnerUpdate::REQUEST_ELEMENT;
    const NAMESPACES: &'static str = LearnerUpdate::NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = LearnerUpdate::RESPONSE_ELEMENT;
    const FIELDS: FieldMapping = &[("Learner/ULN", "uln")];
    const EFFECT: Effect = LearnerUpdate::EFFECT;
    const REJECTIONS: &'static [Rejection] = LearnerUpdate::REJECTIONS;
    type Response = UpdateLearnerResponse;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.element("Learner", "", |writer| {
            self.record.details().write(writer);
            writer.value("ULN", &self.record.learner.uln);
            writer.value("VersionNumber", &self.version_number);
        });
    }
}
