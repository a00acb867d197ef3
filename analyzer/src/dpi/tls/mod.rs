//! TLS messages as TLS, DTLS and QUIC share them: hellos, fingerprints, certificates.

pub mod certificate;
pub mod fingerprint;
pub mod hello;
