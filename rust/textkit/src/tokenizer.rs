//! Hugging Face `tokenizers` behind `tk_tokenizer_*`.

use tokenizers::{Model, OffsetType, Tokenizer};

use crate::border::{catch, report, slice, text, Bytes, Failure, Ids, Status};
use crate::bounded_split::{limit_searches, BoundedSplit, OverLimit};
use crate::tokenizer_limits::{check, Limits, MAX_GROWN_BYTES};

/// A tokenizer and how far its file may be trusted.
pub struct BoundedTokenizer {
    tokenizer: Tokenizer,
    split: BoundedSplit,
    limits: Limits,
}

/// Runs the library. Searches that go on for too long end as errors of ours or as panics of the library.
fn guarded<R>(what: &str, run: impl FnOnce() -> tokenizers::Result<R>) -> Result<R, Failure> {
    let described = |e: tokenizers::Error| match e.is::<OverLimit>() {
        true => Failure::limit(format!("tokenizer.json: {e}")),
        false => Failure::invalid(format!("{what}: {e}")),
    };
    catch(|| run().map_err(described)).map_err(|failure| match failure.message.starts_with("Onig:") {
        true => Failure::limit(format!("tokenizer.json: {}", failure.message)),
        false => failure,
    })
}

impl BoundedTokenizer {
    fn load(json: &str) -> Result<Self, Failure> {
        limit_searches();
        let limits = check(json)?;
        let made = || -> tokenizers::Result<Self> {
            let mut tokenizer = Tokenizer::from_bytes(json)?;
            // A file may carry the settings of somebody's training run; a server must not cut or pad prompts because of them.
            tokenizer.with_truncation(None)?;
            tokenizer.with_padding(None);
            let split = BoundedSplit::new(tokenizer.get_pre_tokenizer())?;
            Ok(BoundedTokenizer { tokenizer, split, limits })
        };
        // The library panics over some files.
        catch(|| made().map_err(|e| Failure::invalid(e.to_string())))
            .map_err(|failure| Failure::invalid(format!("tokenizer.json: {}", failure.message)))
    }

    /// `Tokenizer::encode_fast`, but for the deadline.
    fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, Failure> {
        let grown = (text.len() as u64).saturating_mul(self.limits.encode_growth);
        if grown > MAX_GROWN_BYTES {
            return Err(Failure::limit(format!(
                "a text of {} bytes can become {grown} with this tokenizer.json, at most {MAX_GROWN_BYTES} are allowed",
                text.len()
            )));
        }
        guarded("text cannot be encoded", || {
            let added = self.tokenizer.get_added_vocabulary();
            let mut pieces = added.extract_and_normalize(self.tokenizer.get_normalizer(), text);
            self.split.pre_tokenize(text.len(), &mut pieces)?;
            self.tokenizer.get_model().tokenize_in_pretokenized(&mut pieces, None)?;
            let encoding = pieces.into_encoding(None, 0, OffsetType::None)?;
            Ok(self.tokenizer.post_process(encoding, None, add_special_tokens)?.get_ids().to_vec())
        })
    }

    fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String, Failure> {
        self.check_decoded_bytes(ids)?;
        guarded("tokens cannot be decoded", || self.tokenizer.decode(ids, skip_special_tokens))
    }

    fn check_decoded_bytes(&self, ids: &[u32]) -> Result<(), Failure> {
        let growth = self.limits.decode_growth;
        // A separator may be put between two tokens.
        let at_worst = (ids.len() as u64).saturating_mul(self.limits.longest_token as u64 + 1);
        if at_worst.saturating_mul(growth) <= MAX_GROWN_BYTES {
            return Ok(());
        }
        let bytes: u64 = ids.iter().map(|&id| 1 + self.tokenizer.id_to_token(id).map_or(0, |token| token.len() as u64)).sum();
        if bytes.saturating_mul(growth) <= MAX_GROWN_BYTES {
            return Ok(());
        }
        Err(Failure::limit(format!(
            "{} tokens of {bytes} bytes can become {growth} times as many with this tokenizer.json, at most {MAX_GROWN_BYTES} \
             are allowed",
            ids.len()
        )))
    }
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_new(
    json: *const u8,
    json_size: usize,
    out: *mut *mut BoundedTokenizer,
    error: *mut Bytes,
) -> Status {
    report(error, || {
        let tokenizer = BoundedTokenizer::load(text("tokenizer.json", json, json_size)?)?;
        out.write(Box::into_raw(Box::new(tokenizer)));
        Ok(())
    })
}

/// # Safety
/// `tokenizer` came from `tk_tokenizer_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_free(tokenizer: *mut BoundedTokenizer) {
    if !tokenizer.is_null() {
        drop(Box::from_raw(tokenizer));
    }
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_encode(
    tokenizer: &BoundedTokenizer,
    input: *const u8,
    input_size: usize,
    add_special_tokens: bool,
    out: *mut Ids,
    error: *mut Bytes,
) -> Status {
    report(error, || {
        let ids = tokenizer.encode(text("text", input, input_size)?, add_special_tokens)?;
        out.write(Ids::new(ids));
        Ok(())
    })
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_decode(
    tokenizer: &BoundedTokenizer,
    ids: *const u32,
    id_count: usize,
    skip_special_tokens: bool,
    out: *mut Bytes,
    error: *mut Bytes,
) -> Status {
    report(error, || {
        let decoded = tokenizer.decode(slice(ids, id_count), skip_special_tokens)?;
        out.write(Bytes::new(decoded.into_bytes()));
        Ok(())
    })
}

/// # Safety
/// See textkit.h; the pointer is valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_vocab_size(tokenizer: &BoundedTokenizer) -> usize {
    catch(|| Ok(tokenizer.tokenizer.get_vocab_size(true))).unwrap_or(0)
}

/// Writes what `f` finds; a failure counts as not found, for these look-ups have none of their own.
unsafe fn found<T>(out: *mut T, f: impl FnOnce() -> Option<T>) -> bool {
    match catch(|| Ok(f())) {
        Ok(Some(value)) => {
            out.write(value);
            true
        }
        _ => false,
    }
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_token_to_id(
    tokenizer: &BoundedTokenizer,
    token: *const u8,
    token_size: usize,
    out: *mut u32,
) -> bool {
    found(out, || tokenizer.tokenizer.token_to_id(text("token", token, token_size).ok()?))
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_id_to_token(tokenizer: &BoundedTokenizer, id: u32, out: *mut Bytes) -> bool {
    found(out, || Some(Bytes::new(tokenizer.tokenizer.id_to_token(id)?.into_bytes())))
}

/// # Safety
/// See textkit.h; the pointer is valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_is_special(tokenizer: &BoundedTokenizer, id: u32) -> bool {
    let added = tokenizer.tokenizer.get_added_vocabulary();
    catch(|| Ok(added.simple_id_to_token(id).is_some_and(|token| added.is_special_token(&token)))).unwrap_or(false)
}
