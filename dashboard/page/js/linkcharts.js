// The panels of a link: what is measured on it, in the order in which one asks.

import { t } from "./i18n.js";

const none = (values) => values.every((value) => value === null);
const line = (label, colour, values, more) => ({ label, colour, values, ...more });

// only: names of panels to show, for a finding; threshold: { panel, value }.
export function linkPanels(series, link, { only, threshold } = {}) {
  const nothing = none(series.packets);
  const pfcHidden = link.pfc.visible !== "yes";
  const panels = [
    { key: "rate", title: t("chart.rate"), format: "bps", height: 170, floor: 1, missing: nothing ? t("why.no_packet_in_window") : null, note: link.speed_bps ? null : t("why.no_speed"),
      series: [line(t("chart.max_100us"), "--p50", series.max_bps_100us, { width: 1 }), line(t("chart.max_1ms"), "--p90", series.max_bps_1ms, { width: 1 }), line(t("chart.mean"), "--p99", series.bps, { fill: 0.35 })] },
    { key: "ce", title: t("chart.ce"), format: "share", height: 84, missing: nothing ? t("why.no_packet_in_window") : none(series.ce_share) ? t("why.no_ect") : null,
      series: [line(t("col.ce"), "--ce", series.ce_share, { fill: 0.3 })] },
    { key: "cnp", title: t("chart.cnp"), format: "count", height: 70, missing: nothing ? t("why.no_packet_in_window") : null, series: [line(t("chart.cnp_step"), "--ce", series.cnp_packets, { fill: 0.3 })] },
    { key: "pfc", title: t("chart.pfc"), format: "share", height: 70, missing: pfcHidden ? t(link.pfc.visible === "no" ? "why.pfc_no" : "why.pfc_unknown") : null,
      series: [line(t("chart.paused"), "--critical", series.paused_share, { fill: 0.3 })] },
    { key: "rtt", title: t("chart.rtt"), format: "ns", log: true, height: 150, missing: none(series.rtt_p50) ? t("why.no_rtt") : null, note: t("chart.rtt.note"),
      series: [line("p50", "--p50", series.rtt_p50), line("p90", "--p90", series.rtt_p90), line("p99", "--p99", series.rtt_p99), line("p99.9", "--p999", series.rtt_p999, { dash: [5, 3] })] },
    { key: "retransmitted", title: t("chart.retransmitted"), format: "count", height: 84, missing: nothing ? t("why.no_packet_in_window") : null, series: [line(t("chart.retransmitted_step"), "--critical", series.retransmitted, { fill: 0.3 })] },
  ];
  if (threshold) panels.forEach((panel) => { if (panel.key === threshold.panel) panel.threshold = threshold.value; });
  return only ? panels.filter((panel) => only.includes(panel.key)) : panels;
}

// Which panels show what a kind of finding is about, and which of them has its threshold.
const SHOWN = {
  ecn_congestion: ["ce", "cnp", "rate"], cnp_pressure: ["cnp", "ce"], congestion_control_off: ["ce", "cnp"], pfc_congestion: ["pfc", "rate"], pfc_storm: ["pfc", "rate"], pfc_deadlock: ["pfc", "rate"],
  rtt_inflation: ["rtt", "rate"], fabric_loss: ["retransmitted", "rate"], timeout_retransmit: ["retransmitted", "rate"], goback_waste: ["retransmitted", "rate"], reordering: ["retransmitted", "rate"], corruption: ["retransmitted", "rate"],
};
const UNITS = { ce: ["share", "ratio"], pfc: ["share", "ratio"], rtt: ["ns"], rate: ["bit/s", "bps"] };

export function panelsFor(finding) {
  const only = SHOWN[finding.kind] || ["rate"];
  const units = UNITS[only[0]] || [];
  return { only, threshold: units.includes(finding.unit) ? { panel: only[0], value: finding.threshold } : undefined };
}

