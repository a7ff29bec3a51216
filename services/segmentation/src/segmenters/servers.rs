//! Servers that are asked over the network, and the tokens that open them.

use std::path::PathBuf;
use std::sync::PoisonError;

use sextant_plugin_host::{External, Server};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_wire::status::Problem;

use crate::segmenters::{Isolation, Segmenters};

/// A server with the token that it asks for; an empty name: it asks for none.
///
/// # Errors
/// FIELD_INVALID for a token that cannot be read, or is not of this server.
pub(super) fn server(
    isolation: &Isolation,
    address: &str,
    token_name: &str,
) -> Result<Server, Problem> {
    let token = if token_name.is_empty() {
        None
    } else {
        Some(token(isolation.token_dir.as_ref(), address, token_name)?)
    };
    Ok(Server {
        address: address.to_owned(),
        token,
    })
}

/// A token is for one server, for who may register could send it elsewhere: its file names the address, too.
fn token(folder: Option<&PathBuf>, address: &str, name: &str) -> Result<String, Problem> {
    let invalid =
        |message: String| Problem::field(ErrorReason::FieldInvalid, "token_name", message);
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !is_name || name.starts_with('.') {
        let message = "must be the name of a file: letters, digits, '-', '_' and '.'";
        return Err(invalid(message.to_owned()));
    }
    let folder = folder.ok_or_else(|| {
        invalid("cannot be used: the installation has no plugins.token_dir".to_owned())
    })?;
    let read = std::fs::read_to_string(folder.join(name)).map_err(|error| {
        invalid(format!(
            "\"{name}\" cannot be read from plugins.token_dir: {error}"
        ))
    })?;
    let (server, secret) = read.trim().split_once('\n').unwrap_or_default();
    if server.trim().trim_end_matches('/') != address.trim_end_matches('/') {
        return Err(invalid(format!(
            "\"{name}\" is not for this server: the first line of the file has to be its address, and the second the token"
        )));
    }
    Ok(secret.trim().to_owned())
}

impl Segmenters {
    /// Has servers asked where the catalogue says that they are, with the tokens that are in their files by now.
    pub(crate) fn place_servers(&self) {
        let published = self.published();
        let mut unplaced = self.unplaced.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *unplaced);
        for (digest, segmenter) in self.running() {
            let Some(told) = published
                .get(&digest)
                .filter(|told| !told.address.is_empty())
            else {
                continue;
            };
            let Err(why) = self.place(told, &segmenter) else {
                continue;
            };
            if before.get(&digest) != Some(&why) {
                let address = &told.address;
                tracing::error!(
                    address,
                    why,
                    "a server of a segmenter is not asked as the catalogue says: it is asked as before"
                );
            }
            unplaced.insert(digest, why);
        }
    }

    /// Has a server asked where it is told to be, if that may be asked: who writes to the store only decides nothing.
    fn place(&self, told: &pb::Segmenter, segmenter: &External) -> Result<(), String> {
        let server = server(&self.isolation, &told.address, &told.token_name);
        let server = server.map_err(|problem| problem.message)?;
        if segmenter.is_at(&server) {
            return Ok(());
        }
        let listed = self.listed(told).map_err(|problem| problem.message)?;
        listed.map_err(|distrust| distrust.to_string())?;
        let moved = segmenter.move_to(&server);
        moved.map_err(|refused| refused.to_string())
    }
}
