//! What LLDP says of classes: priority flow control, transmission selection, which application uses which priority
//! (IEEE 802.1Qaz annex D; before it the CEE form of DCBX 1.01).

/// Entries of an application table that are kept.
const APPLICATIONS: usize = 32;

/// Classes as a port announces them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Classes {
    /// Priorities with flow control, one bit each.
    pub pfc: Option<u8>,
    /// Traffic class of each priority.
    pub traffic_class: Option<[u8; 8]>,
    /// Share of the link of each traffic class, in percent.
    pub bandwidth_percent: Option<[u8; 8]>,
    /// Priorities by what selects them.
    pub applications: Vec<Application>,
}

/// One entry of an application table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Application {
    /// 1 Ethertype, 2 TCP or SCTP port, 3 UDP port, 4 any port, 5 DSCP.
    pub selector: u8,
    /// The Ethertype, port or DSCP.
    pub id: u16,
    /// The priority.
    pub priority: u8,
}

impl Classes {
    /// The priority that a DSCP is put into, if it says so.
    pub fn priority_of_dscp(&self, dscp: u8) -> Option<u8> {
        self.applications.iter().find(|a| a.selector == 5 && a.id == u16::from(dscp)).map(|a| a.priority)
    }

    /// The priority that RoCEv2 is put into by its UDP port, if it says so.
    pub fn priority_of_roce(&self) -> Option<u8> {
        self.applications.iter().find(|a| matches!(a.selector, 3 | 4) && a.id == 4791).map(|a| a.priority)
    }

    /// Has a priority flow control?
    pub fn is_lossless(&self, priority: u8) -> Option<bool> {
        self.pfc.map(|pfc| pfc >> (priority & 7) & 1 == 1)
    }
}

/// Adds what an organisation's TLV says: three bytes of organisation, a subtype.
pub(super) fn dcbx(value: &[u8], classes: &mut Option<Classes>) {
    match value {
        [0, 0x80, 0xc2, 9, _, rest @ ..] => ets(rest, classes.get_or_insert_default()),
        [0, 0x80, 0xc2, 0x0b, _, pfc, ..] => classes.get_or_insert_default().pfc = Some(*pfc),
        [0, 0x80, 0xc2, 0x0c, _, table @ ..] => applications(table, classes.get_or_insert_default()),
        [0, 0x1b, 0x21, 2, features @ ..] => cee(features, classes),
        _ => {}
    }
}

/// Four bits of class a priority, then the shares.
fn ets(rest: &[u8], classes: &mut Classes) {
    let Some((assigned, rest)) = rest.split_first_chunk::<4>() else { return };
    let mut of = [0; 8];
    for (pair, byte) in of.chunks_exact_mut(2).zip(assigned) {
        pair.copy_from_slice(&[byte >> 4, byte & 0xf]);
    }
    classes.traffic_class = Some(of);
    classes.bandwidth_percent = rest.first_chunk::<8>().copied();
}

/// Entries of three bytes: priority, selector, identifier.
fn applications(table: &[u8], classes: &mut Classes) {
    for entry in table.chunks_exact(3) {
        if let (&[first, high, low], true) = (entry, classes.applications.len() < APPLICATIONS) {
            let (selector, priority) = (first & 7, first >> 5);
            classes.applications.push(Application { selector, id: u16::from_be_bytes([high, low]), priority });
        }
    }
}

/// Features as TLVs inside: operating version, maximum version, flags, subtype, then the content. 3 is flow control.
fn cee(mut features: &[u8], classes: &mut Option<Classes>) {
    while let Some((&[high, low], rest)) = features.split_first_chunk::<2>() {
        let len = usize::from(high & 1) << 8 | usize::from(low);
        let Some((feature, after)) = rest.split_at_checked(len) else { return };
        if let (3, &[_, _, _, _, pfc, ..]) = (high >> 1, feature) {
            classes.get_or_insert_default().pfc = Some(pfc);
        }
        features = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_both_forms() {
        let mut classes = None;
        dcbx(&[0, 0x80, 0xc2, 0x0b, 0x88, 0x08], &mut classes);
        dcbx(&[0, 0x80, 0xc2, 0x0c, 0, 3 << 5 | 5, 0, 26, 3 << 5 | 3, 0x12, 0xb7], &mut classes);
        let ets = [0, 0x80, 0xc2, 9, 0x83, 0x00, 0x01, 0x00, 0x00, 50, 50, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0];
        dcbx(&ets, &mut classes);
        let read = classes.unwrap();
        assert_eq!(
            (read.priority_of_dscp(26), read.priority_of_roce(), read.priority_of_dscp(0)),
            (Some(3), Some(3), None)
        );
        assert_eq!((read.is_lossless(3), read.is_lossless(0)), (Some(true), Some(false)));
        assert_eq!((read.traffic_class.unwrap()[3], read.bandwidth_percent.unwrap()[1]), (1, 50));
        let mut classes = None;
        dcbx(&[0, 0x1b, 0x21, 2, 6, 6, 0, 0, 0x80, 0, 0x08, 8], &mut classes);
        assert_eq!(classes.unwrap().pfc, Some(8));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(start in proptest::sample::select(vec![9_u8, 11, 12]), tail in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..60)) {
            let mut classes = None;
            dcbx(&[&[0, 0x80, 0xc2, start][..], &tail].concat(), &mut classes);
            dcbx(&[&[0, 0x1b, 0x21, 2][..], &tail].concat(), &mut classes);
        }
    }
}
