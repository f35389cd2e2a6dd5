//! The screen: keys in, frames out. Pure: it reads no clock, no file and no terminal, and leaves
//! what touches the world to whoever carries out its [`message::Effect`]s.
//!
//! ```text
//! Message ─▶ App::update ─▶ Effects          App::view ─▶ cells
//!              │ keymap: key ─▶ Action          │ screen::*, widget::*
//!              ▼                                ▼
//!            Store (the captured traces)      theme (styles by meaning), text (made harmless)
//! ```

pub mod action;
pub mod app;
mod keymap;
mod layout;
pub mod message;
mod screen;
mod text;
pub mod theme;
mod widget;

#[cfg(test)]
mod tests;
