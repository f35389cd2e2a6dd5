//! The rules for single values: from what was sent to what the Agent writes, with the rule that
//! changed it.

use std::borrow::Cow;

use super::Rule;
use super::text::{clean, name, repair, tag_value, truncate};
use crate::trace::{Text, UnixNanos};

/// Bytes of a service, of a name, of a type (`normalize.go`, `MaxServiceLen`, `MaxNameLen`;
/// `normalizer.go`, `MaxTypeLen`).
const NAME_BYTES_MAX: usize = 100;
/// `normalize.go`, `MaxResourceLen`; the default of `apm_config.max_resource_len`.
const RESOURCE_BYTES_MAX: usize = 5_000;
/// `normalizer.go`, `Year2000NanosecTS`.
const YEAR_2000: i64 = 946_684_800_000_000_000;

/// A value as the Agent writes it, and why it is not the one that was sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fixed<T> {
    pub(super) value: T,
    pub(super) rule: Option<Rule>,
}

pub(super) type FixedText<'a> = Fixed<Cow<'a, str>>;

impl<T> Fixed<T> {
    pub(super) fn new(value: T, rule: Option<Rule>) -> Self {
        Self { value, rule }
    }
}

/// What may be wrong with a text that becomes a tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct TagRules {
    too_long: Rule,
    invalid: Rule,
    characters: Rule,
}

const SERVICE: TagRules = TagRules {
    too_long: Rule::ServiceTruncate,
    invalid: Rule::ServiceInvalid,
    characters: Rule::ServiceCharacters,
};

pub(super) const PEER_SERVICE: TagRules = TagRules {
    too_long: Rule::PeerServiceTruncate,
    invalid: Rule::PeerServiceInvalid,
    characters: Rule::PeerServiceCharacters,
};

pub(super) const BASE_SERVICE: TagRules = TagRules {
    too_long: Rule::BaseServiceTruncate,
    invalid: Rule::BaseServiceInvalid,
    characters: Rule::BaseServiceCharacters,
};

/// `normalize.go`, `NormalizeService` and `fallbackService`.
pub(super) fn service<'a>(sent: Text<'a>, language: &str) -> FixedText<'a> {
    if sent.is_empty() {
        return Fixed::new(unnamed_service(language), Some(Rule::ServiceEmpty));
    }
    let fixed = named_service(sent, SERVICE);
    if fixed.rule == Some(Rule::ServiceInvalid) {
        return Fixed::new(unnamed_service(language), fixed.rule);
    }
    fixed
}

fn unnamed_service(language: &str) -> Cow<'static, str> {
    if language.is_empty() {
        Cow::Borrowed("unnamed-service")
    } else {
        Cow::Owned(format!("unnamed-{language}-service"))
    }
}

/// `normalize.go`, `NormalizePeerService`: a service that may be empty.
pub(super) fn named_service(sent: Text<'_>, rules: TagRules) -> FixedText<'_> {
    let repaired = repair(sent);
    let is_long = repaired.len() > NAME_BYTES_MAX;
    let value = clean(repaired, |text| tag_value(truncate(text, NAME_BYTES_MAX)));
    let rule = match () {
        () if value.as_bytes() == sent.as_bytes() => None,
        () if value.is_empty() => Some(rules.invalid),
        () if is_long => Some(rules.too_long),
        () => Some(characters(sent, rules.characters)),
    };
    Fixed::new(value, rule)
}

/// Bytes that are no text are the deeper reason why others stand there.
fn characters(sent: Text<'_>, rule: Rule) -> Rule {
    match sent.to_str() {
        Some(_) => rule,
        None => Rule::NotUtf8,
    }
}

/// `normalize.go`, `NormalizeName`.
pub(super) fn span_name(sent: Text<'_>) -> FixedText<'_> {
    const UNNAMED: Cow<'static, str> = Cow::Borrowed("unnamed_operation");
    if sent.is_empty() {
        return Fixed::new(UNNAMED, Some(Rule::SpanNameEmpty));
    }
    let repaired = repair(sent);
    let is_long = repaired.len() > NAME_BYTES_MAX;
    let value = clean(repaired, |text| {
        name(truncate(text, NAME_BYTES_MAX)).unwrap_or_default()
    });
    match () {
        () if value.is_empty() => Fixed::new(UNNAMED, Some(Rule::SpanNameInvalid)),
        () if value.as_bytes() == sent.as_bytes() => Fixed::new(value, None),
        () if is_long => Fixed::new(value, Some(Rule::SpanNameTruncate)),
        () => Fixed::new(value, Some(characters(sent, Rule::SpanNameCharacters))),
    }
}

/// `normalizer.go`, `normalizeSpanLinks`.
pub(super) fn link_name(sent: Text<'_>) -> FixedText<'_> {
    let fixed = span_name(sent);
    Fixed::new(fixed.value, fixed.rule.map(|_| Rule::LinkName))
}

/// `normalizer.go`, `normalize`: the name in place of nothing; `truncator.go`, `TruncateResource`.
pub(super) fn resource<'a>(sent: Text<'a>, name: &Cow<'a, str>) -> FixedText<'a> {
    if sent.is_empty() {
        return Fixed::new(name.clone(), Some(Rule::ResourceEmpty));
    }
    cut(sent, RESOURCE_BYTES_MAX, Rule::ResourceTruncate)
}

/// `normalizer.go`, `validateAndFixType`.
pub(super) fn span_type(sent: Text<'_>) -> FixedText<'_> {
    cut(sent, NAME_BYTES_MAX, Rule::TypeTruncate)
}

fn cut(sent: Text<'_>, bytes_max: usize, too_long: Rule) -> FixedText<'_> {
    let fixed = repaired(sent);
    if fixed.value.len() <= bytes_max {
        return fixed;
    }
    let value = clean(fixed.value, |text| Cow::Borrowed(truncate(text, bytes_max)));
    Fixed::new(value, Some(too_long))
}

/// What the Agent's decoder makes of any text.
pub(super) fn repaired(sent: Text<'_>) -> FixedText<'_> {
    let value = repair(sent);
    let rule = matches!(value, Cow::Owned(_)).then_some(Rule::NotUtf8);
    Fixed::new(value, rule)
}

/// `normalizer.go`, `normalize`: the tag `env`, by `NormalizeTagValue`.
pub(super) fn env(sent: Text<'_>) -> FixedText<'_> {
    let value = clean(repair(sent), tag_value);
    let is_same = value.as_bytes() == sent.as_bytes();
    let rule = (!is_same).then(|| characters(sent, Rule::EnvCharacters));
    Fixed::new(value, rule)
}

/// `normalizer.go`, `isValidStatusCode`: `strconv.ParseUint`, which takes digits and no sign.
pub(super) fn is_status_code(sent: Text<'_>) -> bool {
    let digits = sent.to_str().filter(|text| !text.starts_with('+'));
    let code = digits.and_then(|digits| digits.parse::<u64>().ok());
    code.is_some_and(|code| (100..600).contains(&code))
}

/// `normalizer.go`, `validateAndFixDuration`. Go's subtraction wraps; so does this one.
pub(super) fn duration(start: UnixNanos, duration: i64) -> i64 {
    if duration < 0 || duration > i64::MAX.wrapping_sub(start.0) {
        0
    } else {
        duration
    }
}

/// `normalizer.go`, `validateAndFixStartTime`, at the moment at which the span was received.
pub(super) fn start(sent: UnixNanos, duration: i64, received: UnixNanos) -> UnixNanos {
    if sent.0 >= YEAR_2000 {
        return sent;
    }
    let start = received.0.wrapping_sub(duration);
    if start < 0 {
        received
    } else {
        UnixNanos(start)
    }
}
