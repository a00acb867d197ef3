//! Deep packet inspection: every conversation named from its payload.
//!
//! Each protocol is one file under [`proto`] with one line in its list. The [`inspector`] asks them in turn about the first
//! bytes of each direction until one is certain, all are excluded or the budget is spent; then the label closes and
//! nothing more is looked at. A datagram is shown only to protocols that its first byte and its length allow, and nothing is
//! kept of conversations that all of them refuse. Ports never outrank payload, and "unknown" beats a wrong name.

mod ber;
pub mod bytes;
pub mod catalogue;
pub mod facts;
mod glance;
mod guess;
mod h2;
pub mod inspector;
pub mod link;
mod mask;
pub(crate) mod memory;
mod open;
mod pool;
pub mod proto;
pub mod protocol;
mod quic;
mod seen;
pub mod signatures;
mod stream;
pub mod tls;
mod turn;

pub use facts::Attr;
pub use inspector::{Inspector, Label};
pub use open::Named;
pub use seen::Seen;
pub use signatures::Signatures;
