//! Each finding offers the frames around it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::namespace::{Run, Sender, cable, fabricscope, fixture, frames_of, get, in_namespace};

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(body)))
}

/// Checks a pcapng: frames of the capture it was taken from, cut after their headers, with a comment that names what they show.
fn bears_witness(file: &Path, original: &[(u64, Vec<u8>)]) {
    let bytes = fs::read(file).unwrap();
    assert!(bytes.windows(11).any(|w| w == b"fabric_loss"), "no comment in {}", file.display());
    let frames = frames_of(file);
    assert!(!frames.is_empty() && frames.iter().all(|(_, f)| f.len() <= 192), "{}", file.display());
    assert!(frames.is_sorted_by_key(|(at_ns, _)| *at_ns));
    let known = |frame: &[u8]| original.iter().any(|(_, f)| f.starts_with(frame));
    assert!(frames.iter().all(|(_, f)| known(f)), "a frame that was not sent");
}

#[test]
fn a_finding_of_a_live_run_offers_its_frames() {
    in_namespace(|| {
        cable("tx0", "rx0");
        let folder = tempfile::tempdir().unwrap();
        let evidence = folder.path().join("evidence");
        let mut run = Run::start(&["-i", "rx0", "--serve=127.0.0.1:0", "--evidence", evidence.to_str().unwrap()]);
        let url = run.heard.iter().find_map(|l| l.split("dashboard on ").nth(1)).unwrap().to_owned();
        let frames = frames_of(&fixture("c01_loss_after_tap"));
        Sender::new("tx0").replay(&frames);
        let found = (0..200).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            let rows = json(&get(&url, "/api/v1/findings?kind=fabric_loss").1)["rows"].clone();
            rows.as_array()?.first().cloned()
        });
        let id = found.expect("a loss is found")["id"].as_str().unwrap().to_owned();
        let quoted = id.replace('/', "%2F").replace('>', "%3E").replace(' ', "%20");
        let (head, body) = get(&url, &format!("/api/v1/findings/{quoted}/pcapng"));
        assert!(
            head.starts_with("HTTP/1.1 200") && head.contains("application/x-pcapng"),
            "{head} {}",
            String::from_utf8_lossy(&body)
        );
        let file = folder.path().join("answer.pcapng");
        fs::write(&file, body).unwrap();
        bears_witness(&file, &frames);
        assert_eq!(json(&get(&url, &format!("/api/v1/findings/{quoted}")).1)["pcapng"], true);
        let (head, why) = get(&url, "/api/v1/findings/nothing/pcapng");
        let why = String::from_utf8_lossy(&why).into_owned();
        assert!(head.starts_with("HTTP/1.1 404") && why.contains("no frames"), "{head} {why}");
        let metrics = String::from_utf8(get(&url, "/metrics").1).unwrap();
        assert!(
            metrics.contains("fabricscope_capture_mode{") && metrics.contains("fabricscope_capture_lost_total{"),
            "{metrics}"
        );
        run.stop();
        let written: Vec<_> = fs::read_dir(&evidence).unwrap().map(|e| e.unwrap().path()).collect();
        let of_loss = written.iter().find(|p| p.to_string_lossy().contains("fabric_loss")).expect("a file of the loss");
        bears_witness(of_loss, &frames);
    });
}

#[test]
fn a_replay_writes_the_frames_around_its_findings() {
    let folder = tempfile::tempdir().unwrap();
    let path = fixture("c01_loss_after_tap");
    let arguments = ["replay", path.to_str().unwrap(), "--quiet", "--evidence", folder.path().to_str().unwrap()];
    let done = fabricscope().args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let written: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    let of_loss = written.iter().find(|p| p.to_string_lossy().contains("fabric_loss")).expect("a file of the loss");
    bears_witness(of_loss, &frames_of(&path));
}
