//! Attacks on a running server, a file for each kind of attacker.

mod answers;
mod clients;
mod pages;
mod plugins;
mod shares;
mod tenants;
mod upstreams;
