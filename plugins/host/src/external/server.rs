//! A server that a team runs.

use std::fmt;
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{ClientTlsConfig, Endpoint, Uri};

use crate::check::{Check, Finding};
use crate::external::Hosts;
use crate::external::client::Client;
use crate::messages::WINDOW_BYTES;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Without keepalive, a client stays with a connection whose peer a partition took away.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a server is, and how it knows who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Such as `https://models.internal:8443`. Whoever answers at one with `https` has to have a certificate for its name, of an authority
    /// that this machine trusts; `http` shows the token and all rows to whoever is on the way.
    pub address: String,
    /// Sent as `authorization: Bearer TOKEN`.
    pub token: Option<String>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A client that connects when it is first used, and again whenever the connection is lost.
    pub(super) fn client(&self, hosts: &Hosts) -> Result<Client, Finding> {
        let malformed = |what: String| Finding::new(Check::Address, what);
        let no_address =
            || malformed("it is no address such as https://models.internal:8443".to_owned());
        let uri: Uri = self.address.parse().map_err(|_no_uri| no_address())?;
        let is_whole = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        if !is_whole {
            return Err(no_address());
        }
        let is_secret = uri.scheme_str() == Some("https");
        let mut endpoint = Endpoint::from(uri);
        if is_secret {
            let trusted = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint
                .tls_config(trusted.timeout(CONNECT_TIMEOUT))
                .map_err(|error| {
                    malformed("no certificate can be judged here".to_owned()).caused_by(error)
                })?;
        }
        let authorization = self.authorization();
        let authorization = authorization
            .map_err(|_no_header| malformed("its token is no header value".to_owned()))?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES);
        // Its tasks belong to the thread of host processes.
        let channel = hosts.within(|| endpoint.connect_lazy());
        Ok(Client::new(channel, authorization))
    }

    fn authorization(
        &self,
    ) -> Result<Option<MetadataValue<Ascii>>, tonic::metadata::errors::InvalidMetadataValue> {
        let Some(token) = &self.token else {
            return Ok(None);
        };
        let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}
