use super::*;
use crate::dpi::inspector::Inspector;
use crate::dpi::proto::testing::Talk;

const FILE: &str = r#"
[[signature]]
name = "our-rpc"
over = "tcp"
ports = [7000]
[[signature.pattern]]
hex = "4f 55 00 07"
mask = "ff ff 00 0f"
offset = 2

[[signature]]
name = "our-log"
regex = '^LOG [0-9]+ '
[[signature.pattern]]
text = "shard"

[[signature]]
name = "our-storage"
host = "*.storage.example"
"#;

fn look(payload: &[u8]) -> Look<'_> {
    Look::of(Over::TCP, 40_000, 7000, payload)
}

#[test]
fn everything_stated_must_hold() {
    let all = Signatures::parse(FILE).unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(all.match_payload(&look(b"xxOU\x99\xf7rest")), Some("our-rpc"));
    assert_eq!(all.match_payload(&look(b"xxOU\x99\xf8rest")), None);
    assert_eq!(all.match_payload(&Look::of(Over::TCP, 1, 2, b"xxOU\x99\xf7rest")), None);
    assert_eq!(all.match_payload(&Look::of(Over::UDP, 1, 7000, b"xxOU\x99\xf7rest")), None);
    assert_eq!(all.match_payload(&look(b"LOG 17 of shard 3")), Some("our-log"));
    assert_eq!(all.match_payload(&look(b"LOG 17 of disk 3")), None);
    assert_eq!(all.match_host("a.storage.example"), Some("our-storage"));
    assert_eq!(all.match_host("storage.example"), None);
    assert_eq!(all.match_host("evilstorage.example"), None);
}

#[test]
fn they_outrank_what_is_built_in() {
    let engine = || Inspector::new(Signatures::parse(FILE).unwrap().into());
    let mut talk = Talk::with(engine(), Over::TCP, 40_000, 80);
    talk.shake();
    talk.say(true, b"GET / HTTP/1.1\r\nHost: a.storage.example\r\n\r\n");
    assert_eq!(talk.label.named.unwrap().name, "our-storage");
    let mut talk = Talk::with(engine(), Over::TCP, 40_000, 80);
    talk.shake();
    talk.say(true, b"LOG 1 shard");
    assert_eq!(talk.label.named.unwrap().name, "our-log");
}

#[test]
fn mistakes_are_named() {
    let why = |text: &str| Signatures::parse(text).unwrap_err().to_string();
    let one = |body: &str| format!("[[signature]]\nname = \"x\"\n{body}");
    assert!(why("[[signature]]\nname = \"A b\"\nhost = \"a.b\"").contains("lower-case"));
    assert!(why(&one("ports = [1]")).contains("a port alone proves nothing"));
    assert!(why(&one("over = \"sctp\"\nhost = \"a.b\"")).contains("tcp, udp or both"));
    assert!(why(&one("[[signature.pattern]]\nhex = \"4g\"\noffset = 0")).contains("not hexadecimal"));
    assert!(why(&one("[[signature.pattern]]\nhex = \"4\"\noffset = 0")).contains("odd number"));
    assert!(why(&one("[[signature.pattern]]\nhex = \"4142\"\nmask = \"ff\"\noffset = 0")).contains("mask has 1 bytes"));
    assert!(why(&one("[[signature.pattern]]\ntext = \"ab\"")).contains("at least 3 bytes"));
    assert!(why(&one("regex = \"(\"")).contains("regex"));
    assert!(why(&one("color = 1")).contains("line"));
    assert!(why(&one("host = \"a b\"")).contains("no name"));
    assert!(why(&"[[signature]]\nname = \"x\"\nhost = \"a.b\"\n".repeat(1025)).contains("at most 1024"));
}

#[test]
fn the_documents_examples_name_what_they_are_for() {
    let text = include_str!("../../../../docs/signatures.md");
    let example = text.split("```toml\n").nth(1).unwrap().split("\n```").next().unwrap();
    let all = Signatures::parse(example).unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(all.match_payload(&look(b"xxOU\x99\xf7rest")), Some("our-rpc"));
    assert_eq!(all.match_payload(&Look::of(Over::TCP, 40_000, 7002, b"xxOU\x99\xf7rest")), None, "another port");
    assert_eq!(all.match_payload(&look(b"LOG 17 of shard 3")), Some("our-log"));
    assert_eq!(all.match_host("a.storage.example"), Some("our-storage"));
    assert_eq!(all.match_host("storage.example"), None);
}
