//! Publishing: nothing is stored that does not pass its checks, and everything that is refused is told of.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use prost::Message as _;
use semver::Version;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use sextant_plugin_host::trust::{Distrust, Signed};
use sextant_plugin_host::{
    Descriptor, External, LoadError, Segmenter, Server, Verified, conformance,
};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::{SegmenterAction, SegmenterKind};
use sextant_runtime::blocking;
use sextant_runtime::config::nearest;
use sextant_store::port::{Once, SegmenterState, StateChange};
use sextant_wire::status::Problem;

use crate::columns::input_schema;
use crate::segmenters::{Actor, PLATFORM, Published, Segmenters, own_request, row, servers, told};

/// How the ids begin of segmenters that come with the service.
const OUR_IDS: &str = "sextant.";

/// Tests whose outcome depends on what else the machine has to do: they are told, and keep nothing from being published.
const OF_TIME: [&str; 3] = ["P-time", "P-explain", "R-cancel"];

/// What is offered to be published.
#[derive(Debug)]
pub(crate) struct Offer {
    /// How it is called in what is told of it.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) code: Vec<u8>,
    /// The digest that was announced; empty: none was.
    pub(crate) digest: String,
    /// The manifest that was signed with its signature, if it was.
    pub(crate) signed: Signed,
    /// Who offers it.
    pub(crate) by: Actor,
}

/// Why something is not published: the check that it fails, what was found, why that matters, what to do.
#[derive(Debug)]
pub(crate) struct Refusal {
    check: String,
    found: String,
    why: String,
    fix: String,
}

impl Refusal {
    fn new(check: &str, found: impl Into<String>, why: &str, fix: &str) -> Self {
        Self {
            check: check.to_owned(),
            found: found.into(),
            why: why.to_owned(),
            fix: fix.to_owned(),
        }
    }

    fn of(verdicts: &[pb::Verdict]) -> Option<Self> {
        let mut failed = verdicts.iter().filter(|one| one.outcome == "fail");
        let failed = failed.find(|one| !OF_TIME.contains(&one.check.as_str()))?;
        Some(Self::new(
            &failed.check,
            &failed.found,
            &failed.why,
            &failed.fix,
        ))
    }

    fn told(&self) -> String {
        let Self {
            check,
            found,
            why,
            fix,
        } = self;
        format!("{check}: {found} ({why}); to fix it: {fix}")
    }

    fn problem(&self) -> Problem {
        let Self {
            found, why, fix, ..
        } = self;
        let message = format!("{found} ({why}); to fix it: {fix}");
        Problem::field(ErrorReason::SegmenterRejected, &self.check, message)
    }
}

impl From<Distrust> for Refusal {
    fn from(distrust: Distrust) -> Self {
        let Distrust {
            check,
            found,
            why,
            fix,
        } = distrust;
        Self::new(check, found, why, fix)
    }
}

impl From<&LoadError> for Refusal {
    fn from(error: &LoadError) -> Self {
        Self::new(error.check().id(), error.told(), error.why(), error.fix())
    }
}

/// What a file says that it is.
fn named(verified: &Verified) -> pb::Segmenter {
    let descriptor = verified.descriptor();
    pb::Segmenter {
        segmenter_id: descriptor.id.clone(),
        version: descriptor.version.clone(),
        digest: verified.digest_hex(),
        kind: SegmenterKind::Native.into(),
        platform: PLATFORM.to_owned(),
        ..pb::Segmenter::default()
    }
}

/// The turn to judge a segmenter.
type Judging = Arc<[OwnedSemaphorePermit; 2]>;

impl Segmenters {
    /// Waits for the turn to judge one for somebody, which whoever judges holds, also where nobody waits for the verdict any more.
    async fn turn_to_judge(&self, by: &Actor) -> Option<Judging> {
        let own = {
            let mut all = self
                .judges_of
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // Nobody waits for these or has them.
            all.retain(|_, turns| Arc::strong_count(turns) > 1);
            let own = all.entry(by.0.clone());
            Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        let own = own.acquire_owned().await.ok()?;
        let turn = Arc::clone(&self.judges).acquire_owned().await.ok()?;
        Some(Arc::new([own, turn]))
    }

    /// Publishes a shared library; true beside it: it was published before.
    ///
    /// # Errors
    /// SEGMENTER_REJECTED with the check that it fails, ALREADY_EXISTS where its version has other bytes.
    pub(crate) async fn publish(&self, offer: Offer) -> Result<(pb::Segmenter, bool), Problem> {
        let Offer {
            name,
            code,
            digest,
            signed,
            by,
        } = offer;
        let signed = self.that_counts(signed)?;
        let judging = self.turn_to_judge(&by).await;
        let code = Arc::new(code);
        let (verifying, named_so) = (Arc::clone(&code), name.clone());
        let held = judging.clone();
        let verified = blocking(move || {
            let _held = held;
            let verified = Verified::new(Path::new(&name), &verifying);
            Ok::<_, Problem>(verified.map(Arc::new))
        });
        let verified = match verified.await? {
            Ok(verified) => verified,
            Err(refused) => {
                let verdicts = conformance::refused_by(&refused);
                let verdicts: Vec<_> = verdicts.iter().map(told::verdict).collect();
                let unknown = pb::Segmenter {
                    digest,
                    ..pb::Segmenter::default()
                };
                // Nobody knows what it is but by its name.
                let refusal = Refusal::of(&verdicts).map(|refusal| Refusal {
                    found: format!("{named_so}: {}", refusal.found),
                    ..refusal
                });
                return self.refuse(&unknown, &by, refusal).await;
            },
        };
        let named = named(&verified);
        if let Some(refusal) = other_bytes(&digest, &named.digest) {
            return self.refuse(&named, &by, Some(refusal)).await;
        }
        if let Some(known) = self.now_published().await?.get(&named.digest) {
            let mut told = pb::Segmenter::clone(known);
            // It was taken once, and may be older than the newest one by now.
            let signed_by = match self.trusted(&named, verified.descriptor_json(), &signed)? {
                Ok((_state, signed_by)) => signed_by,
                Err(finding) => return self.refuse(&named, &by, Some(finding.into())).await,
            };
            if !signed.is_absent() {
                told.signed_by = signed_by;
                told.manifest = signed.manifest.into();
                told.signature = signed.signature;
            }
            return self.amended(known, told, &by).await;
        }
        // Nothing of it has run until here.
        if let Some(refusal) = self.unfit(verified.descriptor())? {
            return self.refuse(&named, &by, Some(refusal)).await;
        }
        let trusted = match self.trusted(&named, verified.descriptor_json(), &signed)? {
            Ok(trusted) => trusted,
            Err(finding) => return self.refuse(&named, &by, Some(finding.into())).await,
        };
        match self.judged(verified, &by, judging).await? {
            Ok(judged) => {
                let (state, signed_by) = trusted;
                let told = pb::Segmenter {
                    platform: named.platform,
                    state: state.into(),
                    signed_by,
                    manifest: signed.manifest.into(),
                    signature: signed.signature,
                    ..judged
                };
                self.store(told, Arc::unwrap_or_clone(code), &by).await
            },
            Err(refusal) => self.refuse(&named, &by, refusal).await,
        }
    }

    /// Loads a file and makes every test of it: what is told of it, or why it is not taken.
    async fn judged(
        &self,
        verified: Arc<Verified>,
        by: &Actor,
        judging: Option<Judging>,
    ) -> Result<Result<pb::Segmenter, Option<Refusal>>, Problem> {
        let (hosts, allowance) = self.allowed();
        let started = blocking(move || {
            let _held = judging;
            let verdicts = conformance::judge_verified(&hosts, &verified, &allowance);
            let external = External::start(&hosts, verified, allowance);
            Ok::<_, Problem>((verdicts, external))
        });
        let (verdicts, external) = started.await?;
        let all: Vec<_> = verdicts.iter().map(told::verdict).collect();
        Ok(match (Refusal::of(&all), external) {
            (None, Ok(external)) => {
                let segmenter = Segmenter::from(external);
                let kind = SegmenterKind::Native;
                Ok(told::published(&segmenter, kind, by, &verdicts))
            },
            (refusal, external) => {
                let lost = external.err().map(|error| Refusal::from(&error));
                Err(refusal.or(lost))
            },
        })
    }

    /// Publishes a server.
    ///
    /// # Errors
    /// As [`publish`](Self::publish); FIELD_INVALID for an address or a token that cannot be used.
    pub(crate) async fn register(
        &self,
        address: &str,
        token_name: &str,
        by: &Actor,
    ) -> Result<(pb::Segmenter, bool), Problem> {
        let unknown = pb::Segmenter {
            kind: SegmenterKind::Remote.into(),
            address: address.to_owned(),
            ..pb::Segmenter::default()
        };
        // Nobody is connected to, and sees a token, who is not trusted.
        if let Err(distrust) = self.listed(&unknown)? {
            return self
                .refuse(&unknown, by, Some(Refusal::from(distrust)))
                .await;
        }
        let server = servers::server(&self.isolation, address, token_name)?;
        let judging = self.turn_to_judge(by).await;
        let (hosts, allowance) = self.allowed();
        let (asked, held) = (server.clone(), judging.clone());
        let connecting = blocking(move || {
            let _held = held;
            Ok::<_, Problem>(External::connect(&hosts, &asked, allowance))
        });
        let external = match connecting.await? {
            Ok(external) => external,
            Err(error) => return self.refuse(&unknown, by, Some(Refusal::from(&error))).await,
        };
        let segmenter = Segmenter::from(external);
        let told = pb::Segmenter {
            address: address.to_owned(),
            token_name: token_name.to_owned(),
            ..told::published(&segmenter, SegmenterKind::Remote, by, &[])
        };
        if let Err(distrust) = self.listed(&told)? {
            return self.refuse(&told, by, Some(Refusal::from(distrust))).await;
        }
        if let Some(known) = self.now_published().await?.get(&told.digest) {
            let moved = pb::Segmenter {
                address: told.address,
                token_name: told.token_name,
                ..pb::Segmenter::clone(known)
            };
            return self.amended(known, moved, by).await;
        }
        if let Some(refusal) = self.unfit(segmenter.descriptor())? {
            return self.refuse(&told, by, Some(refusal)).await;
        }
        let told = match self.trusted(&told, "", &Signed::default())? {
            Ok((state, _nobody)) => pb::Segmenter {
                state: state.into(),
                ..told
            },
            Err(distrust) => return self.refuse(&told, by, Some(Refusal::from(distrust))).await,
        };
        match self.judged_server(server, told, judging).await? {
            (told, None) => self.store(told, Vec::new(), by).await,
            (told, refusal) => self.refuse(&told, by, refusal).await,
        }
    }

    /// Makes every test of a server: what is told of it, and why it is not taken.
    async fn judged_server(
        &self,
        server: Server,
        told: pb::Segmenter,
        judging: Option<Judging>,
    ) -> Result<(pb::Segmenter, Option<Refusal>), Problem> {
        let (hosts, allowance) = self.allowed();
        let verdicts = blocking(move || {
            let _held = judging;
            let verdicts = conformance::judge_server(&hosts, &server, &allowance);
            Ok::<_, Problem>(verdicts)
        });
        let verdicts: Vec<_> = verdicts.await?.iter().map(told::verdict).collect();
        let refusal = Refusal::of(&verdicts);
        Ok((pb::Segmenter { verdicts, ..told }, refusal))
    }

    /// What was published before; with another signature, or another place of its server, from now on.
    async fn amended(
        &self,
        known: &pb::Segmenter,
        told: pb::Segmenter,
        by: &Actor,
    ) -> Result<(pb::Segmenter, bool), Problem> {
        let changed = |message: &str| {
            let message = format!("{} {} {message}", known.segmenter_id, known.version);
            Problem::field(ErrorReason::SegmenterState, "segmenter", message)
        };
        let state = match known.state() {
            pb::SegmenterState::Waiting => SegmenterState::Waiting,
            pb::SegmenterState::Quarantined => SegmenterState::Quarantined,
            pb::SegmenterState::Retired => {
                return Err(changed(
                    "was retired, which is for ever: count its version up",
                ));
            },
            pb::SegmenterState::Ready | pb::SegmenterState::Unspecified => SegmenterState::Ready,
        };
        if told == *known {
            // Its token may be another one.
            self.place_servers();
            return Ok((told, true));
        }
        let now = self.clock.now();
        let change = StateChange {
            digest: known.digest.clone(),
            from: vec![state],
            to: state,
            segmenter: told.encode_to_vec(),
            only_unused: false,
        };
        let event = told::event(SegmenterAction::Amended, &told, by, "");
        let event = told::event_row(&event, None, now);
        let once = Once::new(own_request("AmendSegmenter", now), |_row| Vec::new());
        if self.catalogue.change(change, event, once).await?.is_none() {
            return Err(changed("was changed meanwhile: try again"));
        }
        self.refresh().await?;
        self.place_servers();
        Ok((told, true))
    }

    async fn store(
        &self,
        told: pb::Segmenter,
        code: Vec<u8>,
        by: &Actor,
    ) -> Result<(pb::Segmenter, bool), Problem> {
        let _storing = self.storing.lock().await;
        // What was published while this was judged counts, too.
        let published = self.now_published().await?;
        if !published.contains_key(&told.digest)
            && let Some(refusal) = downgrade(&published, &told.segmenter_id, &told.version)
        {
            return self.refuse(&told, by, Some(refusal)).await;
        }
        let now = self.clock.now();
        let state = match told.state() {
            pb::SegmenterState::Waiting => SegmenterState::Waiting,
            _ => SegmenterState::Ready,
        };
        let row = row(&told, state, now);
        let event = told::event(SegmenterAction::Published, &told, by, "");
        let event = told::event_row(&event, None, now);
        let is_new = self.catalogue.publish(row, code, event).await;
        let is_new = match is_new {
            Ok(is_new) => is_new,
            Err(error @ sextant_store::Error::AlreadyExists { .. }) => {
                let refusal = Refusal::new(
                    "D-version",
                    format!(
                        "{} {} was published with {}",
                        told.segmenter_id,
                        told.version,
                        if told.kind() == SegmenterKind::Remote {
                            "another descriptor"
                        } else {
                            "other bytes"
                        }
                    ),
                    "a version has one digest for ever",
                    "count its version up",
                );
                self.tell_refusal(&told, by, &refusal).await?;
                return Err(Problem {
                    message: refusal.told(),
                    ..Problem::from(error)
                });
            },
            Err(error) => return Err(Problem::from(error)),
        };
        let published = self.now_published().await?;
        let stored = published
            .get(&told.digest)
            .map(|one| pb::Segmenter::clone(one));
        tracing::info!(
            segmenter = told.segmenter_id,
            version = told.version,
            digest = told.digest,
            by = by.0,
            "a segmenter is published"
        );
        Ok((stored.unwrap_or(told), !is_new))
    }

    /// Why a segmenter cannot be used here, whatever it answers.
    fn unfit(&self, descriptor: &Descriptor) -> Result<Option<Refusal>, Problem> {
        let is_ours = descriptor.id.starts_with(OUR_IDS);
        if is_ours || self.built_in.get(&descriptor.id).is_ok() {
            return Ok(Some(Refusal::new(
                "D-id",
                format!(
                    "\"{}\" is, or begins like, the id of a segmenter that comes with the service",
                    descriptor.id
                ),
                "an id stands for one segmenter",
                "give it an id of your own, such as \"acme.health\"",
            )));
        }
        if let Some(refusal) = unknown_feature(descriptor) {
            return Ok(Some(refusal));
        }
        Ok(downgrade(
            &self.published(),
            &descriptor.id,
            &descriptor.version,
        ))
    }

    async fn refuse<T>(
        &self,
        of: &pb::Segmenter,
        by: &Actor,
        refusal: Option<Refusal>,
    ) -> Result<T, Problem> {
        let unsaid = || {
            Refusal::new(
                "L-load",
                "it cannot be loaded",
                "",
                "run `sextant plugin check`",
            )
        };
        let refusal = refusal.unwrap_or_else(unsaid);
        self.tell_refusal(of, by, &refusal).await?;
        Err(refusal.problem())
    }

    async fn tell_refusal(
        &self,
        of: &pb::Segmenter,
        by: &Actor,
        refusal: &Refusal,
    ) -> Result<(), Problem> {
        let event = told::event(SegmenterAction::Rejected, of, by, &refusal.told());
        let row = told::event_row(&event, None, self.clock.now());
        Ok(self.catalogue.tell(row).await?)
    }
}

/// Bytes that are not those that were announced.
fn other_bytes(announced: &str, found: &str) -> Option<Refusal> {
    (!announced.is_empty() && announced != found).then(|| {
        Refusal::new(
            "D-digest",
            format!("the bytes have the digest {found}, and {announced} was announced"),
            "what arrives must be what was sent",
            "send it again",
        )
    })
}

/// A version that is older than one that was published.
fn downgrade(published: &Published, id: &str, version: &str) -> Option<Refusal> {
    let of_id = published.values().filter(|one| one.segmenter_id == id);
    let newest = of_id.filter_map(|one| Version::parse(&one.version).ok());
    let newest = newest.max()?;
    if Version::parse(version).is_ok_and(|version| version >= newest) {
        return None;
    }
    Some(Refusal::new(
        "D-downgrade",
        format!("version {version} is older than {newest}, which was published"),
        "what comes later must not be older: whoever asks for the newest would get something else than was tried",
        "count its version up; to return to an older version, roll back",
    ))
}

/// A feature that it needs and that is none, or is of another type.
fn unknown_feature(descriptor: &Descriptor) -> Option<Refusal> {
    let schema = input_schema();
    for feature in &descriptor.features {
        let known = schema.field_with_name(&feature.name).ok();
        let found = match known {
            // What it can do without is unknown to it, then.
            None if !feature.is_required => continue,
            None => {
                let names = schema.fields().iter().map(|field| field.name().as_str());
                let hint = nearest(&feature.name, names);
                let hint = hint.map_or(String::new(), |name| format!(", did you mean \"{name}\"?"));
                format!(
                    "it requires the feature \"{}\", which is not in the catalogue{hint}",
                    feature.name
                )
            },
            Some(known) if *known.data_type() != feature.kind.data_type() => format!(
                "it requires the feature \"{}\" as {}, which is {}",
                feature.name,
                feature.kind.data_type(),
                known.data_type()
            ),
            Some(_) => continue,
        };
        return Some(Refusal::new(
            "D-features",
            found,
            "without its features it could judge nobody",
            "name features that ListFeatureDefinitions lists, with their types",
        ));
    }
    None
}
