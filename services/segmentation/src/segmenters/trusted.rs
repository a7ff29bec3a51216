//! Whose segmenters are asked here: what the installation asks of a version before it may be used, and of one that is used.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;
use sextant_plugin_host::trust::{About, Distrust, Roots, Servers, Signed};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::{SegmenterKind, SegmenterState};
use sextant_wire::status::Problem;

use crate::segmenters::Segmenters;

const US_PER_S: i64 = 1_000_000;

/// What has to be true of a segmenter before it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustLevel {
    /// Whoever may publish is trusted.
    Open,
    /// Somebody has approved its digest.
    Digest,
    /// A key has signed it that the operator trusts with it.
    Signed,
}

/// What the installation asks of segmenters, and which keys and servers it trusts.
#[derive(Debug, Clone)]
pub struct Trust {
    /// What has to be true.
    pub level: TrustLevel,
    /// The file with the keys and the servers; `None`: there are none.
    pub file: Option<PathBuf>,
}

/// The keys as they were read last.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    read: RwLock<Read>,
}

#[derive(Debug, Default)]
struct Read {
    stamp: Option<(u64, Option<SystemTime>)>,
    roots: Arc<Roots>,
    /// Why the file cannot be read.
    problem: Option<String>,
}

impl Segmenters {
    /// The keys that are trusted, read again where their file has changed. A file that cannot be read trusts nobody.
    pub(super) fn roots(&self) -> Result<Arc<Roots>, Problem> {
        let Some(file) = &self.isolation.trust.file else {
            return Ok(Arc::default());
        };
        let about = std::fs::metadata(file).ok();
        let stamp = about.map(|about| (about.len(), about.modified().ok()));
        let known = self
            .keys
            .read
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let is_known = stamp.is_some() && known.stamp == stamp;
        let found = (Arc::clone(&known.roots), known.problem.clone());
        drop(known);
        let (roots, problem) = if is_known {
            found
        } else {
            self.read_roots(file, stamp)
        };
        match problem {
            None => Ok(roots),
            Some(why) => {
                let message = format!("plugins.trust_file cannot be read: {why}");
                Err(Problem::new(ErrorReason::SegmenterState, message))
            },
        }
    }

    fn read_roots(
        &self,
        file: &std::path::Path,
        stamp: Option<(u64, Option<SystemTime>)>,
    ) -> (Arc<Roots>, Option<String>) {
        let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
        let (roots, problem) = match read.and_then(|text| Roots::parse(&text)) {
            Ok(roots) => {
                tracing::info!(file = %file.display(), "the keys and servers that are trusted with segmenters are read");
                (Arc::new(roots), None)
            },
            Err(why) => {
                let known = self
                    .keys
                    .read
                    .read()
                    .unwrap_or_else(PoisonError::into_inner);
                let is_told = known.problem.as_ref() == Some(&why);
                drop(known);
                if !is_told {
                    tracing::error!(file = %file.display(), why, "the keys and servers that are trusted with segmenters cannot be read: nothing new is taken or loaded, and what runs is asked on, also what this was to revoke");
                }
                (Arc::default(), Some(why))
            },
        };
        let mut known = self
            .keys
            .read
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Read {
            stamp,
            roots: Arc::clone(&roots),
            problem: problem.clone(),
        };
        drop(known);
        if problem.is_none() {
            // Which of them may be asked, and for whom, is another question now.
            self.edition.fetch_add(1, Ordering::Release);
        }
        (roots, problem)
    }

    /// The signature that counts: where whoever may publish is trusted and no key is listed, nobody can say whether one is right, and
    /// none is kept.
    pub(super) fn that_counts(&self, signed: Signed) -> Result<Signed, Problem> {
        let is_open = self.isolation.trust.level == TrustLevel::Open;
        Ok(if is_open && !self.roots()?.has_keys() {
            Signed::default()
        } else {
            signed
        })
    }

    /// The state that a version has from its publication on, and the name of the key that signed it.
    pub(super) fn trusted(
        &self,
        told: &pb::Segmenter,
        descriptor_json: &str,
        signed: &Signed,
    ) -> Result<Result<(SegmenterState, String), Distrust>, Problem> {
        let roots = self.roots()?;
        let is_native = told.kind() == SegmenterKind::Native;
        let mut signed_by = String::new();
        if is_native && (self.isolation.trust.level == TrustLevel::Signed || !signed.is_absent()) {
            let about = About {
                descriptor_json: Some(descriptor_json),
                ..about(told)
            };
            match roots.check(signed, &about, seconds(self.clock.now())) {
                Ok(name) => name.clone_into(&mut signed_by),
                Err(distrust) => return Ok(Err(distrust)),
            }
        }
        if let Err(distrust) = roots.check_revoked(&told.digest) {
            return Ok(Err(distrust));
        }
        let waits = self.isolation.trust.level == TrustLevel::Digest;
        let state = if waits {
            SegmenterState::Waiting
        } else {
            SegmenterState::Ready
        };
        Ok(Ok((state, signed_by)))
    }

    /// Whether a server may be connected to, where nothing is known of it, or else be what it says that it is.
    pub(super) fn listed(&self, server: &pb::Segmenter) -> Result<Result<(), Distrust>, Problem> {
        Ok(self.check_server(&*self.roots()?, server))
    }

    /// Whether a server may be asked, and as what it says that it is, if that is known.
    fn check_server(&self, roots: &Roots, told: &pb::Segmenter) -> Result<(), Distrust> {
        if told.kind() != SegmenterKind::Remote {
            return Ok(());
        }
        let which = match self.isolation.trust.level {
            TrustLevel::Open => Servers::AllUnlessListed,
            TrustLevel::Digest | TrustLevel::Signed => Servers::Listed,
        };
        let id = Some(told.segmenter_id.as_str()).filter(|id| !id.is_empty());
        roots.check_server(&told.address, id, which)
    }

    /// Whether a published version is still trusted: its key or its server may have been taken away, its time may be over.
    pub(crate) fn distrusted(&self, told: &pb::Segmenter) -> Result<Option<Distrust>, Problem> {
        let roots = self.roots()?;
        let level = self.isolation.trust.level;
        let has_to_be_signed = told.kind() == SegmenterKind::Native && level == TrustLevel::Signed;
        let has_to_be_approved =
            told.kind() != SegmenterKind::BuiltIn && level == TrustLevel::Digest;
        let checked = if has_to_be_signed {
            let now = seconds(self.clock.now());
            let checked = roots.check(&signed(told), &about(told), now);
            checked.map(|_key| ())
        } else if has_to_be_approved && told.approved_by.is_empty() {
            // It was published where nobody has to approve anything.
            Err(Distrust::not_approved())
        } else {
            let listed = self.check_server(&roots, told);
            listed.and_then(|()| roots.check_revoked(&told.digest))
        };
        Ok(checked.err())
    }

    /// A version as it is shown: one that can be used but is not trusted by this process says so.
    pub(crate) fn as_trusted(&self, told: &pb::Segmenter) -> pb::Segmenter {
        let mut shown = told.clone();
        shown.sandbox_lacks = self.sandbox_lacks(&told.digest);
        if told.state() == SegmenterState::Ready && told.kind() != SegmenterKind::BuiltIn {
            shown.why = match self.distrusted(told) {
                Ok(Some(distrust)) => format!("not asked here: {distrust}"),
                Ok(None) => shown.why,
                Err(problem) if self.runs(&told.digest) => {
                    format!("asked as before, for now: {}", problem.message)
                },
                Err(problem) => format!("not asked here: {}", problem.message),
            };
        }
        shown
    }

    /// What the kernel does not offer of the sandbox of one that is loaded here.
    fn sandbox_lacks(&self, digest: &str) -> Vec<String> {
        let running = self.running().into_iter();
        let mut found = running.filter(|(of, _)| of == digest);
        let found = found.next();
        found.map_or_else(Vec::new, |(_, one)| one.sandbox_lacks().to_vec())
    }

    /// Whether a version may be used for a tenant.
    ///
    /// # Errors
    /// SEGMENTER_STATE where its key is not for this tenant.
    pub(crate) fn check_open_to(
        &self,
        told: &pb::Segmenter,
        tenant: TenantId,
    ) -> Result<(), Problem> {
        let roots = self.roots()?;
        let (signed, now) = (signed(told), seconds(self.clock.now()));
        // Whoever can write to the store writes names as well; of one whose time is over the name is all that is left.
        let checked = roots.check(&signed, &about(told), now);
        let key = checked.unwrap_or(&told.signed_by);
        let id = Uuid::from_u128(tenant.0).to_string();
        if signed.is_absent() || roots.is_open_to(key, &id) {
            return Ok(());
        }
        let message = format!(
            "segmenter \"{}\" {} is signed by \"{key}\", which is not trusted with this tenant",
            told.segmenter_id, told.version
        );
        Err(Problem::field(
            ErrorReason::SegmenterState,
            "segmenter",
            message,
        ))
    }
}

fn signed(told: &pb::Segmenter) -> Signed {
    Signed {
        manifest: told.manifest.to_vec(),
        signature: told.signature.clone(),
    }
}

fn about(told: &pb::Segmenter) -> About<'_> {
    About {
        id: &told.segmenter_id,
        version: &told.version,
        platform: &told.platform,
        digest: &told.digest,
        descriptor_json: None,
    }
}

const fn seconds(at: Instant) -> i64 {
    at.0.div_euclid(US_PER_S)
}
