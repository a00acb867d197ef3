//! Why a source could not be opened.

/// Why a source could not be opened. Each names the input, what was found there, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No path was given.
    #[error("no capture given: name at least one file, or - for standard input")]
    NoInput,
    /// The operating system refused.
    #[error("{path}: cannot be read: {error}")]
    Io {
        /// As the user gave it.
        path: String,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// There is not a single byte.
    #[error("{path}: is empty (0 bytes); expected a pcap or pcapng capture, plain or compressed by gzip or zstd")]
    Empty {
        /// As the user gave it.
        path: String,
    },
    /// The first bytes belong to no format that is read here.
    #[error(
        "{path}: is not a capture: {found}; expected pcap or pcapng, plain or compressed by gzip or zstd; {advice}"
    )]
    NotACapture {
        /// As the user gave it.
        path: String,
        /// What its first bytes are.
        found: String,
        /// What to do.
        advice: &'static str,
    },
    /// A capture, whose file header is damaged or not supported.
    #[error("{path}: {format} file header: expected {expected}, found {found}")]
    Header {
        /// As the user gave it.
        path: String,
        /// Name of the format.
        format: &'static str,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// libpcap refuses a filter expression.
    #[error("filter \"{expression}\" for link type {link_type}: {message}; see pcap-filter(7) for what can be written")]
    Filter {
        /// As the user gave it.
        expression: String,
        /// Name of the link type it was compiled for.
        link_type: String,
        /// libpcap's words.
        message: String,
    },
    /// No such interface.
    #[error("{interface}: there is no such interface; `ip link` lists those there are")]
    NoInterface {
        /// As the user gave it.
        interface: String,
    },
    /// Live capture works in no mode.
    #[error("{interface}: cannot be captured from: {reasons}")]
    NoMode {
        /// Name of the interface.
        interface: String,
        /// Why each mode was refused.
        reasons: String,
    },
}
