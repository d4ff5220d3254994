"""What a browser can tell of a page that is kept busy: pauses, input delay, size, traffic."""

import time
from dataclasses import dataclass, field

from playwright.sync_api import CDPSession, Page, WebSocket

# Noted by the page itself, from before its first script on.
NOTING = """
window.noted = { tasks: [], frames: [], inputs: [] };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) noted.tasks.push(entry.duration);
}).observe({ type: "longtask" });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) noted.inputs.push(entry.duration);
}).observe({ type: "event", durationThreshold: 16 });
let last = performance.now();
const frame = (now) => {
  noted.frames.push(now - last);
  last = now;
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
"""
FORGET = "noted.tasks = []; noted.frames = []; noted.inputs = [];"


@dataclass(frozen=True)
class Seen:
    """Milliseconds, where nothing else is said."""

    longest_task: float
    blocked_share: float  # of the time, in tasks of 50 ms or more
    longest_frame: float
    late_frames: float  # share of frames that took longer than 50 ms
    slowest_input: float  # from a click to the next picture
    messages_per_second: float
    kilobytes_per_second: float
    rows: int
    elements: int


@dataclass
class Watch:
    """Notes what happens on a page; make it before the page goes anywhere."""

    page: Page
    frames: list[int] = field(default_factory=list)  # sizes of what the sockets brought
    _since: float = 0.0

    def __post_init__(self) -> None:
        self.page.add_init_script(NOTING)
        self.page.on("websocket", self._hear)

    def _hear(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda data: self.frames.append(len(data)))

    def begin(self) -> None:
        self.page.evaluate(FORGET)
        self.frames.clear()
        self._since = time.monotonic()

    def seen(self) -> Seen:
        noted = self.page.evaluate("noted")
        seconds = time.monotonic() - self._since
        tasks, frames = noted["tasks"], noted["frames"]
        return Seen(
            longest_task=max(tasks, default=0.0),
            blocked_share=sum(tasks) / 1000 / seconds,
            longest_frame=max(frames),
            late_frames=sum(one > 50 for one in frames) / len(frames),
            slowest_input=max(noted["inputs"], default=0.0),
            messages_per_second=len(self.frames) / seconds,
            kilobytes_per_second=sum(self.frames) / 1000 / seconds,
            rows=self.page.locator("tbody[data-live-rows] tr").count(),
            elements=self.page.evaluate("document.querySelectorAll('*').length"),
        )


def memory(session: CDPSession) -> tuple[float, int]:
    """Megabytes of the page's scripts and nodes it holds, after what is not needed was let go."""
    session.send("HeapProfiler.collectGarbage")
    metrics = {
        one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]
    }
    return metrics["JSHeapUsedSize"] / 1e6, int(metrics["Nodes"])
