//! `fabricscope doctor`: what this machine can do as a sensor.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use capture::live::{Advice, Facts, Machine, Trial, probe};

use crate::args::DoctorArgs;
use crate::failure::Failure;
use crate::output::print;
use crate::show::style::clean;
use crate::show::units;

/// Runs the command: status 0 when every interface can be captured from.
pub fn doctor(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let mut works = true;
    print(|out| machine(&Machine::read(), out))?;
    for interface in &interfaces(args)? {
        let (facts, trials) =
            probe(interface).map_err(|why| Failure::new("cannot look at the interface", why, "ip link lists them"))?;
        works &= trials.iter().any(|t| t.refused.is_none() && t.objection.is_none());
        print(|out| {
            writeln!(out)?;
            describe(&facts, out)?;
            modes(&trials, out)?;
            mend(&facts.advice(), out)
        })?;
    }
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn interfaces(args: &DoctorArgs) -> Result<Vec<String>, Failure> {
    if !args.interfaces.is_empty() {
        return Ok(args.interfaces.clone());
    }
    let folder = Path::new("/sys/class/net");
    let entries = std::fs::read_dir(folder).map_err(|why| Failure::file("list the interfaces in", folder, &why))?;
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "lo");
    names.sort();
    Ok(names)
}

fn machine(machine: &Machine, out: &mut dyn Write) -> io::Result<()> {
    let known = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let pages = machine.huge_pages.map(|(free, all)| format!("{free} of {all} free"));
    let locked = machine.locked_memory_bytes.map_or("no limit".to_owned(), units::bytes);
    writeln!(out, "kernel      {}", clean(&known(machine.kernel.clone())))?;
    writeln!(out, "processors  {cores}")?;
    writeln!(out, "huge pages  {}", known(pages))?;
    writeln!(out, "locked      {locked} of memory at most")?;
    writeln!(out, "clock       TAI is {} s ahead of the wall clock", machine.tai_ahead_s)?;
    match machine.missing.as_slice() {
        [] => writeln!(out, "rights      all that AF_XDP needs"),
        some => writeln!(out, "rights      missing {}", some.join(", ")),
    }?;
    mend(&machine.advice(), out)
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

/// What hurts, and the commands that mend it.
fn mend(advice: &[Advice], out: &mut dyn Write) -> io::Result<()> {
    if advice.is_empty() {
        return writeln!(out, "  nothing to mend");
    }
    writeln!(out, "  to mend")?;
    for Advice { found, command } in advice {
        writeln!(out, "    {}", clean(found))?;
        writeln!(out, "      {}", clean(command))?;
    }
    Ok(())
}
