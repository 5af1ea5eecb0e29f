//! Hugging Face `tokenizers` behind `tk_tokenizer_*`.

use tokenizers::Tokenizer;

use crate::border::{catch, report, slice, text, Bytes, Failure, Ids, Status};

fn load(json: &str) -> Result<Tokenizer, Failure> {
    let mut tokenizer = Tokenizer::from_bytes(json).map_err(|e| Failure::invalid(format!("tokenizer.json: {e}")))?;
    // A file may carry the settings of somebody's training run; a server must not cut or pad prompts because of them.
    tokenizer.with_truncation(None).map_err(|e| Failure::invalid(format!("tokenizer.json: {e}")))?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_new(
    json: *const u8,
    json_size: usize,
    out: *mut *mut Tokenizer,
    error: *mut Bytes,
) -> Status {
    report(error, || {
        let tokenizer = load(text("tokenizer.json", json, json_size)?)?;
        out.write(Box::into_raw(Box::new(tokenizer)));
        Ok(())
    })
}

/// # Safety
/// `tokenizer` came from `tk_tokenizer_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_free(tokenizer: *mut Tokenizer) {
    if !tokenizer.is_null() {
        drop(Box::from_raw(tokenizer));
    }
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_encode(
    tokenizer: &Tokenizer,
    input: *const u8,
    input_size: usize,
    add_special_tokens: bool,
    out: *mut Ids,
    error: *mut Bytes,
) -> Status {
    report(error, || {
        let encoding = tokenizer
            .encode_fast(text("text", input, input_size)?, add_special_tokens)
            .map_err(|e| Failure::invalid(format!("text cannot be encoded: {e}")))?;
        out.write(Ids::new(encoding.get_ids().to_vec()));
        Ok(())
    })
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_decode(
    tokenizer: &Tokenizer,
    ids: *const u32,
    id_count: usize,
    skip_special_tokens: bool,
    out: *mut Bytes,
    error: *mut Bytes,
) -> Status {
    report(error, || {
        let decoded = tokenizer
            .decode(slice(ids, id_count), skip_special_tokens)
            .map_err(|e| Failure::invalid(format!("tokens cannot be decoded: {e}")))?;
        out.write(Bytes::new(decoded.into_bytes()));
        Ok(())
    })
}

/// # Safety
/// See textkit.h; the pointer is valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_vocab_size(tokenizer: &Tokenizer) -> usize {
    catch(|| Ok(tokenizer.get_vocab_size(true))).unwrap_or(0)
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
    tokenizer: &Tokenizer,
    token: *const u8,
    token_size: usize,
    out: *mut u32,
) -> bool {
    found(out, || tokenizer.token_to_id(text("token", token, token_size).ok()?))
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_id_to_token(tokenizer: &Tokenizer, id: u32, out: *mut Bytes) -> bool {
    found(out, || Some(Bytes::new(tokenizer.id_to_token(id)?.into_bytes())))
}

/// # Safety
/// See textkit.h; the pointer is valid.
#[no_mangle]
pub unsafe extern "C" fn tk_tokenizer_is_special(tokenizer: &Tokenizer, id: u32) -> bool {
    let added = tokenizer.get_added_vocabulary();
    catch(|| Ok(added.simple_id_to_token(id).is_some_and(|token| added.is_special_token(&token)))).unwrap_or(false)
}
