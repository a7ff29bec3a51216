//! The layer that lets a request through with its principal, or answers for the service.

use std::sync::Arc;

use http::Request;
use tonic::body::Body;

use sextant_wire::status::method_unknown;

use crate::auth::authenticator::Lookup;
use crate::auth::{Access, Authenticator, MethodTable, Principal, Refusal, Scope};
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
        let scope = match self.methods.access(request.uri().path()) {
            // Not in the table: not served, even if a route happens to exist.
            None => {
                let path = request.uri().path();
                return refuse(method_unknown(path, &self.methods.services()));
            },
            Some(Access::Public) => return self.inner.serve(request),
            Some(Access::Scope(scope)) => scope,
        };
        match self.authenticator.lookup(request.headers()) {
            Lookup::Known(verdict) => match admit(&mut request, verdict, scope) {
                Ok(()) => self.inner.serve(request),
                Err(answer) => answer,
            },
            Lookup::Unknown(key) => {
                let authenticator = Arc::clone(&self.authenticator);
                let inner = self.inner.clone();
                Box::pin(async move {
                    let verdict = authenticator.resolve(&key).await;
                    match admit(&mut request, verdict, scope) {
                        Ok(()) => inner.serve(request).await,
                        Err(answer) => answer.await,
                    }
                })
            },
        }
    }
}

fn admit(
    request: &mut Request<Body>,
    verdict: Result<Principal, Refusal>,
    scope: Scope,
) -> Result<(), Answer> {
    match verdict {
        Err(refusal) => Err(refuse(refusal.into_status())),
        Ok(principal) if !principal.scopes.contains(scope) => Err(refuse(
            sextant_wire::status::permission_denied(scope.as_str()),
        )),
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            Ok(())
        },
    }
}
