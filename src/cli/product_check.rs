//! Product check: one harmless call to LRS for each product of an organisation, with its real password, and the result in plain words.
//!
//! The calls search for a learner who does not exist, or ask for a job that does not exist. They change nothing and contain no personal data.
//! LRS checks password, organisation and product before it searches, so any other answer than a rejection shows that all three are right.

use std::sync::Arc;

use crate::domain::{
    DetailLevel, FindType, LearnerVerification, LearningEventsSearch, Name, Product, Uln, UlnRetrieval, UlnSearch, UserName,
};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::external::GetAchievementJob;
use crate::lrs::services::learner::{GetRegistrationJob, GetVerificationJob};
use crate::lrs::{CallError, Lrs, LrsError, LrsResponse as _, Operation};
use crate::organisations::{CallContext, Organisation};
use crate::schema::{List, Scalar as _};

/// The user name that LRS records for the calls.
const USER: &str = "check-config";
/// A valid ULN that belongs to no learner.
const UNUSED_ULN: &str = "9999999998";
/// A job number that LRS has not reached.
const UNUSED_JOB: i64 = i32::MAX as i64;

/// Calls LRS for each product of an organisation. Returns one line for each product: the acceptance, or what LRS rejects.
pub async fn check_products(lrs: &Lrs, organisation: Arc<Organisation>) -> Vec<Result<String, String>> {
    let mut lines = Vec::new();
    let (Ok(user), Ok(uln), Ok(name)) = (UserName::parse(USER), Uln::parse(UNUSED_ULN), Name::parse("Check")) else { return lines };
    let context = CallContext::new(Arc::clone(&organisation), user);
    for product in organisation.products() {
        let (uln, given_name, family_name) = (uln.clone(), name.clone(), name.clone());
        let result = match product {
            Product::UlnManagement => call(lrs, &context, &UlnSearch { uln, given_name, family_name, find_type: FindType::Check }).await,
            Product::LearningEvents => {
                let (date_of_birth, gender, detail_level) = (None, None, DetailLevel::Brief);
                call(lrs, &context, &LearningEventsSearch { uln, given_name, family_name, date_of_birth, gender, detail_level }).await
            }
            Product::Verification => {
                call(lrs, &context, &LearnerVerification { uln, given_name, family_name, date_of_birth: None, gender: None }).await
            }
            Product::VerificationBatches => call(lrs, &context, &GetVerificationJob { job_id: UNUSED_JOB }).await,
            Product::RetrieveUlns => match List::new(vec![uln]) {
                Some(ulns) => call(lrs, &context, &UlnRetrieval { ulns }).await,
                None => continue,
            },
            Product::RegistrationBatches => call(lrs, &context, &GetRegistrationJob { job_id: UNUSED_JOB }).await,
            Product::AchievementBatches => call(lrs, &context, &GetAchievementJob { job_id: UNUSED_JOB }).await,
        };
        let line = |text: String| format!("organisation {}: product {}: {text}", organisation.ukprn(), product.text());
        lines.push(match result {
            Ok(code) => Ok(line(format!("LRS accepts organisation, password and product{}", in_brackets(code.as_ref())))),
            Err(error) => Err(line(explain(&error))),
        });
    }
    lines
}

/// Calls an operation. Returns LRS's code if LRS accepts the organisation, whatever it finds.
async fn call<O: Operation>(lrs: &Lrs, context: &CallContext, operation: &O) -> Result<Option<LrsCode>, LrsError> {
    match lrs.call(context, operation).await {
        Ok(response) => Ok(response.code().cloned()),
        Err(CallError { error: LrsError::Rejected(_, code), .. }) => Ok(Some(code)),
        Err(CallError { error, .. }) => Err(error),
    }
}

/// Says what LRS rejects and what to do.
fn explain(error: &LrsError) -> String {
    let explanation = match error.lrs_code() {
        Some(code) if code.matches("WSEC0003") => {
            "LRS does not know the organisation, or has not authorised it for web services. Check ukprn and organisation_ref, and ask LRS"
        }
        Some(code) if code.matches("WSEC0005") => "LRS rejects the password. Check password_file",
        Some(code) if code.matches("WSEC0006") || code.matches("WSRC0043") => {
            "LRS has not switched this product on for the organisation. Ask LRS, or remove it from products"
        }
        None if matches!(error, LrsError::CertificateRejected(_)) => {
            "LRS rejects the client certificate. Check client_certificate, and ask LRS. `--connect` says more"
        }
        _ => return format!("{error}{}", in_brackets(error.lrs_code())),
    };
    format!("{explanation}{}", in_brackets(error.lrs_code()))
}

fn in_brackets(code: Option<&LrsCode>) -> String {
    code.and_then(LrsCode::loggable).map_or_else(String::new, |code| format!(" ({code})"))
}
