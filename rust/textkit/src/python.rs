//! What chat templates expect of Python: `json.dumps`, and the methods of `str` that minijinja-contrib lacks or has
//! with Rust's idea of white space and lines.

use minijinja::value::{from_args, Kwargs, Rest, Tuple, ValueKind};
use minijinja::{escape_formatter, Error, ErrorKind, Output, State, Value};
use minijinja_contrib::pycompat;

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// Containers nested deeper than this are refused by `tojson`: the writer recurses, and Python's would raise as well.
const MAX_JSON_DEPTH: usize = 200;

/// `json.dumps(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`, as transformers' `tojson`.
pub fn tojson(state: &State, value: &Value, options: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    type Options = (Option<bool>, Option<Value>, Option<Value>, Option<bool>);
    let (ensure_ascii, indent, separators, sort_keys): Options = from_args(&options)?;
    let ensure_ascii = ensure_ascii.or(kwargs.get("ensure_ascii")?).unwrap_or(false);
    let indent = indent_text(indent.or(kwargs.get("indent")?))?;
    let separators = separators.or(kwargs.get("separators")?).filter(|v| !v.is_none());
    let sort_keys = sort_keys.or(kwargs.get("sort_keys")?).unwrap_or(false);
    kwargs.assert_all_used()?;
    let (item, key) = match separators {
        Some(pair) => separator_pair(&pair)?,
        None if indent.is_some() => (",".to_string(), ": ".to_string()),
        None => (", ".to_string(), ": ".to_string()),
    };
    let mut writer = JsonWriter { state, out: String::new(), ensure_ascii, indent, item, key, sort_keys };
    writer.value(value, 0)?;
    Ok(writer.out)
}

/// A value that is nested deeper than this can be kept in no namespace.
const MAX_KEPT_DEPTH: usize = 64;

/// Gives `value` back, if it is not nested too deep. Namespaces are the one thing that a template can change, so only with
/// them can it build a value whose printing or comparing would overflow the stack (one that holds itself, for instance).
pub fn shallow(state: &State, value: Value) -> Result<Value, Error> {
    check_depth(state, &value, 0)?;
    Ok(value)
}

fn check_depth(state: &State, value: &Value, depth: usize) -> Result<(), Error> {
    state.consume_fuel(1)?;
    if depth > MAX_KEPT_DEPTH {
        return Err(invalid(format!("a value nested deeper than {MAX_KEPT_DEPTH} cannot be kept in a namespace")));
    }
    // One namespace in another could hold that one in turn; the type is private, so its name must do.
    if value.as_object().is_some_and(|object| object.type_name().ends_with("::Namespace")) {
        return Err(invalid("a namespace cannot be kept in a namespace".into()));
    }
    match value.kind() {
        ValueKind::Seq => value.try_iter()?.try_for_each(|item| check_depth(state, &item, depth + 1)),
        ValueKind::Map => {
            value.try_iter()?.try_for_each(|key| check_depth(state, &value.get_item(&key)?, depth + 1))
        }
        _ => Ok(()),
    }
}

/// Python takes a number of spaces or the indentation itself; None writes everything on one line.
fn indent_text(indent: Option<Value>) -> Result<Option<String>, Error> {
    let Some(indent) = indent.filter(|v| !v.is_none()) else {
        return Ok(None);
    };
    if let Some(text) = indent.as_str() {
        return Ok(Some(text.to_string()));
    }
    match indent.as_i64() {
        Some(count) if count <= 64 => Ok(Some(" ".repeat(count.max(0) as usize))),
        _ => Err(invalid(format!("tojson: indent is {indent}, expected a text or a number up to 64"))),
    }
}

fn separator_pair(pair: &Value) -> Result<(String, String), Error> {
    let parts: Vec<Value> = pair.try_iter()?.collect();
    match parts.as_slice() {
        [item, key] if item.as_str().is_some() && key.as_str().is_some() => Ok((item.to_string(), key.to_string())),
        _ => Err(invalid(format!("tojson: separators is {pair}, expected two texts"))),
    }
}

struct JsonWriter<'a, 'env, 'state> {
    state: &'a State<'state, 'env>,
    out: String,
    ensure_ascii: bool,
    indent: Option<String>,
    item: String,
    key: String,
    sort_keys: bool,
}

impl JsonWriter<'_, '_, '_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        // Paid for as it is written: a list that holds another one twice, which holds another one twice, is small in
        // memory and endless on paper.
        self.state.consume_fuel(1)?;
        if depth > MAX_JSON_DEPTH {
            return Err(invalid(format!("tojson: nested deeper than {MAX_JSON_DEPTH}")));
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&number(value)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default())?,
            ValueKind::Seq => self.array(value, depth)?,
            ValueKind::Map => self.object(value, depth)?,
            kind => return Err(invalid(format!("tojson: a value of kind {kind} has no JSON form"))),
        }
        Ok(())
    }

    fn array(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.out.push('[');
        let mut empty = true;
        for item in value.try_iter()? {
            self.next_item(&mut empty, depth + 1);
            self.value(&item, depth + 1)?;
        }
        self.close(']', empty, depth);
        Ok(())
    }

    fn object(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let mut keys: Vec<Value> = value.try_iter()?.collect();
        if self.sort_keys {
            keys.sort();
        }
        self.out.push('{');
        let mut empty = true;
        for key in keys {
            self.next_item(&mut empty, depth + 1);
            self.object_key(&key)?;
            let separator = std::mem::take(&mut self.key);
            self.out.push_str(&separator);
            self.key = separator;
            self.value(&value.get_item(&key)?, depth + 1)?;
        }
        self.close('}', empty, depth);
        Ok(())
    }

    fn object_key(&mut self, key: &Value) -> Result<(), Error> {
        match key.kind() {
            ValueKind::String => self.string(key.as_str().unwrap_or_default()),
            ValueKind::None => self.string("null"),
            ValueKind::Bool => self.string(if key.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.string(&number(key)),
            kind => Err(invalid(format!("tojson: a key of kind {kind}, expected a text"))),
        }
    }

    fn next_item(&mut self, empty: &mut bool, depth: usize) {
        if !*empty {
            self.out.push_str(&self.item);
        }
        *empty = false;
        self.new_line(depth);
    }

    fn close(&mut self, bracket: char, empty: bool, depth: usize) {
        if !empty {
            self.new_line(depth);
        }
        self.out.push(bracket);
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            for _ in 0..depth {
                self.out.push_str(indent);
            }
        }
    }

    fn string(&mut self, text: &str) -> Result<(), Error> {
        self.state.consume_fuel(text.len() as u64 / 64)?;
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
        Ok(())
    }
}

fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    match f64::try_from(value.clone()) {
        Ok(x) => float_repr(x),
        Err(_) => value.to_string(),
    }
}

/// Python's `repr(float)`: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
fn float_repr(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_string();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_string();
    }
    let scientific = format!("{x:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || x == 0.0 {
        let plain = format!("{x}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `{{ value }}`: as minijinja prints it, but floats as Python does. Floats inside printed containers keep Rust's form.
pub fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match f64::try_from(value.clone()) {
        Ok(x) if x.is_finite() && value.kind() == ValueKind::Number && !value.is_integer() => {
            out.write_str(&float_repr(x)).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

/// `str.isspace` of Python: Unicode white space and the four information separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The `trim` filter and `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn split_lines(text: &str, keep_ends: bool) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(is_line_end) {
        let after = if rest[end..].starts_with("\r\n") { 2 } else { rest[end..].chars().next().map_or(1, char::len_utf8) };
        lines.push(Value::from(&rest[..if keep_ends { end + after } else { end }]));
        rest = &rest[end + after..];
    }
    if !rest.is_empty() {
        lines.push(Value::from(rest));
    }
    lines
}

fn triple(parts: [&str; 3]) -> Value {
    Value::from(Tuple::from(parts.map(Value::from)))
}

/// Splits from the right at most `limit` times (None: everywhere), as `str.rsplit(sep, limit)`.
fn rsplit(text: &str, separator: &str, limit: Option<i64>) -> Vec<Value> {
    let pieces = match limit {
        Some(n) if n >= 0 => text.rsplitn(n as usize + 1, separator).collect::<Vec<_>>(),
        _ => text.rsplit(separator).collect::<Vec<_>>(),
    };
    pieces.into_iter().rev().map(Value::from).collect()
}

fn string_method(text: &str, method: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    let nonempty = |separator: &str| match separator {
        "" => Err(invalid(format!("{method}: empty separator"))),
        _ => Ok(()),
    };
    let run = || -> Result<Option<Value>, Error> {
        Ok(Some(match method {
            "strip" if args.is_empty() => Value::from(strip(text)),
            "lstrip" if args.is_empty() => Value::from(text.trim_start_matches(is_space)),
            "rstrip" if args.is_empty() => Value::from(text.trim_end_matches(is_space)),
            "isspace" if args.is_empty() => Value::from(!text.is_empty() && text.chars().all(is_space)),
            "split" if args.is_empty() => text.split(is_space).filter(|part| !part.is_empty()).collect(),
            "split" => {
                let (separator, limit, kwargs): (Option<&str>, Option<i64>, Kwargs) = from_args(args)?;
                nonempty(separator.unwrap_or(" "))?;
                let limit = limit.or(kwargs.get("maxsplit")?).unwrap_or(-1);
                return pieces_left(text, separator.or(kwargs.get("sep")?), limit).map(Some);
            }
            "splitlines" => {
                let (keep_ends, kwargs): (Option<bool>, Kwargs) = from_args(args)?;
                Value::from(split_lines(text, keep_ends.or(kwargs.get("keepends")?).unwrap_or(false)))
            }
            "rsplit" => {
                let (separator, limit, kwargs): (&str, Option<i64>, Kwargs) = from_args(args)?;
                nonempty(separator)?;
                Value::from(rsplit(text, separator, limit.or(kwargs.get("maxsplit")?)))
            }
            "partition" => {
                let (separator,): (&str,) = from_args(args)?;
                nonempty(separator)?;
                triple(text.split_once(separator).map_or([text, "", ""], |(a, b)| [a, separator, b]))
            }
            "rpartition" => {
                let (separator,): (&str,) = from_args(args)?;
                nonempty(separator)?;
                triple(text.rsplit_once(separator).map_or(["", "", text], |(a, b)| [a, separator, b]))
            }
            "removeprefix" => {
                let (prefix,): (&str,) = from_args(args)?;
                Value::from(text.strip_prefix(prefix).unwrap_or(text))
            }
            "removesuffix" => {
                let (suffix,): (&str,) = from_args(args)?;
                Value::from(text.strip_suffix(suffix).unwrap_or(text))
            }
            _ => return Ok(None),
        }))
    };
    run().transpose()
}

/// `str.split(sep, maxsplit=limit)`.
fn pieces_left(text: &str, separator: Option<&str>, limit: i64) -> Result<Value, Error> {
    let separator = separator.map(std::sync::Arc::from);
    Ok(minijinja::filters::split(&Value::from(text), separator, Some(limit))?.try_iter()?.collect())
}

/// Called by the template engine for a method that a value does not have of itself.
pub fn unknown_method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    if let Some(result) = value.as_str().and_then(|text| string_method(text, method, args)) {
        return result;
    }
    pycompat::unknown_method_callback(state, value, method, args)
}
