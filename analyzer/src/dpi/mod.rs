//! Deep packet inspection: every conversation named from its payload.
//!
//! Each protocol is one file under [`proto`] with one line in its list. The [`inspector`] asks them in turn about the first
//! bytes of each direction until one is certain, all are excluded or the budget is spent; then the label closes and
//! nothing more is looked at. Ports never outrank payload, and "unknown" beats a wrong name.

mod ber;
pub mod bytes;
pub mod catalogue;
pub mod facts;
mod guess;
mod h2;
pub mod inspector;
pub mod link;
mod mask;
mod memory;
mod open;
pub mod proto;
pub mod protocol;
mod quic;
pub mod signatures;
mod stream;
pub mod tls;

pub use facts::Attr;
pub use inspector::{Inspector, Label};
pub use open::Named;
pub use signatures::Signatures;
