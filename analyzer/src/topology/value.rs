//! Values of the topology file that have a form of their own; each refuses what it cannot read, so that the reader can name the line.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number or a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number or a name")]
pub enum Id {
    /// A number.
    Number(u64),
    /// A name.
    Text(String),
}

/// One value, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected an IP address or a UDP port, or a list of them")]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A MAC address, written `aa:bb:cc:dd:ee:ff`, with hyphens, or as `aabb.ccdd.eeff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Reads any of the usual forms.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b':' | b'-' | b'.')).collect();
        if digits.len() != 12 || text.len() > 17 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut mac = [0; 6];
        for (byte, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(mac))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom(format_args!("`{text}` is no MAC address such as 44:38:39:00:10:01")))
    }
}

/// Which directions of a port its mirror copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Directions {
    /// What the node receives on the port.
    #[serde(rename = "rx")]
    Rx,
    /// What the node sends on the port.
    #[serde(rename = "tx")]
    Tx,
    /// Both.
    #[default]
    #[serde(rename = "rx+tx", alias = "tx+rx", alias = "both")]
    Both,
}

impl Directions {
    /// Name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rx => "rx",
            Self::Tx => "tx",
            Self::Both => "rx+tx",
        }
    }
}

/// The envelope in which a tap delivers its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TapFormat {
    /// None.
    #[default]
    Plain,
    /// One more 802.1Q tag, whose id names the port.
    Rspan,
    /// ERSPAN without header.
    Erspan1,
    /// ERSPAN type II.
    Erspan2,
    /// ERSPAN type III.
    Erspan3,
    /// Ethernet in GRE.
    Gretap,
    /// VXLAN whose VNI names the port.
    Vxlan,
    /// A service tag (802.1ad or a second 802.1Q) whose id names the port.
    Qinq,
}
