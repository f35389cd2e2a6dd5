//! The way on: where to, what went wrong last, and the requests that have not gone, handed on one by one.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Reading;
use crate::export::forward::UnsentJson;
use crate::store::ToldForward;

/// Reads it; null is none.
pub(super) struct ForwardSeed<'r, 's>(pub(super) &'r mut Reading<'s>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    To,
    LastError,
    Unsent,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for ForwardSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ForwardSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("where spans go on to")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        let (mut to, mut last_error) = (None, None);
        while let Some(member) = map.next_key()? {
            match member {
                Member::To => to = Some(map.next_value()?),
                Member::LastError => last_error = map.next_value()?,
                Member::Unsent => map.next_value_seed(UnsentSeed(reading))?,
                Member::Other => {
                    map.next_value::<IgnoredAny>()?;
                    reading.n_ignored += 1;
                }
            }
        }
        let to = to.ok_or_else(|| A::Error::missing_field("to"))?;
        reading.forward = Some(ToldForward { to, last_error });
        Ok(())
    }
}

/// The requests; null is none.
struct UnsentSeed<'r, 's>(&'r mut Reading<'s>);

impl<'de> DeserializeSeed<'de> for UnsentSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UnsentSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of requests")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let reading = self.0;
        while let Some(request) = list.next_element_seed(reading.noted::<UnsentJson<'_>>(&[]))? {
            let request = request.into_request();
            reading.n_lost_requests += reading.store.keep_unsent([request], 0);
        }
        Ok(())
    }
}
