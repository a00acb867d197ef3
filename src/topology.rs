//! `fabricscope topology`: a starting topology file from what captures show.

use std::process::ExitCode;

use analyzer::topology::{Learner, Topology};
use capture::{FileOptions, Frame, Interface, InterfaceId, Sink, Step};

use crate::args::TopologyArgs;
use crate::failure::Failure;
use crate::inputs::expand;
use crate::output::{print, warn, write_whole};

struct Watch(Learner);

impl Sink for Watch {
    fn interface(&mut self, interface: &Interface) {
        self.0.add_interface(interface);
    }

    fn frames(&mut self, batch: &[Frame<'_>]) {
        self.0.observe(batch);
    }

    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}

/// Runs the command.
pub fn topology(args: &TopologyArgs) -> Result<ExitCode, Failure> {
    let paths = expand(&args.inputs)?;
    let mut source =
        capture::open(&paths, &FileOptions::default()).map_err(|why| Failure::new("cannot read the input", why, ""))?;
    let mut watch = Watch(Learner::default());
    while source.step(&mut watch) != Step::End {}
    let learnt = watch.0.topology();
    let text = written(&learnt)?;
    if watch.0.left_out() > 0 {
        warn(format!("{} entries found no place: this fabric is larger than what is remembered", watch.0.left_out()));
    }
    match &args.output {
        Some(path) => write_whole(path, &text)?,
        None => print(|out| out.write_all(text.as_bytes()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn written(topology: &Topology) -> Result<String, Failure> {
    let toml = topology.to_toml().map_err(|why| {
        Failure::new("cannot write the topology", why, "this is a defect of fabricscope: please report it")
    })?;
    let (hosts, links) = (topology.nodes.len(), topology.links.len());
    let unnamed = analyzer::topology::UNNAMED;
    Ok(format!(
        "# What the captures show: {hosts} nodes, {links} links. Please look through it:\n\
         # - give names to nodes and ports, speed_bps to links, group to parallel links;\n\
         # - `{unnamed}` and `switch-<MAC>` stand for switches whose names no frame told (LLDP does, where mirrored);\n\
         # - say of each mirror which node and port it shows. docs/topology.md describes every key.\n\n{toml}"
    ))
}
