// English. Keys are the same in every language; a key with a count has `.one` and `.other`.

import kinds from "./en-kinds.js";

export default {
  ...kinds,
  "nav.label": "Pages", "nav.now": "Now", "nav.links": "Links", "nav.jobs": "Jobs", "nav.flows": "Flows", "nav.qps": "Queue pairs", "nav.findings": "Findings", "nav.sensor": "Sensor",
  "bar.lang": "Language: 中文", "bar.light": "Light", "bar.dark": "Dark", "bar.help": "Keys and help",
  "bar.critical.one": "{n} critical finding in this window", "bar.critical.other": "{n} critical findings in this window", "bar.warning.one": "{n} warning in this window", "bar.warning.other": "{n} warnings in this window",
  "at": "at",

  "mode.live": "Live", "mode.live.why": "New data is shown as it comes. Click or press space to pause.",
  "mode.paused": "Paused", "mode.paused.why": "New data is not shown. Press L to go on.",
  "mode.history": "History", "mode.history.why": "A fixed window. Press L to return to live.",
  "mode.replay": "Replay", "mode.replay.why": "A capture, read to its end. All times are the capture's.",
  "mode.reading": "Replay, reading", "mode.reading.why": "A capture is being read. All times are the capture's.",
  "mode.stale": "Stale {seconds} s", "mode.stale.why": "The sensor is connected but sends nothing: what you see is old.",
  "mode.reconnecting": "Reconnecting", "mode.reconnecting.why": "The connection to the sensor is lost: what you see is old.",
  "mode.stored": "Stored", "mode.stored.why": "No analysis runs in this process; what the store holds is shown.",
  "mode.connecting": "Connecting", "mode.connecting.why": "The sensor has not answered yet.",
  "stream.open": "open", "stream.connecting": "connecting", "stream.lost": "lost, reconnecting", "stream.absent": "none: no analysis runs in this process",

  "time.label": "Time", "time.nothing": "No data yet", "time.presets": "Length of the window", "time.whole": "All", "time.move": "Move the window", "time.back": "Earlier by half", "time.forth": "Later by half", "time.in": "Zoom in", "time.out": "Zoom out",
  "time.from": "Start of the window", "time.to": "End of the window", "time.invalid": "Type a time such as 07:07:47.312 or 2026-03-02T07:07:47.312Z; the end must be after the start.", "time.zone": "Time zone of every time on this page: UTC or this browser's", "time.copy": "Copy link",

  "level.critical": "Critical", "level.warning": "Warning", "level.info": "Info", "level.ok": "OK", "level.unknown": "Unknown",
  "state.zero": "measured zero", "state.idle": "idle", "state.quiet": "no frame at all", "state.not_observed": "not observed", "state.partly": "partly observed", "state.unknown": "unknown",

  "why.idle": "The mirror delivered in this window, but no packet of this link.",
  "why.idle_step": "the mirror delivered, but no packet of this link.",
  "why.tap_silent": "The mirror behind this link delivered nothing in this window.",
  "why.tap_silent_step": "the mirror behind this link delivered nothing.",
  "why.quiet_step": "nothing was captured on any tap: idle and blind cannot be told apart.",
  "why.partly": "the mirror lost frames in this step.",
  "why.no_ect": "No packet that could be marked (ECT or CE) was seen on this link: marks cannot be judged.",
  "why.no_psn": "No RDMA conversation on this link: loss cannot be located.",
  "why.no_rtt": "No request and its acknowledgement were both seen at this tap.",
  "why.few": "{n} samples: fewer than 1,000, so this percentile stands on fewer than ten of them.",
  "why.pfc_unknown": "Unknown: PFC was never seen on this mirror. Most switches do not mirror pause frames.",
  "why.pfc_no": "This mirror does not deliver PFC.",
  "why.no_speed": "The link's speed is not in the topology.",
  "why.no_packet_in_window": "No packet of this link in this window.",
  "why.no_app": "Neither payload, port nor behaviour told what this is.",
  "why.no_service": "Neither connection management nor payload named the service.",
  "why.not_paired": "BTH names only the destination queue pair, and neither CM messages nor acknowledgements showed the other.",
  "why.no_message": "No message ended in this window.",
  "why.not_numbered": "This mirror does not number its frames: what it loses leaves no trace.",

  "failed.title": "This could not be loaded.", "failed.no_answer": "The sensor does not answer.", "failed.status": "The sensor answered {status}.", "failed.request": "request {id}", "failed.retry": "Try again",
  "copy.done": "Copied", "copy.failed": "Not copied", "copy.text": "Copy as text", "copy.json": "Copy as JSON",

  "first.title": "Nothing to show yet", "first.answers": "The sensor answers.", "first.analysis": "An analysis runs in this process.", "first.no_analysis": "No analysis runs in this process: it serves a store. Start one with replay or live, or point it at a store that holds data.",
  "first.frames": "Frames arrive.", "first.no_frames": "No frame yet. Check that the mirror is on and that it leads to this interface or file.", "first.no_data": "The store holds no data yet. This page fills by itself.",

  "verdict.label": "Verdict", "verdict.sentence": "{wrong}. {blame} {pays}", "verdict.no_fault": "No fault found", "verdict.no_packet": "No packet in this window",
  "blame.network": "It is the network.", "blame.host": "It is not the network: it is a host.", "blame.job": "It is not the network: it is the job itself.", "blame.none": "Nothing speaks against the network.", "blame.unknown": "Nothing can be said of the network.",
  "pays.job": "Job {job} pays {cost} per step{more}.", "pays.more": ", {n} more pay too", "pays.unknown": "Who pays is not known here.", "pays.no_job": "No training job was recognised, so nobody is known to pay.", "pays.none": "No job pays.", "pays.not_measured": "No cost was measured in any job.",
  "about.network": "Network", "about.job": "Jobs", "about.sight": "Our own sight",
  "card.more.one": "{n} more", "card.more.other": "{n} more", "card.no_fault": "No fault found", "card.no_fault.detail": "{active} of {links} links carried packets in this window.",
  "card.no_packet": "No packet in this window", "card.no_packet.detail": "{active} of {links} links carried packets in this window.",
  "card.jobs_not_known": "Jobs are not known here", "card.jobs_not_known.detail": "Jobs are recognised by a running analysis; this process only serves a store.",
  "card.no_job": "No training job recognised", "card.no_job.detail": "Hosts that train together show as periodic groups of RDMA traffic; none was found.",
  "card.jobs_fine": "No job is slowed", "card.jobs_fine.detail": "{jobs} recognised.",
  "card.sight_not_known": "Our own sight is not known here", "card.sight_not_known.detail": "What the mirror lost is told by a running analysis; this process only serves a store.",
  "card.sight_good": "The mirror lost nothing that it numbered", "card.sight_good.detail": "{packets} frames read, {refused} not understood, {truncated} cut.",
  "card.sight_unnumbered": "What the mirror lost cannot be known", "card.sight_unnumbered.detail": "It does not number its frames. {packets} frames read, {refused} not understood, {truncated} cut.", "card.mirror_lost": "The mirror lost {lost} frames", "card.mirror_lost.detail": "{packets} frames read, {refused} not understood, {truncated} cut. This is our sight, not the fabric.", "card.sampled": "Sampled 1 in {n}: loss cannot be measured.",

  "links.title": "Links", "links.active": "{active} of {n} carried packets", "links.none": "No link is known yet: a link appears with its first packet, or from the topology.", "links.no_match": "No link matches “{q}”.", "links.all": "All links", "links.caption": "Links with their rate over time", "links.search": "Search links, hosts, taps  /", "links.by_worst": "Worst first", "links.by_deviation": "Most unusual first",
  "heat.colour": "Colour of the cells", "heat.dev": "Deviation", "heat.dev.why": "Colour where a link is far from its own last 40 steps", "heat.load": "Load", "heat.load.why": "Colour by share of the link's speed", "heat.of_speed": "of link speed", "heat.below": "{n} σ under its own past", "heat.above": "{n} σ over it", "heat.mean": "mean", "heat.peak": "peak of 100 µs", "heat.ce": "ECN marks", "heat.finding": "finding", "heat.axis": "Time", "heat.deviation": "deviation", "heat.too_few": "too little before it",
  "heat.summary": "{n} steps: {far} unusual, {idle} idle, {unseen} not observed",
  "table.all.one": "{n} in all", "table.all.other": "{n} in all", "table.back": "Previous", "table.next": "Next", "table.range": "{from}–{to} of {n}", "table.first": "{shown} of {n}, worst first.", "filter.remove": "Remove filter: {what}",

  "col.link": "Link", "col.mean": "Mean", "col.mean.why": "Mean rate over the whole window, from the first packet of the capture to its last", "col.peak_1ms": "Peak 1 ms", "col.peak_100us": "Peak 100 µs", "col.peak.why": "The same traffic has another peak in another bin", "col.ce": "CE share", "col.ce.why": "Packets marked Congestion Experienced", "col.cnp": "CNP", "col.cnp.why": "Congestion notification packets", "col.pfc": "Paused", "col.pfc.why": "Time the worst class was paused by PFC", "col.retransmitted": "Retrans.", "col.retransmitted.why": "Retransmitted packets, RDMA and TCP",
  "col.lost": "Lost", "col.lost.why": "Packets lost before or after the tap", "col.rtt_p99": "RTT p99", "col.rtt.why": "Request to acknowledgement, seen at the tap", "col.flows": "Flows",
  "col.src": "Source", "col.dst": "Destination", "col.l4": "L4", "col.app": "App", "col.qp": "Dst QP", "col.host_name": "Name", "col.bytes": "Bytes", "col.packets": "Packets", "col.ce_packets": "CE", "col.first": "First seen", "col.lasted": "Duration", "col.dst_qp": "Dst QP", "col.src_qp": "Src QP", "col.transport": "Transport", "col.service": "Service", "col.messages": "Messages", "col.message_bytes": "Payload", "col.message_mean": "Mean size", "col.nak": "NAK", "col.nak.why": "NAKs carried in this direction, all codes", "col.gaps": "PSN gaps", "col.gaps.why": "Forward jumps of the packet sequence number", "col.timeouts": "Timeouts",
  "col.severity": "Severity", "col.finding": "Finding", "col.kind": "Kind", "col.subject": "Subject", "col.value": "Value", "col.threshold": "Threshold", "col.since": "Since", "col.cost": "Cost per step", "col.state": "State", "col.at": "Time", "col.ends": "From → to", "col.shows": "Shows",
  "rtt.samples": "{n} samples", "pfc.frames": "{n} pause frames", "pfc.yes": "yes", "pfc.no": "no", "pfc.unknown": "unknown: none was ever seen on this mirror",

  "link.over_time": "Over time", "link.speed": "Speed", "link.utilization": "Mean load", "link.lost_before": "Lost before tap", "link.lost_before.why": "A gap here, and a repeat later: lost between the sender and this tap", "link.lost_after": "Lost after tap", "link.lost_after.why": "Seen here and asked for again: lost between this tap and the receiver", "link.silent": "Longest silence", "link.silent.why": "Longest time between two packets", "link.no_finding": "No finding on this link in this window.",
  "link.provenance": "Where this is seen", "link.from": "From", "link.to": "To", "link.packets": "Packets", "link.bytes": "Bytes", "link.first": "First packet", "link.last": "Last packet", "link.icrc": "ICRC", "link.icrc.checked": "{bad} wrong of {n} compared", "link.icrc.none": "not compared: frames are cut", "link.pfc_visible": "PFC visible", "link.id": "Id",
  "mirror.tap": "Tap", "mirror.kind": "Envelope", "mirror.session": "Session", "mirror.port": "Port", "mirror.direction": "Direction", "mirror.source": "Mirrored by", "mirror.plain": "none (SPAN or TAP)", "mirror.rspan": "RSPAN VLAN", "mirror.erspan1": "ERSPAN I", "mirror.erspan2": "ERSPAN II", "mirror.erspan3": "ERSPAN III", "mirror.gretap": "GRE", "mirror.vxlan": "VXLAN", "mirror.geneve": "Geneve",
  "chart.rate": "Rate", "chart.mean": "mean", "chart.max_1ms": "peak of 1 ms", "chart.max_100us": "peak of 100 µs", "chart.ce": "CE-marked share", "chart.cnp": "CNP", "chart.cnp_step": "per step", "chart.pfc": "Paused by PFC", "chart.paused": "share of time, worst class", "chart.rtt": "Round trip at the tap", "chart.rtt.note": "request to acknowledgement, log scale", "chart.retransmitted": "Retransmissions", "chart.retransmitted_step": "packets per step", "chart.most": "max", "chart.step": "step of {step}", "chart.hint": "Steps of {step}. Point at a moment to read it; arrow keys move the cursor.", "chart.zoom_hint": "Drag to zoom, double-click or 0 to reset", "chart.label": "Measurements of {name} over time",

  "flows.caption": "Flows", "flows.mix": "What runs here", "flows.mix_all": "by bytes, all {n} flows", "flows.mix_part": "by bytes, the largest {n} of {all} flows", "flows.rest": "{n} others", "flows.n.one": "{n} flow", "flows.n.other": "{n} flows", "flows.all": "All {n} flows of this link", "flows.search": "Search addresses, ports, names  /", "flows.any_app": "Any app", "flows.none": "No flow in this window.", "flows.no_match": "No flow matches these filters.",
  "app.unknown": "unknown", "app.how": "Named by {how}, confidence {sure}", "engine.dpi": "payload", "engine.dfi": "behaviour", "engine.port": "port", "engine.none": "nothing",
  "qps.caption": "Queue pairs", "qps.n.one": "{n} direction", "qps.n.other": "{n} directions", "qps.all": "All {n} of this link", "qps.search": "Search addresses, numbers, services  /", "qps.any_service": "Any service", "qps.none": "No RDMA queue pair in this window.", "qps.no_match": "No queue pair matches these filters.",
  "paired.cm": "Paired by connection management", "paired.psn": "Paired by acknowledged sequence numbers", "paired.none": "Not paired",
  "qp.title": "{src} → {dst}, queue pair {qp}", "qp.copies": "Copies", "qp.copies.why": "Seen again on another mirror", "qp.nak": "NAK", "qp.nak.why": "Sequence error / invalid request / remote access / remote operation", "qp.rnr": "RNR NAK", "qp.inversions": "Out of order", "qp.operations": "Operations",

  "findings.title": "Findings", "findings.all": "All {n}", "findings.none": "No finding in this window: nothing crossed a threshold.", "findings.no_match": "No finding matches these filters.", "findings.search": "Search kind, subject, text  /", "findings.any_severity": "Any severity", "findings.any_kind": "Any kind", "findings.any_state": "Open and closed", "findings.counts": "{critical} critical, {warning} warning, {info} info; {open} open", "findings.part": "The newest {n} of {all} findings were looked through: choose a shorter window.",
  "finding.open": "open", "finding.closed": "closed", "finding.title": "{subject} {says}", "finding.against": "{value} (threshold {threshold})", "finding.explained": "{title}. Measured {against}; {when}.", "finding.open_since": "open since {since}", "finding.lasted": "from {since} for {lasted}", "finding.consequences.one": "{n} consequence", "finding.consequences.other": "{n} consequences", "finding.same.one": "{n} more of this kind", "finding.same.other": "{n} more of this kind", "finding.follows": "Follows from the finding above", "finding.chain": "Cause and consequences", "finding.chart": "On the link at that time", "finding.numbers": "Evidence", "finding.no_numbers": "No numbers were kept.", "finding.packets": "First packets", "finding.no_packets": "No single packet shows this.", "finding.involved": "Involved", "finding.caveats": "What limits this judgement", "finding.advice": "Next:", "finding.since": "Since", "finding.until": "Until", "finding.cost": "Costs job {job} per step", "finding.judged": "How this is judged", "finding.zoom": "Zoom to it",

  "sight.title": "Our own sight", "sight.more": "Can I trust it?", "sight.frames": "Frames", "sight.lost": "Lost", "sight.lost.why": "Frames lost by the mirror or the capture, never by the fabric", "sight.refused": "Refused", "sight.refused.why": "Frames that could not be read, counted by reason", "sight.truncated": "Cut", "sight.truncated.why": "Frames cut by the mirror or the capture", "sight.duplicated": "Copies", "sight.duplicated.why": "Packets seen more than once", "sight.evicted": "Evicted", "sight.evicted.why": "Flows that lost their place in a full table",
  "sensor.who": "Sensor", "sensor.name": "Name", "sensor.version": "Version", "sensor.mode": "Mode", "sensor.store": "Store", "sensor.stream": "Live stream", "sensor.sources": "Reads", "sensor.trust": "Trust", "sensor.detectors": "What is judged", "sensor.detectors.n": "{n} detectors; thresholds by preset", "knob.title": "Thresholds", "knob.name": "Threshold", "knob.unit": "Unit", "knob.what": "What it decides", "knob.source": "Source", "sensor.wire": "On the wire", "sensor.captured": "Captured", "sensor.captured.why": "What the mirror left of the frames",
  "trust.whole": "Everything that was delivered was understood", "trust.whole.detail": "{n} frames read; none lost, none refused, nothing forgotten.", "trust.limited": "Read with these limits", "trust.lost": "The mirror or the capture lost {n} frames ({share}): intervals with losses are marked, and no loss is blamed on the fabric in them.", "trust.unnumbered": "{n} of {all} taps do not number their frames: what their mirrors lose leaves no trace.", "trust.refused.one": "{n} frame ({share}) could not be read as a packet.", "trust.refused.other": "{n} frames ({share}) could not be read as packets.", "trust.evicted": "{n} flows lost their place in a full table: their totals are split.", "trust.widened": "{n} ticks were merged because the analysis was behind: totals are right, resolution is coarser.", "trust.links_refused": "{n} links did not fit into the table.", "trust.damage.one": "{n} file is damaged: everything readable was analysed.", "trust.damage.other": "{n} files are damaged: everything readable was analysed.",
  "tap.title": "Taps", "tap.none": "No tap delivered anything yet.", "tap.loss_share": "Loss share", "refused.title": "Refused frames", "refused.note": "every frame that was not understood, by name", "refused.reason": "Reason", "refused.share": "Share", "refused.none": "No frame was refused.", "limit.title": "Full tables and late work", "limit.note": "Every bound is counted when it is met.", "limit.flows_evicted": "Flows evicted", "limit.qps_evicted": "Queue pairs evicted", "limit.links_refused": "Links refused", "limit.ticks_widened": "Ticks widened",
  "file.title": "Files", "file.path": "File", "file.link_types": "Link type", "file.bytes": "Captured", "file.damage": "Damage", "file.whole": "none",

  "jobs.none": "No training job recognised. Hosts that train together show as periodic groups of RDMA traffic.", "jobs.no_such": "There is no such job.", "jobs.confidence": "confidence {share}", "jobs.hosts": "Hosts", "jobs.steps": "Steps", "jobs.step_time": "Time of a step", "jobs.communication": "Communicates (median)", "jobs.no_steps": "No whole step was seen yet.", "jobs.dots": "Step times", "jobs.dots_note": "each step; median {usual}, squares are over {far} (3 σ)", "jobs.collectives": "Collectives", "jobs.no_collectives": "No collective was recognised.", "jobs.busbw": "Bus bandwidth", "jobs.stragglers": "Stragglers", "jobs.no_stragglers": "No host makes the others wait.", "jobs.last_steps": "The last {n} steps", "jobs.strip": "Steps over time: communicates, computes", "jobs.communicates": "communicates", "jobs.computes": "computes (no traffic)", "jobs.pays": "What it pays for", "jobs.cost": "{cost} per step", "jobs.partly": "partly seen", "jobs.partly.why": "Not every pair of it passes one of our taps", "jobs.ranks": "{seen} of {n}", "jobs.sure": "Confidence", "jobs.of_time": "{share} of the job's time", "parallel.data": "data parallel", "parallel.pipeline": "pipeline parallel", "parallel.tensor": "tensor parallel", "parallel.expert": "expert parallel", "jobs.more_hosts": "{n} more",
  "cause.slow_message": "its messages are slow (network)", "cause.late_start": "it starts late (compute)",
  "collective.ring_allreduce": "Ring all-reduce", "collective.tree_allreduce": "Tree all-reduce", "collective.reduce_scatter": "Reduce-scatter", "collective.all_gather": "All-gather", "collective.all_to_all": "All-to-all", "collective.broadcast": "Broadcast", "collective.point_to_point": "Point to point", "collective.many_to_one": "Many to one", "collective.one_to_many": "One to many", "collective.unknown": "Unknown",

  "subject.link": "Link {name}", "subject.host": "Host {name}", "subject.qp": "Queue pair {src} → {dst} {qp}", "subject.job": "Job {name}", "subject.tap": "Tap {name}", "subject.fabric": "The fabric",
  "help.title": "Keys", "help.keys_on": "Keys are on", "help.api": "API", "help.metrics": "Metrics", "help.report": "Report", "help.close": "Close",
  "key.now": "Now", "key.links": "Links", "key.jobs": "Jobs", "key.flows": "Flows", "key.qps": "Queue pairs", "key.findings": "Findings", "key.sensor": "Sensor", "key.search": "Search", "key.rows": "Next row, previous row, open", "key.up": "Back to the list", "key.shift": "Window earlier, later", "key.zoom": "Zoom in, out", "key.reset": "Whole window", "key.pause": "Pause, go on", "key.live": "Live", "key.refresh": "Refresh", "key.cursor": "Cursor in cells and charts", "key.theme": "Dark, light", "key.lang": "English, 中文", "key.help": "This list",
};
