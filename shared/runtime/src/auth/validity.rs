//! Whether a key is still valid, while an answer to it lasts.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, Sleep};

use crate::auth::{Authenticator, KeyId, Refusal};

/// Until a check that failed is made again.
const SOON: Duration = Duration::from_secs(1);

/// A key that was valid when the answer began. It is checked again after as long as a verdict about it is remembered.
pub(crate) struct Validity {
    authenticator: Arc<Authenticator>,
    key: KeyId,
    every: Duration,
    at: Instant,
    doing: Doing,
}

enum Doing {
    /// Nothing yet: unary answers never wait.
    Nothing,
    Waiting(Pin<Box<Sleep>>),
    Checking(BoxFuture<'static, Result<(), Refusal>>),
}

impl Validity {
    pub(crate) fn new(authenticator: Arc<Authenticator>, key: KeyId, every: Duration) -> Self {
        Self {
            authenticator,
            key,
            every,
            at: Instant::now() + every,
            doing: Doing::Nothing,
        }
    }

    fn wait(&mut self, pause: Duration) {
        self.at = Instant::now() + pause;
        self.doing = Doing::Nothing;
    }

    /// Whether it is time to look, however much there is to say.
    pub(crate) fn is_due(&self) -> bool {
        self.at <= Instant::now()
    }

    /// Ready once the key is no longer valid. A check that fails is made again later.
    pub(crate) fn poll_refused(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        loop {
            match &mut self.doing {
                Doing::Nothing => {
                    self.doing = Doing::Waiting(Box::pin(tokio::time::sleep_until(self.at)));
                },
                Doing::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    let (authenticator, key) = (Arc::clone(&self.authenticator), self.key);
                    let check = async move { authenticator.check_again(key).await };
                    self.doing = Doing::Checking(Box::pin(check));
                },
                Doing::Checking(check) => match ready!(check.as_mut().poll(cx)) {
                    Ok(()) => self.wait(self.every),
                    Err(Refusal::Unavailable) => self.wait(SOON.min(self.every)),
                    Err(refusal) => return Poll::Ready(refusal),
                },
            }
        }
    }
}
