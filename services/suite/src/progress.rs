//! How far long work is: on standard error, and only where a person sees it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::note;
use crate::import::patience::{self, News};

/// Time between two frames.
const FRAME: Duration = Duration::from_millis(120);

/// Whether progress is shown at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// On standard error, if that is a terminal.
    Terminal,
    /// Nowhere.
    Hidden,
}

/// Shows work in progress; gone when it is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    visibility: Visibility,
}

impl Progress {
    /// Work whose size is known, in bytes.
    #[must_use]
    pub fn bytes(visibility: Visibility, size: u64, what: &str) -> Self {
        Self::new(
            visibility,
            Some(size),
            what,
            "{spinner} {prefix} {wide_bar} {bytes} of {total_bytes}, {msg}",
        )
    }

    /// Work of which it is known how much of it is done, in whatever unit.
    #[must_use]
    pub fn share(visibility: Visibility, size: u64, what: &str) -> Self {
        Self::new(
            visibility,
            Some(size),
            what,
            "{spinner} {prefix} {wide_bar} {percent} %, {msg}",
        )
    }

    /// Work of unknown size.
    #[must_use]
    pub fn open(visibility: Visibility, what: &str) -> Self {
        let progress = Self::new(
            visibility,
            None,
            what,
            "{spinner} {prefix} {msg} ({elapsed})",
        );
        progress.bar.enable_steady_tick(FRAME);
        progress
    }

    fn new(visibility: Visibility, size: Option<u64>, what: &str, template: &str) -> Self {
        let target = match visibility {
            Visibility::Terminal => ProgressDrawTarget::stderr(),
            Visibility::Hidden => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(size, target).with_prefix(what.to_owned());
        // A template that cannot be read leaves the library's own style.
        let bar = match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        Self { bar, visibility }
    }

    /// Says that a service is away, or back.
    pub fn tell(&self, news: News<'_>) {
        let text = match news {
            News::Judged => return,
            News::Away(why) => format!(
                "note: {why}; waiting up to {} s, then going on with what is not acknowledged",
                patience::LONGEST.as_secs()
            ),
            News::Back => "note: going on".to_owned(),
        };
        if self.visibility == Visibility::Terminal {
            self.bar.suspend(|| note(&text));
        }
    }

    /// How much is done, and a word about it.
    pub fn at(&self, position: u64, message: String) {
        self.bar.set_position(position);
        self.bar.set_message(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
