//! What a service identifier of connection management stands for.

use crate::report::Service;

/// IP connection management: this prefix, then 8 bits of IP protocol and 16 of port (IBTA vol 1, annex A11.3).
const IP_SERVICE: u64 = 1;

/// Services by the port of their IP service identifier. To name another, add a line.
/// Sources: IANA service names; Linux: `nvme-rdma.h`, `xprtrdma`, `rds/rdma_transport.h`, `rtrs`; Lustre `o2iblnd.h`; GlusterFS `glusterd.vol`.
const BY_PORT: [(u16, Service); 15] = [
    (445, "smb-direct"),
    (5445, "smb-direct"),
    (860, "iser"),
    (3260, "iser"),
    (987, "lustre-o2ib"),
    (988, "lustre-o2ib"),
    (1234, "rtrs"),
    (4420, "nvme-rdma"),
    (8009, "nvme-rdma"),
    (16385, "rds"),
    (18634, "rds"),
    (18635, "rds"),
    (20049, "nfs-rdma"),
    (24008, "glusterfs-rdma"),
    (2049, "nfs-rdma"),
];

/// Name of a service identifier, if it has one.
pub(super) fn name(service_id: u64) -> Option<Service> {
    if service_id >> 24 != IP_SERVICE {
        return None;
    }
    let port = (service_id & 0xffff) as u16;
    BY_PORT.iter().find(|(known, _)| *known == port).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ip_services_are_named_by_their_port() {
        assert_eq!(name(0x0106_4e51), Some("nfs-rdma"));
        assert_eq!(name(0x0106_49b9), None);
        // The same low bits under another authority: a vendor's or SRP's identifier.
        assert_eq!(name(0x0002_c903_0106_1144), None);
    }
}
