//! The rule that keeps what is selected: for one trace, or for all of a bucket.

use std::cmp::Reverse;
use std::collections::HashMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::cards::{Cards, ServiceNumber};
use super::census::Bucket;
use crate::env_lines::{RuleFor, sampling_rules};
use crate::sampler::{Settings, number};
use crate::store::{Store, TraceEntry, TraceKey};
use crate::trace::Span;
use crate::tui::screen::ViewContext;
use crate::tui::screen::sheet::Sheet;
use crate::tui::text;

/// A bucket of more resources is kept in part.
const RULES_MAX: usize = 8;
const WIDTH: u16 = 100;
const LINES_MAX: usize = 10;

/// A rule that was written, to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrittenRule {
    line: String,
    is_broader: bool,
    n_left_out: usize,
}

impl WrittenRule {
    fn new(rules_for: &[RuleFor], n_left_out: usize) -> Self {
        Self {
            line: sampling_rules(rules_for),
            is_broader: rules_for.iter().any(RuleFor::is_broader),
            n_left_out,
        }
    }

    /// The rule for the service and the resource of a trace.
    pub(crate) fn of_trace(entry: &TraceEntry) -> Self {
        Self::new(&[rule_for(entry)], 0)
    }

    /// The rules for a bucket: for a service all of it, else for the resources most of it has.
    pub(super) fn of_bucket(bucket: Bucket, cards: &Cards, store: &Store) -> Option<Self> {
        if let Bucket::Service(service) = bucket {
            let rule = RuleFor {
                service: cards.names(service).0.to_owned(),
                resource: None,
            };
            return Some(Self::new(&[rule], 0));
        }
        let mut resources: HashMap<(ServiceNumber, u64), (usize, TraceKey)> = HashMap::new();
        for (key, card) in cards.iter().filter(|(_, card)| bucket.holds(card)) {
            let of = (card.service, card.resource);
            resources.entry(of).or_insert((0, key)).0 += 1;
        }
        let mut resources: Vec<(usize, TraceKey)> = resources.into_values().collect();
        resources.sort_by_key(|(number, key)| (Reverse(*number), *key));
        let n_left_out = resources.len().saturating_sub(RULES_MAX);
        let named = resources.iter().take(RULES_MAX);
        let rules: Vec<RuleFor> = named
            .filter_map(|(_, key)| store.trace(*key).map(rule_for))
            .collect();
        (!rules.is_empty()).then(|| Self::new(&rules, n_left_out))
    }

    /// The line to paste.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    pub(crate) fn draw(&self, context: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = context.theme;
        let room = Sheet::room(WIDTH, area);
        let shown = text::visible((&*self.line).into(), theme.glyphs);
        let mut lines: Vec<_> = text::wrap(&shown, room, LINES_MAX, theme.glyphs)
            .into_iter()
            .map(|line| (line, theme.key))
            .collect();
        lines.push((String::new(), theme.text));
        for words in self.words(context.store.model().settings()) {
            let words = text::wrap(&words, room, 3, theme.glyphs);
            lines.extend(words.into_iter().map(|line| (line, theme.text)));
        }
        let sheet = Sheet {
            title: "The rule that keeps them",
            note: "copied   esc closes",
            width: WIDTH,
            lines: &lines,
            scroll: None,
        };
        sheet.draw(theme, (area, buffer));
    }

    fn words(&self, agent: &Settings) -> Vec<String> {
        let never = match agent.probabilistic {
            None => " which an Agent never drops,",
            Some(_) => "",
        };
        let mut words = vec![
            format!(
                "Set it in the environment of the app. What it matches the client keeps by priority \
                 2,{never} at most DD_TRACE_RATE_LIMIT a second (100 unless set)."
            ),
            "It takes the place of rules that are set already, and of the Agent's rates for what it \
             matches."
                .to_owned(),
        ];
        if let Some(sampler) = agent.probabilistic {
            words.push(format!(
                "The probabilistic sampler of this Agent decides whatever the client says: it keeps {} % \
                 of all (sim).",
                number(sampler.rate() * 100.0)
            ));
        }
        if self.is_broader {
            words.push(
                "A rule cannot say * or ?: ? stands for any letter there, so it may keep more."
                    .to_owned(),
            );
        }
        if self.n_left_out > 0 {
            let number = text::cells(self.n_left_out).into();
            words.push(format!(
                "{} that fewer have are left out.",
                text::count(number, "resource")
            ));
        }
        words
    }
}

fn rule_for(entry: &TraceEntry) -> RuleFor {
    let head = entry.head();
    let service = head.map(Span::service).unwrap_or_default();
    let resource = head.map(Span::resource).unwrap_or_default();
    RuleFor {
        service: service.to_lossy().into_owned(),
        resource: Some(resource.to_lossy().into_owned()),
    }
}
