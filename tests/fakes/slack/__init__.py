"""A Slack that runs in the test: stateful Web API, signed HTTP deliveries, Socket Mode, people who click.

- `FakeSlack` (`server`): the aiohttp application with everything plugged together; `async with FakeSlack() as slack`.
- `model`: the workspace (people, channels, messages, views, files); `methods_*`: the Web API on it.
- `interactions`: what a person can do (`slack.person("dana").slash(…)`, `.click(…)`, `.submit(…)`).
- `deliveries`, `sockets`: how that reaches the app (HTTP with signature and retries, Socket Mode with redelivery).
- `faults`: 429, 5xx, latency, lost answers, duplicates, reordering, disconnects. `recorder`: everything that was said.
- `checks`: Block Kit is judged by Slack's own models and the limits those leave out. `page`: a picture of it all.

What it cannot know: real latency, real rate limits, how phones draw things.
"""

from tests.fakes.slack.faults import Faults
from tests.fakes.slack.interactions import Member
from tests.fakes.slack.model import Channel, Message, SlackError, User, Workspace
from tests.fakes.slack.server import FakeSlack

__all__ = ["Channel", "FakeSlack", "Faults", "Member", "Message", "SlackError", "User", "Workspace"]
