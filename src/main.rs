//! fabricscope: sees inside a GPU-training fabric from its mirrored switch ports.

fn main() {}
