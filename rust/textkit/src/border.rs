//! What crosses the C border: borrowed input, owned output, failures, and panics turned into failures.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::sync::Once;

/// `tk_status` of textkit.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum Status {
    Ok = 0,
    Invalid = 1,
    Limit = 2,
    Panic = 3,
}

pub struct Failure {
    pub status: Status,
    pub message: String,
}

impl Failure {
    pub fn invalid(message: impl Into<String>) -> Self {
        Failure { status: Status::Invalid, message: message.into() }
    }

    pub fn limit(message: impl Into<String>) -> Self {
        Failure { status: Status::Limit, message: message.into() }
    }
}

/// `tk_bytes` and `tk_ids`: a boxed slice taken apart. An empty one has a dangling pointer that is never read.
#[repr(C)]
pub struct Owned<T> {
    data: *mut T,
    size: usize,
}

impl<T> Owned<T> {
    pub fn new(values: Vec<T>) -> Self {
        let values = Box::leak(values.into_boxed_slice());
        Owned { data: values.as_mut_ptr(), size: values.len() }
    }

    /// # Safety
    /// `self` was made by `new` and has not been freed.
    unsafe fn free(self) {
        if !self.data.is_null() {
            drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(self.data, self.size)));
        }
    }
}

pub type Bytes = Owned<u8>;
pub type Ids = Owned<u32>;

/// # Safety
/// As `Owned::free`.
#[no_mangle]
pub unsafe extern "C" fn tk_bytes_free(bytes: Bytes) {
    bytes.free();
}

/// # Safety
/// As `Owned::free`.
#[no_mangle]
pub unsafe extern "C" fn tk_ids_free(ids: Ids) {
    ids.free();
}

/// # Safety
/// `data` points to `size` values that outlive the use of the result, or `size` is 0.
pub unsafe fn slice<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if size == 0 {
        return &[];
    }
    std::slice::from_raw_parts(data, size)
}

/// # Safety
/// As `slice`.
pub unsafe fn text<'a>(name: &str, data: *const u8, size: usize) -> Result<&'a str, Failure> {
    std::str::from_utf8(slice(data, size))
        .map_err(|e| Failure::invalid(format!("{name}: not UTF-8 at byte offset {}", e.valid_up_to())))
}

thread_local! {
    static PANIC_PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .map(|s| s.to_string())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".to_string());
    PANIC_PLACE.with(|place| format!("{message} (at {})", place.borrow()))
}

/// Runs `f`; a panic becomes its own failure instead of a message on stderr and an unwinding into C++.
pub fn catch<R>(f: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        set_hook(Box::new(|info| {
            let place = info.location().map(|l| l.to_string()).unwrap_or_default();
            PANIC_PLACE.with(|slot| *slot.borrow_mut() = place);
        }));
    });
    catch_unwind(AssertUnwindSafe(f))
        .unwrap_or_else(|payload| Err(Failure { status: Status::Panic, message: panic_text(&*payload) }))
}

/// The body of a fallible C function: runs `f` and reports its failure through `error`.
///
/// # Safety
/// `error` is valid for a write.
pub unsafe fn report(error: *mut Bytes, f: impl FnOnce() -> Result<(), Failure>) -> Status {
    match catch(f) {
        Ok(()) => Status::Ok,
        Err(failure) => {
            error.write(Bytes::new(failure.message.into_bytes()));
            failure.status
        }
    }
}
