//! Says on standard error what happens to interfaces while they are captured from: outages, losses, clocks.

use std::time::{Duration, Instant};

use capture::{Input, Live, LiveState};

use crate::output::warn;

/// Losses are told at most this often; in between they add up.
const LOSSES_EVERY: Duration = Duration::from_secs(10);
/// Frames stamped so far from this machine's clock are told: another clock stamps them, and it is not set.
const APART_NS: u64 = 1_000_000_000;

/// Compares what inputs tell with what they told before.
#[derive(Default)]
pub struct Watcher {
    before: Vec<Seen>,
}

#[derive(Default)]
struct Seen {
    state: LiveState,
    lost: u64,
    told_losses: Option<Instant>,
    clock_steps: u64,
    apart: bool,
}

impl Watcher {
    /// Looks at the inputs; lines about what is new.
    pub fn look(&mut self, inputs: &[Input]) -> Vec<String> {
        self.before.resize_with(inputs.len(), Seen::default);
        let pairs = self.before.iter_mut().zip(inputs);
        pairs.filter_map(|(seen, input)| Some((seen, input, input.live.as_ref()?))).flat_map(lines).collect()
    }

    /// As [`Watcher::look`], said.
    pub fn tell(&mut self, inputs: &[Input]) {
        self.look(inputs).into_iter().for_each(warn);
    }
}

fn lines((seen, input, live): (&mut Seen, &Input, &Live)) -> Vec<String> {
    let queue = live.queue.map_or_else(String::new, |q| format!(" queue {q}"));
    let about = [state(seen, live), losses(seen, live), clock(seen, live)];
    about.into_iter().flatten().map(|line| format!("{}{queue}: {line}", input.path)).collect()
}

fn state(seen: &mut Seen, live: &Live) -> Option<String> {
    if std::mem::replace(&mut seen.state, live.state) == live.state {
        return None;
    }
    Some(match live.state {
        LiveState::Up => "is up again".to_owned(),
        LiveState::Down => "is down or has no carrier: nothing can arrive".to_owned(),
        LiveState::Gone => "is gone; it is waited for".to_owned(),
    })
}

fn losses(seen: &mut Seen, live: &Live) -> Option<String> {
    let places = [
        (
            live.lost_in_ring,
            "the analysis was too slow (a larger --ring rides out bursts, --snaplen and --filter make less work)",
        ),
        (live.lost_without_buffer, "no buffer was free, or the frame did not fit one"),
        (live.lost_in_kernel, "dropped by the kernel on the way"),
        (live.lost_by_interface, "lost by the interface (ethtool -G makes its ring longer)"),
    ];
    let lost: u64 = places.iter().map(|(n, _)| n).sum();
    let due = seen.told_losses.is_none_or(|at| at.elapsed() >= LOSSES_EVERY);
    if lost == seen.lost || !due {
        return None;
    }
    let fresh = lost - std::mem::replace(&mut seen.lost, lost).min(lost);
    seen.told_losses = Some(Instant::now());
    let why: Vec<&str> = places.iter().filter(|(n, _)| *n > 0).map(|(_, why)| *why).collect();
    Some(format!("{fresh} frames were lost on the way to the analysis: {}", why.join("; ")))
}

fn clock(seen: &mut Seen, live: &Live) -> Option<String> {
    if live.clock_steps > std::mem::replace(&mut seen.clock_steps, live.clock_steps) {
        return Some("the clock was set back: times of before and after do not compare".to_owned());
    }
    let apart = live.clock_apart_ns > APART_NS;
    let is_new = apart && !std::mem::replace(&mut seen.apart, apart);
    let seconds = live.clock_apart_ns as f64 / 1e9;
    is_new.then(|| {
        format!("frames are stamped {seconds:.1} s apart from this machine's clock: set both by the same source")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(live: Live) -> Vec<Input> {
        vec![Input { path: "eth1".to_owned(), live: Some(live), ..Input::default() }]
    }

    #[test]
    fn what_is_new_is_told_once() {
        let mut watcher = Watcher::default();
        let mut live = Live::default();
        assert!(watcher.look(&input(live.clone())).is_empty());
        live.state = LiveState::Gone;
        live.lost_in_ring = 7;
        live.clock_steps = 1;
        let said = watcher.look(&input(live.clone()));
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].starts_with("eth1: is gone") && said[1].contains("7 frames") && said[2].contains("set back"));
        assert!(watcher.look(&input(live.clone())).is_empty());
        live.state = LiveState::Up;
        live.lost_in_ring = 9;
        live.clock_apart_ns = 5_000_000_000;
        let said = watcher.look(&input(live));
        assert_eq!(said.len(), 2, "losses wait for their turn: {said:?}");
        assert!(said[0].contains("up again") && said[1].contains("5.0 s apart"));
    }
}
