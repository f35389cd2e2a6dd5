//! What the `modal` command line client says of itself, between the lines of the containers.

/// A status line of Modal's client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The app has an id, and maybe a page: `ap-…`.
    App {
        /// `ap-…`.
        id: Box<str>,
        /// Its page on modal.com.
        page: Option<Box<str>>,
    },
    /// `✓ Created objects.`: the functions are there, after the start and after each reload.
    Created,
    /// A web function can be called at this address.
    WebUrl(Box<str>),
    /// `Serving...`: it watches for changes.
    Serving,
    /// A file changed, or the old containers are stopped: what comes next is a new generation.
    Reloading,
    /// It stops, and sends what is left of the logs.
    Disconnecting,
    /// It has stopped.
    Stopped,
    /// Anything else it says: objects created, images built.
    Other,
}
