"""Facts about connections that a target makes to somebody's own machine: by a remote forward, to their agent, to their display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from access.events import Fact
from access.masking import Masked


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardConnected(Fact):
    """The target connected to the client's side, under the statement with this number. The stream is the session."""

    kind: ClassVar[str] = "forward.connected"
    number: int
    what: Masked


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardRefused(Fact):
    """The target tried to, and was not let. The stream is the session."""

    kind: ClassVar[str] = "forward.refused"
    number: int
    what: Masked
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAsked(Fact):
    """The target asked the person's agent for a signature of this key. The stream is the session."""

    kind: ClassVar[str] = "agent.asked"
    number: int
    key: str
    purpose: Masked


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCalled(Fact):
    """A target asked, on a connection that others share, for something of a client that nobody lent it. It got nothing. The stream
    is the resource."""

    kind: ClassVar[str] = "upstream.called"
    resource: str
    what: str
