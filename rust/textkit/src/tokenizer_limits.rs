//! What a tokenizer.json may not ask for. The library trusts its file: a chain of replacements makes gigabytes of one word,
//! a template millions of special tokens. So the file is read here first, all but its vocabulary, and refused when what it
//! asks for is in no proportion to any text. How much a text can grow bounds the texts that are then taken.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::border::Failure;

/// JSON values of a normalizer, pre-tokenizer, post-processor or decoder; published ones have up to 200.
const MAX_PART_VALUES: usize = 2048;
/// Of a text in such a part, such as a regular expression.
const MAX_TEXT_BYTES: usize = 16 << 10;
/// In base64; sentencepiece's own tables have 300 KB.
const MAX_CHARSMAP_BYTES: usize = 4 << 20;
/// Of one token; the longest in use have about 600.
const MAX_TOKEN_BYTES: usize = 8 << 10;
/// Of a text that the model adds to a token or puts in its place.
const MAX_AFFIX_BYTES: usize = 1 << 10;
/// WordPiece's time for a word grows with its cube; everybody's files say 100.
const MAX_WORD_CHARS: u64 = 200;
/// Bytes out for one byte in. T5's file, the worst in use, comes to about 500 by this count.
const MAX_GROWTH: u64 = 4096;
/// Of added tokens that go through a normalizer with a regular expression, together.
const MAX_SEARCHED_BYTES: usize = 64 << 10;
/// What a text may become.
pub const MAX_GROWN_BYTES: u64 = 256 << 20;

/// Bounds for one tokenizer.
pub struct Limits {
    pub encode_growth: u64,
    pub decode_growth: u64,
    pub longest_token: usize,
}

#[derive(Deserialize)]
struct File {
    added_tokens: Option<Vec<AddedToken>>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    decoder: Option<Value>,
    model: Option<Model>,
}

#[derive(Deserialize)]
struct AddedToken {
    content: Length,
    #[serde(default)]
    normalized: bool,
}

#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    vocab: Longest,
    max_input_chars_per_word: Option<u64>,
    continuing_subword_prefix: Option<Length>,
    end_of_word_suffix: Option<Length>,
    unk_token: Option<Length>,
}

/// The bytes of a text that is not kept.
struct Length(usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Length;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Length, E> {
                Ok(Length(text.len()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The longest token of a vocabulary: {token: id} or [[token, score]].
#[derive(Default)]
struct Longest(usize);

impl<'de> Deserialize<'de> for Longest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Vocabulary;
        impl<'de> Visitor<'de> for Vocabulary {
            type Value = Longest;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a vocabulary")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Longest, A::Error> {
                let mut longest = 0;
                while let Some((token, _)) = map.next_entry::<Length, IgnoredAny>()? {
                    longest = longest.max(token.0);
                }
                Ok(Longest(longest))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Longest, A::Error> {
                let mut longest = 0;
                while let Some((token, _)) = seq.next_element::<(Length, IgnoredAny)>()? {
                    longest = longest.max(token.0);
                }
                Ok(Longest(longest))
            }
        }
        deserializer.deserialize_any(Vocabulary)
    }
}

fn at_most(what: &str, value: u64, limit: u64) -> Result<(), Failure> {
    if value > limit {
        return Err(Failure::invalid(format!("tokenizer.json: {what} is {value}, expected at most {limit}")));
    }
    Ok(())
}

/// Reads `json` for what it asks for; what is wrong with it otherwise is the library's to say.
pub fn check(json: &str) -> Result<Limits, Failure> {
    let file: File = serde_json::from_str(json).map_err(|e| Failure::invalid(format!("tokenizer.json: {e}")))?;
    let mut longest_token = 0;
    if let Some(model) = &file.model {
        check_model(model)?;
        longest_token = model.vocab.0;
    }
    let normalizer = Part::examine("normalizer", &file.normalizer)?;
    let pre_tokenizer = Part::examine("pre_tokenizer", &file.pre_tokenizer)?;
    let decoder = Part::examine("decoder", &file.decoder)?;
    Part::examine("post_processor", &file.post_processor)?;
    for (part, name) in [(&normalizer, "normalizer"), (&decoder, "decoder")] {
        if let Some(regex) = part.regexes.iter().find(|regex| !is_quick(regex)) {
            return Err(Failure::invalid(format!(
                "tokenizer.json: {name}: the regular expression {regex:?} can take time without end; expected no groups, and one \
                 repetition in each alternative"
            )));
        }
    }
    let encode_growth = normalizer.growth.saturating_mul(pre_tokenizer.growth);
    at_most("the growth of a text by normalizer and pre_tokenizer", encode_growth, MAX_GROWTH)?;
    at_most("the growth of a token by the decoder", decoder.growth, MAX_GROWTH)?;
    let added = file.added_tokens.unwrap_or_default();
    longest_token = added.iter().map(|token| token.content.0).fold(longest_token, usize::max);
    at_most("the length of the longest token", longest_token as u64, MAX_TOKEN_BYTES as u64)?;
    let normalized: usize = added.iter().filter(|token| token.normalized).map(|token| token.content.0).sum();
    at_most("what the normalizer makes of added tokens", encode_growth * normalized as u64, MAX_GROWN_BYTES)?;
    if !normalizer.regexes.is_empty() {
        at_most("the length of added tokens that regular expressions search", normalized as u64, MAX_SEARCHED_BYTES as u64)?;
    }
    Ok(Limits { encode_growth, decode_growth: decoder.growth, longest_token })
}

fn check_model(model: &Model) -> Result<(), Failure> {
    at_most("max_input_chars_per_word", model.max_input_chars_per_word.unwrap_or(0), MAX_WORD_CHARS)?;
    for (name, text) in [
        ("continuing_subword_prefix", &model.continuing_subword_prefix),
        ("end_of_word_suffix", &model.end_of_word_suffix),
        ("unk_token", &model.unk_token),
    ] {
        let bytes = text.as_ref().map_or(0, |text| text.0);
        at_most(&format!("the length of {name}"), bytes as u64, MAX_AFFIX_BYTES as u64)?;
    }
    Ok(())
}

/// What one of the chains of steps around the model asks for.
struct Part<'a> {
    name: &'static str,
    values: usize,
    growth: u64,
    regexes: Vec<&'a str>,
}

impl<'a> Part<'a> {
    fn examine(name: &'static str, part: &'a Option<Value>) -> Result<Self, Failure> {
        let mut found = Part { name, values: 0, growth: 1, regexes: Vec::new() };
        if let Some(value) = part {
            found.add(value)?;
        }
        Ok(found)
    }

    /// Recurses as deep as the JSON is nested: serde_json allows 128 levels.
    fn add(&mut self, value: &'a Value) -> Result<(), Failure> {
        self.values += 1;
        at_most(&format!("the number of values in {}", self.name), self.values as u64, MAX_PART_VALUES as u64)?;
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter().try_for_each(|item| self.add(item)),
            Value::Object(members) => self.object(members),
            _ => Ok(()),
        }
    }

    fn text(&self, text: &str) -> Result<(), Failure> {
        at_most(&format!("the length of a text in {}", self.name), text.len() as u64, MAX_TEXT_BYTES as u64)
    }

    fn object(&mut self, members: &'a Map<String, Value>) -> Result<(), Failure> {
        self.growth = self.growth.saturating_mul(growth_of(members)?);
        for (key, value) in members {
            self.text(key)?;
            match (key.as_str(), value.as_str()) {
                ("precompiled_charsmap", Some(_)) => continue,
                ("Regex", Some(regex)) => self.regexes.push(regex),
                _ => {}
            }
            self.add(value)?;
        }
        Ok(())
    }
}

/// Bytes that one step makes of one byte, at worst. The library guesses the kind of a step without a type from its members,
/// so members count before types.
fn growth_of(step: &Map<String, Value>) -> Result<u64, Failure> {
    let bytes = |key| step.get(key).and_then(Value::as_str).map(|text: &str| text.len() as u64);
    if let (Some(pattern), Some(content)) = (step.get("pattern"), bytes("content")) {
        let replaced = pattern.get("String").and_then(Value::as_str).map_or(0, str::len) as u64;
        // Without a text to take away, something is put in before every character.
        return Ok(if replaced == 0 { 1 + content } else { content.div_ceil(replaced).max(1) });
    }
    if let Some(prepended) = bytes("prepend") {
        return Ok(1 + prepended);
    }
    if let Some(charsmap) = step.get("precompiled_charsmap").and_then(Value::as_str) {
        return growth_of_charsmap(charsmap);
    }
    Ok(match step.get("type").and_then(Value::as_str) {
        Some("Sequence" | "Split" | "Digits" | "Strip" | "StripAccents" | "Nmt" | "Fuse") => 1,
        Some("NFC" | "NFD") => 3,
        Some("NFKC" | "NFKD") => 11,  // U+FDFA: 3 bytes -> 33
        // {"String": " "}, {"pretokenizers": [...]}
        None if step.len() == 1 => 1,
        // A byte becomes at most one character, and a character has at most 4 bytes.
        _ => 4,
    })
}

/// sentencepiece's table: the length of a trie, the trie, texts that end in zeros. The library believes the length.
fn growth_of_charsmap(charsmap: &str) -> Result<u64, Failure> {
    at_most("the length of precompiled_charsmap", charsmap.len() as u64, MAX_CHARSMAP_BYTES as u64)?;
    let table = base64::decode(charsmap).map_err(|e| Failure::invalid(format!("tokenizer.json: precompiled_charsmap: {e}")))?;
    let (Some(length), Some(rest)) = (table.first_chunk::<4>(), table.get(4..)) else {
        return Err(Failure::invalid("tokenizer.json: precompiled_charsmap has no length"));
    };
    let trie_bytes = u32::from_le_bytes(*length);
    at_most("the length of the trie in precompiled_charsmap", trie_bytes.into(), rest.len() as u64)?;
    let texts = rest.get(trie_bytes as usize..).unwrap_or_default();
    Ok(texts.split(|&byte| byte == 0).map(<[u8]>::len).max().unwrap_or(0).max(1) as u64)
}

/// True when a search cannot take much longer than its text is long: no groups to repeat, look around or call, and one repetition
/// in each alternative. Conservative: inside of brackets everything counts.
fn is_quick(regex: &str) -> bool {
    let mut repetitions = 0;
    let mut grouped = false;
    let mut characters = regex.chars();
    let mut worst = 0;
    while let Some(c) = characters.next() {
        match c {
            '\\' => grouped |= matches!(characters.next(), Some('g' | 'k' | '1'..='9')),
            '(' => grouped = true,
            '*' | '+' | '?' | '{' => repetitions += 1,
            '|' => repetitions = 0,
            _ => {}
        }
        worst = worst.max(repetitions);
    }
    worst <= usize::from(!grouped)
}
