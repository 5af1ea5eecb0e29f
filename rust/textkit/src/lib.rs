//! The C ABI of Tessera's text layer; `textkit.h` beside `Cargo.toml` is its contract.
//!
//! One file per topic, each a thin border over one library. Everything that can go wrong comes back
//! as a status and a line of text: see `border`.

mod border;
mod bounded_split;
mod chat_template;
mod grammar;
mod python;
mod source;
mod tokenizer;
mod tokenizer_limits;
