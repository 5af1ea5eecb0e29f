//! llguidance behind `tk_grammar_check`.

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::ApproximateTokEnv;
use llguidance::ParserFactory;

use crate::border::{report, text, Bytes, Failure, Status};

fn check(kind: &str, source: &str) -> Result<(), Failure> {
    if !matches!(kind, "json_schema" | "regex" | "lark") {
        return Err(Failure::invalid(format!("grammar kind {kind:?}: expected json_schema, regex or lark")));
    }
    let compile = || {
        // A grammar can be honoured or not whatever the vocabulary, so 256 single bytes serve as one.
        let mut factory = ParserFactory::new_simple(&ApproximateTokEnv::single_byte_env())?;
        factory.quiet();
        factory.create_parser(TopLevelGrammar::from_tagged_str(kind, source)?)
    };
    compile().map(drop).map_err(|e| Failure::invalid(format!("{kind}: {e:#}")))
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_grammar_check(
    kind: *const u8,
    kind_size: usize,
    source: *const u8,
    source_size: usize,
    error: *mut Bytes,
) -> Status {
    report(error, || check(text("grammar kind", kind, kind_size)?, text("grammar", source, source_size)?))
}
