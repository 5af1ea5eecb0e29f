// The C ABI of rust/textkit: Hugging Face `tokenizers`, chat templates (minijinja) and grammars (llguidance).
//
// Only src/text includes this file; everybody else uses the C++ classes there.
// - Text goes in as pointer + size and need not end in a zero. It must be UTF-8; anything else is TK_INVALID with a message
//   that names the offset of the first bad byte. A null pointer is allowed where the size is 0.
// - A function that can fail returns a tk_status and writes its outputs only on TK_OK. Otherwise it writes one line of text
//   to *error, which the caller frees with tk_bytes_free.
// - A Rust panic never crosses this border: it comes back as TK_PANIC.
// - Every object may be used by several threads at once once it is made; only *_free needs exclusive use.
// Written by hand: change it together with src/*.rs.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tk_status {
  TK_OK = 0,
  TK_INVALID = 1,  // the input cannot be used; *error says why
  TK_LIMIT = 2,    // the input asks for more work or output than is allowed
  TK_PANIC = 3,    // a bug in this crate or in a library below it
} tk_status;

// Memory owned by the Rust side until it is given to the function of the same name with _free.
typedef struct tk_bytes {
  uint8_t* data;
  size_t size;
} tk_bytes;
typedef struct tk_ids {
  uint32_t* data;
  size_t size;
} tk_ids;
void tk_bytes_free(tk_bytes bytes);
void tk_ids_free(tk_ids ids);

// ---- tokenizer ------------------------------------------------------------------------------------------------------
typedef struct tk_tokenizer tk_tokenizer;

// json: the text of a tokenizer.json. Its truncation and padding sections are ignored, as transformers ignores them. TK_INVALID
// also for a file by which texts grow without measure: src/tokenizer_limits.rs has the limits.
tk_status tk_tokenizer_new(const char* json, size_t json_size, tk_tokenizer** out, tk_bytes* error);
void tk_tokenizer_free(tk_tokenizer* tokenizer);

// add_special_tokens: run the post-processor (BOS, EOS). Special tokens that stand in the text are recognised either way.
// TK_LIMIT when the file's regular expressions take more than 1 s + 20 us per byte of processor time, or when the text, grown as
// much as the file allows, could have more than 256 MiB; the latter for decoding as well.
tk_status tk_tokenizer_encode(const tk_tokenizer* tokenizer, const char* text, size_t text_size, bool add_special_tokens,
                              tk_ids* out, tk_bytes* error);
// Ids outside the vocabulary are left out, as in the Python library.
tk_status tk_tokenizer_decode(const tk_tokenizer* tokenizer, const uint32_t* ids, size_t id_count, bool skip_special_tokens,
                              tk_bytes* out, tk_bytes* error);

// Number of tokens, added ones included.
size_t tk_tokenizer_vocab_size(const tk_tokenizer* tokenizer);
// False when there is no such token.
bool tk_tokenizer_token_to_id(const tk_tokenizer* tokenizer, const char* token, size_t token_size, uint32_t* out);
bool tk_tokenizer_id_to_token(const tk_tokenizer* tokenizer, uint32_t id, tk_bytes* out);
bool tk_tokenizer_is_special(const tk_tokenizer* tokenizer, uint32_t id);

// ---- chat template --------------------------------------------------------------------------------------------------
typedef struct tk_template tk_template;

// source: Jinja as transformers understands it (trim_blocks, lstrip_blocks, loop controls, Python's string methods,
// tojson, raise_exception, strftime_now, {% generation %}). At most 64 KiB.
tk_status tk_template_new(const char* source, size_t source_size, tk_template** out, tk_bytes* error);
void tk_template_free(tk_template* chat_template);

// context_json: one JSON object; its members are the template's variables, in their order.
// Work is bounded (about 10 million steps, or 640 MB moved, plus 4 steps per byte of context) and so is the output (64 MiB):
// past either it is TK_LIMIT. What raise_exception says comes back as TK_INVALID.
tk_status tk_template_render(const tk_template* chat_template, const char* context_json, size_t context_size, tk_bytes* out,
                             tk_bytes* error);

// ---- grammar --------------------------------------------------------------------------------------------------------
// Compiles a constraint and throws the result away: TK_OK says that it can be honoured.
// kind: "json_schema", "regex" or "lark". Size and nesting are bounded by llguidance's own default limits.
tk_status tk_grammar_check(const char* kind, size_t kind_size, const char* source, size_t source_size, tk_bytes* error);

#ifdef __cplusplus
}
#endif
