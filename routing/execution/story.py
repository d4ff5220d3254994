"""The state of one call while it runs: what was asked, by whom, until when, and its books."""

import time
from dataclasses import dataclass
from datetime import date

import msgspec

from accounts.callers import Caller
from accounts.keyring import Keyring
from billing.ledger import OpenCall
from routing import dialects
from routing.cache.keeping import Keep
from routing.chat import ChatRequest
from routing.conversation import Conversation
from routing.health.known import Known
from routing.options import Options
from routing.thoughts import Thoughts
from routing.training_data.filters import Filter
from routing.upstream.pool import Pool


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. The first token of a whole answer or a reasoning model may take longer."""

    connect_s: float = 5.0
    first_token_s: float = 60.0
    first_token_long_s: float = 300.0
    idle_s: float = 60.0
    total_s: float = 900.0


class Story(msgspec.Struct, kw_only=True, eq=False, gc=False):
    """One call from its plan to its end. Moments are on the monotonic clock."""

    chat: ChatRequest
    caller: Caller
    options: Options
    ring: Keyring
    pool: Pool
    books: OpenCall
    thoughts: Thoughts
    health: Known
    body_id: str
    strategy: str
    planned_reason: str
    session: str = ""  # that sticks to whoever answers
    today: date
    began: float
    ends_by: float
    timeouts: Timeouts = Timeouts()
    upstream_s: float = 0.0  # time spent waiting for providers
    adapted: tuple[str, ...] = ()  # parameters changed for the provider that answered

    is_raced: bool = False  # several candidates were asked at once
    is_decided: bool = False  # one of the attempts has won
    is_told: bool = False  # a stream's caller was sent the whole answer, which is on the books
    keep: Keep | None = None  # where the answer is to be kept
    collects: Filter | None = None  # what the tenant collects, where this call is to be collected
    conversation: Conversation | None = None  # the request in the neutral middle, once it is read

    def converse(self) -> Conversation:
        """The request in the neutral middle. Raises InvalidRequest."""
        if self.conversation is None:
            self.conversation = dialects.CALLERS[self.chat.dialect].converse(self.chat)
        return self.conversation

    def claim(self) -> bool:
        """Take the call for an attempt that has something to say; False if it is taken."""
        if self.is_decided:
            return False
        self.is_decided = True
        return True

    def milliseconds(self, moment: float) -> int:
        """Milliseconds from the call's beginning."""
        return round((moment - self.began) * 1000)

    @property
    def seconds_left(self) -> float:
        return self.ends_by - time.monotonic()
