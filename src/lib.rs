//! The appliance: command line and the pipeline that joins the rooms. Thin: what frames mean is the analyzer's.
//!
//! `fabricscope replay` goes: inputs -> source -> worker -> fabric -> report, store, dashboard -> terminal.

pub mod args;
pub mod failure;
pub mod inputs;
pub mod output;
pub mod progress;
pub mod show;
