//! The list of what may be asked.

/// One address.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Path, with `{name}` for a part that varies.
    pub path: &'static str,
    /// What it answers, one sentence.
    pub about: &'static str,
    /// Type of the answer.
    pub media: &'static str,
    /// Query parameters; all are optional, any other is refused.
    pub params: &'static [Param],
}

/// One query parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What it takes.
    pub kind: Kind,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Integer ns since the epoch.
    Ns,
    /// A whole number between bounds, with its default.
    Whole {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
        /// When absent.
        default: u64,
    },
    /// Text of at most so many characters.
    Text(usize),
    /// One of these; the first is the default.
    OneOf(&'static [&'static str]),
}

const FROM: Param = Param {
    name: "from_ns",
    about: "Start of the window in packet time, ns since the epoch; when absent, the first moment held.",
    kind: Kind::Ns,
};
const TO: Param = Param {
    name: "to_ns",
    about: "End of the window, exclusive; when absent, the end of what is held.",
    kind: Kind::Ns,
};
const STEPS: Param = Param {
    name: "steps",
    about: "Most steps on the time axis.",
    kind: Kind::Whole { min: 1, max: 2000, default: 120 },
};
const SEARCH: Param =
    Param { name: "search", about: "Text found in addresses, ports and names.", kind: Kind::Text(200) };
const LINK: Param = Param { name: "link", about: "Only this link id.", kind: Kind::Text(200) };
const ORDER: Param = Param { name: "order", about: "Direction of the sort.", kind: Kind::OneOf(&["desc", "asc"]) };
const OFFSET: Param =
    Param { name: "offset", about: "Rows to skip.", kind: Kind::Whole { min: 0, max: 10_000_000, default: 0 } };
const LIMIT: Param =
    Param { name: "limit", about: "Rows to give.", kind: Kind::Whole { min: 1, max: 1000, default: 100 } };

const FLOW_SORT: &[&str] = &[
    "bytes",
    "packets",
    "first_ns",
    "last_ns",
    "src",
    "dst",
    "sport",
    "dport",
    "l4",
    "app",
    "retransmitted",
    "ce_packets",
    "link",
];
const QP_SORT: &[&str] = &[
    "packets",
    "messages",
    "message_bytes",
    "first_ns",
    "last_ns",
    "src",
    "dst",
    "dst_qp",
    "service",
    "transport",
    "retransmitted",
    "timeouts",
    "psn_gaps",
    "ce_packets",
    "cnp_packets",
    "rnr",
    "link",
];
const LINK_SORT: &[&str] = &[
    "worst",
    "name",
    "bytes",
    "max_bps_1ms",
    "max_bps_100us",
    "ce_share",
    "cnp_packets",
    "retransmitted",
    "lost",
    "rtt_p99",
    "flows",
    "deviation",
];
const FINDING_SORT: &[&str] = &["severity", "since_ns", "kind", "value"];

const STATE: Param = Param {
    name: "state",
    about: "Only those in this state.",
    kind: Kind::OneOf(&["any", "healthy", "degraded", "avoid"]),
};

/// Every endpoint.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/api/v1/report",
        about: "The newest report of the running analysis, as docs/report.md describes it (times are JSON integers).",
        media: "application/json",
        params: &[],
    },
    Endpoint {
        path: "/api/v1/sensor",
        about: "Who answers, what it read, and what its mirrors lost, cut and sampled.",
        media: "application/json",
        params: &[],
    },
    Endpoint {
        path: "/api/v1/extent",
        about: "First and last moment held, and the sensors that wrote.",
        media: "application/json",
        params: &[],
    },
    Endpoint {
        path: "/api/v1/links",
        about: "Links with their totals over the window and a strip: rate, worst 100 us bin, CE share, deviation from the link's \
                own last 40 steps, and per step m (measured), p (measured while the mirror lost frames), i (idle), n (not \
                observed) or q (no frame on any tap: one of the two).",
        media: "application/json",
        params: &[
            FROM,
            TO,
            STEPS,
            SEARCH,
            Param { name: "id", about: "Only this link id.", kind: Kind::Text(200) },
            Param { name: "sort", about: "Column to sort by.", kind: Kind::OneOf(LINK_SORT) },
            ORDER,
            OFFSET,
            LIMIT,
        ],
    },
    Endpoint {
        path: "/api/v1/links/{id}/series",
        about: "One link on a time axis: start_ns as a string, then equal steps of step_ns; null where no packet was seen.",
        media: "application/json",
        params: &[FROM, TO, STEPS],
    },
    Endpoint {
        path: "/api/v1/flows",
        about: "Flows with their totals over the window.",
        media: "application/json",
        params: &[
            FROM,
            TO,
            SEARCH,
            LINK,
            Param { name: "app", about: "Only this app.", kind: Kind::Text(64) },
            Param { name: "sort", about: "Column to sort by.", kind: Kind::OneOf(FLOW_SORT) },
            ORDER,
            OFFSET,
            LIMIT,
        ],
    },
    Endpoint {
        path: "/api/v1/apps",
        about: "Flows added up by app, the largest 10,000 of the window.",
        media: "application/json",
        params: &[FROM, TO, LINK],
    },
    Endpoint {
        path: "/api/v1/qps",
        about: "Queue-pair directions with their totals over the window.",
        media: "application/json",
        params: &[
            FROM,
            TO,
            SEARCH,
            LINK,
            Param { name: "service", about: "Only this service.", kind: Kind::Text(64) },
            Param { name: "sort", about: "Column to sort by.", kind: Kind::OneOf(QP_SORT) },
            ORDER,
            OFFSET,
            LIMIT,
        ],
    },
    Endpoint {
        path: "/api/v1/findings",
        about: "Findings that touch the window, with counts by severity before paging.",
        media: "application/json",
        params: &[
            FROM,
            TO,
            SEARCH,
            LINK,
            Param { name: "kind", about: "Only this kind.", kind: Kind::Text(64) },
            Param { name: "id", about: "Only this finding.", kind: Kind::Text(200) },
            Param {
                name: "severity",
                about: "Only this severity.",
                kind: Kind::OneOf(&["any", "critical", "warning", "info"]),
            },
            Param { name: "state", about: "Only open or closed ones.", kind: Kind::OneOf(&["any", "open", "closed"]) },
            Param { name: "sort", about: "Column to sort by.", kind: Kind::OneOf(FINDING_SORT) },
            ORDER,
            OFFSET,
            LIMIT,
        ],
    },
    Endpoint {
        path: "/api/v1/findings/{id}",
        about: "One finding, its causes from the nearest to the root, and its consequences.",
        media: "application/json",
        params: &[FROM, TO],
    },
    Endpoint {
        path: "/api/v1/findings/{id}/pcapng",
        about: "The frames around one finding's start, cut after their headers, with comments that Wireshark shows.",
        media: super::evidence::MEDIA,
        params: &[],
    },
    Endpoint {
        path: "/api/v1/jobs",
        about: "Training jobs: those of the running analysis, or where only a store is served, those with a step in the window.",
        media: "application/json",
        params: &[
            FROM,
            TO,
            Param {
                name: "steps",
                about: "Most steps of each job, the newest.",
                kind: Kind::Whole { min: 0, max: 10_000, default: 10_000 },
            },
        ],
    },
    Endpoint {
        path: "/api/v1/availability",
        about: "How long links or nodes were observed, up, degraded and down in the window, how often they failed and how far apart \
                (MTBF, with what it is at least at 95 % confidence), and the chance that a cluster of them passes thirty days \
                without a failure. A link is down while it is silent or in a PFC deadlock, a node while all its links are.",
        media: "application/json",
        params: &[
            FROM,
            TO,
            Param { name: "of", about: "Of what.", kind: Kind::OneOf(&["links", "nodes"]) },
            Param {
                name: "parts",
                about: "Links or nodes that the cluster needs; 0 for as many as were seen.",
                kind: Kind::Whole { min: 0, max: 1_000_000_000, default: 0 },
            },
            OFFSET,
            LIMIT,
        ],
    },
    Endpoint {
        path: "/api/v1/health/hosts",
        about: "For schedulers: hosts as healthy, degraded (a warning is open) or avoid (a critical finding is), since when, why, and \
                the jobs touched. What only follows from another open finding does not count.",
        media: "application/json",
        params: &[STATE],
    },
    Endpoint {
        path: "/api/v1/health/links",
        about: "The same for links.",
        media: "application/json",
        params: &[STATE],
    },
    Endpoint {
        path: "/api/v1/kinds",
        about: "Every kind of finding: what shows it, what to do, its thresholds per preset with their sources.",
        media: "application/json",
        params: &[],
    },
    Endpoint {
        path: "/api/v1/verdict",
        about: "Is something wrong, is it the network, who pays: one card for the fabric, the jobs and our own sight.",
        media: "application/json",
        params: &[FROM, TO],
    },
    Endpoint {
        path: "/api/v1/live",
        about: "Server-sent events: `tick` with the numbers of the newest tick, at most 10 a second.",
        media: "text/event-stream",
        params: &[Param {
            name: "after",
            about: "Sequence of the last tick already had; the first event is newer than that.",
            kind: Kind::Whole { min: 0, max: u64::MAX, default: 0 },
        }],
    },
    Endpoint { path: "/api/v1/openapi.json", about: "This list.", media: "application/json", params: &[] },
    Endpoint {
        path: "/metrics",
        about: "The sensor's counters, open findings and link rates as Prometheus text.",
        media: super::metrics::MEDIA,
        params: &[],
    },
    Endpoint { path: "/healthz", about: "`ok` while the store answers.", media: "text/plain", params: &[] },
];
