//! Upstreams whose answers are broken, endless or misleading.
