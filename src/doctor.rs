//! `fabricscope doctor`: what this machine can do as a sensor.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use capture::live::{Facts, Trial, probe};

use crate::args::DoctorArgs;
use crate::failure::Failure;
use crate::output::print;
use crate::show::style::clean;
use crate::show::units;

/// Runs the command: status 0 when every interface can be captured from.
pub fn doctor(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let mut works = true;
    print(|out| machine(out))?;
    for interface in &args.interfaces {
        let (facts, trials) =
            probe(interface).map_err(|why| Failure::new("cannot look at the interface", why, "ip link lists them"))?;
        works &= trials.iter().any(|t| t.refused.is_none() && t.objection.is_none());
        print(|out| {
            writeln!(out)?;
            describe(&facts, out)?;
            modes(&trials, out)?;
            mend(&facts, out)
        })?;
    }
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn machine(out: &mut dyn Write) -> io::Result<()> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    writeln!(out, "kernel      {}", clean(&read("/proc/sys/kernel/osrelease")))?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    writeln!(out, "processors  {cores}")?;
    let meminfo = read("/proc/meminfo");
    let field = |name: &str| meminfo.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    writeln!(out, "memory      {}, huge pages free {}", field("MemTotal:"), field("HugePages_Free:"))?;
    let effective = read("/proc/self/status");
    let bits = effective.lines().find_map(|l| l.strip_prefix("CapEff:")).unwrap_or_default().trim().to_owned();
    let bits = u64::from_str_radix(&bits, 16).unwrap_or(0);
    let missing: Vec<&str> = [(12, "CAP_NET_ADMIN"), (13, "CAP_NET_RAW"), (39, "CAP_BPF")]
        .iter()
        .filter(|(b, _)| bits >> b & 1 == 0)
        .map(|(_, n)| *n)
        .collect();
    match missing.as_slice() {
        [] => writeln!(out, "rights      all that AF_XDP needs"),
        some => writeln!(
            out,
            "rights      missing {}: run as root, or setcap cap_net_raw,cap_net_admin,cap_bpf+ep on the program",
            some.join(", ")
        ),
    }
}

fn describe(facts: &Facts, out: &mut dyn Write) -> io::Result<()> {
    let known = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    let yes = |value: Option<bool>| known(value.map(|v| if v { "yes" } else { "no" }.to_owned()));
    writeln!(out, "{}", clean(&facts.interface))?;
    let kind = facts.kind.clone().map_or_else(String::new, |k| format!(" ({k})"));
    writeln!(out, "  driver      {}{}", clean(&known(facts.driver.clone())), clean(&kind))?;
    writeln!(out, "  state       {}", if facts.running { "up, with a carrier" } else { "down or without a carrier" })?;
    writeln!(out, "  speed       {}", known(facts.speed_bps.map(|bps| units::rate(bps as f64))))?;
    writeln!(out, "  MTU         {} bytes", facts.mtu)?;
    writeln!(out, "  queues      {}", facts.queues)?;
    writeln!(out, "  ring        {}", known(facts.ring.map(|(used, most)| format!("{used} of {most} entries"))))?;
    writeln!(out, "  clock       stamps frames in hardware: {}", yes(facts.stamps))?;
    writeln!(out, "  NUMA node   {}", known(facts.numa_node.map(|n| n.to_string())))?;
    writeln!(out, "  lost so far {} frames by the device", units::count(facts.missed))
}

fn modes(trials: &[Trial], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  modes of capture, best first")?;
    for trial in trials {
        let verdict = match (&trial.refused, &trial.objection) {
            (Some(why), _) => format!("no: {why}"),
            (None, Some(why)) => format!("on request only: {why}"),
            (None, None) => "works".to_owned(),
        };
        writeln!(out, "    {:30} {}", trial.mode.name(), clean(&verdict))?;
    }
    Ok(())
}

/// Commands that mend what hurts a mirror port.
fn mend(facts: &Facts, out: &mut dyn Write) -> io::Result<()> {
    let name = clean(&facts.interface);
    let mut advice = Vec::new();
    if facts.takes_tags == Some(true) {
        advice.push((
            format!("ethtool -K {name} rxvlan off"),
            "VLAN tags are taken out of frames: an RSPAN tag would be lost to AF_XDP",
        ));
    }
    if facts.joins_in_software == Some(true) {
        advice.push((
            format!("ethtool -K {name} gro off"),
            "received segments are joined: packets and their times are no longer those of the wire",
        ));
    }
    if facts.joins_in_device == Some(true) {
        advice.push((format!("ethtool -K {name} lro off"), "the device joins segments"));
    }
    if facts.mtu < 9000 {
        advice.push((
            format!("ip link set {name} mtu 9216"),
            "RoCE with 4,096 bytes of payload is 4,170 bytes long, 4,232 in ERSPAN III",
        ));
    }
    if let Some((_, most)) = facts.ring.filter(|(used, most)| used < most) {
        advice.push((format!("ethtool -G {name} rx {most}"), "a longer ring rides out bursts"));
    }
    if !facts.running {
        advice.push((format!("ip link set {name} up"), "it is down or has no carrier"));
    }
    if facts.has_addresses {
        advice.push((
            format!("ip addr flush dev {name}"),
            "the host itself uses the interface: a mirror port should be nobody's",
        ));
    }
    if advice.is_empty() {
        return writeln!(out, "  nothing to mend");
    }
    writeln!(out, "  to mend")?;
    for (command, why) in advice {
        writeln!(out, "    {command:44} # {why}")?;
    }
    Ok(())
}
