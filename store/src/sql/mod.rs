//! Facts in ClickHouse: what the tables are, how rows go in and how answers come out.

mod batch;
mod connection;
mod errors;
mod insert;
mod links;
mod lists;
mod rows;
mod schema;
mod store;
mod sums;
mod text;

pub use batch::Batch;
pub(crate) use batch::Known;
pub(crate) use connection::{Address, Connection};
#[cfg(test)]
pub(crate) use rows::TickRow;
pub use schema::{Retention, cluster_statements};
pub use store::ClickHouse;
pub(crate) use text::shown;
