// What a tap can tell about itself.

// ERSPAN II and III and GRE count their frames; in others a loss leaves no trace, unless the capture itself counted it.
export const numbered = (tap) => ["erspan2", "erspan3", "gretap"].includes(tap.mirror.kind);
