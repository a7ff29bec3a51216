//! Signing segmenters, and judging signatures: with keys and signatures of minisign.

use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};

use sextant_domain::time::Zone;
use sextant_plugin_host::trust::{About, Manifest, Roots, Signed};
use sextant_plugin_host::{Descriptor, Unreadable, Verified};
use sextant_runtime::clock::Clock;
use sextant_segmentation::PLATFORM;

use crate::cli::context::{Context, number_of, text_of};
use crate::error::Error;
use crate::output::{Block, Cell, Column};

const US_PER_S: i64 = 1_000_000;
const S_PER_DAY: i64 = 86_400;

/// Makes a key of a team.
pub(crate) fn keygen(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let path = matches
        .get_one::<PathBuf>("name")
        .cloned()
        .unwrap_or_default();
    let pair = KeyPair::generate_unencrypted_keypair().map_err(|error| refused(&error))?;
    let secret = pair.sk.to_box(None).map_err(|error| refused(&error))?;
    let public = pair.pk.to_box().map_err(|error| refused(&error))?;
    // A name such as "acme.health" has no extension to be replaced.
    let [secret_file, public_file] = [".key", ".pub"].map(|ending| {
        let mut name = path.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    });
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&secret_file)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::usage(format!(
                "{} is there already, and a key cannot be made a second time: name another one",
                secret_file.display()
            )),
            _ => unwritten(&secret_file, source),
        })?;
    file.write_all(secret.into_string().as_bytes())
        .map_err(|source| unwritten(&secret_file, source))?;
    fs::write(&public_file, public.into_string())
        .map_err(|source| unwritten(&public_file, source))?;
    let columns = vec![
        Column::left("secret_key", "Secret key"),
        Column::left("public_key_file", "Public key"),
        Column::left("public_key", "For plugins.trust_file"),
    ];
    let mut block = Block::new("keys", "", columns);
    block.rows.push(vec![
        Cell::text(secret_file.display().to_string()),
        Cell::text(public_file.display().to_string()),
        Cell::text(pair.pk.to_base64()),
    ]);
    context.print(matches, &Zone::utc(), &block.into())
}

/// Signs a segmenter: writes its manifest and the signature of that beside it.
pub(crate) fn sign(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let path = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let file = Verified::read(&path).map_err(|error| refused(&error))?;
    let mut manifest = manifest(
        file.descriptor(),
        file.descriptor_json(),
        &file.digest_hex(),
    );
    let days = number_of(matches, "days");
    if days > 0 {
        let now_s = Clock::real().now().0.div_euclid(US_PER_S);
        manifest.not_after_s = Some(now_s + i64::from(days) * S_PER_DAY);
    }
    let bytes = serde_json::to_vec(&manifest).map_err(|error| refused(&error))?;
    let secret = secret_key(matches)?;
    let public = PublicKey::from_secret_key(&secret).map_err(|error| refused(&error))?;
    let comment = format!("{} {}", manifest.id, manifest.version);
    let signature = minisign::sign(
        Some(&public),
        &secret,
        Cursor::new(&bytes),
        Some(&comment),
        None,
    );
    let signature = signature.map_err(|error| refused(&error))?;
    let [manifest_file, signature_file] = Signed::files_beside(&path);
    fs::write(&manifest_file, &bytes).map_err(|source| unwritten(&manifest_file, source))?;
    fs::write(&signature_file, signature.into_string())
        .map_err(|source| unwritten(&signature_file, source))?;
    let columns = vec![
        Column::left("segmenter", "Segmenter"),
        Column::left("version", "Version"),
        Column::left("manifest", "Manifest"),
        Column::left("signature", "Signature"),
    ];
    let mut block = Block::new("signed", "", columns);
    block.rows.push(vec![
        Cell::text(manifest.id),
        Cell::text(manifest.version),
        Cell::text(manifest_file.display().to_string()),
        Cell::text(signature_file.display().to_string()),
    ]);
    context.print(matches, &Zone::utc(), &block.into())
}

/// Judges the signature of a segmenter as a service with these keys does.
pub(crate) fn verify(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let path = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let trust_file = matches.get_one::<PathBuf>("trust-file").cloned();
    let trust_file = trust_file.or_else(|| context.loaded.config.plugins.trust_file.clone());
    let trust_file = trust_file.ok_or_else(|| {
        Error::usage("name the keys with --trust-file, or set plugins.trust_file")
    })?;
    let text = fs::read_to_string(&trust_file).map_err(|source| unwritten(&trust_file, source))?;
    let roots = Roots::parse(&text)
        .map_err(|why| Error::usage(format!("{}: {why}", trust_file.display())))?;
    let file = Verified::read(&path).map_err(|error| refused(&error))?;
    let digest = file.digest_hex();
    let about = About {
        id: &file.descriptor().id,
        version: &file.descriptor().version,
        platform: PLATFORM,
        digest: &digest,
        descriptor_json: Some(file.descriptor_json()),
    };
    let now_s = Clock::real().now().0.div_euclid(US_PER_S);
    let signed = signed_beside(&path)?;
    let checked = roots.check(&signed, &about, now_s);
    let columns = vec![
        Column::left("segmenter", "Segmenter"),
        Column::left("version", "Version"),
        Column::rare("signed_by", "Signed by"),
        Column::rare("check", "Check"),
        Column::prose("found", "Found"),
        Column::prose("fix", "What to do"),
    ];
    let mut block = Block::new("verified", "", columns);
    let (signed_by, check, found, fix) = match &checked {
        Ok(name) => (
            *name,
            "",
            "it is signed by a key that is trusted with it".to_owned(),
            "",
        ),
        Err(distrust) => ("", distrust.check, distrust.found.clone(), distrust.fix),
    };
    block.rows.push(vec![
        Cell::text(about.id),
        Cell::text(about.version),
        Cell::text(signed_by),
        Cell::text(check),
        Cell::text(found),
        Cell::text(fix),
    ]);
    context.print(matches, &Zone::utc(), &block.into())?;
    checked.map(|_name| ()).map_err(|_told| Error::Incomplete)
}

/// The manifest and signature beside a file; absent where it is not signed.
pub(crate) fn signed_beside(path: &Path) -> Result<Signed, Error> {
    Signed::beside(path).map_err(|Unreadable { path, error }| Error::File {
        path,
        source: error,
    })
}

fn manifest(descriptor: &Descriptor, descriptor_json: &str, digest: &str) -> Manifest {
    Manifest::of(descriptor, descriptor_json, PLATFORM, digest)
}

fn secret_key(matches: &ArgMatches) -> Result<SecretKey, Error> {
    let path = matches
        .get_one::<PathBuf>("secret-key")
        .cloned()
        .unwrap_or_default();
    let no_key = |error: &dyn std::fmt::Display| {
        Error::usage(format!(
            "{}: {error}; it is no secret key as `sextant plugin keygen` writes them",
            path.display()
        ))
    };
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(no_key(&error)),
        read => read.map_err(|source| unwritten(&path, source))?,
    };
    let sealed = SecretKeyBox::from_string(&text).map_err(|error| no_key(&error))?;
    let password_file = text_of(matches, "password-file");
    if password_file.is_empty() {
        let open = sealed.into_unencrypted_secret_key();
        return open.map_err(|error| {
            Error::usage(format!(
                "{}: {error}; it is no secret key, or one with a password, which needs --password-file",
                path.display()
            ))
        });
    }
    let password_file = PathBuf::from(password_file);
    let password =
        fs::read_to_string(&password_file).map_err(|source| unwritten(&password_file, source))?;
    let open = sealed.into_secret_key(Some(password.trim_end_matches(['\r', '\n']).to_owned()));
    open.map_err(|error| Error::usage(format!("{}: {error}", path.display())))
}

fn refused(error: &dyn std::fmt::Display) -> Error {
    Error::usage(error.to_string())
}

fn unwritten(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}
