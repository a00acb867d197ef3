//! Findings of the made-up minute: a root with consequences, a closed one, one about our own sight, one with hostile text.

use analyzer::report::{
    Collective, Evidence, Finding, FirstPacket, Job, JobCost, Severity, Step, StepTime, Straggler, Subject, SubjectQp,
};

use super::{HOSTILE, START_NS, TICK_NS};

const CONGESTED: &str = "leaf0-gpu-3:leaf0>gpu-3";

fn at(tick: u64) -> u64 {
    START_NS + tick * TICK_NS
}

fn on_link(id: &str) -> Subject {
    Subject { link: Some(id.to_owned()), ..Subject::default() }
}

fn numbers(of: &[(&str, f64)]) -> Evidence {
    Evidence { numbers: of.iter().map(|&(name, value)| (name.to_owned(), value)).collect(), ..Evidence::default() }
}

fn congestion() -> Finding {
    let packet = |ns, psn| FirstPacket {
        at_ns: at(300) + ns,
        src: "10.1.0.2".to_owned(),
        dst: "10.1.0.4".to_owned(),
        dst_qp: Some(0x1103),
        psn: Some(psn),
        what: "CE-marked".to_owned(),
    };
    Finding {
        id: "ecn_congestion-1".to_owned(),
        kind: "ecn_congestion".to_owned(),
        severity: Severity::Critical,
        subject: on_link(CONGESTED),
        since_ns: at(300),
        until_ns: Some(at(420)),
        value: 0.12,
        unit: "share".to_owned(),
        threshold: 0.1,
        jobs: vec![JobCost { job: "job-1".to_owned(), cost_ns_per_step: 18_200_000 }],
        explanation: "Switches marked 12 % of the RoCE packets on leaf0 to gpu-3 for 12 s; 3 queue pairs slowed down."
            .to_owned(),
        advice: "Look at what else uses leaf0 to gpu-3 between 08:00:30 and 08:00:42.".to_owned(),
        evidence: Evidence {
            first_packets: vec![packet(1_234_567, 4_711), packet(1_239_001, 4_712)],
            involved: vec!["10.1.0.2 -> 10.1.0.4 #4355".to_owned(), "10.1.0.7 -> 10.1.0.4 #4367".to_owned()],
            caveats: vec!["The mirror cut frames at 128 bytes: ICRC was not compared.".to_owned()],
            ..numbers(&[
                ("ce_packets", 64_310.0),
                ("ce_share", 0.12),
                ("cnp_packets", 7_140.0),
                ("window_ns", 1e9),
                ("max_bps_100us", 2e11),
            ])
        },
        ..Finding::default()
    }
}

fn consequences() -> [Finding; 2] {
    let qp = SubjectQp { src: "10.1.0.2".to_owned(), dst: "10.1.0.4".to_owned(), dst_qp: 0x1103 };
    let cause = Some("ecn_congestion-1".to_owned());
    let inflation = Finding {
        id: "rtt_inflation-1".to_owned(),
        kind: "rtt_inflation".to_owned(),
        severity: Severity::Warning,
        subject: on_link(CONGESTED),
        since_ns: at(303),
        until_ns: Some(at(421)),
        value: 381_000.0,
        unit: "ns".to_owned(),
        threshold: 120_000.0,
        cause: cause.clone(),
        explanation: "Requests over leaf0 to gpu-3 were acknowledged after 381 us (p99); 40 us is usual.".to_owned(),
        advice: "Follow its cause.".to_owned(),
        evidence: numbers(&[("rtt_p99_ns", 381_000.0), ("baseline_p99_ns", 40_000.0), ("samples", 94_800.0)]),
        ..Finding::default()
    };
    let timeout = Finding {
        id: "timeout_retransmit-1".to_owned(),
        kind: "timeout_retransmit".to_owned(),
        severity: Severity::Critical,
        subject: Subject { qp: Some(qp), ..on_link(CONGESTED) },
        since_ns: at(320),
        until_ns: Some(at(401)),
        value: 3.0,
        unit: "timeouts".to_owned(),
        threshold: 3.0,
        cause,
        explanation: "Queue pair 10.1.0.2 to 10.1.0.4 #4355 repeated after 67 ms of silence, 3 times.".to_owned(),
        advice: "Follow its cause.".to_owned(),
        evidence: numbers(&[("timeouts", 3.0), ("longest_silence_ns", 67_200_000.0)]),
        ..Finding::default()
    };
    [inflation, timeout]
}

fn others() -> [Finding; 3] {
    let blind = Finding {
        id: "mirror_loss-1".to_owned(),
        kind: "mirror_loss".to_owned(),
        severity: Severity::Warning,
        subject: Subject { tap: Some("leaf0.pcap erspan3 session 7 from 10.255.0.7".to_owned()), ..Subject::default() },
        since_ns: at(100),
        until_ns: Some(at(108)),
        value: 248.0,
        unit: "frames".to_owned(),
        threshold: 1.0,
        explanation: "The ERSPAN sequence has 8 gaps, 248 frames, between 08:00:10.0 and 08:00:10.8.".to_owned(),
        advice: "Give the mirror session more bandwidth or a filter.".to_owned(),
        evidence: numbers(&[("lost_frames", 248.0), ("gaps", 8.0)]),
        ..Finding::default()
    };
    let silent = Finding {
        id: "link_silent-1".to_owned(),
        kind: "link_silent".to_owned(),
        severity: Severity::Warning,
        subject: on_link("leaf0-gpu-6:leaf0>gpu-6"),
        since_ns: at(480),
        value: 12e9,
        unit: "ns".to_owned(),
        threshold: 1e7,
        explanation: "Nothing on leaf0 to gpu-6 for 12 s while its peers are active.".to_owned(),
        advice: "Look at port leaf0:6 and at the host.".to_owned(),
        evidence: numbers(&[("silent_ns", 12e9), ("usual_gap_p999_ns", 400_000.0)]),
        ..Finding::default()
    };
    let hostile = Finding {
        id: "qos_misconfigured-1".to_owned(),
        kind: "qos_misconfigured".to_owned(),
        severity: Severity::Info,
        subject: Subject { host: Some(HOSTILE.to_owned()), ..Subject::default() },
        since_ns: at(20),
        value: 41.0,
        unit: "packets".to_owned(),
        threshold: 1.0,
        explanation: format!("Host {HOSTILE} sends RoCE that is not ECN capable."),
        advice: "Set ECT on its RoCE traffic.".to_owned(),
        evidence: numbers(&[("not_ect_packets", 41.0)]),
        ..Finding::default()
    };
    [blind, silent, hostile]
}

/// All of them.
pub fn all() -> Vec<Finding> {
    let mut all = vec![congestion()];
    all.extend(consequences());
    all.extend(others());
    all
}

/// The job that pays: half a second a step, more while its link is congested.
pub fn job() -> Job {
    let step = |n: u64| {
        let late = if (60..84).contains(&n) { n % 3 * 9_000_000 } else { n % 5 * 200_000 };
        let start_ns = at(0) + n * 5 * TICK_NS + late;
        Step { start_ns, end_ns: start_ns + 200_000_000 + late, communication_ns: 180_000_000 + late }
    };
    let hosts: Vec<String> = (1..=8).map(|host| format!("10.1.0.{host}")).collect();
    Job {
        id: "job-1".to_owned(),
        collectives: vec![Collective {
            kind: "ring_allreduce".to_owned(),
            hosts: hosts.clone(),
            bytes: 1 << 30,
            busbw_bps: 92_000_000_000,
            complete: true,
            confidence: 0.9,
            reason: "each host sends to one and receives from one, in a circle".to_owned(),
            ..Collective::default()
        }],
        steps: (0..119).map(step).collect(),
        step_ns: Some(StepTime { p50: 500_000_000, p99: 518_200_000 }),
        stragglers: vec![Straggler {
            host: "10.1.0.4".to_owned(),
            cause: "slow_message".to_owned(),
            share: 0.012,
            steps: 16,
        }],
        confidence: 0.9,
        hosts,
        ..Job::default()
    }
}
