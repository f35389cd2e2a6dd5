//! The way to Datadog: requests that are complete but for the key, in a lane for each intake, and no more of
//! them once one refuses the key. The key is in no record and no sentence.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{HOST, HeaderValue};

use super::connection::{Answer, Connection, ExchangeError};
use super::ledger::Ledger;
use super::queue::Queue;
use super::tls::Opener;
use super::worker::{Cargo, Destination, Tried, Worker};
use super::{ForwardLimits, Forwarder};
use crate::forward::retry::{Attempt, Next, retry_after};
use crate::forward::settings::ForwardSettings;
use crate::forward::{Intake, IntakeRequest, Ticket};
use crate::io::clock;
use crate::io::inbox::Inbox;

const REFUSED: &str = "refuses the key (403): nothing more is sent. DD_API_KEY is not a key of this site; \
                       DD_SITE says which";

impl Cargo for IntakeRequest {
    fn heap_bytes(&self) -> usize {
        self.heap_bytes()
    }

    fn path(&self) -> &str {
        self.intake.path()
    }

    fn body(&self) -> &Bytes {
        &self.body
    }

    fn n_spans(&self) -> u64 {
        u64::try_from(self.spans().len()).unwrap_or(u64::MAX)
    }

    fn tickets(&self) -> &[Ticket] {
        self.spans()
    }

    /// Spans are held elsewhere, and can be sent again from there.
    fn leftover(&self) -> Option<IntakeRequest> {
        (self.intake != Intake::Traces).then(|| self.clone())
    }

    fn let_go(&mut self) {}
}

/// The way in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct IntakeQueue {
    traces: Queue<IntakeRequest>,
    stats: Queue<IntakeRequest>,
    logs: Queue<IntakeRequest>,
}

impl IntakeQueue {
    /// Puts a request there; if there is no room, it is dropped and counted.
    pub fn send(&self, request: IntakeRequest) {
        self.lane(request.intake).put(request);
    }

    /// Whether there is room for this one.
    pub fn takes(&self, request: &IntakeRequest) -> bool {
        self.lane(request.intake).takes(request)
    }

    /// Whether there is room for more spans than what comes by itself.
    pub fn has_room(&self) -> bool {
        self.traces.has_room()
    }

    /// Whether nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.traces.ledger().is_idle()
    }

    fn lane(&self, intake: Intake) -> &Queue<IntakeRequest> {
        match intake {
            Intake::Traces => &self.traces,
            Intake::Stats => &self.stats,
            Intake::Logs => &self.logs,
        }
    }
}

/// The room of a lane beside that of the spans: less is made of counts and lines.
fn beside(limits: ForwardLimits) -> ForwardLimits {
    ForwardLimits {
        requests_max: limits.requests_max / 4,
        bytes_max: limits.bytes_max / 4,
        senders: limits.senders / 2,
        ..limits
    }
}

impl Forwarder<IntakeQueue> {
    /// Starts the thread. Nothing is sent before there is something to send. The limits are those for
    /// spans; counts and lines each have a quarter of that room, and half as many senders, beside them.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn start(
        settings: ForwardSettings,
        limits: ForwardLimits,
        inbox: Inbox,
    ) -> io::Result<Self> {
        let to = format!("Datadog ({})", settings.site);
        let ledger = Arc::new(Ledger::new(to, limits, inbox));
        let (traces, traces_lane) = Queue::new(limits, &ledger);
        let (stats, stats_lane) = Queue::new(beside(limits), &ledger);
        let (logs, logs_lane) = Queue::new(beside(limits), &ledger);
        let intakes = Intakes {
            settings,
            opener: Opener::new(),
            is_refused: AtomicBool::new(false),
        };
        Ok(Self {
            queue: IntakeQueue {
                traces,
                stats,
                logs,
            },
            worker: Worker::start(intakes, vec![traces_lane, stats_lane, logs_lane], ledger)?,
        })
    }
}

/// The intakes of a site.
struct Intakes {
    settings: ForwardSettings,
    opener: Opener,
    is_refused: AtomicBool,
}

impl Destination for Intakes {
    type Cargo = IntakeRequest;
    /// It always leads to the intake of its lane.
    type Open = Connection;

    async fn attempt(&self, request: &mut IntakeRequest, open: &mut Connection) -> Tried {
        let answer = match self.exchange(request, open).await {
            Ok(answer) => answer,
            Err(error) => return Tried::unanswered(error.to_string()),
        };
        let attempt = Attempt::Answered(answer.status);
        let is_refused = attempt.next() == Next::Stop;
        self.is_refused.fetch_or(is_refused, Ordering::Relaxed);
        Tried {
            attempt,
            error: if is_refused {
                REFUSED.to_owned()
            } else {
                format!("answers with status {}", answer.status)
            },
            asked: answer
                .header("retry-after")
                .and_then(|asked| retry_after(asked, clock::wall())),
        }
    }

    fn refusal(&self) -> Option<&'static str> {
        self.is_refused.load(Ordering::Relaxed).then_some(REFUSED)
    }
}

impl Intakes {
    async fn exchange(
        &self,
        request: &IntakeRequest,
        open: &mut Connection,
    ) -> Result<Answer, ExchangeError> {
        let message = self.message(request)?;
        let address = self.settings.address(request.intake);
        let connect = self.opener.open(address);
        open.exchange(message, connect).await
    }

    fn message(&self, request: &IntakeRequest) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let address = self.settings.address(request.intake);
        let mut key = HeaderValue::from_str(self.settings.key.expose())?;
        key.set_sensitive(true);
        let mut message = Request::post(&*address.path)
            .header(HOST, address.authority())
            .header("DD-API-KEY", key);
        for (name, value) in &request.headers {
            message = message.header(*name, value);
        }
        message.body(Full::new(request.body.clone()))
    }
}
