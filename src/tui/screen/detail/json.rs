//! JSON inside of tag values, opened as a tree. It is parsed by `serde_json`, which refuses deep
//! nesting; what is shown of it is bounded once more.

use serde_json::Value as Json;

use super::{Detail, Room};
use crate::json::{Kind, Raw};
use crate::trace::Text;
use crate::tui::text;

/// Longer texts are not looked at.
const PARSED_BYTES_MAX: usize = 512 * 1024;
/// Values shown of one tag.
const NODES_MAX: usize = 1_000;
const DEPTH_MAX: usize = 12;
const LABEL_CELLS_MAX: usize = 60;

/// An object or array of a tag's JSON, in parts.
pub(crate) struct Item {
    detail: Detail,
    members: Vec<(String, String)>,
}

impl Item {
    /// A member that is a string or a number.
    pub(crate) fn member(&self, name: &str) -> Option<&str> {
        let found = self.members.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The detail under another label.
    pub(crate) fn named(self, label: &str) -> Detail {
        Detail {
            label: label.to_owned(),
            ..self.detail
        }
    }
}

/// A tag whose value is a JSON object or array.
pub(crate) fn detail(label: &str, text: Text<'_>, room: Room) -> Option<Detail> {
    let json = parse(text)?;
    let mut budget = NODES_MAX;
    let tree = tree(label, &json, room, (DEPTH_MAX, &mut budget));
    Some(Detail {
        value: text::show(text, room.glyphs).into_owned(),
        whole: serde_json::to_string_pretty(&json).ok(),
        ..tree
    })
}

/// The elements of a tag that holds a JSON array.
pub(crate) fn items(text: Text<'_>, room: Room) -> Vec<Item> {
    let Some(Json::Array(items)) = parse(text) else {
        return Vec::new();
    };
    let mut budget = NODES_MAX;
    let item = |item: &Json| Item {
        detail: tree("", item, room, (DEPTH_MAX, &mut budget)),
        members: scalars(item, room),
    };
    items.iter().take(NODES_MAX).map(item).collect()
}

fn parse(text: Text<'_>) -> Option<Json> {
    let bytes = text.as_bytes().trim_ascii();
    let is_nested = matches!(bytes.first(), Some(b'{' | b'['));
    if !is_nested || bytes.len() > PARSED_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(bytes).ok()
}

fn scalars(json: &Json, room: Room) -> Vec<(String, String)> {
    let members = json.as_object().into_iter().flatten();
    let shown = members.filter_map(|(key, value)| match value {
        Json::String(string) => {
            let string = text::show(Text::from(string.as_str()), room.glyphs);
            Some((key.clone(), string.into_owned()))
        }
        Json::Number(number) => Some((key.clone(), number.to_string())),
        _ => None,
    });
    shown.collect()
}

/// A value as it stands in a log line, every digit kept, and what is in it.
pub(crate) fn raw(label: &str, value: Raw<'_>, room: Room) -> Detail {
    let mut budget = NODES_MAX;
    raw_tree(label, value, room, (DEPTH_MAX, &mut budget))
}

fn raw_tree(label: &str, value: Raw<'_>, room: Room, limits: (usize, &mut usize)) -> Detail {
    let (depth, budget) = limits;
    *budget = budget.saturating_sub(1);
    let label = text::show(Text::from(label), room.glyphs);
    let label = text::cut(&label, LABEL_CELLS_MAX, room.glyphs).into_owned();
    if let Some(string) = value.string() {
        return Detail::text(label, Text::from(&*string), room);
    }
    let written = Text::from(value.text());
    let mut detail = Detail::new(label, text::show(written, room.glyphs).into_owned());
    if !matches!(value.kind(), Kind::Object | Kind::Array) {
        return detail;
    }
    detail.whole = Some(super::copyable(written));
    if depth == 0 {
        return detail;
    }
    let named = value
        .entries()
        .map(|(name, value)| (name.into_owned(), value));
    let numbered = (0_usize..).zip(value.items());
    let numbered = numbered.map(|(number, value)| (number.to_string(), value));
    let mut members = named.chain(numbered);
    while *budget > 0
        && let Some((name, value)) = members.next()
    {
        let below = raw_tree(&name, value, room, (depth - 1, &mut *budget));
        detail.below.push(below);
    }
    let n_more = members.count();
    if n_more > 0 {
        let more = Detail::new("...", format!("{n_more} more"));
        detail.below.push(more);
    }
    detail
}

/// A value and what is in it, as far down and as much as the budget allows.
fn tree(label: &str, json: &Json, room: Room, (depth, budget): (usize, &mut usize)) -> Detail {
    *budget = budget.saturating_sub(1);
    let label = text::show(Text::from(label), room.glyphs);
    let label = text::cut(&label, LABEL_CELLS_MAX, room.glyphs).into_owned();
    if let Json::String(string) = json {
        return Detail::text(label, Text::from(string.as_str()), room);
    }
    let whole = json.to_string();
    let shown = text::show(Text::from(whole.as_str()), room.glyphs).into_owned();
    let mut detail = Detail::new(label, shown);
    let n_members = match json {
        Json::Object(members) => members.len(),
        Json::Array(items) => items.len(),
        _ => 0,
    };
    if depth > 0 {
        let member = |(key, value): (String, &Json)| {
            (*budget > 0).then(|| tree(&key, value, room, (depth - 1, &mut *budget)))
        };
        detail.below = match json {
            Json::Object(members) => {
                let members = members.iter().map(|(key, value)| (key.clone(), value));
                members.map_while(member).collect()
            }
            Json::Array(items) => {
                let items = (0_usize..).zip(items);
                let items = items.map(|(n, value)| (n.to_string(), value));
                items.map_while(member).collect()
            }
            _ => Vec::new(),
        };
        let n_more = n_members.saturating_sub(detail.below.len());
        if n_more > 0 {
            let more = Detail::new("...", format!("{n_more} more"));
            detail.below.push(more);
        }
    }
    detail
}
