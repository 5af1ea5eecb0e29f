//! Chat templates behind `tk_template_*`: minijinja set up as transformers sets up Jinja2
//! (`transformers/utils/chat_template_utils.py`).

use std::io;

use indexmap::IndexMap;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

use crate::border::{catch, report, text, Bytes, Failure, Status};
use crate::python;
use crate::source;

/// Templates of models take 1 to 30 KB. The compiler's time for one long chain of `~` grows with its square (9 s for 80 KB).
const MAX_SOURCE_BYTES: usize = 64 << 10;
/// The compiler recurses into chains like `1+1+1+...`, which its own limit on nesting does not count. Only touched pages cost
/// memory; the worst chain found, 256 KiB of `-`, touches 126 MB.
const COMPILER_STACK_BYTES: usize = 512 << 20;
const MAX_OUTPUT_BYTES: usize = 64 << 20;
/// One unit pays for one step or for 64 bytes of data.
const BASE_FUEL: u64 = 10_000_000;
const FUEL_PER_CONTEXT_BYTE: u64 = 4;

const NAME: &str = "chat_template";

pub struct ChatTemplate {
    environment: Environment<'static>,
}

fn describe(error: &Error) -> Failure {
    if error.kind() == ErrorKind::OutOfFuel {
        return Failure::limit(format!("more work than is allowed"));
    }
    let mut message = format!("{error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    Failure::invalid(message)
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Python's `datetime.now().strftime(format)`.
fn strftime_now(format: String) -> Result<String, Error> {
    let failed = || Error::new(ErrorKind::InvalidOperation, format!("strftime_now: cannot use format {format:?}"));
    if format.is_empty() {
        return Ok(String::new());
    }
    let c_format = std::ffi::CString::new(format.as_str()).map_err(|_| failed())?;
    let mut buffer = vec![0u8; 256 + 16 * format.len().min(4096)];
    // SAFETY: all pointers are valid for the calls; strftime writes at most buffer.len() bytes and returns how many.
    let written = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut parts: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&now, &mut parts).is_null() {
            return Err(failed());
        }
        libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), c_format.as_ptr(), &parts)
    };
    buffer.truncate(written);
    String::from_utf8(buffer).ok().filter(|s| !s.is_empty()).ok_or_else(failed)
}

impl ChatTemplate {
    fn compile(source: &str) -> Result<Self, Failure> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(Failure::limit(format!("{NAME}: {} bytes, at most {MAX_SOURCE_BYTES} are allowed", source.len())));
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(|e| describe(&e))?;
        environment.set_syntax(syntax);
        environment.set_unknown_method_callback(python::unknown_method);
        environment.set_formatter(python::print);
        // Of no use in a prompt, and its time grows with the cube of the depth.
        environment.remove_filter("pprint");
        environment.add_filter("tojson", python::tojson);
        environment.add_filter("trim", |text: &str, chars: Option<&str>| match chars {
            Some(chars) => text.trim_matches(|c| chars.contains(c)).to_string(),
            None => python::strip(text).to_string(),
        });
        // Python's strings and dicts can be measured and indexed, so Jinja2 counts them among the sequences.
        environment.add_test("sequence", |value: &Value| {
            matches!(value.kind(), ValueKind::Undefined | ValueKind::Seq | ValueKind::Map | ValueKind::String)
        });
        environment.add_filter(source::SHALLOW_FILTER, python::shallow);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_template_owned(NAME, source::prepared(source)).map_err(|e| describe(&e))?;
        Ok(ChatTemplate { environment })
    }

    fn compile_on_large_stack(source: &str) -> Result<Self, Failure> {
        let no_thread = |e: io::Error| Failure { status: Status::Panic, message: format!("no thread for the compiler: {e}") };
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .stack_size(COMPILER_STACK_BYTES)
                .spawn_scoped(scope, || catch(|| Self::compile(source)))
                .map_err(no_thread)?
                .join()
                .unwrap_or_else(|_| Err(Failure { status: Status::Panic, message: "the compiler's thread failed".into() }))
        })
    }

    fn render(&self, context_json: &str) -> Result<Vec<u8>, Failure> {
        let context: serde_json::Value =
            serde_json::from_str(context_json).map_err(|e| Failure::invalid(format!("{NAME}: variables: {e}")))?;
        if !context.is_object() {
            return Err(Failure::invalid(format!("{NAME}: variables: expected a JSON object")));
        }
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(BASE_FUEL + FUEL_PER_CONTEXT_BYTE * context_json.len() as u64));
        let mut out = BoundedOutput { bytes: Vec::new(), overflowed: false };
        let result = environment
            .get_template(NAME)
            .and_then(|template| template.render_captured_to(to_value(context), &mut out).map(drop));
        if out.overflowed {
            return Err(Failure::limit(format!("{NAME}: more than {MAX_OUTPUT_BYTES} bytes of output")));
        }
        result.map_err(|e| describe(&e))?;
        Ok(out.bytes)
    }
}

fn to_value(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(b),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => Value::from(i),
            (None, Some(u)) => Value::from(u),
            (None, None) => Value::from(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(s) => Value::from(s),
        Json::Array(items) => items.into_iter().map(to_value).collect(),
        Json::Object(members) => Value::from(
            members.into_iter().map(|(key, value)| (Value::from(key), to_value(value))).collect::<IndexMap<_, Value>>(),
        ),
    }
}

struct BoundedOutput {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl io::Write for BoundedOutput {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + data.len() > MAX_OUTPUT_BYTES {
            self.overflowed = true;
            return Err(io::Error::other("too much output"));
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_template_new(
    source: *const u8,
    source_size: usize,
    out: *mut *mut ChatTemplate,
    error: *mut Bytes,
) -> Status {
    report(error, || {
        let template = ChatTemplate::compile_on_large_stack(text(NAME, source, source_size)?)?;
        out.write(Box::into_raw(Box::new(template)));
        Ok(())
    })
}

/// # Safety
/// `template` came from `tk_template_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn tk_template_free(template: *mut ChatTemplate) {
    if !template.is_null() {
        drop(Box::from_raw(template));
    }
}

/// # Safety
/// See textkit.h; all pointers are valid.
#[no_mangle]
pub unsafe extern "C" fn tk_template_render(
    template: &ChatTemplate,
    context_json: *const u8,
    context_size: usize,
    out: *mut Bytes,
    error: *mut Bytes,
) -> Status {
    report(error, || {
        let rendered = template.render(text("variables", context_json, context_size)?)?;
        out.write(Bytes::new(rendered));
        Ok(())
    })
}
