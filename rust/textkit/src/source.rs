//! What is changed in a template's source before minijinja sees it. Nothing outside of tags, and no line break, changes.
//!
//! - transformers' `{% generation %}` marks what the assistant said, for training; here it is only the scope that it is there.
//! - `{% set ns.name = value %}` checks how deep the value is nested (see `python::shallow`).

use std::borrow::Cow;

pub const SHALLOW_FILTER: &str = "__shallow";

pub fn prepared(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 256);
    let mut rest = source;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = match rest.as_bytes().get(1) {
            Some(b'#') => rest.find("#}").map(|n| n + 2),
            Some(b'%') => tag_end(rest, "%}"),
            Some(b'{') => tag_end(rest, "}}"),
            _ => Some(1),
        };
        // Unfinished: a syntax error, which minijinja describes.
        let Some(end) = end else { break };
        let tag = &rest[..end];
        out.push_str(&changed(tag));
        rest = &rest[end..];
        if word_of(tag) == Some("raw") {
            let raw = end_of_raw(rest);
            out.push_str(&rest[..raw]);
            rest = &rest[raw..];
        }
    }
    out.push_str(rest);
    out
}

/// Where the tag that begins `text` ends; a `%}` inside of quotes does not end it.
fn tag_end(text: &str, close: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut at = 2;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(q), b) if q == b => quote = None,
            (None, b @ (b'"' | b'\'')) => quote = Some(b),
            (None, _) if bytes[at..].starts_with(close.as_bytes()) => return Some(at + close.len()),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The inside of a `{% %}` tag, without its marks for white space.
fn inside(tag: &str) -> Option<&str> {
    let inner = tag.strip_prefix("{%")?.strip_suffix("%}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    Some(inner.strip_suffix(['-', '+']).unwrap_or(inner))
}

fn word_of(tag: &str) -> Option<&str> {
    inside(tag)?.split_whitespace().next()
}

fn end_of_raw(text: &str) -> usize {
    let mut from = 0;
    while let Some(start) = text[from..].find("{%").map(|n| n + from) {
        let Some(end) = tag_end(&text[start..], "%}").map(|n| n + start) else { break };
        if word_of(&text[start..end]) == Some("endraw") {
            return start;
        }
        from = start + 2;
    }
    text.len()
}

fn changed(tag: &str) -> Cow<'_, str> {
    match word_of(tag) {
        Some("generation") => tag.replacen("generation", "with", 1).into(),
        Some("endgeneration") => tag.replacen("endgeneration", "endwith", 1).into(),
        Some("set") => checked_assignment(tag).map_or(tag.into(), Cow::from),
        _ => tag.into(),
    }
}

/// `{% set a.b = value %}` with the value checked; None for another kind of `set`.
fn checked_assignment(tag: &str) -> Option<String> {
    let inner = inside(tag)?;
    let (target, value) = inner.split_once('=')?;
    if !target.contains('.') || value.trim().is_empty() {
        return None;
    }
    let start = inner.as_ptr() as usize - tag.as_ptr() as usize;
    let end = start + inner.len();
    Some(format!("{}{target}= ({value})|{SHALLOW_FILTER} {}", &tag[..start], &tag[end..]))
}
