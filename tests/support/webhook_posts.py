"""What arrived at the webhooks' simulator, and the secrets in its addresses."""

from collections.abc import Callable

from app.domains.realestate.models import ArticleChange
from support.serving import Simulator

DISCORD_SECRET = "dc-Zq81-secret-of-discord"
SLACK_SECRET = "sl-Xk42-secret-of-slack"
Changed = Callable[..., ArticleChange]


def posts(simulator: Simulator, channel: str) -> list[str]:
    """The texts that arrived in a channel, in order."""
    return [post["text"] for post in simulator.http.get("/_sim/posts").json() if post["channel"] == channel]
