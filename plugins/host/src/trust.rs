//! Whose segmenters are asked: keys that may sign them, what they have signed, and servers that may be asked.
//!
//! A signature is of a manifest, and not of the file alone: it says for which id, version and platform the file is, so that what was
//! signed once cannot be passed off as something else. Keys lie in a file that the operator mounts: whoever can write to the store
//! only cannot add one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tonic::transport::Uri;

use crate::segmenter::hex;
use crate::{Descriptor, Unreadable, read_file};

/// What is signed, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Id of the segmenter.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file in hexadecimal digits, by platform, such as "linux_amd64".
    pub digests: BTreeMap<String, String>,
    /// SHA-256 of its descriptor in hexadecimal digits.
    pub descriptor: String,
    /// Since when it holds, in seconds since 1970; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before_s: Option<i64>,
    /// Until when; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after_s: Option<i64>,
}

impl Manifest {
    /// The manifest of a file for one platform.
    #[must_use]
    pub fn of(
        descriptor: &Descriptor,
        descriptor_json: &str,
        platform: &str,
        digest: &str,
    ) -> Self {
        Self {
            id: descriptor.id.clone(),
            version: descriptor.version.clone(),
            digests: BTreeMap::from([(platform.to_owned(), digest.to_owned())]),
            descriptor: hex(&Sha256::digest(descriptor_json)),
            not_before_s: None,
            not_after_s: None,
        }
    }
}

/// Bytes of a manifest, and of a signature.
pub const MAX_SIGNED_BYTES: u64 = 16 << 10;

/// A manifest with its signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signed {
    /// The bytes that were signed.
    pub manifest: Vec<u8>,
    /// The detached minisign signature, as text.
    pub signature: String,
}

impl Signed {
    /// The files of the manifest and of its signature beside a library: `health.so` → `health.so.manifest`,
    /// `health.so.manifest.minisig`.
    #[must_use]
    pub fn files_beside(library: &Path) -> [PathBuf; 2] {
        [".manifest", ".manifest.minisig"].map(|ending| {
            let mut path = library.as_os_str().to_owned();
            path.push(ending);
            PathBuf::from(path)
        })
    }

    /// What lies beside a library; nothing where it has no manifest.
    ///
    /// # Errors
    /// The one of both files that cannot be read, has more than [`MAX_SIGNED_BYTES`], or is missing beside the manifest.
    pub fn beside(library: &Path) -> Result<Self, Unreadable> {
        let [manifest, signature] = Self::files_beside(library);
        if !manifest.exists() {
            return Ok(Self::default());
        }
        let read = |path: PathBuf| {
            read_file(&path, MAX_SIGNED_BYTES).map_err(|error| Unreadable { path, error })
        };
        Ok(Self {
            manifest: read(manifest)?,
            // What is no text is no signature either, and refused for that.
            signature: String::from_utf8_lossy(&read(signature)?).into_owned(),
        })
    }

    /// True: there is none.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.manifest.is_empty() && self.signature.is_empty()
    }
}

/// What a signature has to be of.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Id of the segmenter.
    pub id: &'a str,
    /// Its version.
    pub version: &'a str,
    /// What it runs on.
    pub platform: &'a str,
    /// SHA-256 of its file in hexadecimal digits.
    pub digest: &'a str,
    /// Its descriptor, as its author wrote it; `None`: it was compared before.
    pub descriptor_json: Option<&'a str>,
}

/// Why something is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// Stable name of the check, such as `S-key`.
    pub check: &'static str,
    /// What was found.
    pub found: String,
    /// Why that matters.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.found)
    }
}

impl std::error::Error for Distrust {}

/// Keys that may sign segmenters, and servers that may be segmenters.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    keys: Vec<Root>,
    revoked: Vec<Revoked>,
    /// `None`: the file has no list of them.
    servers: Option<Vec<ListedServer>>,
}

/// Which servers may be segmenters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    /// All of them, unless there is a list.
    AllUnlessListed,
    /// Those that are listed.
    Listed,
}

#[derive(Debug, Clone)]
struct ListedServer {
    origin: Origin,
    ids: Vec<String>,
}

/// What is connected to: scheme, host and port.
type Origin = (String, String, u16);

#[derive(Debug, Clone)]
struct Root {
    name: String,
    public: PublicKey,
    ids: Vec<String>,
    tenants: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    digest: String,
    #[serde(default)]
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RootsFile {
    #[serde(default)]
    keys: Vec<RootEntry>,
    #[serde(default)]
    revoked: Vec<Revoked>,
    servers: Option<Vec<ServerEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerEntry {
    address: String,
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RootEntry {
    name: String,
    public_key: String,
    ids: Vec<String>,
    #[serde(default)]
    tenants: Vec<String>,
}

const fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Whether it is a UUID as ids of tenants are written.
fn is_tenant_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => is_digit(byte),
        })
}

impl Roots {
    /// Reads the file: `{"keys": [{"name": "acme", "public_key": "RW...", "ids": ["acme.*"], "tenants": []}], "revoked": [{"digest":
    /// "..."}], "servers": [{"address": "https://models.acme.example:443", "ids": ["acme.*"]}]}`, of which each part may be left out. A
    /// pattern of ids is an id, or the beginning of one with `*`; tenants are given by their ids, none means all.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: RootsFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut keys: Vec<Root> = Vec::with_capacity(file.keys.len());
        for entry in file.keys {
            if keys.iter().any(|key| key.name == entry.name) {
                return Err(format!(
                    "there are two keys with the name \"{}\"",
                    entry.name
                ));
            }
            // One that names no tenant would be trusted with none, without a word.
            if let Some(odd) = entry.tenants.iter().find(|one| !is_tenant_id(one)) {
                return Err(format!(
                    "\"{odd}\", of \"{}\", is no id of a tenant, such as 0198c0de-0000-7000-8000-000000000000",
                    entry.name
                ));
            }
            let public = PublicKey::from_base64(entry.public_key.trim());
            let public = public.map_err(|error| {
                format!(
                    "the public key of \"{}\" cannot be read: {error}",
                    entry.name
                )
            })?;
            keys.push(Root {
                name: entry.name,
                public,
                ids: entry.ids,
                tenants: entry.tenants,
            });
        }
        // What names no file would take none back, without a word.
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(is_digit);
        if let Some(odd) = file.revoked.iter().find(|one| !is_digest(&one.digest)) {
            return Err(format!(
                "\"{}\" is no digest: 64 digits, 0 to 9 and a to f",
                odd.digest
            ));
        }
        let servers = file.servers.map(|entries| {
            let listed = entries.into_iter().map(ServerEntry::listed);
            listed.collect::<Result<Vec<_>, _>>()
        });
        Ok(Self {
            keys,
            revoked: file.revoked,
            servers: servers.transpose()?,
        })
    }

    /// Whether any key is trusted with anything.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether a server may be asked at all (no id), or as the segmenter with this id.
    ///
    /// # Errors
    /// It is not listed, or not with this id.
    pub fn check_server(
        &self,
        address: &str,
        id: Option<&str>,
        which: Servers,
    ) -> Result<(), Distrust> {
        if which == Servers::AllUnlessListed && self.servers.is_none() {
            return Ok(());
        }
        let origin = origin(address);
        let listed = self.servers.iter().flatten();
        let mut listed = listed
            .filter(|one| origin.as_ref() == Some(&one.origin))
            .peekable();
        if listed.peek().is_none() {
            let found = format!("the server \"{address}\" is not listed");
            return Err(distrust("S-server", found));
        }
        let mut patterns = listed.flat_map(|one| &one.ids);
        match id {
            Some(id) if !patterns.any(|pattern| covers(pattern, id)) => {
                let found = format!("the server \"{address}\" may not be \"{id}\"");
                Err(distrust("S-server", found))
            },
            _asked_or_covered => Ok(()),
        }
    }

    /// The name of the key that has signed this file as what it is, so that it may be run at this moment.
    ///
    /// # Errors
    /// The check that it fails.
    pub fn check(&self, signed: &Signed, about: &About<'_>, now_s: i64) -> Result<&str, Distrust> {
        if signed.is_absent() {
            return Err(distrust("S-signed", "it is not signed".to_owned()));
        }
        let malformed = |what: String| distrust("S-signature", what);
        let signature = Signature::decode(&signed.signature);
        let signature = signature
            .map_err(|error| malformed(format!("its signature cannot be read: {error}")))?;
        let mut fitting = self.keys.iter();
        let root = fitting.find(|root| {
            root.public
                .verify(&signed.manifest, &signature, false)
                .is_ok()
        });
        let root = root.ok_or_else(|| {
            let mut signers = self.keys.iter();
            let signer = signers.find(|root| {
                let verified = root.public.verify(&signed.manifest, &signature, false);
                verified.is_err_and(|error| matches!(error, minisign_verify::Error::InvalidSignature))
            });
            match signer {
                Some(signer) => distrust(
                    "S-manifest",
                    format!(
                        "the key \"{}\" has signed another manifest: this one was changed, or is of another file",
                        signer.name
                    ),
                ),
                None => distrust(
                    "S-key",
                    "no key that is trusted here has signed this manifest".to_owned(),
                ),
            }
        })?;
        let manifest: Manifest = serde_json::from_slice(&signed.manifest).map_err(|error| {
            distrust(
                "S-manifest",
                format!("its manifest cannot be read: {error}"),
            )
        })?;
        manifest.fits(about)?;
        if !root.ids.iter().any(|pattern| covers(pattern, about.id)) {
            let found = format!("the key \"{}\" may not sign \"{}\"", root.name, about.id);
            return Err(distrust("S-key", found));
        }
        let is_early = manifest.not_before_s.is_some_and(|since| now_s < since);
        let is_late = manifest.not_after_s.is_some_and(|until| now_s > until);
        if is_early || is_late {
            let found = if is_early {
                "its manifest does not hold yet"
            } else {
                "its manifest does not hold any more"
            };
            return Err(distrust("S-time", found.to_owned()));
        }
        self.check_revoked(about.digest)?;
        Ok(&root.name)
    }

    /// Whether a file was not taken back.
    ///
    /// # Errors
    /// It was.
    pub fn check_revoked(&self, digest: &str) -> Result<(), Distrust> {
        match self.revoked.iter().find(|one| one.digest == digest) {
            Some(revoked) => Err(distrust(
                "S-revoked",
                format!("it was taken back: {}", revoked.why),
            )),
            None => Ok(()),
        }
    }

    /// Whether what a key has signed may be used for a tenant, by its id.
    #[must_use]
    pub fn is_open_to(&self, key: &str, tenant: &str) -> bool {
        let root = self.keys.iter().find(|root| root.name == key);
        root.is_some_and(|root| {
            root.tenants.is_empty() || root.tenants.iter().any(|one| one == tenant)
        })
    }
}

impl ServerEntry {
    fn listed(self) -> Result<ListedServer, String> {
        let origin = origin(&self.address).ok_or_else(|| {
            format!(
                "\"{}\" is no address such as https://models.acme.example:443",
                self.address
            )
        })?;
        Ok(ListedServer {
            origin,
            ids: self.ids,
        })
    }
}

/// What an address leads to; `None`: it is none.
fn origin(address: &str) -> Option<Origin> {
    let uri: Uri = address.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "https" => Some(443),
        "http" => Some(80),
        _other => None,
    };
    let port = uri.port_u16().or(usual)?;
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

impl Manifest {
    fn fits(&self, about: &About<'_>) -> Result<(), Distrust> {
        let of_platform = self.digests.get(about.platform).map(String::as_str);
        let descriptor = about.descriptor_json.map(|json| hex(&Sha256::digest(json)));
        let found = if self.id != about.id {
            format!("it was signed as \"{}\", and is \"{}\"", self.id, about.id)
        } else if self.version != about.version {
            format!(
                "it was signed as version {}, and is {}",
                self.version, about.version
            )
        } else if of_platform != Some(about.digest) {
            format!("another file was signed for {}", about.platform)
        } else if descriptor.is_some_and(|descriptor| descriptor != self.descriptor) {
            "another descriptor was signed".to_owned()
        } else {
            return Ok(());
        };
        Err(distrust("S-manifest", found))
    }
}

/// Whether a pattern covers an id: it is the id, or its beginning with `*`.
fn covers(pattern: &str, id: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => id.starts_with(beginning),
        None => pattern == id,
    }
}

impl Distrust {
    /// It may be used once somebody has approved it, and nobody has.
    #[must_use]
    pub fn not_approved() -> Self {
        distrust("S-approved", "nobody has approved it".to_owned())
    }
}

fn distrust(check: &'static str, found: String) -> Distrust {
    let (why, fix) = match check {
        "S-signed" => (
            "this installation runs what a trusted key has signed, and nothing else",
            "sign it: sextant plugin sign",
        ),
        "S-approved" => (
            "this installation runs files that an admin has approved, and no others",
            "have an admin approve its digest: sextant plugin approve",
        ),
        "S-signature" => (
            "what cannot be read cannot be checked",
            "sign it again: sextant plugin sign",
        ),
        "S-key" => (
            "a team's key stands for that team's segmenters alone",
            "have its own team sign it, or have the operator add the key to plugins.trust_file",
        ),
        "S-manifest" => (
            "a signature is of one file, under one id and version",
            "sign this very file: sextant plugin sign",
        ),
        "S-server" => (
            "a server sees what is known of accounts, and whose segmenters it may be is the operator's to say",
            "have the operator list its address with its ids under \"servers\" in plugins.trust_file",
        ),
        "S-time" => (
            "a manifest holds for the time that its signer gave it",
            "sign it again: sextant plugin sign",
        ),
        _ => (
            "what was taken back is not run any more",
            "publish a mended version",
        ),
    };
    Distrust {
        check,
        found,
        why,
        fix,
    }
}

#[cfg(test)]
mod tests;
