//! Web pages that a browser on this machine shows.
