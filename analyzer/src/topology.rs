//! What is known of the fabric before a frame is read: the topology file, and its [`Plan`] for a worker.

mod dcbx;
mod file;
mod learn;
mod lldp;
mod parallel;
mod plan;
mod value;

#[cfg(test)]
mod tests;

pub use dcbx::Classes;
pub(crate) use file::id_text;
pub use file::{End, Key, Link, Mirrors, Node, NodeType, Port, Roce, Topology, TopologyError};
pub use learn::{Learner, UNNAMED};
pub use lldp::Neighbour;
pub(crate) use plan::addr;
pub use plan::{MirroredPort, Plan};
pub use value::{Directions, Id, Mac, OneOrMany, TapFormat};
