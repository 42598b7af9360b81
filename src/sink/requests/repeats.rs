//! Detection of repeated requests ahead of all filters and sorting, for the summary line.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::request_text::printable_line;
use crate::error::Result;
use crate::request::{RepeatDetector, RequestEvent};
use crate::sink::rows::{push_text, text_width};
use crate::sink::{Event, Requirement, Sink};

/// Repeated requests: recorded by [`RepeatRecorder`], reported by the summary line.
#[derive(Debug, Clone, Default)]
pub struct Repeats(Arc<Mutex<RepeatDetector>>);

/// Minimum width of a shape in terminal columns.
const MIN_SHAPE_WIDTH: usize = 24;
/// Maximum width of a shape if the width of lines is not limited.
const MAX_SHAPE_WIDTH: usize = 200;

impl Repeats {
    fn lock(&self) -> std::sync::MutexGuard<'_, RepeatDetector> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the longest row of requests of one shape to a line that has a maximum width: `;
    /// repeated: GET /item/{id}, 12 times in a row on one connection`. The shape is shortened in
    /// the middle.
    pub(super) fn write(&self, line: &mut String, width: Option<u16>) {
        let detector = self.lock();
        let Some(worst) = detector.worst() else {
            return;
        };
        let end = format!(", {} times in a row on one connection", worst.count);
        line.push_str("; repeated: ");
        let used = text_width(line.as_bytes()) + end.len();
        let space = width.map_or(MAX_SHAPE_WIDTH, |width| {
            usize::from(width).saturating_sub(used).max(MIN_SHAPE_WIDTH)
        });
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "{}{end}",
            shorten(&printable_line(&worst.shape), space)
        );
    }
}

/// Replaces characters in the middle of a text by `…`, so that it has a width.
fn shorten(text: &str, width: usize) -> String {
    if text_width(text.as_bytes()) <= width {
        return text.to_owned();
    }
    let mut start = Vec::new();
    push_text(&mut start, text, width.div_ceil(2));
    let mut shortened = String::from_utf8_lossy(&start).into_owned();
    let mut space = width.saturating_sub(text_width(&start));
    let end = text.char_indices().rev().take_while(|(at, character)| {
        let character_width = text_width(&text.as_bytes()[*at..*at + character.len_utf8()]);
        let fits = character_width <= space;
        space = space.saturating_sub(character_width);
        fits
    });
    let end = end.last().map_or(text.len(), |(at, _)| at);
    shortened.push_str(&text[end..]);
    shortened
}

/// Sink that records all requests before it passes them on.
pub struct RepeatRecorder {
    inner: Box<dyn Sink>,
    repeats: Repeats,
}

impl RepeatRecorder {
    /// Returns a sink in front of `inner`.
    pub fn new(inner: Box<dyn Sink>, repeats: Repeats) -> RepeatRecorder {
        RepeatRecorder { inner, repeats }
    }
}

impl Sink for RepeatRecorder {
    fn requires(&self) -> Requirement {
        self.inner.requires()
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Event::Request(RequestEvent::Request(request)) = event {
            self.repeats.lock().add(request);
        }
        self.inner.handle(event)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shortened_in_the_middle() {
        for (text, width, expected) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "ab…efg"),
            ("abcdefgh", 5, "ab…gh"),
            ("漢字漢字漢字", 8, "漢…漢字"),
            ("", 5, ""),
        ] {
            assert_eq!(shorten(text, width), expected, "{text}");
        }
    }
}
