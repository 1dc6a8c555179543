//! How the server and the pipeline are set up.

use std::{net::SocketAddr, time::Duration};

/// The server's address and its patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How long a client may take to send a request's headers.
    pub header_timeout: Duration,
    /// How long answers in the making may take to end after the server was told to stop.
    pub drain_timeout: Duration,
}

/// What the pipeline takes and how it tells callers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxySettings {
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// Who shares answers with whom.
    pub partition: PartitionBy,
}

/// Who shares answers with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionBy {
    /// Callers who show the same credentials.
    ApiKey,
    /// Everybody.
    None,
}
