//! The layer that lets a request through with its principal, or answers for the service.

use std::sync::Arc;

use http::Request;
use tonic::body::Body;

use sextant_wire::status::method_unknown;

use crate::auth::authenticator::Lookup;
use crate::auth::validity::Validity;
use crate::auth::{Access, Authenticator, KeyId, MethodTable, Principal, Refusal, Scope};
use crate::body::GuardedBody;
use crate::server::{Answer, Serve, refuse};

/// Authenticates, then asks the method table.
#[derive(Clone)]
pub(crate) struct Authenticate<S> {
    inner: S,
    methods: Arc<MethodTable>,
    authenticator: Arc<Authenticator>,
}

impl<S> Authenticate<S> {
    pub(crate) fn new(
        inner: S,
        methods: Arc<MethodTable>,
        authenticator: Arc<Authenticator>,
    ) -> Self {
        Self {
            inner,
            methods,
            authenticator,
        }
    }
}

impl<S: Serve + Clone> Serve for Authenticate<S> {
    fn serve(&self, mut request: Request<Body>) -> Answer {
        let access = self.methods.access(request.uri().path());
        let needed = match access {
            // Not in the table: not served, even if a route happens to exist.
            None => {
                let path = request.uri().path();
                return refuse(method_unknown(path, &self.methods.services()));
            },
            Some(Access::Public) => return self.inner.serve(request),
            Some(Access::AnyScope) => None,
            Some(Access::Scope(scope) | Access::Stream(scope)) => Some(scope),
        };
        let lasts = matches!(access, Some(Access::Stream(_)));
        match self.authenticator.lookup(request.headers()) {
            Lookup::Known(verdict) => match admit(&mut request, verdict, needed) {
                Ok(key) if lasts => {
                    let valid = self.authenticator.validity(key);
                    while_valid(valid, self.inner.serve(request))
                },
                Ok(_) => self.inner.serve(request),
                Err(answer) => answer,
            },
            Lookup::Unknown(key) => {
                let authenticator = Arc::clone(&self.authenticator);
                let inner = self.inner.clone();
                Box::pin(async move {
                    let verdict = authenticator.resolve(&key).await;
                    match admit(&mut request, verdict, needed) {
                        Ok(key) if lasts => {
                            let valid = authenticator.validity(key);
                            while_valid(valid, inner.serve(request)).await
                        },
                        Ok(_) => inner.serve(request).await,
                        Err(answer) => answer.await,
                    }
                })
            },
        }
    }
}

/// The answer, which ends when its key is no longer valid.
fn while_valid(valid: Validity, answer: Answer) -> Answer {
    Box::pin(async move {
        let head = answer.await?;
        Ok(head.map(|body| GuardedBody::new(body).while_valid(valid).boxed()))
    })
}

/// Lets a request through with its principal; returns the key.
fn admit(
    request: &mut Request<Body>,
    verdict: Result<Principal, Refusal>,
    needed: Option<Scope>,
) -> Result<KeyId, Answer> {
    let principal = verdict.map_err(|refusal| refuse(refusal.into_status()))?;
    if let Some(scope) = needed.filter(|scope| !principal.scopes.contains(*scope)) {
        let denied = sextant_wire::status::permission_denied(scope.as_str());
        return Err(refuse(denied));
    }
    request.extensions_mut().insert(principal);
    Ok(principal.key_id)
}
