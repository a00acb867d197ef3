//! QUIC below its protocol file: keys of Initial packets and the handshake bytes inside (RFC 9000, RFC 9001, RFC 9369).

pub mod google;
pub mod initial;
mod keys;
