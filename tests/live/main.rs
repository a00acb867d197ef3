//! `fabricscope run` as a user runs it: interfaces in network namespaces of their own, frames sent on the other end of a cable.

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, unsafe_code)]

mod equal;
mod evidence;
mod losses;
mod namespace;
mod service;
mod soak;
mod systemd;
mod time;
