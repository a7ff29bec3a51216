//! Whether the services that others follow answer where they are said to be, and take the key by which services know each other.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tonic::{Code, Status};

use sextant_proto::{ingestion, scoring, segmentation};
use sextant_runtime::config::Loaded;
use sextant_runtime::link::{Link, LinkError, LinkOptions};
use sextant_runtime::telemetry::Meters;

use crate::doctor::Finding;
use crate::error::is_unreachable;
use crate::service_key::{RECIPE, ServiceKey};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks a service what only services may ask.
type Ask = fn(Link) -> BoxFuture<'static, Result<(), Status>>;

/// A service that others follow: nobody calls metrics with the services' key.
struct Peer<'a> {
    check: &'static str,
    name: &'static str,
    address: &'a str,
    ask: Ask,
}

/// Checks every service whose address is configured.
pub(super) async fn check(loaded: &Loaded) -> Vec<Finding> {
    let key = match ServiceKey::configured(loaded) {
        Ok(key) => key,
        Err(error) => {
            let fix = format!("give every process the same key: {RECIPE}");
            return vec![Finding::failed("service key", error.to_string(), fix)];
        },
    };
    let own = format!("http://{}", loaded.config.server.listen);
    let mut findings = Vec::new();
    for peer in peers(loaded) {
        match peer.call(key.as_ref()).await {
            Err(error) => {
                let fix = format!("correct services.{}", peer.name);
                findings.push(Finding::failed(peer.check, error.to_string(), fix));
            },
            // It would run at this process's own port, which is checked as such.
            Ok(Err(status)) if peer.address == own && is_unreachable(&status) => {},
            Ok(answer) => findings.push(peer.judge(key.as_ref(), answer)),
        }
    }
    findings
}

fn peers(loaded: &Loaded) -> impl Iterator<Item = Peer<'_>> {
    let services = &loaded.config.services;
    let all: [(&str, &str, _, Ask); 3] = [
        (
            "service: ingestion",
            "ingestion",
            services.ingestion.as_deref(),
            watch_ingestion,
        ),
        (
            "service: scoring",
            "scoring",
            services.scoring.as_deref(),
            watch_scoring,
        ),
        (
            "service: segmentation",
            "segmentation",
            services.segmentation.as_deref(),
            watch_segmentation,
        ),
    ];
    all.into_iter().filter_map(|(check, name, address, ask)| {
        Some(Peer {
            check,
            name,
            address: address?,
            ask,
        })
    })
}

/// Gives a function that begins to watch the feed of a service, as its followers do, and leaves it at that.
macro_rules! watch {
    ($name:ident, $package:ident) => {
        fn $name(link: Link) -> BoxFuture<'static, Result<(), Status>> {
            async move {
                $package::v1::feed_service_client::FeedServiceClient::new(link)
                    .watch_heads($package::v1::WatchHeadsRequest {})
                    .await
                    .map(drop)
            }
            .boxed()
        }
    };
}
watch!(watch_ingestion, ingestion);
watch!(watch_scoring, scoring);
watch!(watch_segmentation, segmentation);

impl Peer<'_> {
    async fn call(&self, key: Option<&ServiceKey>) -> Result<Result<(), Status>, LinkError> {
        let peer = format!("{} at {}", self.name, self.address);
        let mut options = LinkOptions::new(PATIENCE, Meters::none()).of_peer(&peer);
        if let Some(key) = key {
            options = options.with_key(&key.key);
        }
        let link = Link::connect(self.address, &options)?;
        Ok((self.ask)(link).await)
    }

    fn judge(&self, key: Option<&ServiceKey>, answer: Result<(), Status>) -> Finding {
        let Self {
            check,
            name,
            address,
            ..
        } = *self;
        let status = match (answer, key) {
            (Ok(()), Some(key)) => {
                return Finding::ok(check, format!("{address} answers, and takes {key}"));
            },
            (Ok(()), None) => return Finding::ok(check, format!("{address} answers")),
            (Err(status), _) => status,
        };
        match (status.code(), key) {
            _ if is_unreachable(&status) => Finding::failed(
                check,
                format!("{address} does not answer as Sextant does"),
                format!("start `sextant serve {name}` there, or correct services.{name}"),
            ),
            (Code::Unauthenticated | Code::PermissionDenied, Some(key)) => Finding::failed(
                check,
                format!("{address} refuses {key}"),
                format!(
                    "give both processes the same auth.service_key: that of {name}, or to {name} this one"
                ),
            ),
            (Code::Unauthenticated | Code::PermissionDenied, None) => Finding::warning(
                check,
                format!("{address} answers; there is no auth.service_key to try"),
                "set auth.service_key to that of the other processes; who only calls them needs none",
            ),
            (Code::Unimplemented, _) => Finding::failed(
                check,
                format!("another service is at {address}: {}", status.message()),
                format!("correct services.{name}"),
            ),
            _ => Finding::failed(
                check,
                format!("{address} answers: {}", status.message()),
                format!("see what {name} logs, and run the check again"),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
