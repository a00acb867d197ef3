//! Live capture in network namespaces of its own: what is sent on one end of a cable is lent at the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, unsafe_code)]

mod filter;
mod modes;
mod namespace;
mod rights;
mod trouble;
