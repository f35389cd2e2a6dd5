//! What Modal's client has said of the app it serves, as one picture.

use crate::logs::modal::Status;
use crate::trace::{Now, UnixNanos};

/// More addresses than this, no app has.
const WEB_URLS_MAX: usize = 32;
/// Of more reloads, the newest are known by their time.
const RELOADS_MAX: usize = 1_000;

/// What Modal's client has said of the app it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModalApp {
    /// `ap-…`.
    pub id: Option<Box<str>>,
    /// Its page on modal.com.
    pub page: Option<Box<str>>,
    /// Where its web functions can be called, each address once.
    pub web_urls: Vec<Box<str>>,
    /// When it was published again after a change, the oldest first.
    pub reloads: Vec<(UnixNanos, Now)>,
    /// How far it is.
    pub state: ModalState,
    /// Reloads that are no longer among those.
    n_forgotten: u64,
    /// Whether its functions have been created once.
    was_created: bool,
}

/// How far a Modal app is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModalState {
    /// Modal's client has said nothing.
    #[default]
    Unseen,
    /// It is being built.
    Building,
    /// Its functions can be called.
    Serving,
    /// It stops; last lines are on their way.
    Disconnecting,
    /// It has stopped.
    Stopped,
}

impl ModalApp {
    /// How often the app was published again: 0 for what was started.
    pub fn generation(&self) -> u64 {
        self.n_forgotten + super::super::count(self.reloads.len())
    }

    /// Takes a status line. A reload shows as `✓ Created objects.` once more. That containers are
    /// stopped is said before it (modal 1.3), after it (1.6), and at the end, where nothing is
    /// created; so it counts for nothing.
    pub(in crate::store) fn hear(&mut self, status: &Status, at: UnixNanos, now: Now) {
        match status {
            Status::App { id, page } => self.begin(id, page.as_deref()),
            Status::Created => {
                if self.was_created {
                    self.reload(at, now);
                }
                self.was_created = true;
                self.state = ModalState::Serving;
            }
            Status::WebUrl(url) => {
                if self.web_urls.len() < WEB_URLS_MAX && !self.web_urls.contains(url) {
                    self.web_urls.push(url.clone());
                }
            }
            Status::Serving => self.state = ModalState::Serving,
            Status::Disconnecting => self.state = ModalState::Disconnecting,
            Status::Stopped => self.state = ModalState::Stopped,
            Status::Reloading => {}
            Status::Other => {
                if self.state == ModalState::Unseen {
                    self.state = ModalState::Building;
                }
            }
        }
    }

    /// An app begins; another one than before, if the client was started again.
    fn begin(&mut self, id: &str, page: Option<&str>) {
        if self.id.as_deref() != Some(id) {
            self.web_urls.clear();
            self.was_created = false;
        }
        self.id = Some(id.into());
        self.page = page.map(Into::into);
        self.state = ModalState::Building;
    }

    fn reload(&mut self, at: UnixNanos, now: Now) {
        if self.reloads.len() >= RELOADS_MAX {
            self.reloads.remove(0);
            self.n_forgotten += 1;
        }
        self.reloads.push((at, now));
    }
}
