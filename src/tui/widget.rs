//! Small things that panes are painted with. They know cells and styles, not traces.

pub(crate) mod bar;
mod border;
mod meter;
mod paint;
pub(crate) mod ruler;
mod sparkline;

pub(crate) use border::{Border, below_heading, draw_border};
pub(crate) use meter::meter;
pub(crate) use paint::{clear, fill_style, put, put_right};
pub(crate) use sparkline::sparkline;
