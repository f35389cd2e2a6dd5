//! Tags that are added on the way, as the user writes them. Reads texts and nothing else.

/// Keys as long as the Agent leaves them (`pkg/trace/agent/truncator.go`, `MaxMetaKeyLen`).
const KEY_BYTES_MAX: usize = 200;
/// A value longer than any tag that is searched for.
const VALUE_BYTES_MAX: usize = 1_000;

/// Tags for every span that goes, in order. They win over a span's own.
///
/// As the Agent's global tags (`pkg/trace/agent/agent.go`, `Process`: `GlobalTags`). `env` counts for
/// the whole payload and its statistics as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddedTags(Vec<(Box<str>, Box<str>)>);

impl AddedTags {
    /// Reads `key:value` texts. Of a key that comes twice the last one counts.
    ///
    /// # Errors
    ///
    /// One sentence that says what is wrong with which text.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, String> {
        let mut tags: Vec<(Box<str>, Box<str>)> = Vec::new();
        for text in texts {
            let (key, value) = read(text)?;
            tags.retain(|(known, _)| **known != *key);
            tags.push((key.into(), value.into()));
        }
        Ok(Self(tags))
    }

    /// The tags.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The environment they name.
    pub fn env(&self) -> Option<&str> {
        let (_, env) = self.iter().find(|(key, _)| *key == "env")?;
        Some(env)
    }
}

fn read(text: &str) -> Result<(&str, &str), String> {
    let Some((key, value)) = text.split_once(':') else {
        return Err(format!(
            "A tag is written key:value, and {text:?} has no colon."
        ));
    };
    let (key, value) = (key.trim(), value.trim());
    let is_odd = |text: &str| text.contains(|char: char| char.is_control());
    match () {
        () if key.is_empty() || value.is_empty() => Err(format!(
            "A tag is written key:value, and in {text:?} one of the two is empty."
        )),
        () if is_odd(key) || is_odd(value) || key.contains(char::is_whitespace) => {
            Err(format!("The tag {text:?} has characters that no tag has."))
        }
        () if key.starts_with('_') => Err(format!(
            "The tag {text:?} begins with _, as Datadog's own do; take another name."
        )),
        () if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX => Err(format!(
            "The tag {key:.40?} is too long: {KEY_BYTES_MAX} bytes for the key and {VALUE_BYTES_MAX} for the value are the limit."
        )),
        () => Ok((key, value)),
    }
}
