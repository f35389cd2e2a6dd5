//! The only modules that touch the world: sockets, files, the terminal, the clipboard.

#[cfg_attr(not(test), expect(dead_code, reason = "the main loop calls it"))]
pub(crate) mod clipboard;
#[cfg_attr(not(test), expect(dead_code, reason = "the main loop calls it"))]
pub(crate) mod demo;
#[expect(dead_code, reason = "the main loop calls it")]
pub(crate) mod files;
#[expect(dead_code, reason = "the main loop calls it")]
pub(crate) mod log_file;
#[expect(dead_code, reason = "the main loop calls it")]
pub(crate) mod ndjson;
#[expect(dead_code, reason = "the main loop calls it")]
pub(crate) mod signals;
#[expect(dead_code, reason = "the main loop calls it")]
pub(crate) mod terminal;
