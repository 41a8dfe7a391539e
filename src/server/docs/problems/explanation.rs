//! What each problem means, in more words than its title has, and the pages about it.

use crate::problem::Code;

/// The explanation of a problem, in Markdown.
pub struct Explanation {
    /// What happened, and what it means for the request.
    pub happened: &'static str,
    /// Titles and paths of pages about it, below `/docs/`.
    pub pages: &'static [PageLink],
}

/// The title of a link, and the path of the page below `/docs/`, with a fragment if it leads to a heading.
pub type PageLink = (&'static str, &'static str);

const FIELD_ERRORS: PageLink = ("Codes of field errors", "problems/#codes-of-field-errors");
const TOKENS: PageLink = ("Token requirements", "authentication#token-requirements");
const SCOPES: PageLink = ("Scopes and products", "authentication#scopes");
const IDENTITY_PROVIDERS: PageLink = ("Guide: set up an identity provider", "guides/identity-providers");
const RETRIES: PageLink = ("Guide: retry safely", "guides/retry-safely");
const KEYS: PageLink = ("Idempotency keys", "idempotency");
const OBTAIN_ULN: PageLink = ("Guide: obtain a ULN", "guides/obtain-a-uln");
const CHANGE_SURNAME: PageLink = ("Guide: change a surname", "guides/change-a-surname");
const BATCHES: PageLink = ("Batches", "batches");
const LIMITS: PageLink = ("Limits", "limits");
const LRS_FAILURES: PageLink = ("LRS failures", "lrs-failures#answers-to-callers");
const LRS_MAINTENANCE: PageLink = ("Guide: LRS maintenance", "guides/lrs-maintenance");
const LRS_CODES: PageLink = ("LRS codes", "lrs-codes");
const READINESS: PageLink = ("Readiness", "operations#readiness");
const REDIS: PageLink = ("What Redis must guarantee", "batches#what-redis-must-guarantee");
const TLS: PageLink = ("TLS connections to LRS", "tls");

impl Explanation {
    /// Returns the explanation of the problem with this code.
    #[expect(clippy::too_many_lines, reason = "a table: one entry for each code")]
    pub const fn of(code: Code) -> Self {
        let (happened, pages): (&str, &[PageLink]) = match code {
            Code::MalformedRequest => (
                "The gateway cannot read the request: its body is not JSON, a value has the wrong JSON type, or a parameter, a header or the address \
                 has no allowed form. Nothing was sent to LRS.",
                &[FIELD_ERRORS],
            ),
            Code::UnknownField => (
                "The body has a field that the operation does not have. The gateway ignores no field, so that a mistyped name is not lost. Nothing was \
                 sent to LRS.",
                &[FIELD_ERRORS, ("Fields, and their LRS elements", "field-mapping")],
            ),
            Code::MissingToken => ("The request has no `Authorization` header with a bearer token.", &[TOKENS]),
            Code::InvalidToken => (
                "The gateway does not accept the token: it has expired, its signature does not match a key of the issuer, or a required claim is missing \
                 or wrong. `detail` says which.",
                &[TOKENS, ("Invalid tokens", "authentication#invalid-tokens"), IDENTITY_PROVIDERS],
            ),
            Code::InsufficientScope => (
                "The token is valid, but lacks the scope of the operation. The header `WWW-Authenticate` names the scope.",
                &[SCOPES, IDENTITY_PROVIDERS],
            ),
            Code::ProductNotEnabled => (
                "The operation belongs to a product of LRS that the organisation's file does not list. LRS switches on each product for each organisation. \
                 Nothing was sent to LRS.",
                &[SCOPES, ("Packages of LRS", "operations#packages")],
            ),
            Code::OrganisationNotRegistered => (
                "The token names an organisation that the gateway has no usable file for. Nothing was sent to LRS.",
                &[("An organisation's file", "settings#an-organisations-file"), TOKENS],
            ),
            Code::UserNameUnusable => (
                "LRS must learn which person caused a call. The token has no user name, or one that LRS does not accept. Nothing was sent to LRS.",
                &[("User names", "authentication#user-names"), ("Programs without a person", "authentication#programs-without-a-person")],
            ),
            Code::NotFound => ("The gateway has no such path, or no such part of a batch.", &[("All operations", "reference/")]),
            Code::UlnNotFound => (
                "The learner's record was to be changed, and LRS has no record with this ULN. Nothing was changed.",
                &[CHANGE_SURNAME, LRS_CODES],
            ),
            Code::BatchNotFound => (
                "The organisation has no batch with this id and of this kind. Batches of other organisations count as not found.",
                &[BATCHES, ("Batch lifecycle", "batches#batch-lifecycle")],
            ),
            Code::MethodNotAllowed => ("The path exists, but has no such method.", &[("All operations", "reference/")]),
            Code::NotAcceptable => {
                ("The header `Accept` excludes the only media type that the path has.", &[("Results of batches", "batches#results")])
            }
            Code::LearnerNotRegistered => (
                "LRS did not register the learner. A learner with the same details exists, or the organisation did not search for the learner shortly \
                 before, or the search gave possible matches and LRS still waits until a person can have looked at them. LRS does not say which. \
                 `obtainUln` makes the search itself.",
                &[OBTAIN_ULN, LRS_CODES],
            ),
            Code::RegistrationTooSoon => (
                "`obtainUln` named all candidates as rejected, and LRS did not register the learner: after possible matches it demands a minimum wait. LRS \
                 does not publish the wait; `Retry-After` is the gateway's estimate.",
                &[OBTAIN_ULN, LRS_CODES],
            ),
            Code::StaleVersion => (
                "Another change of the learner's record came between reading and writing. This request changed nothing. With `outcomeUnknown`, an earlier \
                 request with the same `Idempotency-Key` may have changed the record. `amendLearner` reads and writes in one call, and answers this only \
                 if the other change concerns the same fields.",
                &[CHANGE_SURNAME, ("Changes of a record", "clients#changes-of-a-record")],
            ),
            Code::PartNotAwaitingDecision => (
                "A part of a batch was to be resubmitted or discarded, but there is nothing to decide about it. Perhaps another person has decided already.",
                &[("Decisions", "batches#decisions"), ("What LRS has lost", "batches#what-lrs-has-lost")],
            ),
            Code::BatchErased => (
                "An earlier request with this `Idempotency-Key` submitted a batch. The batch was erased since, or its retention has ended. The gateway does \
                 not submit the records again under the same key.",
                &[("Answers to a repeated request", "idempotency#answers-to-a-repeated-request")],
            ),
            Code::IdempotencyKeyInUse => (
                "A request with the same `Idempotency-Key` is still being carried out. The gateway does not carry it out a second time.",
                &[("Reservations", "idempotency#reservations"), RETRIES],
            ),
            Code::BodyTooLarge => (
                "The body has more bytes than the operation accepts, compressed or not. Nothing was accepted. `detail` states the limit.",
                &[LIMITS, ("Memory for bodies", "server#memory")],
            ),
            Code::UnsupportedMediaType => (
                "The header `Content-Type` does not say that the body is JSON in UTF-8, or `Content-Encoding` names a coding that the gateway does not read.",
                &[],
            ),
            Code::ValidationFailed => (
                "The body is well-formed, and at least one value breaks a rule of its field. `errors` lists every such field at once. Nothing was sent to LRS.",
                &[FIELD_ERRORS, LIMITS],
            ),
            Code::InsufficientData => (
                "LRS wants more details of the learner before it decides, and does not publish which. Nothing was changed.",
                &[OBTAIN_ULN, LRS_CODES],
            ),
            Code::ShareChangeNotAllowed => (
                "LRS does not allow this change of the learner's ability to share. Nothing was changed.",
                &[LRS_CODES, ("Guide: learning events", "guides/learning-events")],
            ),
            Code::UlnInvalid => {
                ("The ULN has ten digits and a correct check digit, and LRS nevertheless does not accept it as valid.", &[LRS_CODES])
            }
            Code::IdempotencyKeyReused => (
                "An earlier request of the same client to the same operation had this `Idempotency-Key` and another body. The request was not carried \
                 out, because one of the two is a mistake.",
                &[("Keys", "idempotency#keys"), ("Bodies", "idempotency#bodies")],
            ),
            Code::HeadersTooLarge => ("The address and the headers of the request are longer than the gateway reads.", &[LIMITS]),
            Code::RateLimited => (
                "The organisation, the person or the connection's client has made more calls than its limit allows. The request was not carried out. The \
                 headers `RateLimit` and `RateLimit-Policy` state the limits and what is left of them.",
                &[LIMITS, ("Rate limits in the settings", "settings#limits")],
            ),
            Code::InternalError => (
                "The gateway has a fault. It is an error of the program and not of the request. A write may have been carried out: repeat it only with the same \
                 `Idempotency-Key`, or find out first what happened.",
                &[("Alert LrsGatewayInternalErrors", "alerts#lrsgatewayinternalerrors"), RETRIES],
            ),
            Code::StoreUnreadable => (
                "The gateway has stored data for the request and cannot read it: most likely the encryption keys have changed.",
                &[("Encryption keys", "batches#encryption-keys"), ("Key rotation", "operations#key-rotation")],
            ),
            Code::LrsCredentialsRejected => (
                "LRS does not accept the organisation: its UKPRN or reference, its password, its client certificate, or its authorisation for the web \
                 service. LRS did not carry out the request.",
                &[("Check what LRS accepts", "operations#check-what-lrs-accepts"), TLS, LRS_CODES],
            ),
            Code::LrsRejectedRequest => (
                "LRS did not accept the message, although the gateway had checked it. LRS prohibits some values that its schema allows. After a code that LRS \
                 has not documented, it is unknown whether LRS carried out the request.",
                &[LRS_FAILURES, LRS_CODES],
            ),
            Code::LrsBadResponse => (
                "LRS answered with an internal error, or with something that is no valid response to the request. The gateway passes on no response that \
                 contradicts itself.",
                &[LRS_FAILURES, RETRIES],
            ),
            Code::LrsMoved => (
                "LRS's address answered with a permanent redirect. The gateway does not follow it, because the request has personal data.",
                &[LRS_FAILURES, ("Alert LrsGatewayLrsBlocked", "alerts#lrsgatewaylrsblocked")],
            ),
            Code::LrsAccessBlocked => (
                "A firewall between the gateway and LRS answered instead of LRS.",
                &[LRS_FAILURES, ("Alert LrsGatewayLrsBlocked", "alerts#lrsgatewaylrsblocked")],
            ),
            Code::LrsMaintenance => (
                "LRS is closed: maintenance was announced, LRS shows a page about maintenance, or it is out of hours. Batches are accepted meanwhile, and wait.",
                &[LRS_MAINTENANCE, LRS_FAILURES],
            ),
            Code::LrsUnavailable => (
                "The gateway has no connection to LRS, LRS is overloaded, or the connection was lost during a call that changes nothing. While LRS answers \
                 no call at all, the gateway answers at once and tries one call at a time.",
                &[LRS_FAILURES, ("Alert LrsGatewayLrsUnavailable", "alerts#lrsgatewaylrsunavailable")],
            ),
            Code::LrsQueueFull => (
                "Too many calls wait for LRS in the gateway. LRS itself may be fast: the gateway limits the number of concurrent calls.",
                &[LIMITS, ("Automatic handling", "lrs-failures#automatic-handling")],
            ),
            Code::RequestMemoryFull => (
                "The gateway holds as many bytes of request bodies as it may, for all organisations together or for this one.",
                &[LIMITS, ("Memory for bodies", "server#memory")],
            ),
            Code::AuditUnavailable => (
                "Each call to LRS is recorded before it is made. The audit trail cannot be written, so the call was not made.",
                &[("Audit trail", "audit#destination"), ("Alert LrsGatewayAuditWaiting", "alerts#lrsgatewayauditwaiting")],
            ),
            Code::NotReady => {
                ("The gateway is starting or stopping, or something that it needs is unavailable. `detail` says what.", &[READINESS])
            }
            Code::StoreUnavailable => (
                "Redis does not answer, or the connection to it was lost. Calls that need no stored data work. If a batch was being submitted, \
                 `outcomeUnknown` states whether it may have been accepted.",
                &[READINESS, ("Alert LrsGatewayStoreErrors", "alerts#lrsgatewaystoreerrors")],
            ),
            Code::StoreNotDurable => (
                "Redis is set up so that it can lose what it has confirmed. The gateway then accepts no batch and no `Idempotency-Key`, because LRS could \
                 get the same records twice.",
                &[REDIS, ("Alert LrsGatewayStoreDegraded", "alerts#lrsgatewaystoredegraded")],
            ),
            Code::IssuerUnavailable => (
                "The gateway needs the identity provider's keys to verify the token, and cannot fetch them.",
                &[
                    ("Key sets (JWKS)", "authentication#key-sets-jwks"),
                    ("Alert LrsGatewayIssuerKeysStale", "alerts#lrsgatewayissuerkeysstale"),
                ],
            ),
            Code::LrsTimeout => (
                "LRS did not answer completely in time, or the connection was lost while LRS may have been carrying out a change.",
                &[LRS_FAILURES, RETRIES, KEYS],
            ),
        };
        Self { happened, pages }
    }

    /// Returns whether LRS may have carried out a request, or the gateway accepted a batch, although the answer has this code (LRS-FAILURES).
    pub const fn may_have_unknown_outcome(code: Code) -> bool {
        matches!(
            code,
            Code::StaleVersion
                | Code::LrsTimeout
                | Code::LrsBadResponse
                | Code::LrsRejectedRequest
                | Code::LrsMaintenance
                | Code::StoreUnavailable
        )
    }
}
