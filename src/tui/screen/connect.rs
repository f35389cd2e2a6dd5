//! What is shown until the first span comes: where we listen, the line to set, and every request
//! that reached us, so that "connected but nothing shown" cannot be.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;

use super::{Focus, ViewContext};
use crate::ingest::RequestRecord;
use crate::tui::app::Listening;
use crate::tui::text;
use crate::tui::widget::{Border, draw_border, put};

/// The frame of the requests and two of them.
const REQUESTS_HEIGHT_MIN: u16 = 4;
/// How the line about the port begins.
const PORT: &str = "ok   port";

/// The line that points a tracer at us.
pub(crate) fn line_to_set(listening: &Listening) -> Option<String> {
    let url = listening.app_url.as_ref().or(listening.url.as_ref())?;
    let url = url.trim_end_matches('/');
    // With the slash at the end ddtrace keeps the prefix for every kind of request.
    let token = if listening.token_set { "/TOKEN/" } else { "" };
    Some(format!("export DD_TRACE_AGENT_URL={url}{token}"))
}

pub(crate) fn draw(
    listening: &Listening,
    context: &ViewContext<'_>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let glyphs = context.theme.glyphs;
    let mut lines: Vec<(String, Style)> = lines(listening, context)
        .into_iter()
        .map(|(line, style)| (text::visible(line.into(), glyphs).into_owned(), style))
        .collect();
    if text::cells(lines.len() + 2) > area.height.saturating_sub(REQUESTS_HEIGHT_MIN) {
        // The line to set must stay; it names the port too.
        let has_line = line_to_set(listening).is_some();
        lines.retain(|(line, _)| !(line.is_empty() || has_line && line.starts_with(PORT)));
    }
    let wanted = text::cells(lines.len()).saturating_add(2);
    let [above, below] = Layout::vertical([
        Constraint::Max(wanted),
        Constraint::Min(REQUESTS_HEIGHT_MIN),
    ])
    .areas::<2>(area);
    let border = Border {
        title: if listening.opened_files.is_empty() {
            "Connect"
        } else {
            "Files"
        },
        focus: Focus::Focused,
        ..Border::default()
    };
    let inner = draw_border(buffer, above, &border, context.theme);
    for ((line, style), row) in lines.iter().zip(inner.rows()) {
        let room = usize::from(inner.width.saturating_sub(2));
        put(buffer, row, 1, &text::cut(line, room, glyphs), *style);
    }
    if listening.opened_files.is_empty() {
        draw_requests(context, below, buffer);
    }
}

fn lines(listening: &Listening, context: &ViewContext<'_>) -> Vec<(String, Style)> {
    let theme = context.theme;
    let uptime = text::uptime(context.now.uptime_ns);
    let n_spans = context.store.counters().spans_shown;
    let mut lines = Vec::new();
    let heading = match n_spans {
        _ if !listening.opened_files.is_empty() => {
            format!("Read {}.", text::count(n_spans, "span"))
        }
        0 => format!("Waiting for the first span.   {uptime}"),
        _ => {
            let n_traces = text::count(n_of(context.store.n_traces()), "trace");
            format!(
                "{n_traces} came, {}.   enter shows them",
                text::count(n_spans, "span")
            )
        }
    };
    lines.push((heading, theme.title_focused));
    lines.push((String::new(), theme.text));
    for file in &listening.opened_files {
        lines.push((format!("ok   file    {file}"), theme.ok));
    }
    if let Some(url) = &listening.url {
        lines.push((format!("{PORT}    listening on {url}"), theme.ok));
    }
    if let Some(path) = &listening.uds {
        lines.push((format!("ok   socket  unix://{path}"), theme.ok));
    }
    if listening.url.is_none() && listening.uds.is_none() {
        lines.push((
            "     No port is bound: files are shown as they were read.".into(),
            theme.dim,
        ));
        return lines;
    }
    lines.push(tracer_line(context));
    if let Some(line) = line_to_set(listening) {
        lines.push((String::new(), theme.text));
        lines.push((
            "Set this where your program starts, then call it:".into(),
            theme.text,
        ));
        lines.push((format!("  {line}"), theme.key));
        if listening.token_set {
            lines.push(("  with your token in place of TOKEN".into(), theme.dim));
        }
        lines.push((
            "In a container, localhost is the container and not this machine.".into(),
            theme.dim,
        ));
    }
    lines
}

/// Who has called so far, and how often which endpoint.
fn tracer_line(context: &ViewContext<'_>) -> (String, Style) {
    let by_endpoint = &context.store.counters().requests_by_endpoint;
    if by_endpoint.is_empty() {
        let words = "..   tracer  no request yet";
        return (words.to_owned(), context.theme.dim);
    }
    let counts: Vec<String> = by_endpoint
        .iter()
        .map(|(endpoint, number)| format!("{endpoint} {number}"))
        .collect();
    let (word, style) = if context.store.counters().payloads_refused > 0 {
        ("FAIL", context.theme.error)
    } else {
        ("ok  ", context.theme.ok)
    };
    (format!("{word} tracer  {}", counts.join("   ")), style)
}

fn draw_requests(context: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
    let n_requests = context.store.requests().len();
    let n_seen = context.store.counters().requests_by_endpoint.values();
    let n_seen: u64 = n_seen.sum();
    let room = usize::from(area.height.saturating_sub(2));
    let note = match n_of(n_requests.min(room)) {
        n_shown if n_shown < n_seen => format!("the last {n_shown} of {n_seen}, newest last"),
        _ => "newest last".to_owned(),
    };
    let border = Border {
        title: "Every request that reached us",
        note: &note,
        ..Border::default()
    };
    let inner = draw_border(buffer, area, &border, context.theme);
    let glyphs = context.theme.glyphs;
    if n_requests == 0 {
        let words = "none yet: whatever calls us is listed here, with our answer";
        let words = text::cut(words, usize::from(inner.width.saturating_sub(2)), glyphs);
        put(buffer, inner, 1, &words, context.theme.dim);
    }
    let skipped = n_requests.saturating_sub(usize::from(inner.height));
    let newest = context.store.requests().skip(skipped);
    for (request, row) in newest.zip(inner.rows()) {
        let style = match request.status {
            200..300 => context.theme.text,
            _ => context.theme.error,
        };
        let line = request_line(request, usize::from(inner.width), context);
        put(buffer, row, 1, &line, style);
    }
}

fn request_line(request: &RequestRecord, width: usize, context: &ViewContext<'_>) -> String {
    let glyphs = context.theme.glyphs;
    let shown = |text: &str| text::visible(text.to_owned().into(), glyphs).into_owned();
    let path_cells = if width >= 90 { 24 } else { 14 };
    let line = format!(
        "{}  {} {} {}  {}   {}",
        text::time_of_day(request.at),
        text::left(&shown(&request.method), 4, glyphs),
        text::left(&shown(&request.path), path_cells, glyphs),
        request.status,
        shown(&request.note),
        shown(&request.client),
    );
    text::cut(line.trim_end(), width.saturating_sub(2), glyphs).into_owned()
}

fn n_of(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
