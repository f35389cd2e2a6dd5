//! Which services the rows have named: one that is everybody's needs no column of its own.

/// The services of all rows that were ever drawn. Never back to one, so that columns do not jump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Services {
    #[default]
    None,
    One(String),
    Several,
}

impl Services {
    /// Takes note of the services of some rows. Empty ones say nothing.
    pub(super) fn see<'a>(&mut self, services: impl Iterator<Item = &'a str>) {
        for service in services.filter(|service| !service.is_empty()) {
            match self {
                Self::None => *self = Self::One(service.to_owned()),
                Self::One(known) if known != service => *self = Self::Several,
                Self::One(_) | Self::Several => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seen: &[&str], expected: &Services) {
        let mut services = Services::default();
        services.see(seen.iter().copied());
        assert_eq!(services, *expected);
    }

    #[test]
    fn several_services_stay_several() {
        check(&[], &Services::None);
        check(&["", "api", "api"], &Services::One("api".into()));
        check(&["api", "web", "web", "web"], &Services::Several);
    }
}
