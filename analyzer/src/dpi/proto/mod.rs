//! The registry: one file per protocol or small family, one line in [`ALL`]. Where two could claim the same bytes, the
//! stricter stands first.

mod dns;
mod http;
mod ip;
mod nvme_tcp;
mod ssh;
mod sunrpc;
mod tls;

use super::protocol::Protocol;

#[cfg(test)]
pub mod testing;

/// Every protocol, in the order in which they are asked.
pub const ALL: &[&[Protocol]] = &[
    ip::PROTOCOLS,
    tls::PROTOCOLS,
    http::PROTOCOLS,
    ssh::PROTOCOLS,
    sunrpc::PROTOCOLS,
    dns::PROTOCOLS,
    nvme_tcp::PROTOCOLS,
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
