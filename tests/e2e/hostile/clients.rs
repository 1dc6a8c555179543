//! Clients that send what nobody should, or send it too slowly.
