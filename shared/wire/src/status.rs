//! Errors on the wire: a [`Problem`] with a reason that clients match on, and the one place that turns it into a status.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use sextant_domain::store;
use sextant_proto::common::v1::ErrorReason;

/// Domain of every `google.rpc.ErrorInfo` of Sextant.
pub const ERROR_DOMAIN: &str = "sextant";

/// After how long a client may try again when a store or a service does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is wrong with a request or a record: the reason, the field, and one sentence with the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The reason.
    pub reason: ErrorReason,
    /// Path of the field, such as "event.account_id"; empty where it is not about one field.
    pub field: String,
    /// What is wrong and how to mend it.
    pub message: String,
    /// Why it is so, for the log of the service that answers; clients never see it.
    pub cause: Cause,
}

/// The error behind a problem, if there is one. Problems that differ in it alone are equal: clients cannot tell them apart.
#[derive(Debug, Clone, Default)]
pub struct Cause(Option<Arc<dyn Error + Send + Sync>>);

impl PartialEq for Cause {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Cause {}

impl Problem {
    /// A problem of one field.
    pub fn field(
        reason: ErrorReason,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            field: field.into(),
            message: message.into(),
            cause: Cause::default(),
        }
    }

    /// A problem of the whole request.
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            field: String::new(),
            message: message.into(),
            cause: Cause::default(),
        }
    }

    /// The same problem with the error behind it, which whoever answers the call writes to the log.
    #[must_use]
    pub fn caused_by(mut self, error: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Cause(Some(Arc::new(error)));
        self
    }

    /// The same problem, its field below `parent`.
    #[must_use]
    pub fn below(mut self, parent: &str) -> Self {
        self.field = if self.field.is_empty() {
            parent.to_owned()
        } else {
            format!("{parent}.{}", self.field)
        };
        self
    }

    /// The reason as clients see it, such as "ACCOUNT_UNKNOWN".
    #[must_use]
    pub fn reason_name(&self) -> &'static str {
        name(self.reason)
    }
}

/// A reason as clients see it, such as "ACCOUNT_UNKNOWN".
#[must_use]
pub fn name(reason: ErrorReason) -> &'static str {
    let full = reason.as_str_name();
    full.strip_prefix("ERROR_REASON_").unwrap_or(full)
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let code = code_of(problem.reason);
        let mut details = ErrorDetails::new();
        let mut metadata = HashMap::new();
        if !problem.field.is_empty() {
            metadata.insert("field".to_owned(), problem.field.clone());
        }
        details.set_error_info(name(problem.reason), ERROR_DOMAIN, metadata);
        if code == Code::InvalidArgument && !problem.field.is_empty() {
            details.add_bad_request_violation(problem.field.clone(), problem.message.clone());
        }
        let helps_to_retry = problem.reason == ErrorReason::PositionNotReached
            || matches!(
                code,
                Code::Unavailable | Code::ResourceExhausted | Code::Aborted
            );
        if helps_to_retry {
            details.set_retry_info(Some(RETRY_AFTER));
        }
        let message = if problem.field.is_empty() {
            problem.message
        } else {
            format!("{}: {}", problem.field, problem.message)
        };
        let mut status = Self::with_error_details(code, message, details);
        if let Cause(Some(error)) = problem.cause {
            status.set_source(error);
        }
        status
    }
}

fn code_of(reason: ErrorReason) -> Code {
    match reason {
        ErrorReason::KeyMissing | ErrorReason::KeyInvalid | ErrorReason::SignatureInvalid => {
            Code::Unauthenticated
        },
        ErrorReason::ScopeMissing => Code::PermissionDenied,
        ErrorReason::TenantUnknown
        | ErrorReason::AccountUnknown
        | ErrorReason::SegmentationUnknown
        | ErrorReason::SegmenterUnknown
        | ErrorReason::SegmentUnknown
        | ErrorReason::RevisionUnknown
        | ErrorReason::KeyUnknown
        | ErrorReason::WebhookUnknown => Code::NotFound,
        ErrorReason::AlreadyExists | ErrorReason::RequestIdReused | ErrorReason::SecretShown => {
            Code::AlreadyExists
        },
        ErrorReason::FeatureUnknown
        | ErrorReason::ConfigInvalid
        | ErrorReason::FieldMissing
        | ErrorReason::FieldTooLong
        | ErrorReason::FieldInvalid
        | ErrorReason::NumberNotFinite
        | ErrorReason::AmountNegative
        | ErrorReason::AmountOverflow
        | ErrorReason::CurrencyUnknown
        | ErrorReason::TimeBefore1970
        | ErrorReason::TimeInFuture
        | ErrorReason::TooOld
        | ErrorReason::BatchTooLarge
        | ErrorReason::Malformed
        | ErrorReason::SegmenterRejected
        | ErrorReason::PageTokenInvalid
        | ErrorReason::PositionInvalid => Code::InvalidArgument,
        ErrorReason::FreshnessNotMet
        | ErrorReason::ImportState
        | ErrorReason::ClockState
        | ErrorReason::SegmenterState
        | ErrorReason::GatesNotPassed => Code::FailedPrecondition,
        ErrorReason::PositionNotReached | ErrorReason::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorReason::MessageTooLarge => Code::OutOfRange,
        ErrorReason::Overloaded => Code::ResourceExhausted,
        ErrorReason::Overtaken => Code::Aborted,
        ErrorReason::Unavailable => Code::Unavailable,
        ErrorReason::MethodUnknown => Code::Unimplemented,
        ErrorReason::Unspecified | ErrorReason::Internal => Code::Internal,
    }
}

impl From<store::Error> for Problem {
    /// The caller learns what to do; what the engine said stays in the log of the service that met it.
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable { .. } => Self::new(
                ErrorReason::Unavailable,
                "the store does not answer; try again",
            ),
            store::Error::Fenced => Self::new(
                ErrorReason::Overtaken,
                "another process was faster; nothing was stored, try again",
            ),
            store::Error::Full { .. } => Self::new(
                ErrorReason::Unavailable,
                "the store has no room left; nothing was stored",
            ),
            store::Error::AlreadyExists { what } => {
                Self::new(ErrorReason::AlreadyExists, format!("{what} exists"))
            },
            store::Error::NotReady { what } => Self::new(
                ErrorReason::SegmenterState,
                format!("{what} was taken out of use; nothing was stored"),
            ),
            store::Error::RequestIdReused => Self::field(
                ErrorReason::RequestIdReused,
                "request_id",
                "was used with other parameters; make a new one",
            ),
            store::Error::NoImport => Self::new(
                ErrorReason::ImportState,
                "no import of history is open; nothing of this was stored, open one and send it again",
            ),
            store::Error::Unreadable { .. } => {
                Self::new(ErrorReason::Internal, "stored data is unreadable").caused_by(error)
            },
        }
    }
}

/// The status of a store's failure.
#[must_use]
pub fn store(error: store::Error) -> Status {
    Problem::from(error).into()
}

/// No or no valid key. `reason` is KEY_MISSING or KEY_INVALID.
#[must_use]
pub fn unauthenticated(reason: &'static str, message: &str) -> Status {
    let reason = if reason == "KEY_MISSING" {
        ErrorReason::KeyMissing
    } else {
        ErrorReason::KeyInvalid
    };
    Problem::new(reason, message).into()
}

/// The key lacks a scope.
#[must_use]
pub fn permission_denied(required_scope: &str) -> Status {
    Problem::new(
        ErrorReason::ScopeMissing,
        format!("the key lacks the scope \"{required_scope}\""),
    )
    .into()
}

/// What is wrong with a message of this method that the transport could not hand over, by the status that it made of that; `None`
/// for other statuses.
#[must_use]
pub fn refused_by_transport(method: &str, status: &Status) -> Option<Problem> {
    /// How the transport begins what it says of bytes that are no such message.
    const UNREADABLE: [&str; 4] = [
        "failed to decode Protobuf message",
        "protocol error: received message",
        "Unexpected EOF decoding stream",
        "Missing request message",
    ];
    let said = status.message();
    match status.code() {
        Code::OutOfRange => Some(message_too_large(method, said)),
        Code::Internal if UNREADABLE.iter().any(|begin| said.starts_with(begin)) => {
            let message = format!(
                "the message is no request of this method ({said}); send what the contract of this version names"
            );
            Some(Problem::new(ErrorReason::Malformed, message))
        },
        _ => None,
    }
}

fn message_too_large(method: &str, said: &str) -> Problem {
    // The transport says how large the message is and what the limit is, and has no other numbers.
    let numbers: Vec<&str> = said
        .split(|letter: char| !letter.is_ascii_digit())
        .filter(|number| !number.is_empty())
        .collect();
    let sizes = match numbers.as_slice() {
        [found, limit] => format!("the message has {found} bytes, the limit is {limit}"),
        _ => said.to_owned(),
    };
    let reason = ErrorReason::MessageTooLarge;
    if method.ends_with("IngestionService/IngestBatch")
        || method.ends_with("IngestionService/Ingest")
    {
        let fix = "split the records over several IngestBatch calls, or over several messages of one Ingest stream";
        return Problem::field(reason, "records", format!("{sizes}; {fix}"));
    }
    Problem::new(reason, format!("{sizes}; ask for less in one call"))
}

/// The answer with which the transport itself refuses a message of this method, with the reason that all others have. Answers of
/// services pass as they are: they carry one.
#[must_use]
pub fn with_reason<B: Default>(answer: http::Response<B>, method: &str) -> http::Response<B> {
    let headers = answer.headers();
    if headers.get(Status::GRPC_STATUS).is_none()
        || headers.contains_key(Status::GRPC_STATUS_DETAILS)
    {
        return answer;
    }
    let status = Status::from_header_map(headers);
    match status.and_then(|status| refused_by_transport(method, &status)) {
        Some(problem) => Status::from(problem).into_http(),
        None => answer,
    }
}

/// The deadline of the call passed.
#[must_use]
pub fn deadline_exceeded() -> Status {
    Problem::new(
        ErrorReason::DeadlineExceeded,
        "the deadline of the call passed",
    )
    .into()
}

/// Nothing serves the method of this path, such as `/sextant.scoring.v1.ScoringService/GetScores`, in a process that serves these
/// services.
#[must_use]
pub fn method_unknown(path: &str, served: &[&str]) -> Status {
    /// A caller chooses the path, and is told no more of it.
    const MAX_SHOWN: usize = 200;
    let path: String = path
        .trim_start_matches('/')
        .chars()
        .take(MAX_SHOWN)
        .collect();
    let (service, _) = path.split_once('/').unwrap_or((&path, ""));
    let fix = if served.contains(&service) {
        "but its service is: the caller may be newer than this server".to_owned()
    } else {
        format!(
            "only {}: call the process that serves it, each service may have an address of its own",
            served.join(", ")
        )
    };
    Problem::new(
        ErrorReason::MethodUnknown,
        format!("\"{path}\" is not served here, {fix}"),
    )
    .into()
}

/// The service takes no more calls now.
#[must_use]
pub fn overloaded(retry_after: Duration) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(name(ErrorReason::Overloaded), ERROR_DOMAIN, HashMap::new());
    details.set_retry_info(Some(retry_after));
    Status::with_error_details(
        Code::ResourceExhausted,
        "the service has as many calls as it takes; try again later",
        details,
    )
}

/// Something behind the service does not answer, or it is about to stop.
#[must_use]
pub fn unavailable(message: &str, retry_after: Duration) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(name(ErrorReason::Unavailable), ERROR_DOMAIN, HashMap::new());
    details.set_retry_info(Some(retry_after));
    Status::with_error_details(Code::Unavailable, message, details)
}

/// The reason that a status of Sextant carries.
#[must_use]
pub fn reason_of(status: &Status) -> Option<String> {
    status
        .get_error_details()
        .error_info()
        .map(|info| info.reason.clone())
}

/// The field that a status of Sextant is about; its message begins with it.
#[must_use]
pub fn field_of(status: &Status) -> Option<String> {
    let details = status.get_error_details();
    details.error_info()?.metadata.get("field").cloned()
}

/// The status that HTTP has for a code, for callers that do not speak gRPC.
#[must_use]
pub fn http_code(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::FailedPrecondition => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound | Code::Unimplemented => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::OutOfRange => 413,
        Code::ResourceExhausted => 429,
        Code::Cancelled => 499,
        Code::Internal | Code::Unknown | Code::DataLoss => 500,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
    }
}

/// After how long a status says that its call may be made again.
#[must_use]
pub fn retry_after(status: &Status) -> Option<Duration> {
    status.get_error_details().retry_info()?.retry_delay
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_the_transport_refuses_gets_its_reason() {
        let refused = |method: &str| {
            let said = "decoded message length too large: found 15 bytes, the limit is: 10 bytes";
            let answer = with_reason(Status::out_of_range(said).into_http::<()>(), method);
            let answer = Status::from_header_map(answer.headers()).unwrap();
            assert_eq!(answer.code(), Code::OutOfRange);
            assert_eq!(reason_of(&answer).unwrap(), "MESSAGE_TOO_LARGE");
            answer.message().to_owned()
        };
        assert_eq!(
            refused("sextant.ingestion.v1.IngestionService/IngestBatch"),
            "records: the message has 15 bytes, the limit is 10; split the records over several IngestBatch calls, or over several \
             messages of one Ingest stream"
        );
        assert_eq!(
            refused("sextant.scoring.v1.ScoringService/GetScores"),
            "the message has 15 bytes, the limit is 10; ask for less in one call"
        );
        let other = message_too_large("a.v1.B/Get", "too large");
        assert_eq!(other.message, "too large; ask for less in one call");
    }

    #[test]
    fn a_message_that_cannot_be_read_is_the_fault_of_its_sender() {
        let of = |answer: Status| {
            let answer = with_reason(answer.into_http::<()>(), "a.v1.B/Get");
            let answer = Status::from_header_map(answer.headers()).unwrap();
            (answer.code(), reason_of(&answer))
        };
        let malformed = (Code::InvalidArgument, Some("MALFORMED".to_owned()));
        for said in [
            "failed to decode Protobuf message: buffer underflow",
            "protocol error: received message with invalid compression flag: 7 (valid flags are 0 and 1)",
            "Unexpected EOF decoding stream.",
            "Missing request message.",
        ] {
            assert_eq!(of(Status::internal(said)), malformed, "{said}");
        }
        assert_eq!(
            of(Status::internal("h2 protocol error")),
            (Code::Internal, None)
        );
        let ours = Problem::new(ErrorReason::Internal, "failed to decode Protobuf message");
        let internal = (Code::Internal, Some("INTERNAL".to_owned()));
        assert_eq!(of(ours.into()), internal, "a service has its own reason");
    }

    #[test]
    fn a_method_that_is_not_served_is_told_with_what_is() {
        let status = method_unknown("/a.v1.B/Get", &["c.v1.D", "e.v1.F"]);
        assert_eq!(status.code(), Code::Unimplemented);
        assert_eq!(reason_of(&status).unwrap(), "METHOD_UNKNOWN");
        assert_eq!(
            status.message(),
            "\"a.v1.B/Get\" is not served here, only c.v1.D, e.v1.F: call the process that serves it, each service may have an address \
             of its own"
        );
        let status = method_unknown("/a.v1.B/Get", &["a.v1.B"]);
        assert!(
            status.message().ends_with("newer than this server"),
            "{status}"
        );
        assert!(method_unknown(&"x".repeat(9_000), &[]).message().len() < 400);
    }

    #[test]
    fn a_position_that_is_not_reached_may_be_asked_for_again() {
        let status = Status::from(Problem::new(ErrorReason::PositionNotReached, "not yet"));
        assert_eq!(retry_after(&status), Some(RETRY_AFTER));
    }
}
