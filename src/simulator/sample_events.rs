//! Invented learning events.

use crate::domain::{Extensible, LearningEvent, Personal};

/// Returns an event with the values that all invented events share.
pub fn base_event(id: i32, source: &str) -> LearningEvent {
    LearningEvent {
        credits: Some(Personal::new(0)),
        date_loaded: Some(Extensible::from_lrs("2024-07-02 03:15:00")),
        id: Some(id),
        source: Some(Personal::new(source.to_owned())),
        status: Some(Personal::new("F".to_owned())),
        under_data_challenge: Some(Personal::new("N".to_owned())),
        ..LearningEvent::default()
    }
}

/// Returns a GCSE from the National Pupil Database.
pub fn school_event(id: i32) -> LearningEvent {
    let text = |text: &str| Some(Personal::new(text.to_owned()));
    LearningEvent {
        achievement_award_date: Some(Extensible::from_lrs("2021-08-12")),
        achievement_provider_name: text("Northfield Academy"),
        collection_type: text("A"),
        grade: text("7"),
        qualification_type: text("GCSE"),
        restriction: text("0"),
        return_number: text("01"),
        subject: text("Example Mathematics"),
        subject_code: text("601/0000/1"),
        ..base_event(id, "NPD")
    }
}

/// Returns a course at a college from the ILR. It has not ended, so it has no grade.
pub fn college_event(id: i32) -> LearningEvent {
    let text = |text: &str| Some(Personal::new(text.to_owned()));
    LearningEvent {
        achievement_provider_name: text("Example College"),
        achievement_provider_ukprn: text("10088881"),
        collection_type: text("W"),
        grade: text("9999999999"),
        participation_end_date: Some(Extensible::from_lrs("2058-07-31")),
        participation_start_date: Some(Extensible::from_lrs("2022-09-05")),
        return_number: text("02"),
        subject: text("Diploma in Example Engineering"),
        subject_code: text("603/0000/X"),
        ..base_event(id, "ILR")
    }
}

/// Returns a certificate from an awarding organisation.
pub fn awarding_organisation_event(id: i32) -> LearningEvent {
    let text = |text: &str| Some(Personal::new(text.to_owned()));
    LearningEvent {
        achievement_award_date: Some(Extensible::from_lrs("2023-06-30")),
        awarding_organisation_name: text("Example Awards"),
        awarding_organisation_ukprn: text("100999"),
        grade: text("Pass"),
        language_for_assessment: text("English"),
        level: text("Level 2"),
        qualification_type: text("Vocationally-Related Qualification"),
        subject: text("Level 2 Certificate in Example Studies"),
        subject_code: text("600/0000/X"),
        ..base_event(id, "AO")
    }
}
