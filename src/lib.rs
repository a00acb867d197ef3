//! The appliance: command line and the pipeline that joins the rooms. Thin: what frames mean is the analyzer's.
//!
//! `fabricscope replay` goes: inputs -> source -> worker -> fabric -> report, store, dashboard -> terminal.

mod analysis;
pub mod args;
mod config;
mod confine;
mod crew;
pub mod demo;
pub mod dissect;
pub mod doctor;
mod evidence;
pub mod failure;
mod first_look;
pub mod inputs;
mod judge;
pub mod keep;
mod look;
mod notify;
pub mod output;
mod pace;
pub mod pipeline;
pub mod progress;
mod reader;
mod recorder;
mod reload;
pub mod replay;
pub mod run;
mod run_name;
pub mod serve;
mod several;
pub mod show;
pub mod topology;
mod watcher;
pub mod web;

/// Ticks are allocated by the worker and freed by the fabric thread, and tables are large: docs/performance.md has what it saves.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
