// 简体中文。键与其他语言一致；标识符保持原样。

import kinds from "./zh-kinds.js";

export default {
  ...kinds,
  "nav.label": "页面", "nav.now": "当前", "nav.links": "链路", "nav.jobs": "训练作业", "nav.flows": "流", "nav.qps": "队列对", "nav.findings": "诊断结论", "nav.sensor": "探针",
  "bar.lang": "Language: English", "bar.light": "浅色", "bar.dark": "深色", "bar.help": "快捷键与帮助",
  "bar.critical.one": "此时段有 {n} 条严重结论", "bar.critical.other": "此时段有 {n} 条严重结论", "bar.warning.one": "此时段有 {n} 条警告", "bar.warning.other": "此时段有 {n} 条警告",
  "at": "于",

  "mode.live": "实时", "mode.live.why": "新数据到达即显示。点击或按空格键暂停。",
  "mode.paused": "已暂停", "mode.paused.why": "不显示新数据。按 L 键继续。",
  "mode.history": "历史", "mode.history.why": "固定时段。按 L 键回到实时。",
  "mode.replay": "回放", "mode.replay.why": "抓包文件已读完。所有时间均为抓包时间。",
  "mode.reading": "回放，读取中", "mode.reading.why": "正在读取抓包文件。所有时间均为抓包时间。",
  "mode.stale": "数据停更 {seconds} s", "mode.stale.why": "探针已连接但没有发送数据：所见为旧数据。",
  "mode.reconnecting": "重新连接中", "mode.reconnecting.why": "与探针的连接已断开：所见为旧数据。",
  "mode.stored": "存量数据", "mode.stored.why": "本进程没有运行分析，显示的是存储中的数据。",
  "mode.connecting": "连接中", "mode.connecting.why": "探针尚未应答。",
  "stream.open": "已连接", "stream.connecting": "连接中", "stream.lost": "已断开，重新连接中", "stream.absent": "无：本进程没有运行分析",

  "time.label": "时间", "time.nothing": "尚无数据", "time.presets": "时段长度", "time.whole": "全部", "time.move": "移动时段", "time.back": "前移半个时段", "time.forth": "后移半个时段", "time.in": "放大", "time.out": "缩小",
  "time.from": "时段起点", "time.to": "时段终点", "time.invalid": "请输入如 07:07:47.312 或 2026-03-02T07:07:47.312Z 的时间；终点须晚于起点。", "time.zone": "本页所有时间的时区：UTC 或浏览器时区", "time.copy": "复制链接",

  "level.critical": "严重", "level.warning": "警告", "level.info": "提示", "level.ok": "正常", "level.unknown": "未知",
  "state.zero": "实测为零", "state.idle": "空闲", "state.quiet": "无任何帧", "state.not_observed": "未观测", "state.partly": "部分观测", "state.unknown": "未知",

  "why.idle": "此时段镜像有数据，但没有该链路的报文。",
  "why.idle_step": "镜像有数据，但没有该链路的报文。",
  "why.tap_silent": "该链路背后的镜像在此时段没有送来任何数据。",
  "why.tap_silent_step": "该链路背后的镜像没有送来任何数据。",
  "why.quiet_step": "所有采集点均无数据：无法区分空闲与未观测。",
  "why.partly": "镜像在这一步内有丢包。",
  "why.no_ect": "该链路上没有可标记的报文（ECT 或 CE）：无法判断标记。",
  "why.no_psn": "该链路上没有 RDMA 会话：无法定位丢包。",
  "why.no_rtt": "该采集点没有同时看到请求及其应答。",
  "why.few": "样本 {n} 个，不足 1,000：该分位值只由不到十个样本决定。",
  "why.pfc_unknown": "未知：该镜像上从未出现 PFC。多数交换机不镜像暂停帧。",
  "why.pfc_no": "该镜像不送 PFC。",
  "why.no_speed": "拓扑中没有该链路的速率。",
  "why.no_packet_in_window": "此时段没有该链路的报文。",
  "why.no_app": "载荷、端口和行为均不能说明它是什么。",
  "why.no_service": "连接管理和载荷均未说明服务。",
  "why.not_paired": "BTH 只含目的队列对，且 CM 消息和应答均未显示对端。",
  "why.no_message": "此时段没有消息结束。",
  "why.not_numbered": "该镜像不给帧编号：丢失的帧不留痕迹。",

  "failed.title": "加载失败。", "failed.no_answer": "探针没有应答。", "failed.status": "探针应答 {status}。", "failed.request": "请求 {id}", "failed.retry": "重试",
  "copy.done": "已复制", "copy.failed": "未能复制", "copy.text": "复制为文本", "copy.json": "复制为 JSON",

  "first.title": "尚无内容可显示", "first.answers": "探针已应答。", "first.analysis": "本进程正在运行分析。", "first.no_analysis": "本进程没有运行分析，只提供存储中的数据。请用 replay 或 live 启动分析，或指向有数据的存储。",
  "first.frames": "已收到帧。", "first.no_frames": "尚未收到帧。请检查镜像是否已启用，并通向本接口或文件。", "first.no_data": "存储中尚无数据。有数据后本页会自动显示。",

  "verdict.label": "结论", "verdict.sentence": "{wrong}。{blame}{pays}", "verdict.no_fault": "未发现故障", "verdict.no_packet": "此时段没有报文",
  "blame.network": "问题在网络。", "blame.host": "问题不在网络，而在主机。", "blame.job": "问题不在网络，而在作业自身。", "blame.none": "没有迹象指向网络。", "blame.unknown": "无法判断网络状况。",
  "pays.job": "作业 {job} 每步损失 {cost}{more}。", "pays.more": "，另有 {n} 个作业受损", "pays.unknown": "此处不知道由谁承担。", "pays.no_job": "未识别出训练作业，不知道由谁承担。", "pays.none": "没有作业受损。", "pays.not_measured": "未测得任何作业的损失。",
  "about.network": "网络", "about.job": "训练作业", "about.sight": "自身视野",
  "card.more.one": "另有 {n} 条", "card.more.other": "另有 {n} 条", "card.no_fault": "未发现故障", "card.no_fault.detail": "此时段 {links} 条链路中有 {active} 条承载报文。",
  "card.no_packet": "此时段没有报文", "card.no_packet.detail": "此时段 {links} 条链路中有 {active} 条承载报文。",
  "card.jobs_not_known": "此处不知道作业", "card.jobs_not_known.detail": "作业由正在运行的分析识别；本进程只提供存储中的数据。",
  "card.no_job": "未识别出训练作业", "card.no_job.detail": "共同训练的主机表现为周期性的 RDMA 流量组；未发现这样的组。",
  "card.jobs_pay": "{jobs} 个作业受损", "card.jobs_pay.detail": "受损最大的作业每步损失 {cost_ns}。", "card.jobs_fine": "没有作业变慢", "card.jobs_fine.detail": "已识别 {jobs} 个作业。",
  "card.sight_not_known": "此处不知道自身视野", "card.sight_not_known.detail": "镜像丢包由正在运行的分析给出；本进程只提供存储中的数据。",
  "card.sight_good": "凡有编号的镜像帧均未丢失", "card.sight_good.detail": "已读取 {packets} 帧，{refused} 帧无法识别，{truncated} 帧被截断。",
  "card.sight_unnumbered": "无法得知镜像丢了什么", "card.sight_unnumbered.detail": "该镜像不给帧编号。已读取 {packets} 帧，{refused} 帧无法识别，{truncated} 帧被截断。", "card.mirror_lost": "镜像丢失 {lost} 帧", "card.mirror_lost.detail": "已读取 {packets} 帧，{refused} 帧无法识别，{truncated} 帧被截断。这是视野问题，不是网络丢包。", "card.sampled": "采样比 1:{n}：无法测量丢包。",

  "links.title": "链路", "links.active": "{n} 条中有 {active} 条承载报文", "links.none": "尚不知道任何链路：链路随首个报文出现，或来自拓扑。", "links.no_match": "没有链路与“{q}”匹配。", "links.all": "全部链路", "links.caption": "各链路随时间的速率", "links.search": "搜索链路、主机、采集点  /", "links.by_worst": "最差在前", "links.by_deviation": "最异常在前",
  "heat.colour": "单元格颜色", "heat.dev": "偏差", "heat.dev.why": "链路明显偏离自身前 40 步时着色", "heat.load": "负载", "heat.load.why": "按链路速率的占比着色", "heat.of_speed": "链路速率占比", "heat.below": "低于自身过往 {n} σ", "heat.above": "高于 {n} σ", "heat.mean": "均值", "heat.peak": "100 µs 峰值", "heat.ce": "ECN 标记", "heat.finding": "诊断结论", "heat.axis": "时间", "heat.deviation": "偏差", "heat.too_few": "此前数据太少",
  "heat.summary": "{n} 步：{far} 步异常，{idle} 步空闲，{unseen} 步未观测",
  "table.all.one": "共 {n} 条", "table.all.other": "共 {n} 条", "table.back": "上一页", "table.next": "下一页", "table.range": "第 {from}–{to} 条，共 {n} 条", "table.first": "{n} 条中的 {shown} 条，最差在前。", "filter.remove": "移除筛选：{what}",

  "col.link": "链路", "col.mean": "均值", "col.mean.why": "整个时段（自抓包首个报文至末个报文）的平均速率", "col.peak_1ms": "1 ms 峰值", "col.peak_100us": "100 µs 峰值", "col.peak.why": "同一流量在不同统计粒度下峰值不同", "col.ce": "CE 占比", "col.ce.why": "被标记“经历拥塞”的报文", "col.cnp": "CNP", "col.cnp.why": "拥塞通知报文", "col.pfc": "暂停", "col.pfc.why": "最差优先级被 PFC 暂停的时间", "col.retransmitted": "重传", "col.retransmitted.why": "重传的报文（RDMA 与 TCP）",
  "col.lost": "丢包", "col.lost.why": "采集点上游或下游丢失的报文", "col.rtt_p99": "RTT p99", "col.rtt.why": "采集点所见的请求至应答时延", "col.flows": "流",
  "col.src": "源", "col.dst": "目的", "col.l4": "四层", "col.app": "应用", "col.qp": "目的 QP", "col.host_name": "名称", "col.bytes": "字节", "col.packets": "报文", "col.ce_packets": "CE", "col.first": "首次出现", "col.lasted": "持续", "col.dst_qp": "目的 QP", "col.src_qp": "源 QP", "col.transport": "传输", "col.service": "服务", "col.messages": "消息", "col.message_bytes": "载荷", "col.message_mean": "平均大小", "col.nak": "NAK", "col.nak.why": "该方向携带的否定应答（所有代码）", "col.gaps": "序号缺口", "col.gaps.why": "报文序号向前跳变", "col.timeouts": "超时",
  "col.severity": "严重级别", "col.finding": "诊断结论", "col.kind": "类别", "col.subject": "对象", "col.value": "实测", "col.threshold": "阈值", "col.since": "开始", "col.cost": "每步损失", "col.state": "状态", "col.at": "时间", "col.ends": "源 → 目的", "col.shows": "说明",
  "rtt.samples": "{n} 个样本", "pfc.frames": "{n} 个暂停帧", "pfc.yes": "是", "pfc.no": "否", "pfc.unknown": "未知：该镜像上从未出现",

  "link.over_time": "随时间变化", "link.speed": "速率", "link.utilization": "平均利用率", "link.lost_before": "采集点上游丢包", "link.lost_before.why": "此处有缺口，随后重传：丢在发送端与采集点之间", "link.lost_after": "采集点下游丢包", "link.lost_after.why": "此处已见，却被再次请求：丢在采集点与接收端之间", "link.silent": "最长静默", "link.silent.why": "两个报文之间的最长间隔", "link.no_finding": "此时段该链路没有诊断结论。",
  "link.provenance": "观测来源", "link.from": "发送端", "link.to": "接收端", "link.packets": "报文", "link.bytes": "字节", "link.first": "首个报文", "link.last": "末个报文", "link.icrc": "ICRC", "link.icrc.checked": "比对 {n} 个，{bad} 个错误", "link.icrc.none": "未比对：帧被截断", "link.pfc_visible": "PFC 可见", "link.id": "标识",
  "mirror.tap": "采集点", "mirror.kind": "封装", "mirror.session": "会话", "mirror.port": "端口", "mirror.direction": "方向", "mirror.source": "镜像设备", "mirror.plain": "无（SPAN 或 TAP）", "mirror.rspan": "RSPAN VLAN", "mirror.erspan1": "ERSPAN I", "mirror.erspan2": "ERSPAN II", "mirror.erspan3": "ERSPAN III", "mirror.gretap": "GRE", "mirror.vxlan": "VXLAN", "mirror.geneve": "Geneve",
  "chart.rate": "吞吐", "chart.mean": "均值", "chart.max_1ms": "1 ms 峰值", "chart.max_100us": "100 µs 峰值", "chart.ce": "CE 标记占比", "chart.cnp": "CNP", "chart.cnp_step": "每步", "chart.pfc": "PFC 暂停", "chart.paused": "时间占比，最差优先级", "chart.rtt": "采集点往返时延", "chart.rtt.note": "请求至应答，对数坐标", "chart.retransmitted": "重传", "chart.retransmitted_step": "每步报文数", "chart.most": "最大", "chart.step": "步长 {step}", "chart.hint": "步长 {step}。指向某一时刻即可读数；方向键移动光标。", "chart.zoom_hint": "拖动放大，双击或按 0 复位", "chart.label": "{name} 随时间的测量",

  "flows.caption": "流", "flows.mix": "网络上运行着什么", "flows.mix_all": "按字节，共 {n} 条流", "flows.mix_part": "按字节，{all} 条流中最大的 {n} 条", "flows.rest": "其余 {n} 种", "flows.n.one": "{n} 条流", "flows.n.other": "{n} 条流", "flows.all": "该链路的全部 {n} 条流", "flows.search": "搜索地址、端口、名称  /", "flows.any_app": "全部应用", "flows.none": "此时段没有流。", "flows.no_match": "没有流符合这些筛选条件。",
  "app.unknown": "未知", "app.how": "由{how}识别，置信度 {sure}", "engine.dpi": "载荷", "engine.dfi": "行为", "engine.port": "端口", "engine.none": "无",
  "qps.caption": "队列对", "qps.n.one": "{n} 个方向", "qps.n.other": "{n} 个方向", "qps.all": "该链路的全部 {n} 个", "qps.search": "搜索地址、编号、服务  /", "qps.any_service": "全部服务", "qps.none": "此时段没有 RDMA 队列对。", "qps.no_match": "没有队列对符合这些筛选条件。",
  "paired.cm": "由连接管理配对", "paired.psn": "由应答序号配对", "paired.none": "未配对",
  "qp.title": "{src} → {dst}，队列对 {qp}", "qp.copies": "副本", "qp.copies.why": "在其他镜像上再次出现", "qp.nak": "NAK", "qp.nak.why": "序号错误 / 非法请求 / 远端访问 / 远端操作", "qp.rnr": "RNR NAK", "qp.inversions": "乱序", "qp.operations": "操作",

  "findings.title": "诊断结论", "findings.all": "全部 {n} 条", "findings.none": "此时段没有诊断结论：没有指标越过阈值。", "findings.no_match": "没有诊断结论符合这些筛选条件。", "findings.search": "搜索类别、对象、文字  /", "findings.any_severity": "全部级别", "findings.any_kind": "全部类别", "findings.any_state": "未结束和已结束", "findings.counts": "严重 {critical}，警告 {warning}，提示 {info}；未结束 {open}", "findings.part": "只检索了 {all} 条中的 {n} 条：请缩短时段。",
  "finding.open": "未结束", "finding.closed": "已结束", "finding.title": "{subject}{says}", "finding.against": "{value}（阈值 {threshold}）", "finding.explained": "{title}。实测 {against}；{when}。", "finding.open_since": "自 {since} 起未结束", "finding.lasted": "{since} 起，持续 {lasted}", "finding.consequences.one": "{n} 个后果", "finding.consequences.other": "{n} 个后果", "finding.same.one": "同类另有 {n} 条", "finding.same.other": "同类另有 {n} 条", "finding.follows": "由上一条结论引起", "finding.chain": "原因与后果", "finding.chart": "当时该链路的情况", "finding.numbers": "证据", "finding.no_numbers": "没有保存数值。", "finding.packets": "首批报文", "finding.no_packets": "没有单个报文能说明此事。", "finding.involved": "涉及", "finding.caveats": "判断的局限", "finding.advice": "下一步：", "finding.since": "开始", "finding.until": "结束", "finding.cost": "作业 {job} 每步损失", "finding.judged": "判断依据", "finding.zoom": "放大到该时段", "finding.pcapng": "数据帧 (pcapng)", "finding.pcapng.why": "起始时刻前后的数据帧，可用 Wireshark 打开",

  "sight.title": "自身视野", "sight.more": "可信吗？", "sight.frames": "帧", "sight.lost": "丢失", "sight.lost.why": "镜像或采集丢失的帧，不是网络丢包", "sight.refused": "拒识", "sight.refused.why": "无法识别的帧，按原因计数", "sight.truncated": "截断", "sight.truncated.why": "被镜像或采集截断的帧", "sight.duplicated": "副本", "sight.duplicated.why": "不止一次看到的报文", "sight.evicted": "淘汰", "sight.evicted.why": "因流表已满而失去位置的流",
  "sensor.who": "探针", "sensor.name": "名称", "sensor.version": "版本", "sensor.mode": "模式", "sensor.store": "存储", "sensor.stream": "实时流", "sensor.sources": "读取", "sensor.trust": "可信度", "sensor.detectors": "判断哪些问题", "sensor.detectors.n": "{n} 个检测器；阈值随预设而定", "knob.title": "阈值", "knob.name": "阈值", "knob.unit": "单位", "knob.what": "决定什么", "knob.source": "来源", "sensor.wire": "线上字节", "sensor.captured": "捕获字节", "sensor.captured.why": "镜像保留下来的部分",
  "trust.whole": "送达的数据均已识别", "trust.whole.detail": "已读取 {n} 帧；无丢失、无拒识、无遗忘。", "trust.limited": "读取结果有以下局限", "trust.lost": "镜像或采集丢失 {n} 帧（{share}）：相关时段已标出，其间的缺失不归咎于网络。", "trust.unnumbered": "{all} 个采集点中有 {n} 个不给帧编号：其镜像丢失的帧不留痕迹。", "trust.refused.one": "{n} 帧（{share}）无法识别为报文。", "trust.refused.other": "{n} 帧（{share}）无法识别为报文。", "trust.evicted": "{n} 条流因流表已满而失去位置：其总量被拆分。", "trust.widened": "{n} 个统计周期因分析滞后而合并：总量正确，粒度变粗。", "trust.links_refused": "{n} 条链路因链路表已满而未记录。", "trust.damage.one": "{n} 个文件有损坏：可读部分均已分析。", "trust.damage.other": "{n} 个文件有损坏：可读部分均已分析。",
  "tap.title": "采集点", "tap.none": "尚无采集点送来数据。", "tap.loss_share": "丢失占比", "refused.title": "拒识的帧", "refused.note": "每一个无法识别的帧，按名称", "refused.reason": "原因", "refused.share": "占比", "refused.none": "没有拒识的帧。", "limit.title": "表满与滞后", "limit.note": "每一处上限在触及时都会计数。", "limit.flows_evicted": "淘汰的流", "limit.qps_evicted": "淘汰的队列对", "limit.links_refused": "未记录的链路", "limit.ticks_widened": "合并的统计周期",
  "interface.title": "接口", "interface.note": "发往接口的帧等于已分析的帧加上途中各处丢失的帧。", "interface.name": "接口", "interface.mode": "捕获方式", "interface.state": "状态", "interface.up": "正常", "interface.down": "断开", "interface.gone": "消失", "interface.ring": "丢失：环已满", "interface.buffer": "丢失：无缓冲", "interface.kernel": "丢失：内核", "interface.device": "丢失：设备", "interface.outages": "中断次数", "interface.clock_steps": "时钟回拨",
  "file.title": "文件", "file.path": "文件", "file.link_types": "链路类型", "file.bytes": "捕获字节", "file.damage": "损坏", "file.whole": "无",

  "jobs.all": "全部 {n} 个", "subject.job.column": "作业", "jobs.loses": "每步损失", "jobs.step.column": "单步", "why.no_cost": "此作业未测得损失",
  "jobs.none": "未识别出训练作业。共同训练的主机表现为周期性的 RDMA 流量组。", "jobs.no_such": "没有这个作业。", "jobs.confidence": "置信度 {share}", "jobs.hosts": "主机", "jobs.steps": "训练步", "jobs.step_time": "单步时间", "jobs.communication": "通信（中位数）", "jobs.no_steps": "尚未看到完整的训练步。", "jobs.dots": "单步时间", "jobs.dots_note": "每步一点；中位数 {usual}，方块超过 {far}（3 σ）", "jobs.collectives": "集合通信", "jobs.no_collectives": "未识别出集合通信。", "jobs.busbw": "总线带宽", "jobs.stragglers": "慢节点", "jobs.no_stragglers": "没有主机拖慢其他主机。", "jobs.last_steps": "最近 {n} 步", "jobs.strip": "训练步随时间：通信、计算", "jobs.communicates": "通信", "jobs.computes": "计算（无流量）", "jobs.pays": "它为何受损", "jobs.cost": "每步 {cost}", "jobs.partly": "部分可见", "jobs.partly.why": "并非每一对都经过我们的采集点", "jobs.ranks": "{n} 中的 {seen}", "jobs.sure": "置信度", "jobs.of_time": "占作业时间 {share}", "parallel.data": "数据并行", "parallel.pipeline": "流水线并行", "parallel.tensor": "张量并行", "parallel.expert": "专家并行", "jobs.more_hosts": "另有 {n} 台",
  "cause.slow_message": "消息偏慢（网络侧慢）", "cause.late_start": "发起偏晚（计算侧慢）",
  "collective.ring_allreduce": "环形 AllReduce", "collective.tree_allreduce": "树形 AllReduce", "collective.reduce_scatter": "ReduceScatter", "collective.all_gather": "AllGather", "collective.all_to_all": "全互换", "collective.broadcast": "广播", "collective.point_to_point": "点对点", "collective.many_to_one": "多对一", "collective.one_to_many": "一对多", "collective.unknown": "未知",

  "subject.link": "链路 {name} ", "subject.host": "主机 {name} ", "subject.qp": "队列对 {src} → {dst} {qp} ", "subject.job": "作业 {name} ", "subject.tap": "采集点 {name} ", "subject.fabric": "网络",
  "help.title": "快捷键", "help.keys_on": "启用快捷键", "help.api": "API", "help.metrics": "指标", "help.report": "报告", "help.close": "关闭",
  "key.now": "当前", "key.links": "链路", "key.jobs": "训练作业", "key.flows": "流", "key.qps": "队列对", "key.findings": "诊断结论", "key.sensor": "探针", "key.search": "搜索", "key.rows": "下一行、上一行、打开", "key.up": "返回列表", "key.shift": "时段前移、后移", "key.zoom": "放大、缩小", "key.reset": "完整时段", "key.pause": "暂停、继续", "key.live": "实时", "key.refresh": "刷新", "key.cursor": "移动单元格和图表光标", "key.theme": "深色、浅色", "key.lang": "English、中文", "key.help": "本列表",
};
