//! A part: what one service brings to the process that hosts it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use sextant_wire::status::method_unknown;

use crate::auth::{MethodTable, MethodTableError};
use crate::lifecycle::{BoxError, TaskOutcome};
use crate::link::{Link, LinkOptions};
use crate::server::door::{Door, Doors, Handler};
use crate::server::{Answer, Serve, Stack, Surroundings, refuse, stack};

type Task = (
    &'static str,
    Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, Result<(), BoxError>> + Send>,
);

/// One service of ours: its gRPC services, who may call them, and its background tasks.
pub struct Part {
    name: &'static str,
    services: Vec<(&'static str, Stack)>,
    doors: Vec<Door>,
    served: Vec<String>,
    methods: MethodTable,
    tasks: Vec<Task>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name)
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}

/// Why a part cannot be served.
#[derive(Debug)]
pub enum MountError {
    /// Its method table and its services disagree.
    Methods {
        /// The part.
        part: &'static str,
        /// The difference.
        source: MethodTableError,
    },
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Methods { part, .. } => write!(f, "part \"{part}\" cannot be served"),
        }
    }
}

impl std::error::Error for MountError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Methods { source, .. } => Some(source),
        }
    }
}

impl Part {
    /// A part without services yet; `methods` says who may call what.
    #[must_use]
    pub fn new(name: &'static str, methods: MethodTable) -> Self {
        Self {
            name,
            services: Vec::new(),
            doors: Vec::new(),
            served: Vec::new(),
            methods,
            tasks: Vec::new(),
        }
    }

    /// Adds a generated server. `methods` are the names of all its methods, from its service descriptor.
    #[must_use]
    pub fn service<S, M>(mut self, service: S, methods: impl IntoIterator<Item = M>) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>,
        S: NamedService + Clone + Send + Sync + 'static,
        M: AsRef<str>,
    {
        self.served.extend(
            methods
                .into_iter()
                .map(|method| format!("/{}/{}", S::NAME, method.as_ref())),
        );
        self.services.push((S::NAME, Stack::bare(service)));
        self
    }

    /// Adds a path of two segments, such as `/v1/batch`, that takes plain HTTP posts of at most `max_bytes` bytes; the handler gets
    /// what lies below it, too.
    #[must_use]
    pub fn door(mut self, path: &'static str, max_bytes: usize, handler: Handler) -> Self {
        self.served.push(path.to_owned());
        self.doors.push(Door {
            path,
            handler,
            max_bytes,
        });
        self
    }

    /// Adds a background task; it starts when the part is mounted.
    #[must_use]
    pub fn task<F>(
        mut self,
        name: &'static str,
        task: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output: TaskOutcome> + Send + 'static,
    {
        let start = move |stop| async move { task(stop).await.into_result() }.boxed();
        self.tasks.push((name, Box::new(start)));
        self
    }

    /// Puts the stack of layers in front of the part and starts its tasks.
    ///
    /// # Errors
    /// A method that nobody decided who may call, or an entry for a method that does not exist.
    pub fn mount(self, around: &Surroundings) -> Result<Mounted, MountError> {
        self.methods
            .check(&self.served)
            .map_err(|source| MountError::Methods {
                part: self.name,
                source,
            })?;
        let services: Vec<&'static str> = self.services.iter().map(|(name, _)| *name).collect();
        let doors = by_first_segment(self.doors);
        let below: Vec<&'static str> = doors.iter().map(|(first, _)| *first).collect();
        let routes = self.services.into_iter().chain(doors).collect();
        let stack = stack(
            self.name,
            Dispatch::new(routes),
            &Arc::new(self.methods),
            around,
        );
        for (name, start) in self.tasks {
            around.lifecycle.spawn(name, start);
        }
        Ok(Mounted {
            name: self.name,
            services,
            doors: below,
            stack,
        })
    }
}

/// A part behind its layers: to be put on a port, linked to from other parts, or both.
#[derive(Debug, Clone)]
pub struct Mounted {
    name: &'static str,
    services: Vec<&'static str>,
    /// First segments of the paths of its doors.
    doors: Vec<&'static str>,
    stack: Stack,
}

impl Mounted {
    /// The part's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The gRPC services it serves.
    #[must_use]
    pub fn services(&self) -> &[&'static str] {
        &self.services
    }

    /// A link that never leaves the process, through the same layers as calls from outside.
    #[must_use]
    pub fn link(&self, options: &LinkOptions) -> Link {
        Link::in_process(self.stack.clone(), options)
    }

    /// The part's layers, for each first segment of a path that it serves.
    pub(crate) fn into_stacks(self) -> impl Iterator<Item = (&'static str, Stack)> {
        let stack = self.stack;
        self.services
            .into_iter()
            .chain(self.doors)
            .map(move |name| (name, stack.clone()))
    }
}

fn by_first_segment(doors: Vec<Door>) -> Vec<(&'static str, Stack)> {
    let mut grouped: BTreeMap<&'static str, Vec<Door>> = BTreeMap::new();
    for door in doors {
        let first = door.path.split('/').nth(1).unwrap_or_default();
        grouped.entry(first).or_default().push(door);
    }
    let stacks = grouped.into_iter();
    stacks
        .map(|(first, doors)| (first, Stack(Arc::new(Doors(doors)))))
        .collect()
}

/// Whether a first segment is the name of a gRPC service, of ours or of gRPC's own.
pub(crate) fn is_service(name: &str) -> bool {
    name.contains('.')
}

/// Finds the service by the first segment of the path. A linear search: a process has about ten services.
#[derive(Clone)]
pub(crate) struct Dispatch {
    services: Arc<[(&'static str, Stack)]>,
}

impl Dispatch {
    pub(crate) fn new(services: Vec<(&'static str, Stack)>) -> Self {
        Self {
            services: services.into(),
        }
    }
}

impl Serve for Dispatch {
    fn serve(&self, request: Request<Body>) -> Answer {
        let wanted = request.uri().path().split('/').nth(1).unwrap_or_default();
        match self.services.iter().find(|(name, _)| *name == wanted) {
            Some((_, service)) => service.serve(request),
            None => refuse(method_unknown(
                request.uri().path(),
                // Health is served by every process, and nobody looks for it elsewhere.
                &self
                    .services
                    .iter()
                    .map(|(name, _)| *name)
                    .filter(|name| is_service(name) && !name.starts_with("grpc."))
                    .collect::<Vec<_>>(),
            )),
        }
    }
}
