//! Services in their environments, numbered, so that a sampler counts numbers and not texts.

use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};

use super::signature::{self, Signature};

/// A service in an environment. Two with one text have one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(u32);

/// So many are told apart, four times what an Agent's catalog holds; the others share one number.
const SERVICES_MAX: usize = 20_000;
/// A name of this length or less is kept; a normalised one never is longer.
const NAME_BYTES_MAX: usize = 512;

/// All services that a sampler has met.
#[derive(Clone, Debug, Default)]
pub struct Services {
    ids: HashMap<Names, ServiceId>,
    names: Vec<(Names, Signature)>,
}

type Names = (Arc<str>, Arc<str>);

#[derive(Hash)]
struct Borrowed<'a>(&'a str, &'a str);

impl Equivalent<Names> for Borrowed<'_> {
    fn equivalent(&self, (service, env): &Names) -> bool {
        *self.0 == **service && *self.1 == **env
    }
}

impl Services {
    /// The number of a service in an environment.
    pub fn id(&mut self, service: &str, env: &str) -> ServiceId {
        if let Some(id) = self.ids.get(&Borrowed(service, env)) {
            return *id;
        }
        let is_full = self.names.len() >= SERVICES_MAX;
        let is_long = service.len().max(env.len()) > NAME_BYTES_MAX;
        if is_full || is_long {
            return self.other();
        }
        self.add(service, env)
    }

    /// Its name and its environment.
    pub fn names(&self, id: ServiceId) -> (&str, &str) {
        let known = self.known(id);
        known.map_or(("", ""), |((service, env), _)| (service, env))
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// All of them: name and environment.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names
            .iter()
            .map(|((service, env), _)| (&**service, &**env))
    }

    /// Its environment.
    pub fn env(&self, id: ServiceId) -> Arc<str> {
        let known = self.known(id);
        known.map_or_else(|| Arc::from(""), |((_, env), _)| Arc::clone(env))
    }

    /// As the Agent's samplers count it.
    pub fn signature(&self, id: ServiceId) -> Signature {
        let known = self.known(id);
        known.map_or(Signature(0), |(_, signature)| *signature)
    }

    fn known(&self, id: ServiceId) -> Option<&(Names, Signature)> {
        self.names.get(usize::try_from(id.0).ok()?)
    }

    fn other(&mut self) -> ServiceId {
        const OTHER: &str = "(other)";
        match self.ids.get(&Borrowed(OTHER, "")) {
            Some(id) => *id,
            None => self.add(OTHER, ""),
        }
    }

    fn add(&mut self, service: &str, env: &str) -> ServiceId {
        let id = ServiceId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        let names: Names = (Arc::from(service), Arc::from(env));
        let signature = signature::of_service(service, env);
        self.names.push((names.clone(), signature));
        self.ids.insert(names, id);
        id
    }
}
