//! How a live input was captured, and what was lost on the way to the analysis.

use serde::{Deserialize, Serialize};

/// How an interface was captured from: one per receive queue. What was sent to it is what was analysed, what the filter left
/// out, and each kind of loss.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveInput {
    /// The mode taken: `af_xdp copy`, `tpacket_v3`, ...
    pub mode: String,
    /// Better modes that were not taken, each with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// Receive queue, in modes that have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// `up`, `down` (or without a carrier), `gone`.
    pub state: String,
    /// Times that the interface went down or away.
    pub outages: u64,
    /// Frames that the filter left out.
    pub filtered: u64,
    /// Frames of which less was looked at than came, because of the snap length.
    pub cut: u64,
    /// Frames lost because the ring was full: the analysis was too slow.
    pub lost_in_ring: u64,
    /// Frames lost because no buffer was free for them, or they did not fit one.
    pub lost_without_buffer: u64,
    /// Frames that the kernel dropped between the interface and the ring.
    pub lost_in_kernel: u64,
    /// Frames that the interface lost before the kernel had them.
    pub lost_by_interface: u64,
    /// Times that a frame was stamped over a second earlier than one before it: the clock was set back.
    pub clock_steps: u64,
    /// Farthest that frames were stamped from the sensor's clock at their arrival: what they waited for, or how much two
    /// clocks disagree.
    pub clock_apart_ns: u64,
    /// Last error of the receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Memory, time stamps and the like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
