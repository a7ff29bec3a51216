//! What a host process prints: log lines of its segmenter, and the last words of a process that crashes.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::call::monotonic_ns;
use crate::external::Crash;
use crate::messages::{plain, told};
use crate::process::{FAULT, Line, MARK};

/// Bytes that are kept of what is no log line.
const TAIL_BYTES: usize = 64 << 10;
/// Longest line that is put together.
const LINE_BYTES: usize = 8 << 10;

/// Lines of each kind that are kept for whoever asks, of all processes of a segmenter.
const KEPT_LINES: usize = 500;
/// Longest text of one of them.
const KEPT_BYTES: usize = 1 << 10;

/// Lines of a segmenter that go to the log of the service in a second; the newest ones are kept beside it all the same.
const LINES_A_SECOND: usize = 50;

/// A line that a segmenter has written, or that is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenLine {
    /// When it was read, on the machine's monotonic clock, in nanoseconds.
    pub at_ns: i64,
    /// Its level, such as "INFO"; empty of what it printed.
    pub level: String,
    /// The line, at most 1 KiB.
    pub text: String,
}

impl WrittenLine {
    /// How long ago it was read.
    #[must_use]
    pub fn age(&self) -> Duration {
        let age_ns = monotonic_ns().saturating_sub(self.at_ns);
        Duration::from_nanos(u64::try_from(age_ns).unwrap_or(0))
    }
}

/// The last lines of a segmenter, whichever of its processes has written them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    kept: Arc<Mutex<Kept>>,
}

/// What it has written, and what is told of it: a flood of the one takes nothing of the other away.
#[derive(Debug, Default)]
struct Kept {
    own: VecDeque<WrittenLine>,
    told: VecDeque<WrittenLine>,
}

impl Lines {
    /// It has written a line.
    fn add(&self, level: &str, text: &str) {
        push(&mut self.locked().own, level, text);
    }

    /// Something is told of it.
    pub(crate) fn tell(&self, level: &str, text: &str) {
        push(&mut self.locked().told, level, text);
    }

    /// All that are kept.
    pub(crate) fn newest_first(&self) -> Vec<WrittenLine> {
        let kept = self.locked();
        let mut lines: Vec<_> = kept.told.iter().chain(&kept.own).rev().cloned().collect();
        drop(kept);
        lines.sort_by_key(|line| Reverse(line.at_ns));
        lines
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push(lines: &mut VecDeque<WrittenLine>, level: &str, text: &str) {
    let text = plain(text);
    let end = text.floor_char_boundary(KEPT_BYTES);
    if lines.len() == KEPT_LINES {
        lines.pop_front();
    }
    lines.push_back(WrittenLine {
        at_ns: monotonic_ns(),
        level: level.to_owned(),
        text: text.get(..end).unwrap_or_default().to_owned(),
    });
}

/// What was printed.
#[derive(Debug)]
pub(crate) struct Log {
    plugin: String,
    lines: Lines,
    line: Vec<u8>,
    tail: VecDeque<u8>,
    /// Where it has crashed.
    fault: Option<String>,
    told: Told,
}

/// Lines that went to the log of the service in a second.
#[derive(Debug)]
struct Told {
    since: Instant,
    lines: usize,
}

impl Log {
    pub(crate) fn shared(plugin: &str, lines: Lines) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            plugin: plugin.to_owned(),
            lines,
            line: Vec::new(),
            tail: VecDeque::new(),
            fault: None,
            told: Told {
                since: Instant::now(),
                lines: 0,
            },
        }))
    }

    /// Takes up what was read.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' && self.line.len() < LINE_BYTES {
                self.line.push(*byte);
                continue;
            }
            let line = mem::take(&mut self.line);
            self.end_line(&line);
        }
    }

    fn end_line(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        // What was printed before without an end of the line is another one.
        let begin = text.find(MARK).unwrap_or(text.len());
        let (printed, ours) = text.split_at(begin);
        let ours = ours.strip_prefix(MARK);
        let ours = ours.and_then(|json| serde_json::from_str::<Line>(json).ok());
        let printed = if ours.is_some() { printed } else { &text };
        if !printed.is_empty() || ours.is_none() {
            self.lines.add("", printed);
            self.tail.extend(printed.as_bytes());
            self.tail.push_back(b'\n');
            let over = self.tail.len().saturating_sub(TAIL_BYTES);
            self.tail.drain(..over);
        }
        match ours {
            Some(line) if line.level == FAULT => self.fault = Some(told(&line.message)),
            Some(Line {
                measured: Some(measured),
                ..
            }) => measured.tell(&self.plugin),
            Some(line) => self.tell(&line),
            None => {},
        }
    }

    /// The segmenter's own lines go where those of segmenters in this process go.
    fn tell(&mut self, line: &Line) {
        let level = &line.level;
        let (message, details) = (plain(&line.message), plain(&line.details));
        let end = if details.is_empty() { "" } else { " " };
        self.lines.add(level, &format!("{message}{end}{details}"));
        let plugin = &self.plugin;
        if self.told.since.elapsed() >= Duration::from_secs(1) {
            let left_out = self.told.lines.saturating_sub(LINES_A_SECOND);
            if left_out > 0 {
                tracing::warn!(target: "sextant::segmenter", plugin, left_out, "it writes more lines than are told here");
            }
            self.told = Told {
                since: Instant::now(),
                lines: 0,
            };
        }
        self.told.lines += 1;
        if self.told.lines > LINES_A_SECOND {
            return;
        }
        match level.as_str() {
            "ERROR" => {
                tracing::error!(target: "sextant::segmenter", plugin, details, "{message}");
            },
            "WARN" => tracing::warn!(target: "sextant::segmenter", plugin, details, "{message}"),
            "INFO" => tracing::info!(target: "sextant::segmenter", plugin, details, "{message}"),
            "DEBUG" => tracing::debug!(target: "sextant::segmenter", plugin, details, "{message}"),
            _ => tracing::trace!(target: "sextant::segmenter", plugin, details, "{message}"),
        }
    }

    /// The process has ended before it was told to.
    pub(crate) fn ended(&self, crash: &Crash) {
        let place = crash.place();
        let message = match crash.printed.lines().last() {
            None => format!("{crash}{place}; it printed nothing"),
            Some(last) => format!("{crash}{place}; at last it printed: {}", plain(last)),
        };
        self.lines.tell("ERROR", &message);
    }

    /// Where the process has crashed, if it has told.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.clone()
    }

    /// The last that was printed and is no log line.
    pub(crate) fn tail(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().chain(&self.line).copied().collect();
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }
}
