//! A tokenizer.json's regular expressions, searched with a deadline. The library's own search has none, and the expression of
//! a stranger can take years for a line of text.

use std::cell::Cell;
use std::fmt;
use std::sync::Once;
use std::time::Duration;

use onig::{MatchParam, Regex, Region, SearchOptions};
use tokenizers::pattern::{Invert, Pattern};
use tokenizers::pre_tokenizers::split::SplitPattern;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{Offsets, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior};

/// Steps back that one search may take, about 0.05 s. A megabyte of spaces takes a million.
const MAX_RETRIES: std::os::raw::c_ulong = 4_000_000;
const BASE_TIME: Duration = Duration::from_secs(1);
/// Usual expressions take 0.1 us per byte.
const TIME_PER_BYTE: Duration = Duration::from_micros(20);

/// Work that has been stopped.
#[derive(Debug)]
pub struct OverLimit(pub &'static str);

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for OverLimit {}

/// Time of this thread alone, so that a busy machine changes no result.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Bounds every search of the process that no deadline stops: those of the library itself.
pub fn limit_searches() {
    static ONCE: Once = Once::new();
    // SAFETY: sets two numbers that later searches begin with.
    ONCE.call_once(|| unsafe {
        onig_sys::onig_set_retry_limit_in_match(MAX_RETRIES);
        onig_sys::onig_set_retry_limit_in_search(MAX_RETRIES);
    });
}

enum Step {
    Search { regex: Regex, behavior: SplitDelimiterBehavior, invert: bool },
    Library(PreTokenizerWrapper),
}

/// A pre-tokenizer, its sequences taken apart.
pub struct BoundedSplit {
    steps: Vec<Step>,
}

impl BoundedSplit {
    pub fn new(pre_tokenizer: Option<&PreTokenizerWrapper>) -> tokenizers::Result<Self> {
        let mut split = BoundedSplit { steps: Vec::new() };
        if let Some(pre_tokenizer) = pre_tokenizer {
            split.add(pre_tokenizer)?;
        }
        Ok(split)
    }

    fn add(&mut self, pre_tokenizer: &PreTokenizerWrapper) -> tokenizers::Result<()> {
        match pre_tokenizer {
            PreTokenizerWrapper::Sequence(sequence) => {
                return sequence.as_ref().iter().try_for_each(|member| self.add(member));
            }
            PreTokenizerWrapper::Split(split) => {
                if let SplitPattern::Regex(pattern) = &split.pattern {
                    let regex = Regex::new(pattern)?;
                    self.steps.push(Step::Search { regex, behavior: split.behavior, invert: split.invert });
                    return Ok(());
                }
            }
            _ => {}
        }
        self.steps.push(Step::Library(pre_tokenizer.clone()));
        Ok(())
    }

    /// `OverLimit` past the deadline, which grows with the text.
    pub fn pre_tokenize(&self, text_bytes: usize, pieces: &mut PreTokenizedString) -> tokenizers::Result<()> {
        let deadline = thread_time() + BASE_TIME + TIME_PER_BYTE * u32::try_from(text_bytes).unwrap_or(u32::MAX);
        let searches = Cell::new(0);
        for step in &self.steps {
            match step {
                Step::Library(pre_tokenizer) => pre_tokenizer.pre_tokenize(pieces)?,
                Step::Search { regex, behavior, invert } => {
                    let search = Search { regex, deadline, searches: &searches };
                    pieces.split(|_, piece| match invert {
                        true => piece.split(Invert(search), *behavior),
                        false => piece.split(search, *behavior),
                    })?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Search<'a> {
    regex: &'a Regex,
    deadline: Duration,
    searches: &'a Cell<u32>,
}

impl Search<'_> {
    /// The next match from `from` on.
    fn find(&self, text: &str, from: usize, region: &mut Region) -> tokenizers::Result<Option<Offsets>> {
        self.searches.set(self.searches.get().wrapping_add(1));
        // Asking for the time takes as long as a usual search.
        if self.searches.get() % 16 == 0 && thread_time() > self.deadline {
            return Err(Box::new(OverLimit("its regular expressions take too long for this text")));
        }
        region.clear();
        let options = SearchOptions::SEARCH_OPTION_NONE;
        match self.regex.search_with_param(text, from, text.len(), options, Some(region), MatchParam::default()) {
            Ok(None) => Ok(None),
            Ok(Some(_)) => Ok(region.pos(0)),
            Err(_) => Err(Box::new(OverLimit("its regular expressions take too many steps for this text"))),
        }
    }
}

impl Pattern for Search<'_> {
    /// As the library's own pattern over `onig::FindMatches`.
    fn find_matches(&self, text: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        if text.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let mut region = Region::new();
        let mut matches = Vec::with_capacity(text.len());
        let (mut from, mut last_match) = (0, None);
        let mut covered = 0;
        while from <= text.len() {
            let Some((start, end)) = self.find(text, from, &mut region)? else { break };
            if start == end && last_match == Some(end) {
                // An empty match right behind a match: the search goes on one character later.
                from += text[from..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            (from, last_match) = (end, Some(end));
            if covered != start {
                matches.push(((covered, start), false));
            }
            matches.push(((start, end), true));
            covered = end;
        }
        if covered != text.len() {
            matches.push(((covered, text.len()), false));
        }
        Ok(matches)
    }
}
