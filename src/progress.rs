//! The progress bar: on standard error, and only where somebody looks.

use std::io::IsTerminal;
use std::time::Duration;

use capture::Input;
use indicatif::{ProgressBar, ProgressStyle};

/// What of a run can be told while it goes on.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar if standard error is a terminal and nobody asked for quiet.
    pub fn new(quiet: bool) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        Self { bar: shown.then(|| ProgressBar::new(0)) }
    }

    /// Shows how far the inputs are read.
    pub fn update(&mut self, inputs: &[Input]) {
        let Some(bar) = &self.bar else { return };
        let read: u64 = inputs.iter().map(|i| i.read_bytes).sum();
        // The length is known only if it is known of every input.
        let size: Option<u64> = inputs.iter().map(|i| i.size_bytes).sum();
        if bar.elapsed() < Duration::from_millis(50) {
            return;
        }
        bar.set_style(style(size.is_some()));
        bar.set_length(size.unwrap_or(0));
        bar.set_position(read);
        bar.set_message(format!("{} frames", crate::show::units::count(inputs.iter().map(|i| i.frames).sum())));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(length_known: bool) -> ProgressStyle {
    let template = if length_known {
        "reading [{bar:30}] {percent:>3} %  {msg}  {bytes_per_sec}  {eta} left"
    } else {
        "reading {spinner} {bytes}  {msg}  {bytes_per_sec}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}
