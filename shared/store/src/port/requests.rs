use std::fmt;

use sextant_domain::id::PayloadHash;
pub use sextant_domain::store::Request;

/// How long an answer is kept at least, in microseconds: two days, so that a client may repeat a request for a whole one.
pub const REQUESTS_KEPT_US: i64 = 48 * 3_600_000_000;
/// Answers past their time that one new request of their owner removes at most: more than it adds, so they do not pile up.
pub const MAX_REQUESTS_REMOVED: i64 = 16;

/// Makes the answer of the result.
type Answering<T> = Box<dyn Fn(&T) -> Vec<u8> + Send + Sync>;

/// A change that is made once, however often its request is delivered. A port that takes one answers with bytes: in one
/// transaction it makes the change, encodes the result by `answer` and keeps that beside the request. A request that was
/// answered before gives those bytes again and changes nothing; with other parameters it is refused
/// ([`crate::Error::RequestIdReused`]). Of two deliveries at one time, the later one waits for the earlier one. A change
/// that fails or changes nothing keeps nothing.
pub struct Once<T> {
    /// What is asked for.
    pub request: Request,
    answer: Answering<T>,
}

impl<T> Once<T> {
    /// A change whose answer is made of its result by `answer`.
    pub fn new(request: Request, answer: impl Fn(&T) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self {
            request,
            answer: Box::new(answer),
        }
    }

    /// The answer to keep and to give.
    pub fn answer(&self, result: &T) -> Vec<u8> {
        (self.answer)(result)
    }
}

impl<T> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").field(&self.request).finish()
    }
}

/// What an engine found stored of a request: the first answer, unless it was asked with other parameters.
///
/// # Errors
/// [`crate::Error::RequestIdReused`].
pub fn same_request(
    request: &Request,
    (parameters, answer): (u128, Vec<u8>),
) -> crate::Result<Vec<u8>> {
    if request.parameters == PayloadHash(parameters) {
        Ok(answer)
    } else {
        Err(crate::Error::RequestIdReused)
    }
}
