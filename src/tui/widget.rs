//! Parts that more than one pane draws.

pub(crate) mod bar;
pub(crate) mod ruler;
