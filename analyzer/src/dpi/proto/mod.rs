//! The registry: one file per protocol or small family, one line in [`ALL`]. Where two could claim the same bytes, the
//! stricter stands first.

mod aaa;
mod benchmark;
mod dhcp;
mod discovery;
mod dns;
mod dtls;
mod gtp;
mod http;
mod http2;
mod industry;
mod internet;
mod ip;
mod iscsi;
mod iwarp;
mod kerberos;
mod keyvalue;
mod ldap;
mod link;
mod mail;
mod mpi;
mod netbios;
mod ntp;
mod nvme_tcp;
mod protobuf;
mod ptp;
mod queue;
mod quic;
mod routing;
mod rpc;
mod scheduler;
mod sctp;
mod smb;
mod snmp;
mod sql;
mod ssh;
mod storage;
mod stun;
mod sunrpc;
mod syslog;
mod telemetry;
mod terminal;
mod tftp;
mod tls;
mod torch;
mod tunnel;
mod ucx;
mod voice;
mod websocket;

use super::protocol::Protocol;

#[cfg(test)]
mod any_bytes_test;
#[cfg(test)]
pub mod testing;

/// Every protocol, in the order in which they are asked.
pub const ALL: &[&[Protocol]] = &[
    ip::PROTOCOLS,
    link::PROTOCOLS,
    sctp::PROTOCOLS,
    tls::PROTOCOLS,
    http::PROTOCOLS,
    http2::PROTOCOLS,
    dtls::PROTOCOLS,
    quic::PROTOCOLS,
    ssh::PROTOCOLS,
    smb::PROTOCOLS,
    stun::PROTOCOLS,
    sunrpc::PROTOCOLS,
    discovery::PROTOCOLS,
    voice::PROTOCOLS,
    websocket::PROTOCOLS,
    iwarp::PROTOCOLS,
    routing::PROTOCOLS,
    torch::PROTOCOLS,
    mpi::PROTOCOLS,
    scheduler::PROTOCOLS,
    storage::PROTOCOLS,
    iscsi::PROTOCOLS,
    sql::PROTOCOLS,
    queue::PROTOCOLS,
    keyvalue::PROTOCOLS,
    tunnel::PROTOCOLS,
    gtp::PROTOCOLS,
    rpc::PROTOCOLS,
    terminal::PROTOCOLS,
    mail::PROTOCOLS,
    telemetry::PROTOCOLS,
    industry::PROTOCOLS,
    internet::PROTOCOLS,
    netbios::PROTOCOLS,
    dhcp::PROTOCOLS,
    ntp::PROTOCOLS,
    ptp::PROTOCOLS,
    snmp::PROTOCOLS,
    ldap::PROTOCOLS,
    kerberos::PROTOCOLS,
    aaa::PROTOCOLS,
    tftp::PROTOCOLS,
    syslog::PROTOCOLS,
    dns::PROTOCOLS,
    nvme_tcp::PROTOCOLS,
    benchmark::PROTOCOLS,
    ucx::PROTOCOLS,
    protobuf::PROTOCOLS,
];

/// The protocols one by one.
pub fn all() -> impl Iterator<Item = &'static Protocol> {
    ALL.iter().flat_map(|family| family.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_fits_and_every_name_is_well_formed() {
        assert!(all().count() <= crate::dpi::mask::MAX_PROTOCOLS);
        for name in all().flat_map(|p| std::iter::once(&p.name).chain(p.also)) {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
        }
    }
}
