//! HTTP/2 below its messages: header compression.

pub mod hpack;
mod huffman;
